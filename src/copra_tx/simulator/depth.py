"""One product's book as the simulated exchange holds it: price levels, both sides sorted."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from decimal import Decimal

__all__ = ["Depth"]

Level = Sequence[str]  # price, size
Change = Sequence[str]  # side, price, size


class _Side:
    """The levels of one side, keyed by the price's value: the same price may be written in several ways."""

    def __init__(self, levels: Iterable[Level]) -> None:
        self.levels = {Decimal(price): (price, size) for price, size in levels}  # tuples: see the recording
        self.prices = sorted(self.levels)

    def copy(self) -> _Side:
        twin = _Side(())
        twin.levels, twin.prices = self.levels.copy(), self.prices.copy()
        return twin

    def put(self, price: str, size: str) -> None:
        value = Decimal(price)
        held = value in self.levels
        if Decimal(size):
            self.levels[value] = price, size
            if not held:
                insort(self.prices, value)
        elif held:  # a fifth of the recorded removals are of levels that nobody holds
            del self.levels[value]
            del self.prices[bisect_left(self.prices, value)]

    def changes_to(self, other: _Side, side: str) -> list[Change]:
        gone = [(side, self.levels[price][0], "0.00000000") for price in self.prices if price not in other.levels]
        put = [(side, *level) for price, level in other.levels.items() if self.levels.get(price) != level]
        return [*gone, *put]


class Depth:
    """
    The book of one product.

    Args:
        bids: ``[price, size]`` pairs of decimal strings, in any order.
        asks: The same for the other side.
    """

    def __init__(self, bids: Iterable[Level] = (), asks: Iterable[Level] = ()) -> None:
        self._bids, self._asks = _Side(bids), _Side(asks)

    def copy(self) -> Depth:
        """Return an independent book with the same levels."""
        twin = Depth()
        twin._bids, twin._asks = self._bids.copy(), self._asks.copy()
        return twin

    def apply(self, changes: Iterable[Change]) -> None:
        """Apply the ``[side, price, size]`` triples of an ``l2update``: new totals, zero removes the level."""
        for side, price, size in changes:
            (self._bids if side == "buy" else self._asks).put(price, size)

    def changes_to(self, other: Depth) -> list[Change]:
        """Return the triples of an ``l2update`` that turn this book into ``other``."""
        return self._bids.changes_to(other._bids, "buy") + self._asks.changes_to(other._asks, "sell")

    @property
    def bids(self) -> list[Level]:
        """All bids, best (highest) first, as the venue sends them in a snapshot."""
        return [self._bids.levels[price] for price in reversed(self._bids.prices)]

    @property
    def asks(self) -> list[Level]:
        """All asks, best (lowest) first."""
        return [self._asks.levels[price] for price in self._asks.prices]

    @property
    def best_bid(self) -> Level:
        """Price and size of the highest bid; zeros while there is none."""
        return self._bids.levels[self._bids.prices[-1]] if self._bids.prices else ("0", "0")

    @property
    def best_ask(self) -> Level:
        """Price and size of the lowest ask; zeros while there is none."""
        return self._asks.levels[self._asks.prices[0]] if self._asks.prices else ("0", "0")
