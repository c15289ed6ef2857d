"""The orders that rest on one product's book, best price first, and at one price the oldest first."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["OPPOSITE", "SIDES", "Order", "Resting", "Side"]

Side = Literal["buy", "sell"]
"""A side of the book, in the wire's words."""

SIDES: tuple[Side, Side] = ("buy", "sell")
"""Both, bids first."""

OPPOSITE: dict[Side, Side] = {"buy": "sell", "sell": "buy"}
"""For each side the one that it is matched with."""


@dataclass(frozen=True, slots=True)
class Order:
    """
    One order on the book.

    Attributes:
        order_id: Its id.
        side: Its side.
        price: In hundredths of the quote currency.
        size: What is left of it, in hundred-millionths of the base currency; zero: it is not on the book.
        own: Whether it is of the account whose keys the exchange knows.
    """

    order_id: str
    side: Side
    price: int
    size: int
    own: bool = False


class Resting:
    """The book of one product, order by order."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        """All orders by id."""
        self._queues: dict[Side, dict[int, dict[str, Order]]] = {"buy": {}, "sell": {}}
        self._prices: dict[Side, list[int]] = {"buy": [], "sell": []}

    def copy(self) -> Resting:
        """Return an independent book with the same orders."""
        twin = Resting()
        twin.orders = self.orders.copy()
        for side, queues in self._queues.items():
            twin._queues[side] = {price: queue.copy() for price, queue in queues.items()}
            twin._prices[side] = self._prices[side].copy()
        return twin

    def put(self, order: Order) -> tuple[tuple[Side, int], ...]:
        """
        Add an order, change it or take it away.

        An order that is cut keeps its place in time; one that grows or moves to another price goes behind the others.

        Returns:
            Side and price of each level that changed.
        """
        held = self.orders.get(order.order_id)
        if held is not None and held.price == order.price and 0 < order.size <= held.size:
            self.orders[order.order_id] = self._queues[order.side][order.price][order.order_id] = order
            return ((order.side, order.price),)
        changed = []
        if held is not None:
            self._take(held)
            changed.append((held.side, held.price))
        if order.size:
            self._append(order)
            changed.append((order.side, order.price))
        return tuple(dict.fromkeys(changed))

    def first(self, side: Side) -> Order | None:
        """Return the order that is matched next; ``None`` if the side is empty."""
        price = self.best(side)
        return None if price is None else next(iter(self._queues[side][price].values()))

    def best(self, side: Side) -> int | None:
        """Return the highest bid or the lowest ask; ``None`` if there is none."""
        prices = self._prices[side]
        return None if not prices else prices[-1] if side == "buy" else prices[0]

    def total(self, side: Side, price: int) -> int:
        """Return the sum of the sizes at a price."""
        return sum(order.size for order in self._queues[side].get(price, {}).values())

    def levels(self, side: Side) -> Iterator[tuple[int, int, int]]:
        """Yield price, total size and number of orders of each level, best first."""
        for price in self._sorted(side):
            yield price, self.total(side, price), len(self._queues[side][price])

    def in_order(self, side: Side) -> Iterator[Order]:
        """Yield the orders of a side as they would be matched."""
        for price in self._sorted(side):
            yield from self._queues[side][price].values()

    def _sorted(self, side: Side) -> list[int]:
        prices = self._prices[side]
        return prices[::-1] if side == "buy" else prices

    def _append(self, order: Order) -> None:
        self.orders[order.order_id] = order
        queues = self._queues[order.side]
        if order.price not in queues:
            queues[order.price] = {}
            insort(self._prices[order.side], order.price)
        queues[order.price][order.order_id] = order

    def _take(self, order: Order) -> None:
        del self.orders[order.order_id]
        queue = self._queues[order.side][order.price]
        del queue[order.order_id]
        if not queue:
            del self._queues[order.side][order.price]
            prices = self._prices[order.side]
            del prices[bisect_left(prices, order.price)]
