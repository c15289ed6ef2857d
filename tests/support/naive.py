"""What a client makes of the Exchange feed by the letter of the docs, slowly and with nothing kept but the obvious."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

__all__ = ["NaiveLevels", "NaiveOrders"]


class NaiveLevels:
    """
    A level 2 book, of a ``snapshot`` (or the answer of REST) and every ``l2update`` after it.

    Attributes:
        sides: Price to size, by ``buy`` and ``sell``.
    """

    def __init__(self, snapshot: Any) -> None:
        self.sides = {
            side: {Decimal(row[0]): Decimal(row[1]) for row in snapshot[rows]}
            for side, rows in (("buy", "bids"), ("sell", "asks"))
        }

    def apply(self, update: Any) -> None:
        """Apply an ``l2update``."""
        for side, price, size in update["changes"]:
            self.sides[side][Decimal(price)] = Decimal(size)
            if not Decimal(size):
                del self.sides[side][Decimal(price)]

    def is_crossed(self) -> bool:
        """Tell whether the best bid is not below the best ask."""
        bids, asks = self.sides["buy"], self.sides["sell"]
        return bool(bids and asks) and max(bids) >= min(asks)


class NaiveOrders:
    """
    A level 3 book, of the answer of REST and every message of ``full``, or row of ``level3``, after it.

    Attributes:
        sequence: The number of the latest that was applied.
        orders: Side, price and size by order id.
    """

    def __init__(self, snapshot: Any) -> None:
        self.sequence: int = snapshot["sequence"]
        self.orders: dict[str, tuple[str, Decimal, Decimal]] = {
            order_id: (side, Decimal(price), Decimal(size))
            for side, rows in (("buy", "bids"), ("sell", "asks"))
            for price, size, order_id in snapshot[rows]
        }

    def apply(self, message: Any) -> None:
        """Apply a message or a row; ``AssertionError`` if it is not the next one."""
        kind, sequence, order_id, changed = self._read(message)
        assert sequence == self.sequence + 1, (sequence, self.sequence)
        self.sequence = sequence
        if kind == "open":
            self.orders[order_id] = changed
        elif kind == "done":
            self.orders.pop(order_id, None)
        elif kind in {"match", "change"} and order_id in self.orders:
            side, held_price, held = self.orders[order_id]
            _, price, size = changed
            self.orders[order_id] = (side, held_price, held - size) if kind == "match" else (side, price, size)

    def levels(self) -> dict[str, dict[Decimal, Decimal]]:
        """Return the book by price, as ``NaiveLevels.sides``."""
        sides: dict[str, dict[Decimal, Decimal]] = {"buy": defaultdict(Decimal), "sell": defaultdict(Decimal)}
        for side, price, size in self.orders.values():
            sides[side][price] += size
        return {side: {price: size for price, size in levels.items() if size} for side, levels in sides.items()}

    @staticmethod
    def _read(message: Any) -> tuple[str, int, str, tuple[str, Decimal, Decimal]]:
        if isinstance(message, list):
            names = {
                "open": ("order_id", "side", "price", "remaining_size"),
                "match": ("maker_order_id", "taker_order_id", "price", "size"),
                "change": ("order_id", "price", "new_size"),
                "done": ("order_id",),
                "noop": (),
            }[message[0]]
            message = {"type": message[0], "sequence": int(message[2]), **dict(zip(names, message[3:-1], strict=True))}
        price = message.get("new_price", message.get("price")) or "0"
        size = message.get("remaining_size", message.get("new_size", message.get("size"))) or "0"
        order_id = message.get("order_id", message.get("maker_order_id", ""))
        return (
            message["type"],
            message["sequence"],
            order_id,
            (message.get("side", ""), Decimal(price), Decimal(size)),
        )
