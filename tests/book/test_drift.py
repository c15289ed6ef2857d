"""Comparing books with those of the REST interface."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from copra_tx.book import Drift, Level2Book, Level3Book, compare, prices_in
from copra_tx.book.drift import compare_in_slices, in_order
from copra_tx.errors import BookSnapshotError
from support.books import snapshot, update

THEIRS = {"bids": [["99.50", "1.0", 3], ["99", "2", 1]], "asks": [["100", "3", 1], ["101", "4", 1]], "sequence": 7}


def ours() -> Level2Book:
    book = Level2Book("BTC-USD")
    book.apply(snapshot([("99.5", "1"), ("99", "2")], [("100", "3"), ("101", "4")]))
    return book


def test_equal_books_do_not_differ() -> None:
    assert compare(ours(), THEIRS) == []


def test_each_level_that_differs_is_told_best_first() -> None:
    book = ours()
    book.apply(update(("buy", "98", "1"), ("buy", "99", "2.5"), ("sell", "101", "0"), ("sell", "100.5", "1")))
    assert compare(book, THEIRS) == [
        Drift("buy", Decimal(99), Decimal("2.5"), Decimal(2)),
        Drift("buy", Decimal(98), Decimal(1), None),
        Drift("sell", Decimal("100.5"), Decimal(1), None),
        Drift("sell", Decimal(101), None, Decimal(4)),
    ]


def test_what_moved_is_left_out() -> None:
    book = ours()
    message = update(("buy", "99.00", "2.5"), ("sell", "101", "0"), ("sell", "nonsense", "0"))
    moved = prices_in(book, message)
    assert moved == {Decimal(99), Decimal(101)}
    book.apply(message)
    assert compare(book, THEIRS, moved) == []


def test_a_book_that_is_not_to_be_trusted_can_be_compared() -> None:
    book = ours()
    book.apply(update(("buy", "200", "1")))
    assert [drift.price for drift in compare(book, THEIRS)] == [200]


def test_orders_of_one_price_are_summed_up() -> None:
    book = Level3Book("BTC-USD")
    orders = {"bids": [["99.5", "0.4", "a"], ["99.5", "0.6", "b"], ["99", "2", "c"]], "asks": [["100", "3", "d"]]}
    book.load(orders | {"sequence": 7})
    assert [drift.price for drift in compare(book, THEIRS)] == [101]
    assert compare(book, orders) == []


def test_the_book_may_move_while_it_is_compared() -> None:
    """To finer prices, too; what a message is about is left out."""
    book, moved = Level2Book("BTC-USD"), set()
    book.apply(snapshot([(str(price), "1") for price in range(1, 2501)], []))
    theirs = {"bids": [[f"{price}.0", "1", 1] for price in range(1, 2501)] + [["0.5", "9", 1]], "asks": []}
    found = []
    for number, some in enumerate(compare_in_slices(book, theirs), 1):
        found += some
        message = update(("buy", f"{number}.{number:010d}", "1"), ("buy", "7", "0"))
        moved |= prices_in(book, message)
        book.apply(message)
    assert number == 8
    assert in_order(found, moved) == [Drift("buy", Decimal("0.5"), None, Decimal(9))]


@pytest.mark.parametrize(
    "rows",
    [None, 5, [[99.5, "1", 1]], [["x", "1", 1]], [["1"]], [["1", "x", 1]], [["1", 1, 1]], [["1", "1e999999999"]]],
)
def test_what_is_no_book_is_refused(rows: Any) -> None:
    with pytest.raises(BookSnapshotError, match="'bids' of it cannot be read"):
        compare(ours(), {"bids": rows, "asks": []})
