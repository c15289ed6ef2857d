"""
The simulated venue's books, to hold a client's against: in ``Decimal``, and kept, since many clients see one market.

``true_orders`` is a product's book at a sequence number; ``true_levels`` are its books at the moment of a frame of
Advanced Trade, whose number says nothing about the market.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from copra_tx.simulator.flow import BEGAN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from copra_tx.simulator.flow import FlowMarket

__all__ = ["SIDES", "true_levels", "true_orders"]

SIDES = ("buy", "sell")

_HALF_A_MICROSECOND = 0.5e-6
"""Times in messages are whole microseconds."""


@lru_cache(maxsize=20_000)
def true_orders(market: FlowMarket, product_id: str, sequence: int) -> tuple[list[Any], list[Any]]:
    """Return bids and asks as (price, size, id), as they would be matched."""
    book = market.book_at(product_id, sequence)
    bids, asks = (
        [(Decimal(price), Decimal(size), order_id) for price, size, order_id in book.orders(side)]
        for side in ("buy", "sell")
    )
    return bids, asks


def true_levels(market: FlowMarket, product_id: str, frame: Mapping[str, Any]) -> Iterator[tuple[list[Any], list[Any]]]:
    """Yield bids and asks as (price, size), the likeliest first: one order may change a book several times at once."""
    seconds = (datetime.fromisoformat(frame["timestamp"]) - BEGAN).total_seconds()
    begin, end = (market.due(max(0.0, seconds + sign * _HALF_A_MICROSECOND)) for sign in (-1, 1))
    for position in range(end, begin - 1, -1):
        yield _levels(market, product_id, position)


@lru_cache(maxsize=20_000)
def _levels(market: FlowMarket, product_id: str, position: int) -> tuple[list[Any], list[Any]]:
    book = market.book(product_id, position)
    bids, asks = ([(Decimal(price), Decimal(size)) for price, size, _ in book.levels(side)] for side in ("buy", "sell"))
    return bids, asks
