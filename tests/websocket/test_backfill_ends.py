"""Backfill and the user: what callbacks may do, what ends with what, and what is refused at birth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from copra_tx.errors import ConfigurationError
from copra_tx.integrity.gaps import Gap
from copra_tx.websocket import ADVANCED_TRADE_URL, FEED_URL, Channel, Client
from copra_tx.websocket.backfill import SETTLING
from support.filling import BTC, MATCHES, Filled, Market, lose, numbers, quiet
from support.reactors import FakeReactor


@pytest.fixture
def market(fake_reactor: FakeReactor) -> Iterator[Market]:
    market = Market(fake_reactor)
    yield market
    market.end()


# -- the user's code


class Slow(Filled):
    """Takes as long for ``on_backfill`` as the test wants."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.busy: Deferred[None] = Deferred()
        super().__init__(*args, **options)

    async def on_backfill(self, gap: Gap, trades: list[dict[str, Any]]) -> None:
        super().on_backfill(gap, trades)
        await self.busy


def with_another_gap(market: Market) -> Any:
    """Return a client that is told of one gap's trades, and loses more meanwhile."""
    client = quiet(market, kind=Slow)
    lose(market, client)
    market.pass_time(2.0)
    market.exchange.skip("match", BTC)
    return client


def test_the_next_gap_waits_until_on_backfill_is_done(market: Market) -> None:
    client = with_another_gap(market)
    market.pass_time(5.0)
    assert len(client.filled) == len(market.asked()) == 1
    client.busy.callback(None)
    market.pass_time(2.0)
    assert client.filled == [numbers(gap) for _, gap in client.told("gap")]
    assert len(client.filled) == 2
    assert client.got() == market.trades(client)


def test_closing_while_on_backfill_runs_cancels_it(market: Market) -> None:
    client = with_another_gap(market)
    market.pass_time(3.0)
    closed: list[Any] = []
    client.close().addCallback(closed.append)
    market.pass_time(3.0)
    assert (closed, len(client.filled)) == ([None], 1)


class Careless(Filled):
    def on_backfill(self, gap: Gap, trades: list[dict[str, Any]]) -> None:
        super().on_backfill(gap, trades)
        raise ArithmeticError


def test_a_mistake_in_on_backfill_hurts_nothing(market: Market, logged_errors: Any) -> None:
    client = quiet(market, kind=Careless)
    for _ in range(2):
        lose(market, client)
        market.pass_time(2.0)
    assert len(client.filled) == len(logged_errors.flush(ArithmeticError)) == 2
    assert (client.closes, client.counters.callback_failures) == ([], 2)


class Leaving(Filled):
    def on_gap(self, gap: Gap) -> None:
        super().on_gap(gap)
        self.unsubscribe(MATCHES)


def test_unsubscribing_in_on_gap_leaves_nothing_to_fetch(market: Market) -> None:
    client = quiet(market, kind=Leaving)
    lose(market, client)
    market.pass_time(5.0)
    assert (market.asked(), client.told("backfill", "error")) == ([], [])


def test_by_default_it_is_logged(market: Market) -> None:
    class Plain(Filled):
        on_backfill = Client.on_backfill

    client = quiet(market, kind=Plain)
    lose(market, client)
    market.pass_time(2.0)
    assert client.counters.backfilled == 1


# -- beginnings and ends


def test_what_is_unsubscribed_from_is_not_fetched(market: Market) -> None:
    client = quiet(market)
    market.exchange.delay_requests(1, seconds=20.0)
    for _ in range(2):
        lose(market, client)
    market.pass_time(SETTLING)
    assert len(market.asked()) == 1
    client.unsubscribe(MATCHES)
    market.pass_time(25.0)
    assert (len(market.asked()), client.told("backfill", "error")) == (1, [])
    client.subscribe(MATCHES)
    market.pass_time(3.0)
    gap = lose(market, client)
    market.pass_time(2.0)
    assert client.filled == [numbers(gap)]


@pytest.mark.parametrize("seconds", [0.0, SETTLING - 0.5, SETTLING + 0.5, SETTLING + 6.0])
def test_closing_leaves_no_timer_and_no_connection(market: Market, fake_reactor: FakeReactor, seconds: float) -> None:
    client = quiet(market)
    market.exchange.refuse_requests(1)
    market.exchange.delay_requests(math.inf, seconds=20.0)
    lose(market, client)
    lose(market, client)
    market.pass_time(seconds)
    client.close()
    market.pass_time(3.0)
    assert client.told("backfill", "error") == []
    market.exchange.stopService()
    market.pass_time(3.0)
    assert fake_reactor.getDelayedCalls() == []
    assert not any(line.connected for line in market.lines)


def test_a_client_that_is_opened_again_fills_its_gaps(market: Market) -> None:
    client = quiet(market)
    forgotten = lose(market, client)
    client.close()
    market.pass_time(3.0)
    client.add_as_task_to_loop()
    market.pass_time(5.0)
    gap = lose(market, client)
    market.pass_time(2.0)
    assert client.filled[-1] == numbers(gap)
    assert market.trades(client) - client.got() == Counter(numbers(forgotten))


def test_gaps_of_full_name_no_trades_and_are_not_fetched(market: Market) -> None:
    client = market.client([Channel("full", BTC), MATCHES])
    market.pass_time(3.0)
    market.exchange.skip("match", BTC, count=2)
    market.pass_time(8.0)
    assert {gap.channel for _, gap in client.told("gap")} == {"full"}
    assert (market.asked(), client.told("backfill")) == ([], [])


def test_without_the_option_nothing_is_fetched(market: Market) -> None:
    client = quiet(market, backfill=False)
    lose(market, client)
    market.pass_time(5.0)
    assert (market.asked(), client.told("backfill")) == ([], [])


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        (
            "ws://127.0.0.1:1",
            {},
            "which REST address belongs to 'ws://127.0.0.1:1' is not known; name it with rest_url=",
        ),
        (ADVANCED_TRADE_URL, {}, "backfill is for the Exchange feed: gaps of the Advanced Trade feed name no trade"),
        (FEED_URL, {"rest_url": "nonsense"}, "rest_url is https://HOST or http://HOST:PORT, not 'nonsense'"),
        (FEED_URL, {"backfill": 1}, "backfill is True or False, not 1"),
    ],
)
def test_what_cannot_work_is_refused_at_birth(url: str, options: Any, words: str) -> None:
    channel = Channel("market_trades" if url == ADVANCED_TRADE_URL else "matches", BTC)
    with pytest.raises(ConfigurationError, match=words):
        Client(None, channel, url, reactor=FakeReactor(), **({"backfill": True} | options))


def test_the_venues_own_feed_needs_no_rest_url() -> None:
    client = Client(None, MATCHES, FEED_URL, reactor=FakeReactor(), auto_connect=False, backfill=True)
    assert client.options.rest_url is None
