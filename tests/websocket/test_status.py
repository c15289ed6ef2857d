"""How a client stands: as a value, at each change, and for whoever waits until all is well."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from copra_tx.errors import (
    ClientClosedError,
    ConfigurationError,
    ConnectionLostError,
    LineError,
    SubscriptionRefusedError,
    SubscriptionTimeoutError,
)
from copra_tx.websocket import Channel, Status
from copra_tx.websocket.state import State
from support.world import BTC, ETH, Recorder, World, connected, outcome, refusal, settle

TICK = {"type": "ticker", "product_id": "BTC-USD", "sequence": 1}
BOTH = Channel("ticker", ["BTC-USD", "ETH-USD"])


class Told(Recorder):
    """Records statuses, too."""

    def on_status(self, status: Status) -> None:
        self.events.append(("status", status))

    @property
    def statuses(self) -> list[Status]:
        return [event[1] for event in self.events if event[0] == "status"]


@pytest.fixture
def world() -> World:
    return World()


# -- the value


def test_before_there_is_a_line_everything_is_pending(world: World) -> None:
    client = world.client([BTC, Channel("status")], auto_connect=False)
    status = client.status
    assert status.state is State.IDLE
    assert status.pending == {"ticker": BTC, "status": Channel("status")}
    assert status.confirmed == status.refused == {}
    assert (status.message_age, status.lag_s, status.clock_offset) == (None, None, None)
    assert not status.is_ready


def test_heartbeats_that_nobody_wants_are_not_pending(world: World) -> None:
    client = world.client(BTC, feed="advanced")
    assert client.status.pending == {"ticker": BTC}


def test_a_status_does_not_change(world: World) -> None:
    client, server = connected(world)
    before = client.status
    server.say(TICK, [])
    settle(world)
    assert before.counters.messages == client.status.counters.messages - 1
    assert before.counters.unusable != client.status.counters.unusable
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.state = State.IDLE
    with pytest.raises(TypeError):
        before.confirmed["ticker"] = ETH


def test_products_are_confirmed_pending_or_refused(world: World) -> None:
    client = world.client([BOTH, Channel("level2_batch", "BTC-USD")])
    server = world.open()
    assert client.status.pending.keys() == {"ticker", "level2_batch"}
    refusal(server, "ETH-USD is not a valid product")
    server.hold(ticker=["BTC-USD"], level2_50=["BTC-USD"])
    settle(world)
    status = client.status
    assert status.confirmed == {"ticker": BTC, "level2_batch": Channel("level2_batch", "BTC-USD")}
    assert status.refused == {"ticker": ETH}
    assert status.pending == {}
    world.drop()
    assert client.status.confirmed == client.status.refused == {}
    assert client.status.pending["ticker"] == BOTH


def test_the_age_of_the_last_message(world: World) -> None:
    client, server = connected(world)
    for _ in range(3):
        world.advance(1)
    server.say(TICK)
    settle(world)
    assert client.status.message_age == 0
    for _ in range(7):
        world.advance(1)
    assert client.status.message_age == 7
    world.drop()
    assert client.status.message_age == 7 or client.status.message_age is None


# -- at each change


def test_each_change_is_told_once(world: World) -> None:
    client = world.client(BTC, kind=Told)
    server = world.open()
    server.confirm()
    settle(world)
    server.say(TICK, TICK)
    settle(world)
    told = [(one.state.value, sorted(one.confirmed), one.is_ready) for one in client.statuses]
    assert told == [
        ("scheduled", [], False),
        ("connecting", [], False),
        ("open", [], False),
        ("open", ["ticker"], False),
        ("open", ["ticker"], True),
    ]
    client.events.clear()
    outcome(client.close())
    settle(world)
    assert [one.state.value for one in client.statuses] == ["closing", "closed"]


def test_a_lost_line_is_told_before_on_close(world: World) -> None:
    client, _ = connected(world, kind=Told)
    world.drop()
    kinds = [event[1].state.value if event[0] == "status" else event[0] for event in client.events]
    assert kinds == ["lost", "close", "waiting"]


def test_a_status_callback_that_fails_hurts_nobody(world: World, logged_errors: Any) -> None:
    class Broken(Recorder):
        def on_status(self, status: Status) -> None:
            raise ValueError("mine")

    client = world.client(BTC, kind=Broken)
    world.open().confirm()
    settle(world)
    assert client.status.confirmed == {"ticker": BTC}
    assert client.counters.callback_failures >= 3
    assert logged_errors.flush(ValueError)


def test_a_paused_line_is_told(world: World) -> None:
    client, server = connected(world, kind=Told, max_buffered=2)
    client.__aiter__()
    server.say(TICK, TICK)
    settle(world)
    assert client.statuses[-1].is_paused
    client._Client__buffer.end()
    settle(world)
    assert not client.statuses[-1].is_paused


# -- until all is well


@pytest.mark.parametrize("how", ["ready", "closed", "failed"])
def test_one_who_waits_may_have_the_other_wait_no_longer(world: World, how: str) -> None:
    client, server = connected(world)
    first, second = client.when_ready(1), client.when_ready(1)
    told, other = outcome(first.addBoth(lambda _: second.cancel())), outcome(second)
    if how == "ready":
        server.say(TICK)
        settle(world)
    elif how == "closed":
        outcome(client.close())
    else:
        world.drop()
    assert told == [None]
    assert other[0].check(CancelledError)


def test_ready_is_confirmed_and_flowing(world: World) -> None:
    client = world.client(BTC)
    ready = outcome(client.when_ready())
    server = world.open()
    server.confirm()
    settle(world)
    assert ready == []
    server.say(TICK)
    settle(world)
    assert ready == [None]
    assert outcome(client.when_ready()) == [None]


def test_what_is_quiet_by_nature_need_not_flow(world: World) -> None:
    client = world.client([Channel("user", "BTC-USD"), Channel("status")])
    world.open().confirm()
    settle(world)
    assert outcome(client.when_ready()) == [None]


def test_data_before_the_answer_are_not_enough(world: World) -> None:
    client = world.client(BTC)
    ready = outcome(client.when_ready())
    server = world.open()
    server.say(TICK)
    settle(world)
    assert ready == []
    server.confirm()
    settle(world)
    assert ready == [None]


def test_it_waits_over_reconnections(world: World) -> None:
    client = world.client(BTC)
    ready = outcome(client.when_ready())
    for _ in range(3):
        world.open()
        world.drop()
        world.advance(30)
    server = world.open()
    server.confirm()
    server.say(TICK)
    settle(world)
    assert ready == [None]


def test_after_so_many_failed_attempts_it_fails_with_the_last_cause(world: World) -> None:
    client = world.client(BTC)
    twice, thrice = outcome(client.when_ready(2)), outcome(client.when_ready(fail_after=3))
    world.open()
    world.drop()
    assert twice == []
    world.advance(30)
    world.open()
    world.drop()
    [failure] = twice
    assert failure.check(ConnectionLostError, Exception)
    world.advance(30)
    world.reactor.fail(ConnectionRefusedError("no"))
    world.advance(1)
    [failure] = thrice
    assert failure.check(LineError)
    assert not failure.check(ConnectionLostError)


def test_a_refusal_is_a_failed_attempt_with_the_servers_words(world: World) -> None:
    client = world.client(BOTH)
    once, twice = outcome(client.when_ready(1)), outcome(client.when_ready(2))
    server = world.open()
    refusal(server, "ETH-USD is not a valid product")
    server.hold(ticker=["BTC-USD"])
    settle(world)
    [failure] = once
    assert failure.check(SubscriptionRefusedError)
    assert "ETH-USD is not a valid product" in str(failure.value)
    world.drop()
    assert twice == []  # it was one attempt
    world.advance(30)
    world.open()
    world.drop()
    assert len(twice) == 1


def test_no_answer_is_a_failed_attempt(world: World) -> None:
    client = world.client(BTC)
    failed = outcome(client.when_ready(1))
    world.open().say(TICK)
    for _ in range(11):
        world.advance(1)
    assert failed[0].check(SubscriptionTimeoutError)
    assert client.connected.is_set()  # what does come is worth something
    assert client.status.refused == {"ticker": BTC}


def test_it_ends_with_the_client(world: World) -> None:
    client = world.client(BTC)
    ready = outcome(client.when_ready())
    outcome(client.close())
    assert ready[0].check(ClientClosedError)
    client = world.client(BTC, auto_reconnect=False)
    ready = outcome(client.when_ready())
    world.open()
    world.drop()
    assert ready[0].check(ConnectionLostError, Exception)


def test_who_cancels_waits_no_more(world: World) -> None:
    client = world.client(BTC)
    waiting = client.when_ready()
    ended = outcome(waiting)
    waiting.cancel()
    server = world.open()
    server.confirm()
    server.say(TICK)
    settle(world)
    assert len(ended) == 1


@pytest.mark.parametrize("end", ["ready", "lost", "closed"])
def test_who_is_told_may_cancel_another(world: World, end: str) -> None:
    client = world.client(Channel("status"))
    first, second, third = (client.when_ready(fail_after=1) for _ in range(3))
    first.addBoth(lambda _: second.cancel())
    told = [outcome(waiting) for waiting in (first, second, third)]
    server = world.open()
    if end == "ready":
        server.confirm()
        settle(world)
    elif end == "lost":
        world.drop()
    else:
        client.close()
    assert told[0] == [None]
    assert told[1][0].type is CancelledError
    assert len(told[2]) == 1
    assert len(client.closes) == (end == "lost")


@pytest.mark.parametrize("number", [0, -1, True])
def test_fail_after_is_a_number_of_attempts(world: World, number: Any) -> None:
    client = world.client(BTC)
    with pytest.raises(ConfigurationError, match=r"^fail_after is a number of attempts"):
        client.when_ready(number)


def test_after_close_nobody_waits_to_be_ready(world: World) -> None:
    client = world.client()
    world.open()
    closed = outcome(client.close())
    for _ in range(2):
        assert outcome(client.when_ready())[0].check(ClientClosedError)
        world.advance(3)
    assert closed == [None]
    client.add_as_task_to_loop()
    assert outcome(client.when_ready()) == []
