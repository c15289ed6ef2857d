"""Trades that the feed did not bring, fetched over REST: each comes once, or is told not to be had."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from copra_tx.websocket import Channel
from copra_tx.websocket.backfill import PATIENCE, SETTLING
from support.filling import BTC, MATCHES, Filled, Market, lose, numbers, quiet, send
from support.reactors import FakeReactor

ETH = "ETH-USD"


@pytest.fixture
def market(fake_reactor: FakeReactor) -> Iterator[Market]:
    market = Market(fake_reactor)
    yield market
    market.end()


# -- what is had


def test_missing_trades_are_handed_over_in_order_as_rest_has_them(market: Market) -> None:
    client = quiet(market)
    gap = lose(market, client, 3)
    market.pass_time(2.0)
    ((_, told, trades),) = client.told("backfill")
    assert told is gap
    assert [trade["trade_id"] for trade in trades] == numbers(gap)
    assert set(trades[0]) == {"trade_id", "time", "price", "size", "side"}
    assert market.asked() == [f"limit=3&after={gap.received}"]
    assert (client.counters.backfilled, client.counters.not_backfilled, client.errors) == (3, 0, [])
    assert client.got() == market.trades(client)


def test_a_gap_that_a_heartbeat_showed_is_filled(market: Market) -> None:
    client = market.client()
    market.pass_time(3.0)
    market.exchange.skip("match", BTC, count=math.inf)
    market.pass_time(6.0)
    market.exchange.behave()
    market.pass_time(5.0)
    causes = {gap.cause for _, gap in client.told("gap")}
    assert "the heartbeat was ahead" in causes
    assert client.counters.backfilled == client.counters.missing > 0
    assert client.got() == market.trades(client)


@pytest.mark.parametrize("heartbeats", [False, True])
def test_what_a_lost_line_missed_is_filled_on_the_next_one(fake_reactor: FakeReactor, heartbeats: bool) -> None:
    market = Market(fake_reactor, products=[BTC, ETH])
    client = market.client(Channel("matches", [BTC, ETH]), heartbeats=heartbeats)
    market.pass_time(3.0)
    market.exchange.refuse_upgrades(3)
    market.exchange.drop()
    market.pass_time(20.0)
    assert {gap.product_id for _, gap in client.told("gap")} == {BTC, ETH}
    assert client.counters.backfilled == client.counters.missing > 0
    for product_id in (BTC, ETH):
        assert client.got(product_id) == market.trades(client, product_id)
    market.end()


def test_what_is_fetched_outlives_the_line(market: Market) -> None:
    client = quiet(market)
    gap = lose(market, client, 2)
    market.exchange.delay_requests(1, seconds=3.0)
    market.pass_time(SETTLING + 0.5)
    market.exchange.drop()
    market.pass_time(15.0)
    assert numbers(gap) == client.filled[0]
    assert len(client.closes) == 1
    assert client.got() == market.trades(client)


@pytest.mark.parametrize(
    "trouble",
    [
        lambda exchange: exchange.refuse_requests(2),
        lambda exchange: exchange.refuse_requests(1, retry_after=3),
        lambda exchange: exchange.cut_requests(3),
        lambda exchange: exchange.delay_requests(1, seconds=40.0),
        lambda exchange: exchange.serve_old_trades(3, seconds=8.0),
    ],
    ids=["throttled", "throttled for long", "cut", "silent", "old"],
)
def test_what_rest_cannot_give_at_once_is_had_later(market: Market, trouble: Any) -> None:
    client = quiet(market)
    trouble(market.exchange)
    gap = lose(market, client, 3)
    market.pass_time(SETTLING + 0.5)
    assert client.filled == []
    market.pass_time(45.0)
    assert client.filled == [numbers(gap)]
    assert client.errors == []
    assert client.got() == market.trades(client)


# -- what is not


def test_what_rest_refuses_is_told(market: Market) -> None:
    client = quiet(market)
    market.exchange.refuse_requests(1, status=404, message="NotFound")
    gap = lose(market, client, 3)
    market.pass_time(2.0)
    assert [event[0] for event in client.told("backfill", "error")] == ["backfill", "error"]
    ((words, reason),) = client.errors
    assert words == f"3 missing trades of BTC-USD cannot be had: {gap.expected} to {gap.received - 1}"
    assert reason.startswith(f"GET {market.exchange.rest_url}/products/BTC-USD/trades?")
    assert reason.endswith("was answered with HTTP status 404: NotFound")
    assert (client.filled, client.counters.backfilled, client.counters.not_backfilled) == ([[]], 0, 3)
    lose(market, client)
    market.pass_time(2.0)
    assert client.counters.backfilled == 1
    assert client.got() == market.trades(client)


def test_what_is_never_listed_is_told(market: Market) -> None:
    client = quiet(market)
    first = client.live()[-1] + 1
    market.exchange.unlist_trades(BTC, [first + 1, first + 3])
    gap = lose(market, client, 5)
    assert gap.expected == first
    market.pass_time(2.0)
    assert client.filled == [[first, first + 2, first + 4]]
    assert client.errors == [
        (f"2 missing trades of BTC-USD cannot be had: {first + 1}, {first + 3}", "REST does not list them")
    ]
    assert len(market.asked()) == 1
    assert client.got() == market.trades(client)


def test_the_newest_are_asked_for_again_before_they_are_called_unlisted(market: Market) -> None:
    client = quiet(market)
    first = client.live()[-1] + 1
    market.exchange.unlist_trades(BTC, [first + 2])
    gap = lose(market, client, 3)
    market.pass_time(SETTLING + sum(PATIENCE) - 0.5)
    assert client.filled == []
    market.pass_time(1.0)
    assert client.filled == [[first, first + 1]]
    assert client.missed == [first + 2]
    assert market.asked() == [f"limit=3&after={gap.received}"] * (1 + len(PATIENCE))


# -- what comes late


def test_a_gap_that_late_messages_close_at_once_is_not_fetched(market: Market) -> None:
    client = quiet(market)
    gap = lose(market, client, 2)
    for number in numbers(gap):
        send(market, number)
    market.pass_time(5.0)
    assert [told.recovered for _, told in client.told("gap")] == [False, True]
    assert (market.asked(), client.told("backfill", "error")) == ([], [])
    assert client.got() == market.trades(client)


def test_a_gap_that_closes_while_others_wait_is_not_fetched(market: Market) -> None:
    client = quiet(market)
    market.exchange.delay_requests(1, seconds=15.0)
    first = lose(market, client)
    market.pass_time(SETTLING)
    second, third = (lose(market, client) for _ in range(2))
    send(market, second.expected)
    market.pass_time(20.0)
    assert client.filled == [numbers(first), numbers(third)]
    assert client.got() == market.trades(client)


def test_a_fetch_ends_when_its_gap_is_closed(market: Market) -> None:
    client = quiet(market)
    market.exchange.delay_requests(1, seconds=20.0)
    first = lose(market, client)
    market.pass_time(SETTLING + 0.5)
    assert len(market.asked()) == 1
    send(market, first.expected)
    second = lose(market, client)
    market.pass_time(2.0)
    assert client.filled == [numbers(second)]
    assert client.got() == market.trades(client)


def test_what_comes_late_during_a_fetch_is_not_handed_over(market: Market) -> None:
    client = quiet(market)
    market.exchange.delay_requests(1, seconds=3.0)
    gap = lose(market, client, 3)
    market.pass_time(SETTLING + 0.5)
    send(market, gap.expected + 1)
    market.pass_time(4.0)
    assert client.filled == [[gap.expected, gap.expected + 2]]
    assert client.live().count(gap.expected + 1) == 1
    assert (client.counters.backfilled, client.counters.late) == (2, 1)
    assert client.got() == market.trades(client)


def test_what_comes_later_still_does_not_come_twice(market: Market) -> None:
    client = quiet(market)
    gap = lose(market, client, 2)
    market.pass_time(2.0)
    assert client.filled == [numbers(gap)]
    send(market, gap.expected)
    send(market, client.live()[-1])
    assert gap.expected not in client.live()
    assert (client.counters.late, client.counters.repeated) == (0, 2)
    assert client.got() == market.trades(client)


def test_what_could_not_be_had_is_welcome_when_it_comes(market: Market) -> None:
    client = quiet(market)
    market.exchange.refuse_requests(1, status=404)
    gap = lose(market, client)
    market.pass_time(2.0)
    assert client.missed == numbers(gap)
    send(market, gap.expected)
    assert client.live().count(gap.expected) == 1
    assert [told.recovered for _, told in client.told("gap")] == [False, True]


def test_what_user_tells_of_a_trade_is_more_than_that_it_was(market: Market) -> None:
    client = quiet(market, channels=[MATCHES, Channel("user", BTC)])
    gap = lose(market, client, channel="matches")
    market.pass_time(2.0)
    assert client.filled[-1] == numbers(gap)
    before = client.live().count(gap.expected)
    send(market, gap.expected)
    assert client.live().count(gap.expected) == before + 1


# -- live messages


class Timed(Filled):
    """Notes when each message came."""

    def on_message(self, message: Any) -> None:
        super().on_message(message)
        self.events.append(("at", self.reactor.seconds()))


def test_live_messages_never_wait(market: Market) -> None:
    market.exchange.delay_requests(math.inf, seconds=20.0)
    plain, filling = (market.client(kind=Timed, heartbeats=False, backfill=backfill) for backfill in (False, True))
    market.pass_time(3.0)
    market.exchange.skip("match", BTC, count=3)
    market.pass_time(20.0)
    assert filling.told("gap") == plain.told("gap") != []
    assert filling.told("backfill") == []
    assert filling.told("message", "at") == plain.told("message", "at")
    market.pass_time(5.0)
    assert filling.got() == market.trades(filling)
