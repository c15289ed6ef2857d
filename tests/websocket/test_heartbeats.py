"""Heartbeats: the client asks for them by itself, hides those that nobody wants, and looks at each of a flood."""

from __future__ import annotations

from typing import Any

import pytest

from copra_tx.integrity.gaps import Gap
from copra_tx.websocket import Channel
from support.beating import beat, beating, match, say, watched
from support.world import BTC, World, asked, outcome, settle

TICK = {"type": "ticker", "product_id": "BTC-USD", "sequence": 1}
MATCHES = Channel("matches", "BTC-USD")


@pytest.fixture
def world() -> World:
    return World()


# -- heartbeats that nobody asked for


def test_heartbeats_are_asked_for_when_all_else_is_settled_and_not_delivered(world: World) -> None:
    client, server = beating(world)
    assert asked(server) == [("subscribe", {"ticker": ["BTC-USD"]}), ("subscribe", {"heartbeat": ["BTC-USD"]})]
    server.say(TICK, beat(), TICK)
    settle(world)
    assert [message["type"] for message in client.messages] == ["subscriptions", "ticker", "ticker"]
    assert client.counters.messages == 3
    assert client.channels.keys() == {"ticker"}


@pytest.mark.parametrize("decode", ["dict", "lazy", None])
def test_they_are_delivered_to_who_asks_for_them(world: World, decode: Any) -> None:
    client, server = beating(world, decode=decode)
    assert outcome(client.subscribe(Channel("heartbeat", "BTC-USD"))) == [None]
    assert len(server.requests) == 2
    before = len(client.messages)
    server.say(beat(), TICK, beat())
    settle(world)
    assert len(client.messages) == before + 3


def test_they_go_with_the_last_channel_of_the_product(world: World) -> None:
    client, server = beating(world)
    done = outcome(client.unsubscribe(BTC))
    for _ in range(2):
        settle(world)
        server.confirm()
    settle(world)
    assert asked(server)[2:] == [("unsubscribe", {"ticker": ["BTC-USD"]}), ("unsubscribe", {"heartbeat": ["BTC-USD"]})]
    assert done == [None]


def test_a_server_that_does_not_answer_that_holds_up_nobody(world: World) -> None:
    client = watched(world)
    server = world.open()
    server.confirm()
    settle(world)
    done = outcome(client.subscribe(Channel("status")))
    settle(world)
    assert asked(server)[2:] == [("subscribe", {"status": None})]
    server.hold(ticker=["BTC-USD"], heartbeat=["BTC-USD"])
    server.hold(ticker=["BTC-USD"], heartbeat=["BTC-USD"], status=None)
    settle(world)
    assert done == [None]
    assert client.errors == []


# -- a flood of them


@pytest.mark.parametrize("channels", [[MATCHES, Channel("heartbeat", "BTC-USD")], [MATCHES]])
@pytest.mark.parametrize("at_once", [False, True])
def test_in_a_flood_of_heartbeats_nothing_is_overlooked(world: World, channels: list[Channel], at_once: bool) -> None:
    client, server = beating(world, channels)
    sent = [match(5, "last_match"), *(beat(last_trade_id=5) for _ in range(3)), match(6), *(beat(last_trade_id=6),) * 2]
    sent += [beat(last_trade_id=8), beat(last_trade_id=8), match(9), beat(last_trade_id=9)]
    before, counted = len(client.events), client.counters.messages
    say(world, server, sent, at_once=at_once)
    told = [event[1] for event in client.events[before:]]
    gap = Gap("matches", "BTC-USD", 7, 9, 2, "the heartbeat was ahead")
    wanted = [
        one for one in [*sent[:8], gap, *sent[8:]] if len(channels) > 1 or one == gap or one["type"] != "heartbeat"
    ]
    assert told == wanted
    assert client.counters.messages == counted + len(wanted) - 1


@pytest.mark.parametrize("at_once", [False, True])
def test_odd_heartbeats_are_delivered_and_harm_nobody(world: World, at_once: bool) -> None:
    client, server = beating(world, [MATCHES, Channel("heartbeat", "BTC-USD")])
    odd: list[Any] = [beat(last_trade_id="1"), beat(product_id=["BTC-USD"]), {"type": "heartbeat"}, beat(sequence=None)]
    sent = [beat(), *odd, beat(), *odd]
    before = len(client.messages)
    say(world, server, sent, at_once=at_once)
    assert client.messages[before:] == sent
    assert client.told("gap") == []


def test_heartbeats_are_hidden_as_soon_as_nobody_wants_them(world: World) -> None:
    client, server = beating(world, [MATCHES, Channel("heartbeat", "BTC-USD")])
    server.say(beat(), beat())
    settle(world)
    assert [message["type"] for message in client.messages[-2:]] == ["heartbeat"] * 2
    client.unsubscribe(Channel("heartbeat", "BTC-USD"))
    before = len(client.messages)
    server.say(beat(), beat())
    settle(world)
    assert len(client.messages) == before
