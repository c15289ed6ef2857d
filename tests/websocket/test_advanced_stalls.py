"""Silence on the Advanced Trade feed, whose heartbeats are those of the whole connection and tell of no trades."""

from __future__ import annotations

from typing import Any

import pytest

from copra_tx.websocket import Channel
from copra_tx.websocket.pacing import Pacer
from support.advanced import Venue, l2, trade
from support.exchange import Hall
from support.reactors import FakeReactor
from support.world import Recorder, World, settle

BOOKS, TRADES, HEARTBEATS = Channel("level2", "BTC-USD"), Channel("market_trades", "BTC-USD"), Channel("heartbeats")
BEAT = ("heartbeats", {"current_time": "2026-09-07 23:37:22 +0000 UTC m=+1.0", "heartbeat_counter": 1})
DECODES = pytest.mark.parametrize("decode", ["dict", "lazy", None])


class Watched(Recorder):
    """Records stalls, too."""

    def on_stall(self, what: str, seconds: float) -> None:
        self.events.append(("stall", what, seconds))

    @property
    def stalls(self) -> list[tuple[Any, ...]]:
        return [event[1:] for event in self.events if event[0] == "stall"]


@pytest.fixture
def world() -> World:
    return World()


def watched(world: World, channels: Any = BOOKS, **options: Any) -> tuple[Watched, Venue]:
    """Return a client and its server, which has answered all requests."""
    defaults: dict[str, Any] = {"feed": "advanced", "first_data_timeout": 15.0}
    client: Watched = world.client(channels, kind=Watched, **(defaults | options))
    venue = Venue(world)
    venue.answer_all()
    return client, venue


def pass_time(world: World, venue: Venue, seconds: int, *said: tuple[Any, ...]) -> None:
    """Let seconds pass, in each of which the server says something; it answers all requests."""
    for _ in range(seconds):
        for channel, *events in said:
            venue.say(channel, *events)
        world.advance(1)
        settle(world)
        if world.line.connected:
            venue.answer_all()


UPDATE = ("l2_data", l2("BTC-USD"))
TRADE = ("market_trades", trade("BTC-USD"))


@DECODES
@pytest.mark.parametrize("channels", [[BOOKS], [BOOKS, HEARTBEATS]])
@pytest.mark.parametrize("options", [{}, {"heartbeats": False}])
def test_a_line_with_heartbeats_and_data_is_left_alone(
    world: World, decode: Any, channels: list[Channel], options: Any
) -> None:
    client, venue = watched(world, channels, decode=decode, **options)
    is_beating = options == {} or HEARTBEATS in channels
    pass_time(world, venue, 60, UPDATE, *([BEAT] if is_beating else []))
    assert client.stalls == client.closes == []
    client.events.clear()
    pass_time(world, venue, 60, *([BEAT] if is_beating else [UPDATE]))  # a quiet market
    assert client.stalls == client.closes == []
    asked = [kind for kind, *_ in venue.requests]
    assert asked == ["subscribe"] * len(asked)


@DECODES
@pytest.mark.parametrize("channels", [[BOOKS], [BOOKS, HEARTBEATS], [HEARTBEATS]])
def test_a_stall_with_pongs_answered_is_caught_in_5_seconds(world: World, decode: Any, channels: list[Channel]) -> None:
    client, venue = watched(world, channels, decode=decode)
    pass_time(world, venue, 30, BEAT, UPDATE)
    for _ in range(49):  # pings are answered by the server of the tests, by itself
        world.advance(0.1)
    assert client.stalls == []
    world.advance(0.2)
    assert client.stalls == [("heartbeat", 5.0)]
    assert client.closes == [(False, 1006, "the feed stalled: no heartbeat for 5 s")]


def test_after_a_stall_all_is_subscribed_anew_on_a_new_line_which_is_watched_as_well(world: World) -> None:
    client, venue = watched(world, [BOOKS, TRADES])
    pass_time(world, venue, 5, BEAT, UPDATE)
    before = venue.requests
    pass_time(world, venue, 6)
    assert len(client.closes) == 1
    world.advance(1)
    venue = Venue(world)
    venue.answer_all()
    assert venue.requests == before
    assert client.status.patience == 2
    pass_time(world, venue, 20, BEAT, UPDATE)
    assert client.status.patience == 1
    assert len(client.stalls) == 1
    pass_time(world, venue, 6)
    assert client.stalls == [("heartbeat", 5.0)] * 2
    assert len(client.closes) == 2


