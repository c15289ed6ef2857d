"""
Comparing a book with one of the REST interface.

The two are never of the same moment, so what moved lately is left out: whoever compares notes the prices that messages
are about (``prices_in``) from a little before the request until the feed must have passed the answer. All other
levels must be equal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from copra_tx.errors import BookSnapshotError

from .base import Book
from .prices import EXACT, UNREADABLE, exact

_NOTHING = Decimal(0)

__all__ = ["Drift", "compare", "prices_in"]


@dataclass(frozen=True, slots=True)
class Drift:
    """
    One level that differs.

    Attributes:
        side: ``"buy"`` or ``"sell"``.
        price: Its price.
        ours: Its size in the book; ``None`` if it is not there.
        theirs: Its size in the REST book; ``None`` likewise.
    """

    side: str
    price: Decimal
    ours: Decimal | None
    theirs: Decimal | None


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
    found: list[Drift] = []
    for side, name, levels in (("buy", "bids", book.bids), ("sell", "asks", book.asks)):
        ours, theirs = dict(levels(trusted=False)), _sums(book.product_id, body, name)
        differing = {price for price in ours.keys() | theirs.keys() if ours.get(price) != theirs.get(price)}
        found += [
            Drift(side, price, ours.get(price), theirs.get(price))
            for price in sorted(differing.difference(moved), reverse=side == "buy")
        ]
    return found


def prices_in(book: Book[Any], message: Any) -> set[Decimal]:
    """Return the prices at which a message changes a book that has not taken it yet."""
    prices = set()
    for price in book.prices_in(message):
        try:
            prices.add(exact(price))
        except UNREADABLE:
            continue  # the book counts it
    return prices


def _sums(product_id: str, body: Mapping[str, Any], name: str) -> dict[Decimal, Decimal]:
    sums: dict[Decimal, Decimal] = {}
    try:
        for price, size, _ in body[name]:
            key = exact(price)
            sums[key] = EXACT.add(sums.get(key, _NOTHING), exact(size))
    except UNREADABLE as error:
        raise BookSnapshotError(product_id, f"{name!r} of it cannot be read ({error})") from None
    return sums
