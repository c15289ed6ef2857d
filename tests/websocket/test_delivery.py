"""The guard around callbacks: one at a time, in order, whatever they raise, return or wait for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from copra_tx.websocket.delivery import SLICE
from support.guarded import Guarded
from support.logs import logged


@pytest.fixture
def guarded() -> Guarded:
    return Guarded()


async def waits_for(gate: Deferred[Any]) -> None:
    await gate


# -- order


def test_a_callback_is_called_at_once(guarded: Guarded) -> None:
    guarded.call("a")
    assert guarded.called == ["a"]
    assert guarded.is_quiet()


def test_what_a_callback_causes_comes_after_it(guarded: Guarded) -> None:
    order: list[str] = []

    def causing() -> None:
        guarded.call("b")
        order.append(f"a ends, called: {guarded.called}")

    guarded.deliver(causing, "a")
    assert order == ["a ends, called: ['a']"]
    assert guarded.called == ["a", "b"]


@pytest.mark.parametrize("kind", ["coroutine", "Deferred", "coroutine that waits"])
def test_the_next_waits_for_a_slow_one(guarded: Guarded, kind: str) -> None:
    gate: Deferred[None] = Deferred()
    result = gate if kind == "Deferred" else waits_for(gate)
    guarded.call("slow", result)
    guarded.call("a")
    guarded.call("b")
    assert guarded.called == ["slow"]
    assert len(guarded.delivery.waiting) == 2
    gate.callback(None)
    assert guarded.called == ["slow"]  # not in the turn of whoever let it go on
    guarded.turn()
    assert guarded.called == ["slow", "a", "b"]
    assert guarded.is_quiet()


def test_a_result_that_is_there_already_is_not_waited_for(guarded: Guarded) -> None:
    fired: Deferred[None] = Deferred()
    fired.callback(None)
    guarded.call("a", fired)
    guarded.call("b", 17)  # neither a coroutine nor a Deferred: of no interest
    guarded.call("c")
    assert guarded.called == ["a", "b", "c"]


def test_a_callback_may_be_slow_now_and_quick_then(guarded: Guarded) -> None:
    for number in range(3):
        guarded.call("on_message")
        gate: Deferred[None] = Deferred()
        guarded.call("on_message", gate)
        guarded.call("on_message")
        assert len(guarded.called) == 3 * number + 2
        gate.callback(None)
        guarded.turn()
        assert len(guarded.called) == 3 * number + 3


def test_a_long_chain_of_slow_ones_does_not_nest(guarded: Guarded) -> None:
    first: Deferred[None] = Deferred()
    guarded.call("first", first)
    for _ in range(5000):
        fired: Deferred[None] = Deferred()
        fired.callback(None)
        guarded.call("next", fired)
    first.callback(None)
    for _ in range(5001):
        guarded.turn()
    assert len(guarded.called) == 5001


def test_a_backlog_leaves_the_loop_its_turns(guarded: Guarded) -> None:
    gate: Deferred[None] = Deferred()
    guarded.call("slow", gate)
    for _ in range(6):
        guarded.deliver(lambda: guarded.pass_by(SLICE * 0.7), "a")
    gate.callback(None)
    guarded.clock.callLater(0, guarded.called.append, "somebody else")
    guarded.turn()
    assert guarded.called == ["slow", "a", "a", "somebody else", *["a"] * 4]
    assert guarded.is_quiet()


def test_who_comes_between_two_turns_comes_after_those_that_wait(guarded: Guarded) -> None:
    gate: Deferred[None] = Deferred()
    guarded.call("slow", gate)
    for _ in range(6):
        guarded.deliver(lambda: guarded.pass_by(SLICE * 0.7), "a")
    gate.callback(None)
    guarded.clock.callLater(0, guarded.call, "late")
    guarded.turn()
    assert guarded.called == ["slow", *["a"] * 6, "late"]


# -- failures


def test_what_a_cancelled_future_raises_is_a_failure(guarded: Guarded, logged_errors: Any) -> None:
    guarded.call("a", asyncio.CancelledError())
    guarded.call("b")
    guarded.call("a", asyncio.CancelledError())
    assert guarded.called == ["a", "b", "a"]
    assert guarded.counters.callback_failures == 2
    assert len(logged_errors.flush(asyncio.CancelledError)) == 2


def test_what_a_callback_raises_is_logged_counted_and_no_more(guarded: Guarded, logged_errors: Any) -> None:
    with logged() as log:
        guarded.delivery.deliver("on_message", lambda _: 1 / 0, {"type": "ticker", "secret": "x"})
        guarded.call("a")
        guarded.call("b")
    [failure] = logged_errors.flush(ZeroDivisionError)
    assert "ZeroDivisionError" in failure.getTraceback()
    assert log.lines("copra_tx") == ["on_message failed (message type: ticker); the line is kept"]
    assert guarded.called == ["a", "b"]
    assert guarded.counters.callback_failures == 1
    assert guarded.amended == ["on_message"]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("on_message", [["noop", "BTC-USD"]], "on_message failed (message type: list); the line is kept"),
        ("on_message", [{}], "on_message failed (message type: None); the line is kept"),
        ("on_open", [], "on_open failed; the line is kept"),
        ("on_close", [True, 1000, ""], "on_close failed; the line is kept"),
    ],
)
def test_each_failure_says_where_and_of_a_message_its_type(
    guarded: Guarded, name: str, arguments: list[Any], told: str, logged_errors: Any
) -> None:
    with logged() as log:
        guarded.delivery.deliver(name, lambda *_: 1 / 0, *arguments)
    assert log.lines("copra_tx") == [told]
    assert guarded.amended == [name]
    assert len(logged_errors.flush(ZeroDivisionError)) == 1


@pytest.mark.parametrize("error", [ValueError("mine"), CancelledError()])
def test_a_slow_one_that_fails_is_told_and_the_next_comes(
    guarded: Guarded, error: Exception, logged_errors: Any
) -> None:
    """A cancellation that is none of ours is a failure too."""
    gate: Deferred[None] = Deferred()
    guarded.call("slow", waits_for(gate))
    guarded.call("a")
    gate.errback(error)
    guarded.turn()
    assert guarded.called == ["slow", "a"]
    assert guarded.counters.callback_failures == 1
    assert guarded.amended == ["slow"]
    assert len(logged_errors.flush(type(error))) == 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_not_an_error_passes(guarded: Guarded, kind: type[BaseException]) -> None:
    with pytest.raises(kind):
        guarded.call("a", kind())
    assert guarded.counters.callback_failures == 0
    guarded.call("b")
    assert guarded.called == ["a", "b"]


@pytest.mark.parametrize("is_plain", [True, False])
def test_what_waits_behind_an_interrupted_callback_is_delivered(guarded: Guarded, is_plain: bool) -> None:
    def interrupt() -> Any:
        guarded.call("behind")
        return KeyboardInterrupt()

    if is_plain:
        guarded.call()
    with pytest.raises(KeyboardInterrupt):
        guarded.deliver(interrupt)
    guarded.call("later")
    guarded.turn()
    assert guarded.called[-3:] == ["on_message", "behind", "later"]
    assert guarded.is_quiet()


def test_what_waits_behind_an_interrupted_callback_that_waited_is_delivered(guarded: Guarded) -> None:
    gate: Deferred[None] = Deferred()
    guarded.call("slow", gate)
    guarded.call("a", KeyboardInterrupt())
    guarded.call("b")
    gate.callback(None)
    with pytest.raises(KeyboardInterrupt):
        guarded.turn()
    guarded.turn()
    assert guarded.called == ["slow", "a", "b"]
    assert guarded.is_quiet()


# -- too many


def test_it_says_so_when_too_many_wait_and_when_half_are_done(guarded: Guarded) -> None:
    gates: list[Deferred[None]] = [Deferred() for _ in range(6)]
    for gate in gates:
        guarded.call("slow", gate)
    assert guarded.said == ["full", "full"]  # 4 wait, 5 wait
    for gate in gates[:3]:
        gate.callback(None)
        guarded.turn()
    assert guarded.said == ["full", "full", "drained"]
    for gate in gates[3:]:
        gate.callback(None)
        guarded.turn()
    assert len(guarded.called) == 6


# -- a whole read at once


def test_straight_is_for_a_callback_that_returned_nothing(guarded: Guarded) -> None:
    delivery = guarded.delivery
    assert not delivery.is_straight("on_message")
    guarded.call("on_message")
    assert delivery.is_straight("on_message")
    assert not delivery.is_straight("on_error")
    fired: Deferred[None] = Deferred()
    fired.callback(None)
    guarded.call("on_message", fired)
    assert not delivery.is_straight("on_message")
    guarded.call("on_message")
    assert not delivery.is_straight("on_message")  # it may return one again


def test_straight_is_for_whom_nobody_is_before(guarded: Guarded) -> None:
    delivery = guarded.delivery
    guarded.call("on_message")
    delivery.yield_turn()
    delivery.yield_turn()
    assert not delivery.is_straight("on_message")
    guarded.call("a")
    assert guarded.called == ["on_message"]
    guarded.turn()
    assert guarded.called == ["on_message", "a"]
    assert delivery.is_straight("on_message")
    assert guarded.is_quiet()


def test_what_is_delivered_meanwhile_comes_at_the_end(guarded: Guarded) -> None:
    delivery = guarded.delivery
    delivery.begin()
    guarded.call("a")
    assert guarded.called == []
    delivery.end()
    assert guarded.called == ["a"]
    delivery.begin()
    guarded.call("b")
    delivery.yield_turn()
    delivery.end()
    assert guarded.called == ["a"]
    guarded.turn()
    assert guarded.called == ["a", "b"]


def test_a_straight_one_may_turn_out_slow(guarded: Guarded) -> None:
    delivery, gate = guarded.delivery, Deferred()
    guarded.call("on_message")
    delivery.begin()
    delivery.took(waits_for(gate), "on_message", ())
    delivery.end()
    guarded.call("a")
    assert guarded.called == ["on_message"]
    gate.callback(None)
    guarded.turn()
    assert guarded.called == ["on_message", "a"]


def test_a_straight_one_may_return_something_of_no_interest(guarded: Guarded) -> None:
    delivery = guarded.delivery
    guarded.call("on_message")
    delivery.begin()
    delivery.took(True, "on_message", ())
    delivery.end()
    assert not delivery.is_straight("on_message")  # looked at again when it is called the next time
    guarded.call("on_message")
    assert delivery.is_straight("on_message")


# -- one message a read


class Receiving:
    """Takes messages, each of which says what to do with it."""

    def __init__(self, guarded: Guarded) -> None:
        self.guarded, self.messages = guarded, list[Any]()

    def on_message(self, message: Any) -> Any:
        self.messages.append(message)
        if isinstance(message, BaseException):
            raise message
        return message() if callable(message) else None


@pytest.fixture
def receiving(guarded: Guarded) -> Receiving:
    """Return one who has shown to return nothing."""
    receiving = Receiving(guarded)
    guarded.delivery.deliver_message(receiving, "first")
    assert guarded.delivery.is_straight("on_message")
    return receiving


def test_a_single_message_that_makes_it_raise_does_no_harm(
    guarded: Guarded, receiving: Receiving, logged_errors: Any
) -> None:
    guarded.delivery.deliver_message(receiving, ZeroDivisionError())
    guarded.delivery.deliver_message(receiving, "next")
    assert guarded.counters.callback_failures == 1
    assert guarded.amended == ["on_message"]
    assert len(logged_errors.flush(ZeroDivisionError)) == 1
    assert receiving.messages[-1] == "next"
    assert guarded.is_quiet()


def test_an_interrupt_during_a_single_message_passes(guarded: Guarded, receiving: Receiving) -> None:
    with pytest.raises(KeyboardInterrupt):
        guarded.delivery.deliver_message(receiving, KeyboardInterrupt())
    assert guarded.counters.callback_failures == 0
    assert guarded.delivery.is_straight("on_message")


def test_what_waits_behind_an_interrupted_single_message_is_delivered(guarded: Guarded, receiving: Receiving) -> None:
    def interrupt() -> None:
        guarded.call("behind")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guarded.delivery.deliver_message(receiving, interrupt)
    guarded.turn()
    assert guarded.called[-1] == "behind"
    assert guarded.delivery.is_straight("on_message")


@pytest.mark.parametrize("kind", ["coroutine", "Deferred"])
def test_a_single_message_may_take_its_time(guarded: Guarded, receiving: Receiving, kind: str) -> None:
    gate: Deferred[None] = Deferred()
    guarded.delivery.deliver_message(receiving, lambda: gate if kind == "Deferred" else waits_for(gate))
    guarded.delivery.deliver_message(receiving, "later")
    assert receiving.messages[-1] != "later"
    gate.callback(None)
    guarded.turn()
    assert receiving.messages[-1] == "later"


def test_what_a_single_message_causes_comes_after_it(guarded: Guarded, receiving: Receiving) -> None:
    def causing() -> None:
        guarded.call("on_gap")
        assert guarded.called == []

    guarded.delivery.deliver_message(receiving, causing)
    assert guarded.called == ["on_gap"]
    assert guarded.is_quiet()
