"""What books are made from, and a naive one of orders in their queues (``support.naive`` has others)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from copra_tx.book import Level3Book

__all__ = [
    "BODY",
    "NaiveQueues",
    "levels",
    "live_orders",
    "message",
    "noop",
    "opened",
    "snapshot",
    "update",
]

PRODUCT = "BTC-USD"


class NaiveQueues:
    """A book of orders: one list of ``[side, price, size, id]``, by time."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.orders = [
            [side, Decimal(price), Decimal(size), order_id]
            for side, rows in (("buy", body["bids"]), ("sell", body["asks"]))
            for price, size, order_id in rows
        ]

    def take(self, message: Mapping[str, Any]) -> None:
        """Take a message of ``full``."""
        kind, order_id = message["type"], message.get("maker_order_id", message.get("order_id"))
        mine = [order for order in self.orders if order[3] == order_id]
        if kind == "open":
            price, size = Decimal(message["price"]), Decimal(message["remaining_size"])
            self.orders.append([message["side"], price, size, order_id])
        for order in mine:
            if kind == "done":
                self.orders.remove(order)
            elif kind == "match":
                order[2] -= Decimal(message["size"])
            elif kind == "change":
                size = Decimal(message["new_size"])
                price = Decimal(message.get("new_price", order[1]))
                if price != order[1] or size > order[2]:  # behind the others there
                    self.orders.remove(order)
                    self.orders.append(order)
                order[1:3] = price, size
        self.orders = [order for order in self.orders if order[2] > 0]

    def side(self, side: str) -> list[tuple[Decimal, Decimal, str]]:
        mine = [(price, size, order_id) for of, price, size, order_id in self.orders if of == side]
        return sorted(mine, key=lambda order: -order[0] if side == "buy" else order[0])

    def levels(self, side: str) -> list[tuple[Decimal, Decimal]]:
        sums: dict[Decimal, Decimal] = {}
        for price, size, _ in self.side(side):
            sums[price] = sums.get(price, Decimal(0)) + size
        return list(sums.items())


def levels(*pairs: tuple[str, str]) -> list[tuple[Decimal, Decimal]]:
    """Return levels as a book gives them."""
    return [(Decimal(price), Decimal(size)) for price, size in pairs]


def snapshot(
    bids: Iterable[Iterable[str]], asks: Iterable[Iterable[str]], product: str = PRODUCT, **more: Any
) -> dict[str, Any]:
    """Return a ``snapshot`` message."""
    return {
        "type": "snapshot",
        "product_id": product,
        "bids": [list(row) for row in bids],
        "asks": [list(row) for row in asks],
        **more,
    }


def update(*changes: tuple[str, str, str], product: str = PRODUCT, **more: Any) -> dict[str, Any]:
    """Return an ``l2update`` message."""
    return {"type": "l2update", "product_id": product, "changes": [list(change) for change in changes], **more}


BODY: dict[str, Any] = {
    "sequence": 100,
    "bids": [["99.5", "1", "b1"], ["99.50", "0.5", "b2"], ["99", "2", "b3"]],
    "asks": [["100", "3", "a1"], ["101.25", "4", "a2"]],
    "auction_mode": False,
    "time": "2026-08-25T08:19:26.123456789Z",
}


def message(kind: str, sequence: int, **fields: Any) -> dict[str, Any]:
    """Return a message of ``full``."""
    return {"type": kind, "product_id": "BTC-USD", "sequence": sequence, "time": "2026-08-25T08:19:27Z", **fields}


def opened(
    sequence: int, order_id: str = "new", side: str = "buy", price: str = "99.25", size: str = "1"
) -> dict[str, Any]:
    """Return an ``open`` message."""
    return message("open", sequence, order_id=order_id, side=side, price=price, remaining_size=size)


def noop(sequence: int) -> dict[str, Any]:
    """Return a message that changes no book."""
    return message("received", sequence, order_id="r", side="buy", order_type="market")


def live_orders(body: Mapping[str, Any] = BODY) -> Level3Book:
    """Return a book that this snapshot made live."""
    book = Level3Book("BTC-USD")
    assert book.load(body)
    return book
