"""What REST answers: books, trades in pages, and the venue's words for what it does not have."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from copra_tx.simulator.flow import FlowMarket
from copra_tx.simulator.market import Market
from copra_tx.simulator.rest import Reply, Rest
from support.samples import rest_samples

BTC = "BTC-USD"


class Asked:
    """A market at a moment, and what REST says about it."""

    def __init__(self, market: Any, seconds: float) -> None:
        self.market, self.position = market, market.due(seconds)
        self._rest = Rest(market, lambda: 1420674445.2014)

    def reply(self, target: str) -> Reply:
        return self._rest.answer(target, self.position)

    def __call__(self, target: str) -> Any:
        reply = self.reply(target)
        assert reply.status == 200
        return json.loads(reply.body)


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked(FlowMarket([BTC], ["OLD-USD"], seed=1, rate=80.0, minutes=1), 130.0)


@pytest.fixture(scope="module")
def recorded() -> Asked:
    return Asked(Market(), 130.0)


def test_time(asked: Asked) -> None:
    assert asked("/time") == {"iso": "2015-01-07T23:47:25.201Z", "epoch": 1420674445.201}


@pytest.mark.parametrize(("level", "sample"), [("2", "rest-book-level2"), ("3", "rest-book-level3")])
def test_a_book_has_the_fields_and_the_kinds_of_the_venues(asked: Asked, level: str, sample: str) -> None:
    book, expected = asked(f"/products/{BTC}/book?level={level}"), rest_samples()[sample]
    assert list(book) == list(expected)
    for side in ("bids", "asks"):
        assert [type(value) for value in book[side][0]] == [type(value) for value in expected[side][0]]
    assert len(book["time"]) == len(expected["time"])
    assert book["sequence"] == asked.market.book(BTC, asked.position).sequence


def test_the_levels_of_a_book_add_up(asked: Asked) -> None:
    first, second, third = (asked(f"/products/{BTC}/book?level={level}") for level in (1, 2, 3))
    assert asked(f"/products/{BTC}/book") == first
    for side in ("bids", "asks"):
        assert first[side] == second[side][:1]
        for price, size, count in second[side]:
            orders = [Decimal(row[1]) for row in third[side] if row[0] == price]
            assert (sum(orders), len(orders)) == (Decimal(size), count)
        prices = [Decimal(row[0]) for row in third[side]]
        assert prices == sorted(prices, reverse=side == "bids")


def test_books_say_that_they_may_be_a_second_old(asked: Asked) -> None:
    assert asked.reply(f"/products/{BTC}/book").headers == (("Cache-Control", "public, max-age=1"),)


def test_trades_come_newest_first(asked: Asked) -> None:
    trades = asked(f"/products/{BTC}/trades?limit=5")
    newest = asked.market.book(BTC, asked.position).trade_id
    assert [trade["trade_id"] for trade in trades] == [newest - number for number in range(5)]
    match = json.loads(asked.market.trade(BTC, newest))
    assert list(trades[0]) == ["trade_id", "side", "size", "price", "time"]
    assert (trades[0]["side"], trades[0]["time"]) == (match["side"], match["time"])
    for name in ("size", "price"):
        assert Decimal(trades[0][name]) == Decimal(match[name])
        assert len(trades[0][name].partition(".")[2]) == 8


def _ids(asked: Asked, query: str) -> list[int]:
    return [trade["trade_id"] for trade in asked(f"/products/{BTC}/trades?{query}")]


def test_pages_of_trades(asked: Asked) -> None:
    newest = asked.market.book(BTC, asked.position).trade_id
    first = asked.reply(f"/products/{BTC}/trades?limit=10")
    assert dict(first.headers) == {"CB-BEFORE": str(newest), "CB-AFTER": str(newest - 9)}
    assert _ids(asked, f"limit=3&after={newest - 9}") == [newest - 10, newest - 11, newest - 12]
    assert _ids(asked, f"before={newest - 2}") == [newest, newest - 1]
    assert _ids(asked, f"after={newest - 4}&before={newest - 7}") == [newest - 5, newest - 6]
    assert _ids(asked, f"limit=1&before={newest - 7}") == [newest]
    assert _ids(asked, f"before={newest}") == []
    assert asked.reply(f"/products/{BTC}/trades?before={newest}").headers == ()
    assert _ids(asked, f"limit=0&after={newest}") == [newest - 1]


def test_a_page_has_a_thousand_trades_at_most_and_ends_at_the_first_ever(asked: Asked) -> None:
    first = asked.market.book(BTC, 0).trade_id
    newest = asked.market.book(BTC, asked.position).trade_id
    assert newest - first > 1000
    assert len(_ids(asked, "limit=2000")) == len(_ids(asked, "")) == 1000
    assert _ids(asked, f"after={first + 2}") == [first + 1, first]
    assert _ids(asked, f"after={first}") == []


def test_ticker(asked: Asked) -> None:
    ticker, book = asked(f"/products/{BTC}/ticker"), asked(f"/products/{BTC}/book")
    assert (ticker["bid"], ticker["ask"]) == (book["bids"][0][0], book["asks"][0][0])
    assert ticker["price"] == asked(f"/products/{BTC}/trades?limit=1")[0]["price"]
    nothing = Asked(Market([BTC, "LTC-EUR"]), 1.0)("/products/LTC-EUR/ticker")
    assert (nothing["bid"], nothing["ask"], nothing["price"], nothing["trade_id"]) == ("0", "0", "0", 0)


def test_products(asked: Asked) -> None:
    assert [(product["id"], product["status"]) for product in asked("/products")] == [
        (BTC, "online"),
        ("OLD-USD", "delisted"),
    ]
    assert asked(f"/products/{BTC}") == asked("/products")[0]


@pytest.mark.parametrize(
    ("target", "status", "message"),
    [
        ("/products/NOPE-USD/book", 404, "NotFound"),
        ("/products/NOPE-USD", 404, "NotFound"),
        ("/products/OLD-USD/trades", 404, "NotFound"),
        ("/products/btc-usd/book", 404, "NotFound"),  # URLs are case-sensitive
        (f"/products/{BTC}/nonsense", 404, "NotFound"),
        ("/nonsense", 404, "NotFound"),
        ("//[nonsense", 404, "NotFound"),
        (f"/products/{BTC}/book?level=4", 400, "Invalid level"),
        (f"/products/{BTC}/trades?limit=many", 400, "Invalid page"),
        (f"/products/{BTC}/trades?after=", 400, "Invalid page"),
    ],
)
def test_what_there_is_not(asked: Asked, target: str, status: int, message: str) -> None:
    reply = asked.reply(target)
    assert (reply.status, json.loads(reply.body)) == (status, {"message": message})


# -- of the recorded minute


def test_the_recorded_minute_has_books_by_level(recorded: Asked) -> None:
    snapshot = json.loads(recorded.market.snapshot(BTC, recorded.position))
    book = recorded(f"/products/{BTC}/book?level=2")
    for side in ("bids", "asks"):
        assert [(Decimal(row[0]), Decimal(row[1])) for row in book[side]] == [
            (Decimal(row[0]), Decimal(row[1])) for row in snapshot[side]
        ]
    assert recorded.reply(f"/products/{BTC}/book?level=3").status == 404


@pytest.mark.parametrize("seconds", [0.0, 30.0, 59.99, 60.0, 130.0])
def test_the_recorded_minute_has_trades_over_its_seams(recorded: Asked, seconds: float) -> None:
    asked = Asked(recorded.market, seconds)
    last = json.loads(asked.market.last_match(BTC, asked.position))
    trades = asked(f"/products/{BTC}/trades")
    assert (trades[0]["trade_id"], trades[0]["time"]) == (last["trade_id"], last["time"])
    assert [trade["trade_id"] for trade in trades] == list(range(last["trade_id"], trades[-1]["trade_id"] - 1, -1))
    assert trades[-1]["trade_id"] == max(1052119288, last["trade_id"] - 999)
    times = [trade["time"] for trade in trades]
    assert times == sorted(times, reverse=True)
    book = asked(f"/products/{BTC}/book")
    assert book["sequence"] >= last["sequence"]


def test_the_recorded_minute_has_no_older_trades_and_none_where_nothing_trades(recorded: Asked) -> None:
    first = 1052119288
    assert _ids(recorded, f"after={first + 1}") == [first]
    assert _ids(recorded, f"after={first}") == []
    quiet = Asked(Market([BTC, "LTC-EUR"]), 10.0)
    assert quiet("/products/LTC-EUR/trades") == []
    assert quiet("/products/LTC-EUR/book?level=2")["bids"] == []