@pytest.mark.parametrize("channels", [[BOOKS], [BOOKS, HEARTBEATS]])
def test_heartbeats_that_cease_on_a_line_that_lives_are_subscribed_to_anew(
    world: World, channels: list[Channel]
) -> None:
    client, venue = watched(world, channels)
    pass_time(world, venue, 10, BEAT, UPDATE)
    venue.forget()
    pass_time(world, venue, 6, UPDATE)
    assert client.stalls == [("heartbeat", 5.0)]
    assert venue.requests == [("unsubscribe", "heartbeats", None), ("subscribe", "heartbeats", None)]
    pass_time(world, venue, 30, BEAT, UPDATE)
    assert client.closes == []
    pass_time(world, venue, 6, UPDATE)  # what helped once may be tried once more
    assert len(venue.requests) == 4
    assert client.closes == []


def test_heartbeats_that_do_not_come_back_are_missed_on_the_next_line_for_longer(world: World) -> None:
    client, venue = watched(world)
    pass_time(world, venue, 5, BEAT, UPDATE)
    pass_time(world, venue, 10, UPDATE)
    assert client.stalls == [("heartbeat", 5.0)] * 2
    assert client.closes == [(False, 1006, "the feed stalled: no heartbeat for 5 s")]
    world.advance(1)
    venue = Venue(world)
    venue.answer_all()
    pass_time(world, venue, 9, UPDATE)
    assert len(client.stalls) == 2
    pass_time(world, venue, 2, UPDATE)
    assert client.stalls[2:] == [("heartbeat", 10.0)]
    assert client.connected.is_set()


def test_a_connection_that_never_answers_is_left_after_10_seconds(world: World) -> None:
    client: Watched = world.client(BOOKS, kind=Watched, feed="advanced")
    Venue(world)
    for _ in range(10):
        world.advance(1)
    assert client.stalls == [("first answer", 10.0)]
    assert [reason for *_, reason in client.closes] == ["the feed stalled: no first answer for 10 s"]


def test_a_connection_that_never_brings_data_is_left_after_15_seconds(world: World) -> None:
    client, venue = watched(world, heartbeats=False)
    pass_time(world, venue, 14)
    assert client.connected.is_set()
    assert not client.status.is_ready
    pass_time(world, venue, 1)
    assert client.stalls == [("first data", 15.0)]
    assert len(client.closes) == 1


def test_a_line_that_falls_silent_before_heartbeats_are_confirmed_is_left(world: World) -> None:
    client: Watched = world.client(BOOKS, kind=Watched, feed="advanced")
    venue = Venue(world)
    venue.refuse({"type": "error", "message": "rate limit exceeded"})
    world.advance(5)
    venue.answer_all()
    assert client.status.confirmed == {"level2": BOOKS}
    venue.say(*UPDATE)
    for _ in range(9):
        world.advance(1)
    assert client.closes == []
    for _ in range(3):
        world.advance(1)
    assert [what for what, _ in client.stalls] == ["heartbeat"]
    assert len(client.closes) == 1


def test_quiet_channels_live_by_their_heartbeats(world: World) -> None:
    client, venue = watched(world, [Channel("user", "ALL"), Channel("status", "BTC-USD")])
    assert client.status.is_ready
    pass_time(world, venue, 600, BEAT)
    assert client.stalls == client.closes == []
    pass_time(world, venue, 6)
    assert client.stalls == [("heartbeat", 5.0)]


@pytest.mark.parametrize("wanted", [[], [HEARTBEATS]])
def test_a_stall_of_the_simulated_exchange_is_caught_and_mended(fake_reactor: FakeReactor, wanted: Any) -> None:
    hall = Hall(fake_reactor, feed="advanced", seed=7)
    client = Watched(
        None,
        [BOOKS, TRADES, *wanted],
        hall.exchange.url,
        reactor=fake_reactor,
        feed="advanced",
        pacer=Pacer(fake_reactor, rate=1000, burst=1000),
    )
    hall.pass_time(60.0)
    assert client.stalls == client.closes == []
    before = hall.exchange.received[:]
    hall.exchange.stall()  # which answers pings
    hall.pass_time(6.5)
    assert client.stalls == [("heartbeat", 5.0)]
    hall.pass_time(10.0)
    assert hall.exchange.received == before * 2
    assert client.status.is_ready
    hall.pass_time(60.0)
    assert len(client.stalls) == len(client.closes) == 1
    client.close()
    hall.exchange.stopService()
    hall.pass_time(10.0)
