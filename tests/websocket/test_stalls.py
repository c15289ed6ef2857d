"""Silence: it is noticed, told, cured where that is possible, and lines that are dead are left."""

from __future__ import annotations

from typing import Any

import pytest

from copra_tx.websocket import Channel
from support.beating import Watched, beat, beating, confirmed, match, pass_time, say, watched
from support.world import BTC, World, asked, outcome, settle

TICK = {"type": "ticker", "product_id": "BTC-USD", "sequence": 1}
MATCHES, LEVEL3 = (Channel(name, "BTC-USD") for name in ("matches", "level3"))


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("hook", ["on_message", "on_status"])
def test_an_answer_is_no_data_whenever_the_status_is_looked_at(world: World, hook: str) -> None:
    def look(client: Watched, _: Any) -> None:
        client.events.append(("age", client.status.message_age))

    client = world.client(MATCHES, kind=type("Looking", (Watched,), {hook: look}))
    ready = outcome(client.when_ready())
    server = world.open()
    server.confirm()
    pass_time(world, 3)
    assert set(client.told("age")) == {None}
    assert ready == []
    assert not client.status.is_ready
    server.say(match(1))
    pass_time(world, 1)
    assert ready == [None]
    assert client.status.is_ready


def test_a_stall_with_pongs_answered_is_caught_in_5_seconds(world: World) -> None:
    client, server = beating(world)
    pass_time(world, 30, beat(), TICK, server=server)
    assert client.told("stall") == client.closes == []
    for _ in range(50):
        world.advance(0.1)
    assert client.told("stall") == [("heartbeat", 5.0)]
    assert client.closes == [(False, 1006, "the feed stalled: no heartbeat of BTC-USD for 5 s")]
    assert client.counters.stalls == 1
    world.advance(30)
    assert len(world.open().requests) == 1  # it tries again


def test_who_closes_when_told_of_a_stall_gets_an_end_in_good_order(world: World) -> None:
    class Closing(Watched):
        def on_stall(self, what: str, seconds: float) -> None:
            super().on_stall(what, seconds)
            outcome(self.close())

    client = world.client(kind=Closing, first_data_timeout=15.0)
    world.open().confirm()
    pass_time(world, 16)
    assert client.told("stall") == [("first data", 15.0)]
    assert client.closes == [(True, 1000, "")]
    assert world.reactor.getDelayedCalls() == []


def test_a_connection_that_never_answers_is_left_after_10_seconds(world: World) -> None:
    client = watched(world)
    world.open()
    pass_time(world, 9)
    assert client.closes == []
    pass_time(world, 1)
    assert client.told("stall") == [("first answer", 10.0)]
    assert client.closes[0][2] == "the feed stalled: no first answer for 10 s"
    assert "no answer to the request for ticker" in client.errors[0][0]


def test_a_connection_that_never_brings_data_is_left_after_15_seconds_and_then_after_30(world: World) -> None:
    client = watched(world)
    for seconds in (15, 30):
        world.open().confirm()
        pass_time(world, seconds - 1)
        assert client.connected.is_set()
        pass_time(world, 1)
        assert client.told("stall")[-1] == ("first data", seconds)
        world.advance(30)
    assert client.status.patience == 4
    world.open().say(TICK)
    settle(world)
    assert client.status.patience == 1


def test_a_line_that_falls_silent_before_heartbeats_are_confirmed_is_left(world: World) -> None:
    client = watched(world)
    server = world.open()
    server.confirm()
    server.say(TICK)
    pass_time(world, 9)
    assert client.closes == []
    pass_time(world, 3)
    assert [what for what, _ in client.told("stall")] == ["heartbeat"]
    assert len(client.closes) == 1


def test_one_product_without_heartbeats_is_subscribed_anew_and_only_then_the_line_is_left(world: World) -> None:
    client, server = beating(world, Channel("ticker", ["BTC-USD", "ETH-USD"]))
    pass_time(world, 5, beat(), server=server)
    assert client.told("stall") == [("heartbeat", 5.0)]
    assert asked(server)[2:] == [("unsubscribe", {"heartbeat": ["ETH-USD"]})]
    server.confirm()
    settle(world)
    assert asked(server)[3:] == [("subscribe", {"heartbeat": ["ETH-USD"]})]
    server.confirm()
    pass_time(world, 4, beat(), server=server)
    assert client.closes == []
    pass_time(world, 2, beat(), server=server)
    assert client.closes == [(False, 1006, "the feed stalled: no heartbeat of ETH-USD for 5 s")]


def test_heartbeats_that_were_asked_for_are_renewed_as_such(world: World) -> None:
    client, server = beating(world, [Channel("heartbeat", ["BTC-USD", "ETH-USD"])])
    pass_time(world, 5, beat(), server=server)
    assert client.told("stall") == [("heartbeat", 5.0)]
    assert asked(server)[1:] == [("unsubscribe", {"heartbeat": ["ETH-USD"]})]


def test_a_channel_that_shows_no_trades_is_renewed(world: World) -> None:
    client, server = beating(world)
    for trade in range(17):
        server.say(beat(last_trade_id=min(trade, 1)))
        pass_time(world, 1)
    assert client.told("stall") == [("ticker", 15.0)]
    assert asked(server)[2:] == [("unsubscribe", {"ticker": ["BTC-USD"]})]
    server.confirm()
    settle(world)
    server.confirm()
    server.say(TICK)
    pass_time(world, 30, beat(), server=server)
    assert client.closes == []


