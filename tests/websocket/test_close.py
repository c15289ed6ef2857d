"""Closing, in every state."""

from __future__ import annotations

from typing import Any

import pytest

from copra_tx.errors import ClientClosedError
from copra_tx.websocket import Channel, State
from support.beating import Watched, beat, match, order, say
from support.world import Recorder, World, connected, outcome, settle

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


# -- whoever waits for something may close when it comes, or does not


def test_one_of_those_who_wait_for_an_unsubscribe_closes_when_the_line_is_lost(world: World) -> None:
    client, _server = connected(world, Channel("ticker", ["BTC-USD", "ETH-USD"]))
    client.unsubscribe(Channel("ticker", "BTC-USD")).addCallback(lambda _: outcome(client.close()))
    other = outcome(client.unsubscribe(Channel("ticker", "ETH-USD")))
    world.drop()
    assert other == [None]
    assert len(client.closes) == 1
    assert client.line.state is State.CLOSED
    idle(world)


def test_one_of_those_who_wait_for_a_subscription_closes_again(world: World) -> None:
    client, _server = connected(world)
    client.subscribe(Channel("matches", "BTC-USD")).addErrback(lambda _: outcome(client.close()))
    other = outcome(client.subscribe(Channel("matches", "ETH-USD")))
    done = outcome(client.close())
    world.advance(1)
    assert other[0].check(ClientClosedError)
    assert done == [None]
    assert len(client.closes) == 1
    idle(world)


def test_one_of_those_who_wait_for_a_failure_closes(world: World) -> None:
    client = world.client()
    client.when_ready(1).addErrback(lambda _: outcome(client.close()))
    other = outcome(client.when_ready(1))
    world.open()
    world.drop()
    assert other[0].check(ClientClosedError)
    assert len(client.closes) == 1
    assert client.line.state is State.CLOSED
    idle(world)


# -- what a message tells beside its content may be why the user closes


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("do", ["close", "unsubscribe"])
def test_the_message_after_a_gap_is_not_delivered_if_the_gap_was_reason_enough(
    world: World, do: str, at_once: bool
) -> None:
    matches = Channel("matches", "BTC-USD")

    class Leaving(Watched):
        def on_gap(self, gap: Any) -> None:
            super().on_gap(gap)
            outcome(self.close() if do == "close" else self.unsubscribe(matches))

    client, server = connected(world, matches, kind=Leaving)
    say(world, server, [match(1), match(2)], at_once=at_once)
    say(world, server, [match(5)], at_once=at_once)
    assert client.messages == [match(1), match(2)]
    assert [gap.missing for gap in client.told("gap")] == [2]
    assert client.counters.messages == 3  # with the answer


class ClosingAtGaps(Watched):
    def on_gap(self, gap: Any) -> None:
        super().on_gap(gap)
        outcome(self.close())


def test_nor_is_another_gap_of_the_same_message(world: World) -> None:
    channels = [Channel(name, "BTC-USD") for name in ("full", "level3", "heartbeat")]
    client, server = connected(world, channels, kind=ClosingAtGaps)
    say(world, server, [order(1), ["noop", "BTC-USD", "1", ""]], at_once=False)
    say(world, server, [beat(sequence=5), beat(sequence=5)], at_once=False)
    assert len(client.told("gap")) == 1
    assert client.counters.gaps == 2


def test_nor_is_it_on_the_other_feed(world: World) -> None:
    client = world.client(kind=ClosingAtGaps, feed="advanced")
    server = world.open()
    for number in (0, 1, 5):
        server.say({"channel": "ticker", "sequence_num": number, "events": []})
        world.advance(0)
    assert [message["sequence_num"] for message in client.messages] == [0, 1]
    assert client.closes == [(True, 1000, "")]


@pytest.mark.parametrize("count", [1, 3])
def test_what_makes_the_client_ready_is_not_delivered_if_no_more_was_wanted(world: World, count: int) -> None:
    client, server = connected(world)
    client.when_ready().addCallback(lambda _: outcome(client.close()))
    server.say(*[TICK] * count)
    world.advance(0)
    assert client.events == [("close", True, 1000, "")]


def test_an_answer_is_not_delivered_if_it_was_all_that_was_waited_for(world: World) -> None:
    client, server = connected(world)
    client.subscribe(Channel("ticker", "ETH-USD")).addCallback(lambda _: outcome(client.close()))
    world.advance(0)
    server.confirm()
    world.advance(0)
    assert client.events == [("close", True, 1000, "")]


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
