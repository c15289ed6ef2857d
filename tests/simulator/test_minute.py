"""The recorded minute, completed: everything recorded is in it, in its order; what is derived fits to it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from copra_tx.simulator.minute import PERIOD, RECORDED_PRODUCTS, Entry, Minute, make_minute
from copra_tx.simulator.recording import load_recording

RECORDED_KINDS = ("l2update", "match", "heartbeat")


@pytest.fixture(scope="module")
def minute() -> Minute:
    return make_minute(RECORDED_PRODUCTS, {"XYZ-USD"})


def _of(minute: Minute, kind: str, product_id: str = "") -> list[Entry]:
    return [entry for entry in minute.entries if entry.type == kind and product_id in ("", entry.product_id)]


def test_every_recorded_message_is_in_it_in_the_order_received(minute: Minute) -> None:
    recorded = [frame.message for frame in load_recording() if frame.message["type"] in RECORDED_KINDS]
    replayed = [entry.message for entry in minute.entries if entry.type in RECORDED_KINDS]
    derived = [message for message in replayed if message not in recorded]
    assert [message for message in replayed if message in recorded] == recorded
    assert Counter(message["type"] for message in derived) == {"heartbeat": 2, "l2update": 2}


def test_messages_are_due_at_their_own_times(minute: Minute) -> None:
    """Neighbours may have been received the other way round; then the later one waits for the earlier."""
    began = datetime.fromisoformat("2026-07-07T22:58:17Z")
    latest = 0.0
    for entry in minute.entries:
        assert latest <= entry.offset < PERIOD
        latest = entry.offset
        if entry.type in RECORDED_KINDS:
            own = (datetime.fromisoformat(entry.message["time"]) - began).total_seconds()
            assert own <= entry.offset <= own + 0.2


def test_each_kind_goes_to_the_subscribers_of_its_channels(minute: Minute) -> None:
    keys = Counter((entry.type, key) for entry in minute.entries for key in entry.keys)
    assert {key for key in keys if key[1][1] != "ETH-USD"} == {
        ("l2update", ("level2", "BTC-USD")),
        ("l2update", ("level2_50", "BTC-USD")),
        ("match", ("matches", "BTC-USD")),
        ("ticker", ("ticker", "BTC-USD")),
        ("ticker", ("ticker_1000", "BTC-USD")),
        ("heartbeat", ("heartbeat", "BTC-USD")),
        ("status", ("status", "")),
    }


@pytest.mark.parametrize("product_id", sorted(RECORDED_PRODUCTS))
def test_a_ticker_follows_the_last_trade_of_each_order(minute: Minute, product_id: str) -> None:
    trades: list[Entry] = []
    tickers = 0
    for entry in minute.entries:
        if ("matches", product_id) in entry.keys:
            trades.append(entry)
        if ("ticker", product_id) not in entry.keys:
            continue
        tickers += 1
        ticker, trade = entry.message, trades[-1].message
        for ours, theirs in {"price": "price", "last_size": "size", "trade_id": "trade_id"}.items():
            assert ticker[ours] == trade[theirs]
        assert (ticker["sequence"], ticker["time"]) == (trade["sequence"], trade["time"])
        assert {ticker["side"], trade["side"]} == {"buy", "sell"}
        assert Decimal(ticker["best_bid"]) < Decimal(ticker["best_ask"])
        assert Decimal(ticker["low_24h"]) <= Decimal(ticker["price"]) <= Decimal(ticker["high_24h"])
    takers = [trade.message["taker_order_id"] for trade in trades]
    assert tickers == 1 + sum(before != after for before, after in pairwise(takers))
    assert tickers < len(trades)  # there are cascades, and they are folded


@pytest.mark.parametrize("product_id", sorted(RECORDED_PRODUCTS))
def test_ticker_batch_has_the_newest_ticker_every_five_seconds(minute: Minute, product_id: str) -> None:
    newest: Any = None
    batches: list[Entry] = []
    for entry in minute.entries:
        if ("ticker_1000", product_id) in entry.keys:
            assert entry.message == newest
            batches.append(entry)
        elif ("ticker", product_id) in entry.keys:
            newest = entry.message
    assert [entry.offset for entry in batches] == [5 * number + 4.5 for number in range(12)]


@pytest.mark.parametrize("product_id", sorted(RECORDED_PRODUCTS))
def test_a_heartbeat_every_second_knows_the_last_trade(minute: Minute, product_id: str) -> None:
    last = minute.openings[product_id].last_match
    assert last is not None
    trade_id, sequence = last.message["trade_id"], last.message["sequence"]
    seconds = []
    for entry in minute.entries:
        if ("matches", product_id) in entry.keys:
            trade_id, sequence = entry.message["trade_id"], entry.message["sequence"]
        elif ("heartbeat", product_id) in entry.keys:
            assert entry.message["last_trade_id"] == trade_id
            assert entry.message["sequence"] >= sequence
            seconds.append(int(entry.offset))
    assert seconds == list(range(60))


def test_status_comes_every_five_seconds(minute: Minute) -> None:
    assert [entry.offset for entry in _of(minute, "status")] == [5 * number + 2.5 for number in range(12)]
    products = {product["id"]: product["status"] for product in _of(minute, "status")[0].message["products"]}
    assert products == {"BTC-USD": "online", "ETH-USD": "online", "XYZ-USD": "delisted"}


def test_products_that_were_not_recorded_have_heartbeats_and_an_empty_book() -> None:
    minute = make_minute({"SOL-EUR"}, ())
    assert {entry.type for entry in minute.entries} == {"heartbeat", "status"}
    assert [entry.offset for entry in _of(minute, "heartbeat")] == list(range(60))
    opening = minute.openings["SOL-EUR"]
    assert (opening.snapshot.message["bids"], opening.snapshot.message["asks"]) == ([], [])
    assert (opening.last_match, opening.sequences, opening.trades) == (None, 0, 0)


def test_a_product_can_be_left_out() -> None:
    minute = make_minute({"ETH-USD"}, ())
    assert {entry.product_id for entry in minute.entries} == {"ETH-USD", ""}
