"""What happens when two things happen at once: a pace to wait for, a line that goes, a caller who changes his mind."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

from copra_tx.errors import SubscriptionTimeoutError
from copra_tx.websocket import Channel, Client, State
from copra_tx.websocket.pacing import Pacer, Priority
from support.logs import logged
from support.world import BTC, ETH, Recorder, World, asked, connected, outcome, settle


@pytest.fixture
def world() -> World:
    return World()


def exhausted(world: World) -> Pacer:
    """Return a limiter that grants nothing for the next 10 s."""
    pacer = Pacer(world.reactor, rate=0.1, burst=1)
    pacer.acquire(Priority.REQUEST)
    return pacer


# -- while the pace has to be waited for


def test_a_dial_waits_for_the_pace(world: World) -> None:
    client = world.client(pacer=exhausted(world))
    world.advance(9.9)
    assert world.reactor.dials == []
    assert client.line.state is State.SCHEDULED
    world.advance(0.2)
    assert len(world.reactor.pending_dials()) == 1


def test_closing_while_the_dial_waits_for_the_pace(world: World) -> None:
    client = world.client(pacer=exhausted(world))
    assert outcome(client.close()) == [None]
    assert world.reactor.getDelayedCalls() == []
    world.advance(60)
    assert world.reactor.dials == []


def test_joining_again_while_the_dial_waits_for_the_pace(world: World) -> None:
    client = world.client(pacer=exhausted(world))
    client.add_as_task_to_loop()
    outcome(client.close())
    client.add_as_task_to_loop()
    world.advance(0)
    world.advance(11)
    assert len(world.reactor.dials) == 1


def test_a_line_that_is_lost_while_its_request_waits_for_the_pace(world: World) -> None:
    client = world.client(pacer=exhausted(world), open_timeout=60, max_delay=1)
    world.advance(10)
    server = world.open()
    assert client.events == [("open",)]
    assert server.requests == []
    world.drop()
    world.advance(1.1)  # due to dial again, which waits too
    world.advance(20)
    assert asked(world.open()) == []
    world.advance(10.1)
    assert asked(world.servers[-1]) == [("subscribe", {"ticker": ["BTC-USD"]})]


def test_what_is_no_longer_due_when_the_pace_allows_it_is_not_sent(world: World) -> None:
    client, server = connected(world, pacer=Pacer(world.reactor, rate=0.1, burst=2))
    done = outcome(client.subscribe(ETH))
    client.unsubscribe(ETH)
    world.advance(20)
    assert server.requests == []
    assert done == [None]


# -- callers


def test_retry_twice_is_once(world: World) -> None:
    class Insisting(Recorder):
        def on_close(self, was_clean: bool, code: int, reason: str) -> None:
            super().on_close(was_clean, code, reason)
            self.retry()

    client = world.client(kind=Insisting)
    world.open()
    client.retry()  # there is a line: nothing to be tried again
    world.drop()
    assert client.retries == 1
    for _ in range(30):
        world.advance(0.1)
    assert len(world.reactor.dials) == 2


def test_async_with_on_an_open_line_goes_in_at_once(world: World) -> None:
    client = world.client()
    world.open()
    inside: list[State] = []

    async def run() -> None:
        async with client:
            inside.append(client.line.state)

    done = outcome(ensureDeferred(run()))
    assert inside == [State.OPEN]
    world.advance(0)
    assert done == [None]
    assert len(world.reactor.dials) == 1


def test_a_callers_dial_takes_the_place_of_an_upgrade_under_way(world: World) -> None:
    """TCP is up already; that attempt ends, and nobody is told of it: the caller's is the attempt."""
    client = world.client()
    first = world.accept()
    world.reactor.connectTCP(client.host, client.port, client)
    settle(world)
    assert first.closed_with is not None
    second = world.open()
    settle(world)
    assert client.events == [("open",)]
    assert [len(server.requests) for server in (first, second)] == [0, 1]
    second.confirm()
    world.advance(30)
    assert client.closes == []
    assert sum(dial.connected for dial in world.reactor.dials) == 1


def test_the_default_on_error_logs_both_texts(world: World) -> None:
    client = world.client(kind=Client)
    with logged() as log:
        world.open().say({"type": "error", "message": "Failed to subscribe", "reason": "no"})
        world.advance(0)
    assert "WebSocket Client: Failed to subscribe. no" in log.lines("copra_tx.websocket.client")
    outcome(client.close())
    world.advance(0)


# -- requests without an answer


def test_an_unsubscribe_without_an_answer_fails_who_waits_and_is_not_repeated(world: World) -> None:
    client, server = connected(world, [BTC, Channel("matches", "BTC-USD")])
    done = outcome(client.unsubscribe(BTC))
    settle(world)
    assert asked(server) == [("unsubscribe", {"ticker": ["BTC-USD"]})]
    world.advance(10.1)
    assert done[0].type is SubscriptionTimeoutError
    world.advance(60)
    assert len(server.requests) == 1
    assert dict(client.channels) == {"matches": Channel("matches", "BTC-USD")}


def test_renewing_part_of_a_channel_leaves_the_rest_of_the_request_to_its_turn(world: World) -> None:
    client, server = connected(world, [Channel("ticker", ["BTC-USD", "ETH-USD"]), Channel("matches", "BTC-USD")])
    done = [outcome(client.renew(BTC)), outcome(client.renew(Channel("matches", "BTC-USD")))]
    held: list[dict[str, Any]] = [
        {"ticker": ["ETH-USD"], "matches": ["BTC-USD"]},
        {"ticker": ["ETH-USD"]},
        {"ticker": ["ETH-USD", "BTC-USD"], "matches": ["BTC-USD"]},
    ]
    for answer in held:
        settle(world)
        server.hold(**answer)
    settle(world)
    kinds = [kind for kind, _ in asked(server)]
    assert kinds == ["unsubscribe", "unsubscribe", "subscribe"]
    assert done == [[None], [None]]
