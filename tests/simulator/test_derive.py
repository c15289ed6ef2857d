"""Messages that were not recorded look as the venue's."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from copra_tx.simulator import derive
from copra_tx.simulator.depth import Depth
from support.samples import samples

SAMPLES = samples("server")
MOMENT = datetime(2026, 7, 7, 22, 58, 17, 5, tzinfo=UTC)
TRADES = [
    {"price": "100.5", "size": "0.25"},
    {"price": "99", "size": "1"},
    {"price": "101.25", "size": "0.00000001"},
]
TRADE = {
    "type": "match",
    "trade_id": 7,
    "maker_order_id": "a",
    "taker_order_id": "b",
    "side": "sell",
    "size": "0.5",
    "price": "100.5",
    "product_id": "BTC-USD",
    "sequence": 9,
    "time": "2026-07-07T22:58:17.000000Z",
}


def _shape(value: Any) -> Any:
    """Return the keys, in their order, and the types of the values."""
    if isinstance(value, dict):
        return [(name, _shape(entry)) for name, entry in value.items()]
    return type(value)


def test_times_are_in_utc_with_microseconds() -> None:
    assert derive.timestamp(MOMENT) == "2026-07-07T22:58:17.000005Z"
    assert derive.timestamp(MOMENT.astimezone(timezone(timedelta(hours=2)))) == "2026-07-07T22:58:17.000005Z"


def test_ticker_follows_the_trade_and_the_book() -> None:
    day = derive.DayStats.of_minute("100", TRADES)
    ticker = derive.ticker(TRADE, Depth([("100.4", "1"), ("100.3", "2")], [("100.5", "3")]), day)
    assert _shape(ticker) == _shape(SAMPLES["ticker"])
    assert ticker["side"] == "buy"  # the taker's; a match has the maker's
    assert (ticker["price"], ticker["last_size"], ticker["trade_id"], ticker["sequence"]) == ("100.5", "0.5", 7, 9)
    assert (ticker["best_bid"], ticker["best_bid_size"]) == ("100.4", "1")
    assert (ticker["best_ask"], ticker["best_ask_size"]) == ("100.5", "3")
    assert ticker["time"] == TRADE["time"]


def test_the_figures_of_a_day_are_those_of_a_repeated_minute() -> None:
    day = derive.DayStats.of_minute("100", TRADES)
    assert (day.opened, day.low, day.high) == ("100", "99", "101.25")
    assert Decimal(day.volume_24h) == Decimal("1.25000001") * 24 * 60
    assert Decimal(day.volume_30d) == Decimal(day.volume_24h) * 30
    assert day.volume_24h == "1800.00001440"


def test_a_minute_without_trades_has_figures_too() -> None:
    day = derive.DayStats.of_minute("100", [])
    assert (day.low, day.high, day.volume_24h, day.volume_30d) == ("100", "100", "0.00000000", "0.00000000")


def test_heartbeat_snapshot_and_update_have_the_venues_fields() -> None:
    assert _shape(derive.heartbeat("BTC-USD", 1, 2, MOMENT)) == _shape(SAMPLES["heartbeat"])
    snapshot = derive.snapshot("BTC-USD", Depth([("1", "2")], [("3", "4")]), derive.timestamp(MOMENT))
    assert _shape(snapshot) == _shape(SAMPLES["l2-snapshot"])
    update = derive.l2update("BTC-USD", [["buy", "1", "0"]], MOMENT)
    assert _shape(update) == _shape(SAMPLES["l2update"])


def test_status_has_every_product_and_currency() -> None:
    status = derive.status({"BTC-USD", "ETH-EUR"}, {"XYZ-USD"})
    sample = SAMPLES["status"]
    assert {_names(product) for product in status["products"]} == {_names(sample["products"][0])}
    assert {_names(currency) for currency in status["currencies"]} == {_names(sample["currencies"][0])}
    products = {product["id"]: product for product in status["products"]}
    assert {name: product["status"] for name, product in products.items()} == {
        "BTC-USD": "online",
        "ETH-EUR": "online",
        "XYZ-USD": "delisted",
    }
    assert (products["ETH-EUR"]["base_currency"], products["ETH-EUR"]["quote_currency"]) == ("ETH", "EUR")
    assert [currency["id"] for currency in status["currencies"]] == ["BTC", "ETH", "EUR", "USD", "XYZ"]
    assert {currency["id"]: currency["min_size"] for currency in status["currencies"]}["USD"] == "0.01"


def _names(fields: dict[str, object]) -> tuple[str, ...]:
    return tuple(fields)


@pytest.mark.parametrize("size", [127, 128, 129, 1000, 1024 * 1024, 1024 * 1024 + 1])
def test_a_snapshot_of_a_size_has_exactly_that_size(size: int) -> None:
    payload = derive.snapshot_of_size(size, "BTC-USD")
    assert len(payload) == size
    message = json.loads(payload)
    assert (message["type"], message["product_id"]) == ("snapshot", "BTC-USD")
    prices = [Decimal(price) for price, _ in message["bids"]]
    assert prices == sorted(set(prices), reverse=True)
    assert all(Decimal(size) > 0 for _, size in message["bids"])


def test_no_snapshot_is_smaller_than_one_level() -> None:
    with pytest.raises(ValueError, match=r"a snapshot has at least 1\d\d bytes, not 10"):
        derive.snapshot_of_size(10, "BTC-USD")
