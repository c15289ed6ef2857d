"""
Comparing a book with one of the REST interface.

The two are never of the same moment, so what moved lately is left out: whoever compares notes the prices that messages
are about (``prices_in``) from a little before the request until the feed must have passed the answer. All other
levels must be equal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

from .base import Book, Drift
from .prices import UNREADABLE, exact

__all__ = ["compare", "compare_in_slices", "prices_in"]


def compare(book: Book[Any], body: Mapping[str, Any], moved: Collection[Decimal] = ()) -> list[Drift]:
    """
    Compare a book with a whole one of the REST interface.

    Args:
        book: The book. It is read even if it is not to be trusted.
        body: What ``GET /products/ID/book`` brought, of level 2 or 3.
        moved: Prices that are left out.

    Returns:
        The levels that differ, best first, bids before asks.

    Raises:
        BookSnapshotError: If it is no such body.
    """
    found = [drift for drifts in compare_in_slices(book, body) for drift in drifts]
    return in_order(found, moved)


def compare_in_slices(book: Book[Any], body: Mapping[str, Any]) -> Iterator[list[Drift]]:
    """
    Do as ``compare``, in slices of some milliseconds, each of which yields what it found, in no order.

    The book may take messages between two slices: what these are about has moved (``in_order`` leaves it out).
    """
    for side, rows in (("buy", "bids"), ("sell", "asks")):
        yield from book.differences(side, rows, body)


def in_order(found: Collection[Drift], moved: Collection[Decimal] = ()) -> list[Drift]:
    """Return what was found best first, bids before asks, without the prices that moved."""
    left = (drift for drift in found if drift.price not in moved)
    return sorted(left, key=lambda drift: (drift.side, -drift.price if drift.side == "buy" else drift.price))


def prices_in(book: Book[Any], message: Any) -> set[Decimal]:
    """Return the prices at which a message changes a book that has not taken it yet."""
    prices = set()
    for price in book.prices_in(message):
        try:
            prices.add(exact(price))
        except UNREADABLE:
            continue  # the book counts it
    return prices
