"""Envelopes of the Advanced Trade feed in the table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.commands.parts import parts_of
from copra_tx.commands.quotes import Quote, Quotes
from support.samples import advanced_samples

SERVER = advanced_samples("server")

anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["tickers", "trades", "updates", "side", "type", "product_id"]), inner)
    ),
    max_leaves=10,
)


def after(product_id: str, *messages: Any) -> Quote:
    quotes = Quotes()
    for message in messages:
        quotes.take(message, 1.0)
    quotes.sample(2.0)
    assert quotes.count == len(messages)
    return quotes.products[product_id]


def test_a_ticker() -> None:
    quote = after("BTC-USD", SERVER["ticker"])
    assert (quote.price, quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (
        "68900.5",
        "68900",
        "1.5",
        "68901",
        "0.5",
    )
    assert quote.time == SERVER["ticker"]["timestamp"]


def test_a_ticker_without_the_best_of_the_book() -> None:
    quote = after("ETH-USD", SERVER["ticker_batch"])
    assert (quote.price, quote.bid, quote.ask_size) == ("2193.98", "", "")


def test_trades_come_newest_first() -> None:
    quote = after("ETH-USD", SERVER["market_trades-update"])
    assert (quote.time, quote.size, quote.side) == ("2026-09-07T07:13:31.088388Z", "0.5", "sell")
    assert quote.count == 2


def test_a_book() -> None:
    quote = after("BTC-USD", SERVER["l2-snapshot"])
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == ("79943.9", "3.0105", "79944", "0.048")
    quote = after("BTC-USD", SERVER["l2-snapshot"], SERVER["l2-update"])
    assert (quote.bid, quote.ask, quote.ask_size) == ("79943.8", "79944", "0.03021537")


@pytest.mark.parametrize("name", ["heartbeats", "subscriptions", "candles-update", "status", "user-update"])
def test_others_are_counted_only(name: str) -> None:
    quotes = Quotes()
    quotes.take(SERVER[name], 1.0)
    assert (quotes.count, quotes.products) == (1, {})


@given(anything)
def test_whatever_comes_hurts_nobody(events: object) -> None:
    Quotes().take({"channel": "l2_data", "events": events}, 1.0)
    list(parts_of({"events": events}))