def test_a_channel_that_shows_no_trades_even_then_is_missed_on_the_next_line_for_longer(world: World) -> None:
    client, server = beating(world)
    for seconds in (15, 30):
        before = len(client.told("stall"))
        for trade in range(3 * seconds):
            if client.connected.is_set():
                server.confirm()
                server.say(beat(last_trade_id=trade))
                pass_time(world, 1)
        assert client.told("stall")[before:] == [("ticker", seconds)] * 2
        assert client.closes[-1][2] == f"the feed stalled: no ticker for {seconds} s"
        world.advance(1)
        server = confirmed(world)


def test_a_product_whose_heartbeats_stay_away_is_missed_on_the_next_line_for_longer(world: World) -> None:
    client, server = beating(world, Channel("ticker", ["BTC-USD", "ETH-USD"]))
    pass_time(world, 10, beat(), server=server)
    assert client.told("stall") == [("heartbeat", 5.0)] * 2
    assert len(client.closes) == 1
    world.advance(1)
    server = confirmed(world)
    pass_time(world, 9, beat(), server=server)
    assert len(client.told("stall")) == 2
    pass_time(world, 2, beat(), server=server)
    assert client.told("stall")[2:] == [("heartbeat", 10.0)]
    assert len(client.closes) == 1


class Leaving(Watched):
    """Does not want what has stalled."""

    def on_stall(self, what: str, seconds: float) -> None:
        super().on_stall(what, seconds)
        if what in self.channels:
            self.unsubscribe(self.channels[what])


def test_after_on_stall_has_unsubscribed_the_line_is_still_watched(world: World) -> None:
    client: Leaving = world.client([BTC, MATCHES], kind=Leaving, heartbeats=True)
    server = confirmed(world)
    for trade in range(17):
        server.confirm()
        server.say(beat(last_trade_id=min(trade, 1)), match(1))
        pass_time(world, 1)
    assert client.told("stall") == [("ticker", 15.0)]
    assert asked(server)[2:] == [("unsubscribe", {"ticker": ["BTC-USD"]})]
    pass_time(world, 6)
    assert client.told("stall")[1:] == [("heartbeat", 5.0)]
    assert len(client.closes) == 1


def test_a_channel_that_shows_its_trades_is_left_alone(world: World) -> None:
    client, server = beating(world)
    for trade in range(60):
        server.say(beat(last_trade_id=trade), TICK)
        pass_time(world, 1)
    assert client.told("stall") == client.closes == []


@pytest.mark.parametrize("decode", ["dict", "lazy"])
@pytest.mark.parametrize("at_once", [True, False])
def test_rows_without_a_gap_show_their_trades(world: World, at_once: bool, decode: str) -> None:
    client, server = beating(world, LEVEL3, decode=decode)
    for second in range(60):
        rows = [["noop", "BTC-USD", str(number), ""] for number in range(3 * second, 3 * second + 3)]
        say(world, server, [*rows, beat(sequence=3 * second + 2, last_trade_id=second)], at_once=at_once)
        pass_time(world, 1)
    assert client.told("stall") == client.told("gap") == client.closes == []


def test_a_quiet_hour_of_quiet_channels(world: World) -> None:
    client = watched(world, [Channel("user", "BTC-USD"), Channel("status"), Channel("balance", account_ids="x")])
    server = world.open()
    server.requests[0]["channels"][0]["product_ids"] = ["x"]  # as the answer is made of it
    server.confirm()
    settle(world)
    for _ in range(360):
        world.advance(10)
    assert client.told("stall") == client.closes == []


def test_a_quiet_hour_of_a_product_with_one_trade(world: World) -> None:
    client, server = beating(world, MATCHES)
    server.say(match(1, "last_match"))
    for second in range(3600):
        server.say(beat(last_trade_id=1 + (second > 100)))
        if second == 100:
            server.say(match(2))
        pass_time(world, 1)
    assert client.told("stall") == client.told("gap") == client.closes == []


def test_no_deadline_runs_while_the_line_is_paused(world: World) -> None:
    class Slow(Watched):
        def on_message(self, message: Any) -> Any:
            return self.reactor_waits()

        def reactor_waits(self) -> Any:
            from twisted.internet.task import deferLater

            return deferLater(self.reactor, 100, lambda: None)

    client = world.client(BTC, kind=Slow, heartbeats=True, max_buffered=1)
    server = world.open()
    server.confirm()
    settle(world)
    server.confirm()
    server.say(TICK, TICK, beat())
    pass_time(world, 40)
    assert client.status.is_paused
    assert client.told("stall") == client.closes == []
    outcome(client.close())
    pass_time(world, 3)


def test_large_messages_on_their_way_are_life(world: World) -> None:
    client, _server = beating(world)
    world.line.receive(b"\x81\x7f" + (10_000_000).to_bytes(8, "big"))
    for _ in range(20):
        world.line.receive(b" " * 20_000)
        world.advance(1)
    assert client.closes == []
    pass_time(world, 6)
    assert client.told("stall") == [("heartbeat", 5.0)]


def test_open_and_pong_are_told_as_stalls_too(world: World) -> None:
    client = watched(world, ping_interval=20, pong_timeout=10, heartbeats=False)
    pass_time(world, 11)
    assert client.told("stall") == [("open", 10.0)]
    pass_time(world, 5)
    server = world.open()
    server.confirm()
    server.say(TICK)
    server.sendPong = lambda payload=None: None
    pass_time(world, 31)
    assert client.told("stall")[1:] == [("pong", 10.0)]
    assert "ping" in client.closes[-1][2]
