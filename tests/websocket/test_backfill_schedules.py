"""Whatever goes wrong: each of the venue's trades comes by the feed, or over REST, or is told not to be had; once."""

from __future__ import annotations

import random
from typing import Any

import pytest
from txaio.tx import config as txaio_config

from copra_tx.simulator import SimulatedExchange
from copra_tx.websocket import Channel
from support.filling import BTC, MATCHES, Filled, Market
from support.peers import within
from support.reactors import FakeReactor
from support.schedules import FEED_FAULTS, TRADE_FAULTS, FaultSchedule
from support.watched import Watched, watched

PRODUCTS = [BTC, "ETH-USD"]

QUIET = 90.0
"""Seconds after the last fault: a wait of 30 s may have begun just then, and gaps wait for each other."""


def live_through(seed: int) -> tuple[int, int]:
    """Live through a schedule of faults; return how many trades came over REST, and how many were not to be had."""
    reactor = txaio_config.loop = FakeReactor()
    market = Market(reactor, seed=seed, products=PRODUCTS, order_rate=20.0)
    client: Filled = market.client(Channel("matches", PRODUCTS))
    kinds = (*FEED_FAULTS, "skip", "skip", "skip", *TRADE_FAULTS)
    schedule = FaultSchedule(seed, [("matches", one) for one in PRODUCTS], kinds=kinds, count=14, ends=15.0)
    schedule.arrange(market.exchange, reactor)
    chance = random.Random(seed)
    unlisted = set()
    for product_id in PRODUCTS:
        first = market.exchange.market.book(product_id, 0).trade_id  # type: ignore[union-attr]
        unlisted |= {(product_id, first + number) for number in chance.sample(range(60), 10)}
    while reactor.seconds() < schedule.ends + QUIET:
        for product_id, number in unlisted if reactor.seconds() <= schedule.ends else ():
            market.exchange.unlist_trades(product_id, [number])
        market.pass_time(1.0)
    for product_id in PRODUCTS:
        assert client.got(product_id) == market.trades(client, product_id), schedule
    counters = client.counters
    assert counters.backfilled == sum(map(len, client.filled))
    assert counters.not_backfilled == len(client.missed)
    waiting = [gap for _, gap in client.told("gap") if not gap.recovered]
    told = [gap for _, gap, _ in client.told("backfill")]
    assert len(told) == len(set(told))
    assert set(told) <= set(waiting)
    market.end()
    return counters.backfilled, counters.not_backfilled


@pytest.mark.parametrize("seeds", [range(10), range(10, 20)], ids=str)
def test_each_trade_comes_once_or_is_told(seeds: range) -> None:
    outcomes = [live_through(seed) for seed in seeds]
    assert sum(had for had, _ in outcomes) > 50
    assert sum(missed for _, missed in outcomes) > 0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make the seeds of the soak: each takes as long as some twenty of the schedules that are counted by the option."""
    if "seed" in metafunc.fixturenames:
        asked: int | None = metafunc.config.getoption("schedules")
        metafunc.parametrize("seed", range(100, 100 + (asked or 1000) // 50))


@pytest.mark.slow
def test_each_trade_comes_once_or_is_told_whatever_the_seed(seed: int) -> None:
    live_through(seed)


class Filling(Watched, Filled):
    """A client on sockets whose gaps can be waited for."""

    def on_backfill(self, gap: Any, trades: Any) -> None:
        self.happened("backfill", gap, trades)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_on_sockets(tls: bool) -> None:
    async with SimulatedExchange(seed=3, products=[BTC], order_rate=200.0, tls=tls) as exchange:
        options: dict[str, Any] = {"rest_url": exchange.rest_url, "backfill": True}
        if tls:
            options["ca_file"] = exchange.ca_file
        client = watched(exchange.url, MATCHES, kind=Filling, **options)
        await client.when(lambda client: len(client.live()) > 3)
        exchange.skip("match", BTC, count=5)
        await client.when(lambda client: client.counters.backfilled >= 5)
        assert client.errors == []
        numbers = client.live()
        assert sorted(client.got().elements()) == list(range(min(numbers), max(numbers) + 1))
        await within(client.close())
