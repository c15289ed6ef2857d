"""Closing, in every state."""

from __future__ import annotations

from typing import Any

import pytest

from copra_tx.integrity.gaps import Gap
from copra_tx.websocket import Channel, State
from support.beating import Watched, beat, match, say
from support.world import Recorder, World, outcome, settle

TICK = {"type": "ticker", "product_id": "BTC-USD"}


@pytest.fixture
def world() -> World:
    return World()


def idle(world: World) -> None:
    assert world.reactor.getDelayedCalls() == []


def test_close_before_anything(world: World) -> None:
    client = world.client(auto_connect=False)
    assert outcome(client.close()) == [None]
    assert client.closing
    idle(world)


def test_close_before_the_reactor_runs() -> None:
    world = World(running=False)
    client = world.client()
    assert outcome(client.close()) == [None]
    world.reactor.start()
    world.advance(10)
    assert world.reactor.dials == []
    idle(world)


def test_close_while_connecting(world: World) -> None:
    client = world.client()
    assert outcome(client.close()) == [None]
    assert len(client.closes) == 1
    world.advance(1)
    assert world.reactor.pending_dials() == []
    idle(world)


def test_close_during_the_upgrade(world: World) -> None:
    client = world.client()
    world.reactor.accept()
    done = outcome(client.close())
    world.advance(0)
    assert done == [None]
    assert len(client.closes) == 1
    idle(world)


def test_close_while_waiting_to_reconnect(world: World) -> None:
    client = world.client()
    world.open()
    world.drop()
    assert client.line.state is State.WAITING
    assert outcome(client.close()) == [None]
    world.advance(60)
    assert len(world.reactor.dials) == 1
    assert len(client.closes) == 1
    idle(world)


def test_close_an_open_line(world: World) -> None:
    client = world.client()
    server = world.open()
    server.say(TICK)
    done = outcome(client.close())
    world.advance(0)
    assert done == [None]
    assert client.closes == [(True, 1000, "")]
    assert client.messages == []
    assert server.closed_with == (True, 1000, None)
    idle(world)


def test_close_twice(world: World) -> None:
    client = world.client()
    world.open()
    first, second = outcome(client.close()), outcome(client.close())
    world.advance(0)
    third = outcome(client.close())
    assert (first, second, third) == ([None], [None], [None])
    assert len(client.closes) == 1


def test_close_against_a_frozen_peer(world: World) -> None:
    client = world.client()
    world.open()
    world.line.frozen = True
    done = outcome(client.close())
    world.advance(1.9)
    assert done == []
    world.advance(0.2)
    assert done == [None]
    [(was_clean, code, reason)] = client.closes
    assert (was_clean, code) == (False, 1006)
    assert "close handshake" in reason
    idle(world)


def test_messages_that_arrive_after_close_are_not_delivered(world: World) -> None:
    client = world.client()
    server = world.open()
    server.dropConnection = lambda abort=False: None
    outcome(client.close())
    for _ in range(100):
        server.sendFrame(opcode=1, payload=b'{"type":"ticker"}')
    world.advance(3)
    assert client.messages == []
    idle(world)


def test_a_closed_client_can_be_joined_again(world: World) -> None:
    client = world.client()
    world.open()
    outcome(client.close())
    client.add_as_task_to_loop()  # while it still closes
    world.advance(0)
    world.advance(0)
    server = world.open()
    assert client.connected.is_set()
    assert not client.closing
    assert server.requests[0]["type"] == "subscribe"


def test_close_inside_a_callback(world: World) -> None:
    class Hasty(Recorder):
        def on_message(self, message: object) -> None:
            super().on_message(message)
            self.done = outcome(self.close())

    client = world.client(kind=Hasty)
    server = world.open()
    server.say(TICK, TICK)
    world.advance(0)
    assert client.done == [None]
    assert client.messages == [TICK]
    assert client.events[-1] == ("close", True, 1000, "")
    idle(world)


def test_after_close_in_an_errback_no_error_is_told(world: World) -> None:
    client = world.client()
    client.when_ready(fail_after=1).addErrback(lambda _: client.close() and None)
    world.open().hold()
    settle(world)
    world.advance(1)
    assert client.closing
    world.advance(2)
    assert client.errors == []
    client.add_as_task_to_loop()
    world.advance(0)
    world.open().hold()
    settle(world)
    world.advance(1)
    assert len(client.errors) == 1


class Hasty(Watched):
    """Closes at the first gap."""

    def on_gap(self, gap: Gap) -> None:
        super().on_gap(gap)
        self.close()


def test_after_close_no_second_gap_of_a_message_is_told(world: World) -> None:
    client: Any = world.client([Channel("matches", "BTC-USD"), Channel("level3", "BTC-USD")], kind=Hasty)
    server = world.open()
    server.hold(matches=["BTC-USD"], level3=["BTC-USD"], heartbeat=["BTC-USD"])
    say(world, server, [match(5), ["open", "BTC-USD", "5"], *(beat(last_trade_id=8, sequence=8),) * 2], at_once=False)
    assert len(client.told("gap")) == 1
