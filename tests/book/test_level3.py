"""Books of orders: what each message and each row does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.book import BookFaults, BookState, Level3Book
from copra_tx.errors import BookUntrustedError, ConfigurationError
from support.books import BODY, NaiveQueues, levels, live_orders, message, noop, opened

LIVE, UNTRUSTED = BookState.LIVE, BookState.UNTRUSTED


def test_a_snapshot_makes_a_book_live() -> None:
    book = live_orders()
    assert book.bids() == levels(("99.5", "1.5"), ("99", "2"))
    assert book.asks(1) == levels(("100", "3"))
    assert (book.best_bid, book.best_ask) == (book.bids()[0], book.asks()[0])
    assert (book.sequence, book.verified, book.time) == (100, "sequence", BODY["time"])


def test_orders_are_listed_by_price_and_time() -> None:
    book = live_orders()
    assert [tuple(order) for order in book.orders("buy")] == [
        (Decimal("99.5"), Decimal(1), "b1"),
        (Decimal("99.5"), Decimal("0.5"), "b2"),
        (Decimal(99), Decimal(2), "b3"),
    ]
    assert [order.order_id for order in book.orders("buy", 1)] == ["b1", "b2"]
    assert [order.order_id for order in book.orders("sell")] == ["a1", "a2"]
    assert book.order("a2") == (Decimal("101.25"), Decimal(4), "a2")
    assert book.order("nobody") is None
    with pytest.raises(ConfigurationError, match="side is 'buy' or 'sell'"):
        book.orders("bids")  # type: ignore[arg-type]


def test_what_each_message_does() -> None:
    book = live_orders()
    for number, one in enumerate(
        [
            noop(0),
            opened(0, "b4", price="99.50"),
            message("match", 0, maker_order_id="b1", taker_order_id="t", size="0.75", price="99.5", side="buy"),
            message("done", 0, order_id="b2", side="buy", reason="canceled", price="99.5", remaining_size="0.5"),
            message("done", 0, order_id="never here", side="buy", reason="filled"),
            message("change", 0, order_id="b3", side="buy", old_size="2", new_size="1.5", price="99", reason="STP"),
            message("change", 0, order_id="never here", side="buy", new_size="1", price="99"),
            message("match", 0, maker_order_id="a1", taker_order_id="t", size="3", price="100", side="sell"),
            message("done", 0, order_id="a1", side="sell", reason="filled", remaining_size="0"),
            message("open", 0, order_id="a3", side="sell", price="100.5", remaining_size="0"),
        ],
        101,
    ):
        assert book.apply(one | {"sequence": number})
    assert [tuple(map(str, order)) for order in book.orders("buy")] == [
        ("99.50", "0.25", "b1"),
        ("99.50", "1", "b4"),
        ("99.00", "1.5", "b3"),
    ]
    assert book.asks() == levels(("101.25", "4"))
    assert (book.sequence, book.faults) == (110, BookFaults())


def test_an_order_may_be_modified() -> None:
    book = live_orders()
    book.apply(opened(101, "b4", price="99", size="8"))
    moves = {"side": "buy", "reason": "modify_order", "old_size": "1", "old_price": "99.5"}
    book.apply(message("change", 102, order_id="b1", new_size="3", new_price="99", **moves))
    book.apply(message("change", 103, order_id="b2", new_price="98.125", **moves))  # finer than before
    book.apply(message("change", 104, order_id="b4", new_size="7", new_price="99.0", **moves))  # keeps its place
    book.apply(message("change", 105, order_id="a1", new_size="0", **moves))
    book.apply(message("change", 106, order_id="b3", price=None, new_funds="3", old_funds="4", side="buy"))
    assert [(str(order.price), str(order.size), order.order_id) for order in book.orders("buy")] == [
        ("99.000", "2", "b3"),
        ("99.000", "7", "b4"),
        ("99.000", "3", "b1"),
        ("98.125", "0.5", "b2"),
    ]
    assert book.asks() == levels(("101.25", "4"))


def test_an_order_that_opens_twice_is_there_once() -> None:
    book = live_orders()
    book.apply(opened(101, "b1", price="98"))
    assert [order.order_id for order in book.orders("buy")] == ["b2", "b3", "b1"]


def test_a_trade_with_nobody_we_know_is_counted() -> None:
    book = live_orders()
    book.apply(message("match", 101, maker_order_id="x", taker_order_id="t", size="1", price="99.5", side="buy"))
    assert (book.state, book.faults.strangers) == (LIVE, 1)


def test_messages_of_others_are_passed_over() -> None:
    book = live_orders()
    for other in (
        opened(101) | {"product_id": "ETH-USD"},
        {"type": "heartbeat", "product_id": "BTC-USD", "sequence": 105},
        {"type": "ticker", "product_id": "BTC-USD", "sequence": 105},
        {"type": "last_match", "product_id": "BTC-USD", "sequence": 5},
        {"type": "activate", "product_id": "BTC-USD", "order_id": "b1"},
        {"type": "change", "order_id": "b1", "new_price": "1", "reason": "tpsl_triggered"},
        ["open", "ETH-USD", "101", "x", "buy", "1", "1", "2026"],
        "words",
        None,
    ):
        assert not book.apply(other)
    assert (book.sequence, book.faults) == (100, BookFaults())


# Rows of level3.

SCHEMA = {
    "change": ["type", "product_id", "sequence", "order_id", "price", "size", "time"],
    "done": ["type", "product_id", "sequence", "order_id", "time"],
    "match": ["type", "product_id", "sequence", "maker_order_id", "taker_order_id", "price", "size", "time"],
    "noop": ["type", "product_id", "sequence", "time"],
    "open": ["type", "product_id", "sequence", "order_id", "side", "price", "size", "time"],
}
ROWS = [
    {"type": "open", "order_id": "b4", "side": "buy", "price": "99.50", "size": "2"},
    {"type": "match", "maker_order_id": "b1", "taker_order_id": "t", "price": "99.5", "size": "0.25"},
    {"type": "change", "order_id": "b2", "price": "99.5", "size": "0.125"},
    {"type": "change", "order_id": "a2", "price": "101.50", "size": "4"},
    {"type": "done", "order_id": "b3"},
    {"type": "noop"},
]


@pytest.mark.parametrize("reverse", [False, True], ids=["documented", "another order"])
def test_rows_are_read_by_their_schema(reverse: bool) -> None:
    schema = {kind: names[:1] + names[1:][:: -1 if reverse else 1] for kind, names in SCHEMA.items()}
    book = live_orders()
    assert not book.apply({"type": "level3", "schema": schema})
    for number, fields in enumerate(ROWS, 101):
        row = fields | {"product_id": "BTC-USD", "sequence": str(number), "time": "2026"}
        assert book.apply([row[name] for name in schema[row["type"]]])
    assert [tuple(map(str, order)) for order in book.orders("buy")] == [
        ("99.50", "0.75", "b1"),
        ("99.50", "0.125", "b2"),
        ("99.50", "2", "b4"),
    ]
    assert book.asks() == levels(("100", "3"), ("101.5", "4"))
    assert (book.sequence, book.time) == (106, "2026")


def test_the_documented_schema_holds_until_another_comes() -> None:
    book = live_orders()
    assert book.apply(["done", "BTC-USD", "101", "b1", "2026"])
    assert book.order("b1") is None


@pytest.mark.parametrize("schema", [None, {}, [], {"open": ["product_id"]}, SCHEMA | {"open": ["type", "side"]}])
def test_a_schema_that_is_none_is_counted(schema: Any) -> None:
    book = live_orders()
    book.apply({"type": "level3", "schema": schema})
    assert book.faults.unreadable == 1
    assert book.apply(["noop", "BTC-USD", "101", "2026"])


@pytest.mark.parametrize(
    "row", [[], ["open"], [None], [["open"]], ["noop", "BTC-USD", "x", "t"], ["noop", "BTC-USD", "101"]]
)
def test_a_row_of_nobody_knows_whom_is_counted(row: Any) -> None:
    book = live_orders()
    assert not book.apply(row)
    assert (book.state, book.faults.unreadable, book.sequence) == (LIVE, 1, 100)


def test_a_kind_of_row_nobody_knows_counts_and_ends_the_trust() -> None:
    book = live_orders()
    assert book.apply(["swap", "BTC-USD", "101", "2026"])
    assert (book.state, book.reason, book.sequence) == (UNTRUSTED, "message 101 cannot be read", 101)


@pytest.mark.parametrize(
    "fields",
    [
        {"price": "nonsense"},
        {"price": None},
        {"remaining_size": "0.-10000"},
        {"remaining_size": "1e999999999"},
        {"side": "both"},
        {"side": ["buy"]},
        {"order_id": 5},
    ],
)
def test_a_message_that_cannot_be_read_ends_the_trust(fields: dict[str, Any]) -> None:
    book = live_orders()
    assert book.apply(opened(101) | fields)
    assert (book.state, book.faults.unreadable, book.sequence) == (UNTRUSTED, 1, 101)
    with pytest.raises(BookUntrustedError, match="message 101 cannot be read"):
        book.orders("buy")
    assert len(book.orders("buy", trusted=False)) == 3
    assert book.order("b1", trusted=False) is not None
    book.apply(noop(102))
    assert book.load(BODY | {"sequence": 101})
    assert (book.state, book.sequence) == (LIVE, 102)


@pytest.mark.parametrize("sequence", [None, "101", True, 101.0])
def test_a_message_without_a_number_is_counted(sequence: Any) -> None:
    book = live_orders()
    assert not book.apply(opened(101) | {"sequence": sequence})
    assert (book.faults.unreadable, book.order("new")) == (1, None)


def test_the_prices_of_a_message_can_be_listed() -> None:
    book = live_orders()
    assert list(book.prices_in(opened(101))) == ["99.25"]
    assert list(book.prices_in(message("done", 101, order_id="a2"))) == ["101.25"]
    assert list(book.prices_in(message("match", 101, maker_order_id="b3", size="1", price="99"))) == ["99", "99.00"]
    assert list(book.prices_in(message("change", 101, order_id="b3", new_size="1", new_price="98"))) == ["98", "99.00"]
    assert list(book.prices_in(["open", "BTC-USD", "101", "x", "buy", "99.25", "1", "t"])) == ["99.25"]
    assert list(book.prices_in(["change", "BTC-USD", "101", "b3", "98", "1", "t"])) == ["98", "99.00"]
    assert list(book.prices_in(["done", "BTC-USD", "101", "a2", "t"])) == ["101.25"]
    assert list(book.prices_in(["noop", "BTC-USD", "101", "t"])) == []
    for other in (opened(101) | {"product_id": "ETH-USD"}, {"type": "ticker"}, ["swap", "BTC-USD"], [], "words"):
        assert list(book.prices_in(other)) == []


# Against a naive book.

ids = st.integers(0, 9).map(lambda number: f"o{number}")
prices = st.sampled_from(["1", "1.0", "1.5", "1.50", "1.125", "2", "3"])
sizes = st.integers(1, 9).map(lambda number: f"0.{number}")
sides = st.sampled_from(["buy", "sell"])
effects = st.one_of(
    st.builds(lambda i, s, p, z: opened(0, i, s, p, z), ids, sides, prices, sizes),
    st.builds(lambda i: message("done", 0, order_id=i), ids),
    st.builds(lambda i, z: message("match", 0, maker_order_id=i, size=z), ids, sizes),
    st.builds(lambda i, z: message("change", 0, order_id=i, new_size=z), ids, sizes | st.just("0")),
    st.builds(lambda i, z, p: message("change", 0, order_id=i, new_size=z, new_price=p), ids, sizes, prices),
    st.just(noop(0)),
)
orders = st.lists(st.tuples(prices, sizes, ids), max_size=5, unique_by=lambda row: row[2])


@given(bids=orders, some=st.lists(effects, max_size=25), waiting=st.integers(0, 25))
def test_it_equals_a_naive_book_after_any_messages(bids: Any, some: Any, waiting: int) -> None:
    """Whether they came before the snapshot or after it."""
    body = {"sequence": 0, "bids": bids, "asks": [], "auction_mode": True}
    book, naive = Level3Book("BTC-USD"), NaiveQueues(body)
    there = {row[2] for row in bids}
    some = [one for one in some if not (one["type"] == "open" and one["order_id"] in there)]
    opened_ids: set[str] = set(there)
    kept = []
    for one in some:
        if one["type"] == "open":
            if one["order_id"] in opened_ids:
                continue  # the venue's ids are unique
            opened_ids.add(one["order_id"])
        kept.append(one)
    for number, one in enumerate(kept, 1):
        if number == waiting + 1:
            assert book.load(body)
        book.apply(one | {"sequence": number})
    if waiting >= len(kept):
        assert book.load(body)
    for one in kept:
        naive.take(one)
    assert book.state is LIVE
    for side, total in (("buy", book.bids()), ("sell", book.asks())):
        assert [tuple(order) for order in book.orders(side)] == naive.side(side)  # type: ignore[arg-type]
        assert total == naive.levels(side)
