"""Messages in, a quote out."""

from __future__ import annotations

from typing import Any

import pytest

from copra_tx.commands.quotes import Quote, Quotes, decimal_or_none

TICKER = {
    "type": "ticker",
    "product_id": "BTC-USD",
    "price": "100.10",
    "best_bid": "100.09",
    "best_bid_size": "1.5",
    "best_ask": "100.11",
    "best_ask_size": "2.5",
    "side": "buy",
    "last_size": "0.1",
    "time": "2026-07-07T22:58:17.123456Z",
}
MATCH = {"type": "match", "product_id": "BTC-USD", "price": "101", "size": "3", "side": "buy", "time": "t"}
SNAPSHOT = {
    "type": "snapshot",
    "product_id": "BTC-USD",
    "bids": [["99", "1"], ["98.50", "2"]],
    "asks": [["101", "3"], ["102", "4"]],
}


def after(*messages: Any) -> Quote:
    """Return BTC-USD after these messages, one a second."""
    quotes = Quotes(["BTC-USD"])
    for second, message in enumerate(messages):
        quotes.take(message, float(second))
    quotes.sample(float(len(messages)))
    return quotes.products["BTC-USD"]


def test_a_ticker_says_it_all() -> None:
    quote = after(TICKER)
    assert (quote.price, quote.side, quote.size, quote.time) == ("100.10", "buy", "0.1", TICKER["time"])
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == ("100.09", "1.5", "100.11", "2.5")
    assert (quote.trend, quote.decimals, quote.count, quote.received) == (0, 2, 1, 0.0)


def test_a_trade_names_the_makers_side() -> None:
    """The table shows the taker's, as a ticker has it."""
    assert after(MATCH).side == "sell"
    assert after({**MATCH, "type": "last_match", "side": "sell"}).side == "buy"
    assert (after(MATCH).price, after(MATCH).size, after(MATCH).bid) == ("101", "3", "")


def test_a_row_of_level3_is_a_trade_if_it_says_so() -> None:
    quote = after(["match", "BTC-USD", "7", "m", "t", "99.5", "0.2", "then"])
    assert (quote.price, quote.size, quote.time, quote.side) == ("99.5", "0.2", "then", "")
    quote = after(["open", "BTC-USD", "7", "o", "buy", "99.5", "0.2", "then"])
    assert (quote.price, quote.count) == ("", 1)


@pytest.mark.parametrize(
    ("prices", "trend"),
    [(["1", "2"], 1), (["2", "1"], -1), (["1", "2", "2.0"], 1), (["1"], 0), (["1", "?"], 0), (["10", "9"], -1)],
)
def test_a_trend_lasts_until_the_price_turns(prices: list[str], trend: int) -> None:
    assert after(*({**MATCH, "price": price} for price in prices)).trend == trend


def test_a_book_is_kept() -> None:
    quote = after(SNAPSHOT)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == ("99", "1", "101", "3")
    changes = [
        ["buy", "99.00", "0.00"],
        ["sell", "100.5", "7"],
        ["sell", "555", "0"],
        ["odd", "1", "1"],
        ["buy", "x", "1"],
    ]
    quote = after(SNAPSHOT, {"type": "l2update", "product_id": "BTC-USD", "changes": changes})
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == ("98.50", "2", "100.5", "7")
    assert quote.decimals == 2


def test_a_book_is_newer_than_a_ticker() -> None:
    quote = after(SNAPSHOT, TICKER)
    assert (quote.price, quote.bid, quote.ask) == ("100.10", "99", "101")


def test_an_update_before_its_snapshot_is_passed_over() -> None:
    assert after({"type": "l2update", "product_id": "BTC-USD", "changes": [["buy", "1", "1"]]}).bid == ""


def test_an_empty_book_has_no_best() -> None:
    assert after({"type": "snapshot", "product_id": "BTC-USD", "bids": [], "asks": []}).bid == ""


@pytest.mark.parametrize("message", [{"type": "ticker", "product_id": "BTC-USD", "price": 1.5, "best_bid": None}])
def test_what_is_no_text_is_passed_over(message: Any) -> None:
    quote = after(message)
    assert (quote.price, quote.bid, quote.side, quote.count) == ("", "", "", 1)


def test_products_follow_as_they_come() -> None:
    quotes = Quotes(["BTC-USD"])
    for message in (MATCH, {"type": "status"}, {**MATCH, "product_id": "ETH-USD"}, {"type": "x", "product_id": 5}, []):
        quotes.take(message, 0.0)
    assert [quote.product_id for quote in quotes.products.values()] == ["BTC-USD", "ETH-USD"]
    assert quotes.count == 5
    assert [quote.count for quote in quotes.products.values()] == [1, 1]


def test_a_rate_is_an_average_of_the_last_seconds() -> None:
    quotes = Quotes()
    quotes.sample(0.0)
    assert quotes.rate == 0
    for quarter in range(1, 60):
        for _ in range(5):
            quotes.take(MATCH, quarter / 4)
        quotes.sample(quarter / 4)
        assert quotes.rate == pytest.approx(20)
    quote = quotes.products["BTC-USD"]
    assert quote.rate == pytest.approx(20, rel=0.1)
    quotes.sample(60.0)
    quotes.sample(66.0)
    assert quotes.rate == quote.rate == 0


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.50", "1.50"), ("-0", "-0"), ("", None), ("x", None), ("NaN", None), ("Infinity", None), (1, None)],
)
def test_a_decimal(text: object, number: str | None) -> None:
    found = decimal_or_none(text)
    assert (None if found is None else str(found)) == number
