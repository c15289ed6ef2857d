"""How callbacks end when the client closes: waited for, cancelled, and left to themselves if need be."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, inlineCallbacks

from copra_tx.websocket.delivery import LAST_CHANCE
from support.guarded import Guarded
from support.world import outcome


@pytest.fixture
def guarded() -> Guarded:
    return Guarded()


async def waits_for(gate: Deferred[Any]) -> None:
    await gate


class Stubborn:
    """A coroutine that goes on though it is cancelled, as often as it is told to."""

    def __init__(self, times: int) -> None:
        self.cancelled = 0
        self.last: Deferred[None] = Deferred()
        self.result = ensureDeferred(self._run(times))

    async def _run(self, times: int) -> None:
        for _ in range(times):
            try:
                await Deferred()
            except CancelledError:
                self.cancelled += 1
        await self.last


def test_without_callbacks_it_is_done_at_once(guarded: Guarded) -> None:
    guarded.call("a")
    assert outcome(guarded.delivery.wind_down(2)) == [None]
    assert guarded.is_quiet()


def test_it_waits_for_the_callback_that_runs_and_for_those_behind_it(guarded: Guarded) -> None:
    gate: Deferred[None] = Deferred()
    guarded.call("slow", waits_for(gate))
    guarded.call("on_close")
    done, again = outcome(guarded.delivery.wind_down(2)), outcome(guarded.delivery.wind_down(2))
    guarded.clock.advance(1.9)
    assert done == again == []
    gate.callback(None)
    guarded.turn()
    assert guarded.called == ["slow", "on_close"]
    assert done == again == [None]
    assert guarded.is_quiet()


def test_it_cancels_what_takes_too_long(guarded: Guarded) -> None:
    guarded.call("slow", waits_for(Deferred()))
    guarded.call("on_close")
    done = outcome(guarded.delivery.wind_down(2))
    guarded.clock.advance(2)
    guarded.turn()
    assert guarded.called == ["slow", "on_close"]
    assert done == [None]
    assert guarded.counters.callback_failures == 0  # ours to cancel, not the user's failure
    assert guarded.is_quiet()


def test_what_it_does_when_cancelled_may_fail(guarded: Guarded, logged_errors: Any) -> None:
    async def fails() -> None:
        try:
            await Deferred()
        except CancelledError:
            raise ValueError("mine") from None

    guarded.call("slow", fails())
    done = outcome(guarded.delivery.wind_down(2))
    guarded.clock.advance(2)
    assert done == [None]
    assert guarded.counters.callback_failures == 1
    assert len(logged_errors.flush(ValueError)) == 1


def test_a_second_endless_one_is_cancelled_too(guarded: Guarded) -> None:
    """It is given ``LAST_CHANCE``: whatever users do, the end is bounded."""
    for name in ("on_message", "on_close"):
        guarded.call(name, waits_for(Deferred()))
    guarded.call("last")
    done = outcome(guarded.delivery.wind_down(2))
    guarded.clock.advance(2)
    guarded.turn()
    assert guarded.called == ["on_message", "on_close"]
    guarded.clock.advance(LAST_CHANCE - 0.1)
    assert done == []
    guarded.clock.advance(0.2)
    assert guarded.called == ["on_message", "on_close", "last"]
    assert done == [None]
    assert guarded.is_quiet()


def test_one_that_waits_for_its_turn_is_bounded_as_well(guarded: Guarded) -> None:
    """The first ends in time; the one behind it never does."""
    gate: Deferred[None] = Deferred()
    guarded.call("on_message", gate)
    guarded.call("on_close", Deferred())
    gate.callback(None)
    done = outcome(guarded.delivery.wind_down(2))
    guarded.turn()
    assert guarded.called == ["on_message", "on_close"]
    guarded.clock.advance(2)
    guarded.turn()
    assert done == [None]
    assert guarded.is_quiet()


@pytest.mark.parametrize("times", [1, 5])
def test_one_that_does_not_end_when_cancelled_is_left_to_itself(guarded: Guarded, times: int) -> None:
    stubborn = Stubborn(times)
    guarded.call("on_message", stubborn.result)
    guarded.call("on_close")
    done = outcome(guarded.delivery.wind_down(2))
    guarded.clock.advance(2)
    assert (done, guarded.called) == ([], ["on_message"])
    guarded.clock.advance(LAST_CHANCE)
    guarded.turn()
    assert (done, guarded.called) == ([None], ["on_message", "on_close"])
    assert stubborn.cancelled == min(times, 2)
    assert guarded.is_quiet()
    guarded.call("afterwards")
    assert guarded.called[-1] == "afterwards"


def test_what_comes_of_one_left_to_itself_is_told_and_disturbs_nobody(guarded: Guarded, logged_errors: Any) -> None:
    stubborn = Stubborn(times=2)
    guarded.call("on_message", stubborn.result)
    outcome(guarded.delivery.wind_down(2))
    guarded.clock.advance(2)
    guarded.clock.advance(LAST_CHANCE)
    running: Deferred[None] = Deferred()
    guarded.call("next", running)
    guarded.call("behind")
    stubborn.last.errback(ValueError("mine"))
    guarded.turn()
    assert guarded.amended == ["on_message"]
    assert len(logged_errors.flush(ValueError)) == 1
    assert guarded.called == ["on_message", "next"]
    running.callback(None)
    guarded.turn()
    assert guarded.called == ["on_message", "next", "behind"]


def test_a_backlog_that_takes_longer_than_allowed_is_worked_off_at_once(guarded: Guarded) -> None:
    """No callback takes long, but there are many: nothing is to be cancelled, and nothing may be left out."""
    gate: Deferred[None] = Deferred()
    guarded.call("slow", gate)
    for _ in range(6):
        guarded.deliver(lambda: guarded.pass_by(1.0), "a")
    done = outcome(guarded.delivery.wind_down(2))
    gate.callback(None)
    guarded.turn()
    assert done == [None]
    assert guarded.called == ["slow", *["a"] * 6]
    assert guarded.is_quiet()


def test_discarding_what_waits(guarded: Guarded) -> None:
    gate: Deferred[None] = Deferred()
    guarded.call("slow", gate)
    for name in ("on_message", "on_close", "on_error", "on_message"):
        guarded.call(name)
    guarded.delivery.discard("on_message", "on_error")
    gate.callback(None)
    guarded.turn()
    assert guarded.called == ["slow", "on_close"]


def test_discarding_everything_leaves_no_timer(guarded: Guarded) -> None:
    gate: Deferred[None] = Deferred()
    guarded.call("slow", gate)
    guarded.call("on_message")
    gate.callback(None)
    guarded.delivery.discard("on_message")
    assert guarded.is_quiet()
    guarded.call("a")
    assert guarded.called == ["slow", "a"]


# -- who asks


def test_inside_is_what_a_callback_calls(guarded: Guarded) -> None:
    seen: list[bool] = []
    for _ in range(2):
        guarded.deliver(lambda: seen.append(guarded.delivery.inside))
    assert seen == [True, True]
    assert not guarded.delivery.inside


@pytest.mark.parametrize("before", ["nothing", "a plain call"])
def test_inside_is_what_a_slow_callback_comes_to_in_the_end(guarded: Guarded, before: str) -> None:
    seen: list[bool] = []
    gate: Deferred[None] = Deferred()

    async def slow() -> None:
        await gate
        seen.append(guarded.delivery.inside)

    if before != "nothing":
        guarded.call()
    guarded.deliver(slow)
    assert not guarded.delivery.inside  # somebody else asks
    gate.callback(None)
    assert seen == [True]


def test_inside_is_what_a_generator_of_twisteds_comes_to(guarded: Guarded) -> None:
    seen: list[bool] = []
    gate: Deferred[None] = Deferred()

    @inlineCallbacks
    def slow() -> Any:
        yield gate
        seen.append(guarded.delivery.inside)

    guarded.deliver(slow)
    gate.callback(None)
    assert seen == [True]


def test_a_deferred_that_nobody_expected_may_have_come_from_inside(guarded: Guarded) -> None:
    """A callback that returned nothing so far is called without a mark: then nobody is made to wait for himself."""
    guarded.call()
    gate: Deferred[None] = Deferred()
    guarded.call("on_message", gate)
    assert guarded.delivery.inside
    gate.callback(None)
    assert not guarded.delivery.inside
    guarded.call()
    guarded.call("on_message", Deferred())
    assert not guarded.delivery.inside  # from now on it is marked


def test_what_an_earlier_callback_has_started_is_not_inside_a_later_one(guarded: Guarded) -> None:
    """It may wait for the one that runs: nothing waits for it."""
    seen: list[bool] = []
    gate: Deferred[None] = Deferred()

    async def started() -> None:
        await gate
        seen.append(guarded.delivery.inside)

    def starts() -> None:
        ensureDeferred(started())

    guarded.deliver(starts)
    guarded.call("on_error", Deferred())
    gate.callback(None)
    assert seen == [False]
