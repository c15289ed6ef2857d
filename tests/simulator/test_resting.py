"""The book order by order: who stands where, and what keeps or loses its place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from copra_tx.simulator.resting import Order, Resting


def _book(*orders: Order) -> Resting:
    book = Resting()
    for order in orders:
        book.put(order)
    return book


def _ids(orders: Iterator[Order]) -> list[str]:
    return [order.order_id for order in orders]


A, B, C = Order("a", "buy", 100, 5), Order("b", "buy", 100, 6), Order("c", "buy", 101, 7)
D, E = Order("d", "sell", 103, 8), Order("e", "sell", 102, 9)


def test_best_price_first_then_the_oldest() -> None:
    book = _book(A, B, C, D, E)
    assert _ids(book.in_order("buy")) == ["c", "a", "b"]
    assert _ids(book.in_order("sell")) == ["e", "d"]
    assert (book.first("buy"), book.first("sell")) == (C, E)
    assert (book.best("buy"), book.best("sell")) == (101, 102)
    assert list(book.levels("buy")) == [(101, 7, 1), (100, 11, 2)]
    assert (book.total("buy", 100), book.total("buy", 99)) == (11, 0)


def test_an_empty_side() -> None:
    book = _book(A)
    assert (book.best("sell"), book.first("sell"), list(book.levels("sell"))) == (None, None, [])


@pytest.mark.parametrize(
    ("changed", "order", "levels"),
    [
        (Order("a", "buy", 100, 4), ["c", "a", "b"], (("buy", 100),)),
        (Order("a", "buy", 100, 6), ["c", "b", "a"], (("buy", 100),)),
        (Order("a", "buy", 101, 5), ["c", "a", "b"], (("buy", 100), ("buy", 101))),
        (Order("a", "buy", 100, 0), ["c", "b"], (("buy", 100),)),
        (Order("c", "buy", 101, 0), ["a", "b"], (("buy", 101),)),
        (Order("x", "buy", 99, 0), ["c", "a", "b"], ()),
        (Order("x", "buy", 99, 1), ["c", "a", "b", "x"], (("buy", 99),)),
    ],
)
def test_put(changed: Order, order: list[str], levels: tuple[tuple[str, int], ...]) -> None:
    book = _book(A, B, C)
    assert book.put(changed) == levels
    assert _ids(book.in_order("buy")) == order
    assert set(book.orders) == set(order)


def test_a_copy_goes_its_own_way() -> None:
    book = _book(A, B, D)
    twin = book.copy()
    twin.put(Order("a", "buy", 100, 0))
    twin.put(C)
    assert _ids(book.in_order("buy")) == ["a", "b"]
    assert _ids(twin.in_order("buy")) == ["c", "b"]
    assert (book.best("buy"), twin.best("buy")) == (100, 101)
