"""How a client comes to its loop and back to it: construction, ``add_as_task_to_loop()`` and dials of a caller's."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from autobahn.twisted.websocket import connectWS
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectionRefusedError

from copra_tx.errors import ClientClosedError
from copra_tx.websocket import Client, State
from copra_tx.websocket.pacing import RATE
from support.world import BTC, ETH, URL, Recorder, World, asked, outcome, settle


@pytest.fixture
def world() -> World:
    return World()


# -- constructors of subclasses, as CoPrA's users write them


@pytest.mark.parametrize("running", [True, False])
def test_nothing_is_called_from_within_the_constructor(running: bool) -> None:
    """What a subclass sets after ``super().__init__()`` is there when the first callback comes."""

    class Late(Client):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.seen: list[str] = []

        def on_open(self) -> None:
            self.seen.append("open")
            super().on_open()

        def on_message(self, message: Any) -> None:
            self.seen.append(message["type"])

        def on_close(self, was_clean: bool, code: int, reason: str) -> None:
            self.seen.append("close")
            super().on_close(was_clean, code, reason)

    world = World(running=running)
    client = world.client(kind=Late)
    if not running:
        world.reactor.start()
        world.advance(0)
    world.open().confirm()
    world.advance(0)
    world.drop()
    assert client.seen == ["open", "subscriptions", "close"]


def test_a_dial_that_fails_at_once_is_told_after_the_constructor(world: World) -> None:
    class Refused(Recorder):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.events.append(("made",))
            world.advance(0)
            world.reactor.fail(ConnectionRefusedError())
            world.advance(0.4)

    client = world.client(kind=Refused)
    assert [event[0] for event in client.events] == ["made", "close"]


def test_a_constructor_may_use_every_method(world: World) -> None:
    class Eager(Recorder):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.subscribed = outcome(self.subscribe(ETH))
            self.unsubscribed = outcome(self.unsubscribe(BTC))
            self.add_as_task_to_loop()

    client = world.client(kind=Eager)
    server = world.open()
    server.confirm()
    settle(world)
    assert asked(server) == [("subscribe", {"ticker": ["ETH-USD"]})]
    assert (client.subscribed, client.unsubscribed) == ([None], [None])
    assert len(world.reactor.dials) == 1


def test_a_constructor_may_close(world: World) -> None:
    class Closed(Recorder):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.closed = outcome(self.close())

    client = world.client(kind=Closed)
    world.advance(60)
    assert client.closed == [None]
    assert world.reactor.dials == []
    assert world.reactor.getDelayedCalls() == []


# -- joining in every state


def idle(world: World) -> Any:
    return world.client(auto_connect=False)


def scheduled(world: World) -> Any:
    client = world.client(auto_connect=False)
    client.add_as_task_to_loop()
    return client


def connecting(world: World) -> Any:
    return world.client()


def open_(world: World) -> Any:
    client = world.client()
    world.open()
    return client


def waiting(world: World) -> Any:
    client = world.client()
    world.open()
    world.drop()
    return client


def closing(world: World) -> Any:
    client = open_(world)
    outcome(client.close())
    return client


def closed(world: World) -> Any:
    client = closing(world)
    world.advance(0)
    return client


def given_up(world: World) -> Any:
    client = world.client(auto_reconnect=False)
    world.open()
    world.drop()
    return client


STATES: dict[Callable[[World], Any], State] = {
    idle: State.IDLE,
    scheduled: State.SCHEDULED,
    connecting: State.CONNECTING,
    open_: State.OPEN,
    waiting: State.WAITING,
    closing: State.CLOSING,
    closed: State.CLOSED,
    given_up: State.IDLE,
}
states = pytest.mark.parametrize("prepare", STATES, ids=lambda prepare: prepare.__name__)


@states
def test_joining_leads_to_one_line_from_every_state(world: World, prepare: Callable[[World], Any]) -> None:
    client = prepare(world)
    assert client.line.state is STATES[prepare]
    for _ in range(3):
        client.add_as_task_to_loop()
    settle(world)
    world.advance(1.1)
    for _ in range(2):
        if world.reactor.pending_dials():
            world.open()
        settle(world)
    assert client.connected.is_set()
    assert client.line.state is State.OPEN
    assert not client.closing
    assert sum(dial.connected for dial in world.reactor.dials) == 1
    world.drop()
    world.advance(2.1)
    assert bool(world.reactor.pending_dials()) is client.auto_reconnect


@states
def test_the_last_word_wins(world: World, prepare: Callable[[World], Any]) -> None:
    """Join, then close, in one breath: it ends closed."""
    client = prepare(world)
    client.add_as_task_to_loop()
    done = outcome(client.close())
    settle(world)
    world.advance(60)
    assert done == [None]
    assert client.closing
    assert client.line.state is State.CLOSED
    assert not [dial for dial in world.reactor.dials if dial.connected or dial.pending]
    assert world.reactor.getDelayedCalls() == []


def test_close_and_join_and_close_and_join(world: World) -> None:
    client = open_(world)
    done = []
    for _ in range(3):
        done.append(outcome(client.close()))
        client.add_as_task_to_loop()
    settle(world)
    assert done == [[None]] * 3
    assert client.line.state is State.CONNECTING
    assert len(world.reactor.pending_dials()) == 1
    world.open()
    assert [event[0] for event in client.events] == ["open", "close", "open"]


def test_whoever_is_told_of_the_end_may_take_the_joining_back(world: World) -> None:
    client = closing(world)
    client.line.close().addCallback(lambda _: client.close())
    client.add_as_task_to_loop()
    settle(world)
    world.advance(60)
    assert client.line.state is State.CLOSED
    assert len(world.reactor.dials) == 1


def test_async_with_while_it_still_closes_waits_for_the_next_line(world: World) -> None:
    client = closing(world)
    entered: list[Any] = []

    async def run() -> None:
        async with client:
            entered.append(client.line.state)

    done = outcome(ensureDeferred(run()))
    settle(world)
    assert (entered, done) == ([], [])
    world.open()
    settle(world)
    assert (entered, done) == ([State.OPEN], [None])


def test_async_with_fails_when_it_is_closed_meanwhile(world: World) -> None:
    client = closing(world)

    async def run() -> None:
        async with client:
            raise AssertionError("not reached")

    done = outcome(ensureDeferred(run()))
    client.close()
    settle(world)
    assert done[0].type is ClientClosedError


def test_a_second_connection_after_close_subscribes_anew(world: World) -> None:
    client = closed(world)
    client.subscribe(ETH)
    client.add_as_task_to_loop()
    settle(world)
    assert asked(world.open()) == [("subscribe", {"ticker": ["BTC-USD", "ETH-USD"]})]


# -- dials of a caller's


def by_tcp(world: World, client: Any) -> None:
    world.reactor.connectTCP(client.host, client.port, client)


def by_connect_ws(world: World, client: Any) -> None:
    connectWS(client)


def by_endpoint(world: World, client: Any) -> None:
    """Twisted calls no hook of a ``ReconnectingClientFactory`` then but ``buildProtocol``."""
    outcome(HostnameEndpoint(world.reactor, client.host, client.port).connect(client))


dials = pytest.mark.parametrize("dial", [by_tcp, by_connect_ws, by_endpoint], ids=lambda dial: dial.__name__)


@pytest.mark.parametrize(
    ("prepare", "dial"),
    [
        *itertools.product([idle, scheduled, waiting, given_up], [by_tcp, by_connect_ws, by_endpoint]),
        *itertools.product([closed], [by_tcp, by_connect_ws]),
    ],
    ids=lambda one: one.__name__,
)
def test_a_callers_dial_takes_the_place_of_the_automatic_one(
    world: World, prepare: Callable[[World], Any], dial: Callable[[World, Any], None]
) -> None:
    client = prepare(world)
    dial(world, client)
    server = world.open()
    server.confirm()
    world.advance(60)
    assert client.connected.is_set()
    assert not client.closing
    assert len(asked(server)) == 1
    assert sum(dial.connected for dial in world.reactor.dials) == 1
    assert client.counters.attempts == client.counters.connections == len(client.closes) + 1


def test_an_endpoint_that_connects_after_close_gets_no_protocol(world: World) -> None:
    """Nobody knows when it began: perhaps before ``close()``."""
    client = idle(world)
    by_endpoint(world, client)
    assert outcome(client.close()) == [None]
    world.open()
    settle(world)
    assert client.line.state is State.CLOSED
    assert client.closing
    assert not [dial for dial in world.reactor.dials if dial.connected]
    assert client.events == []


@dials
def test_a_line_that_a_caller_has_dialled_is_made_again(world: World, dial: Callable[[World, Any], None]) -> None:
    client = world.client(auto_connect=False)
    dial(world, client)
    world.open()
    for number in range(2, 4):
        world.drop()
        world.advance(4)
        world.open()
        assert client.counters.connections == number


@dials
def test_a_callers_second_dial_comes_to_nothing(world: World, dial: Callable[[World, Any], None]) -> None:
    client = open_(world)
    dial(world, client)
    settle(world)
    for pending in world.reactor.pending_dials():
        pending.accept()
    settle(world)
    world.advance(1)
    assert client.connected.is_set()
    assert client.closes == []
    assert [dial.connected for dial in world.reactor.dials] == [True, *[False] * (len(world.reactor.dials) - 1)]


# -- clients of one process


def test_all_clients_of_a_reactor_share_one_pace(world: World) -> None:
    """Dials and requests together: at most 8 at once, then 8 a second, whoever wants them."""
    clients = [Recorder(None, BTC, URL, reactor=world.reactor) for _ in range(20)]
    assert len({id(client.pacer) for client in clients}) == 1
    sent: list[float] = []
    while not all(client.connected.is_set() for client in clients) or len(world.servers) < 20:
        for pending in world.reactor.pending_dials():
            sent.append(pending.at)
            world.open()
        world.advance(0.01)
        assert world.reactor.seconds() < 60
    world.advance(5)
    requests = sum(len(server.requests) for server in world.servers)
    assert requests == 20
    begin, end = min(sent), max(sent)
    assert end - begin >= (20 - RATE) / RATE - 0.05  # dials alone
    for client in clients:
        outcome(client.close())
    world.advance(1)
    assert world.reactor.getDelayedCalls() == []


def test_another_reactor_has_a_pace_of_its_own(world: World) -> None:
    other = World()
    first, second = (Recorder(None, BTC, URL, reactor=one.reactor, auto_connect=False) for one in (world, other))
    assert first.pacer is not second.pacer
