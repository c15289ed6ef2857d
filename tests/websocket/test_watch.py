"""What the client notices beside delivering: what is missing, how late messages are, and how wrong the clock is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from copra_tx.integrity.gaps import Gap
from copra_tx.websocket import Channel
from support.beating import beat, beating, match, order, pass_time, say
from support.world import BTC, World, settle

TICK = {"type": "ticker", "product_id": "BTC-USD", "sequence": 1}
MATCHES, FULL, LEVEL3 = (Channel(name, "BTC-USD") for name in ("matches", "full", "level3"))
SKIPPED = "a number was skipped"


@pytest.fixture
def world() -> World:
    return World()


# -- gaps


def test_a_gap_is_told_before_the_message_that_shows_it(world: World) -> None:
    client, server = beating(world, FULL)
    server.say(order(1), order(2), order(5), order(6), order(4))
    settle(world)
    told = [event[1]["sequence"] if event[0] == "message" else event[0] for event in client.events[2:]]
    assert told == [1, 2, "gap", 5, 6, 4]
    assert client.told("gap") == [Gap("full", "BTC-USD", 3, 5, 2, SKIPPED)]
    counters = client.counters
    assert (counters.gaps, counters.missing, counters.late, counters.repeated) == (1, 2, 1, 0)
    server.say(order(3), order(3))
    settle(world)
    assert client.told("gap")[1].recovered
    assert (counters.gaps, counters.late, counters.repeated) == (1, 2, 1)


@pytest.mark.parametrize("decode", ["dict", "lazy", None])
@pytest.mark.parametrize("selective", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
def test_gaps_are_found_however_messages_are_read(world: World, decode: Any, selective: bool, at_once: bool) -> None:
    client, server = beating(world, [MATCHES, LEVEL3, Channel("status")], decode=decode)
    if selective:
        client.unsubscribe(Channel("status"))
        settle(world)
    rows = [["noop", "BTC-USD", str(number), "2026-08-25T23:24:03Z"] for number in (7, 8, 10)]
    before = client.counters.messages
    messages = [match(1, "last_match"), match(2), *rows[:2], match(3), TICK, match(7), rows[2], match(8)]
    say(world, server, messages, at_once=at_once)
    assert client.told("gap") == [
        Gap("matches", "BTC-USD", 4, 7, 3, SKIPPED),
        Gap("level3", "BTC-USD", 9, 10, 1, SKIPPED),
    ]
    assert client.counters.messages - before == len(messages) - client.counters.unwanted


def test_a_reconnection_is_a_gap_of_known_bounds(world: World) -> None:
    client, server = beating(world, MATCHES)
    server.say(match(5, "last_match"), match(6))
    settle(world)
    world.drop()
    world.advance(30)
    server = world.open()
    server.confirm()
    server.say(match(9, "last_match"), match(10))
    settle(world)
    assert client.told("gap") == [Gap("matches", "BTC-USD", 7, 9, 2, "the line was lost")]


def test_the_last_match_of_each_product_counts(world: World) -> None:
    both = Channel("matches", ["BTC-USD", "ETH-USD"])
    client, server = beating(world, both)
    server.say(match(1, "last_match"), match(1, "last_match", "ETH-USD"), match(2), match(2, product="ETH-USD"))
    settle(world)
    world.drop()
    world.advance(30)
    server = world.open()
    server.confirm()
    server.say(match(3, "last_match"), match(3, "last_match", "ETH-USD"), match(4), match(4, product="ETH-USD"))
    settle(world)
    assert client.told("gap") == []


def test_heartbeats_tell_what_nothing_else_shows(world: World) -> None:
    client, server = beating(world, MATCHES)
    server.say(match(5, "last_match"), beat(last_trade_id=7))
    pass_time(world, 1)
    assert client.told("gap") == []
    server.say(beat(last_trade_id=7))
    settle(world)
    assert client.told("gap") == [Gap("matches", "BTC-USD", 6, 8, 2, "the heartbeat was ahead")]


# -- lag and clock


def test_lag_is_that_of_the_last_minute(world: World) -> None:
    client, server = beating(world)
    now = datetime.now(UTC)
    server.say(beat(time=now.isoformat()), TICK | {"time": now.isoformat()})
    settle(world)
    lag = client.status.lag_s
    assert lag is not None
    assert 0 <= lag.median <= lag.worst < 20
    assert client.status.clock_offset is not None
    pass_time(world, 62, beat(time="0001-01-01T00:00:00Z"), server=server)
    assert client.status.lag_s is None


def test_a_clock_of_no_use_hurts_nobody(world: World) -> None:
    world.answer_upgrades({"Date": "Tue, 24 Nov 99999999999 10:00:25 GMT"})
    client, _ = beating(world)
    assert client.status.confirmed == {"ticker": BTC}
    assert client.status.clock_offset is None


def test_a_refused_signature_with_a_wrong_clock_says_so(world: World) -> None:
    client, server = beating(world)
    server.say(beat(time="2020-01-01T00:00:00Z"))
    words = {"type": "error", "message": "Sorry, you could not be authenticated", "reason": "request timestamp expired"}
    server.say(words, {"type": "error", "message": "Failed to subscribe", "reason": "X is not a valid product"})
    settle(world)
    (_, expired), (_, other) = client.errors
    assert "this machine's clock is" in expired
    assert "ahead of the venue's" in expired
    assert "clock" not in other


@pytest.mark.parametrize("at_once", [True, False])
def test_the_numbers_of_a_gap_are_whole_ones_whatever_the_wire_has(world: World, at_once: bool) -> None:
    client, server = beating(world, MATCHES)
    say(world, server, [match(1), match(2) | {"trade_id": 2.0}, match(4)], at_once=at_once)
    say(world, server, [match(5) | {"trade_id": 5.0}, beat(last_trade_id=7), beat(last_trade_id=7)], at_once=at_once)
    assert [str(gap) for gap in client.told("gap")] == [
        "matches BTC-USD: 1 message missing (a number was skipped; expected 3, received 4)",
        "matches BTC-USD: 2 messages missing (the heartbeat was ahead; expected 6, received 8)",
    ]
    assert type(client.counters.missing) is int
