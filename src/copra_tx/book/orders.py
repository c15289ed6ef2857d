"""Single orders: how a book keeps them, and what a message does to them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from copra_tx.errors import ConfigurationError

from .base import Book
from .prices import EXACT, UNREADABLE, Side, exact, is_size
from .rows import DOCUMENTED, Layout
from .state import BookState

__all__ = ["KINDS", "Order", "OrdersBook"]

KINDS = frozenset(("received", "open", "done", "match", "change"))
"""The types of messages that count in the sequence of ``full``."""

_PRICES = {"open": (2,), "change": (1,)}
"""Where among what is special to a kind of row its price stands."""

Orders = str | dict[str, None]
"""The orders of one price: the id of the only one, or all of them by time."""


class Order(NamedTuple):
    """
    One order, as a row of the REST interface has it.

    Attributes:
        price: Its price.
        size: What is left of it.
        order_id: Its id.
    """

    price: Decimal
    size: Decimal
    order_id: str


class OrdersBook(Book[Orders]):
    """
    A book that keeps single orders. Everything in it is told by ``Level3Book``, which knows when it is whole.

    Args:
        product_id: The product.
    """

    def __init__(self, product_id: str) -> None:
        super().__init__(product_id)
        self._halves = {"buy": self._bids, "sell": self._asks}
        self._keys: dict[str, int] = {}
        self._sizes: dict[str, str | Decimal] = {}
        self._steps.followers.append(self)
        self._layout: Layout = DOCUMENTED

    def orders(self, side: Literal["buy", "sell"], depth: int | None = None, *, trusted: bool = True) -> list[Order]:
        """
        Return the orders of a side, by price, best first, and then by time.

        Args:
            side: ``"buy"`` or ``"sell"``.
            depth: Only those of so many prices; ``None`` for all.
            trusted: As for ``bids``.

        Raises:
            BookUntrustedError: As ``bids``.
        """
        if side not in ("buy", "sell"):
            raise ConfigurationError(f"side is 'buy' or 'sell', not {side!r}")
        self._check_readable(depth, trusted=trusted)
        half = self._bids if side == "buy" else self._asks
        listed: list[Order] = []
        for key in half.best_first(depth):
            price = self._steps.price_of(key)
            listed += [Order(price, Decimal(self._sizes[one]), one) for one in _ids(half.levels[key])]
        return listed

    def order(self, order_id: str, *, trusted: bool = True) -> Order | None:
        """Return one order, or ``None`` if it is not in the book; otherwise as ``orders``."""
        self._check_readable(None, trusted=trusted)
        key = self._keys.get(order_id)
        return None if key is None else Order(self._steps.price_of(key), Decimal(self._sizes[order_id]), order_id)

    def _size_of(self, level: Orders) -> Decimal:
        total = Decimal(0)
        for one in _ids(level):
            total = EXACT.add(total, Decimal(self._sizes[one]))
        return total

    def prices_in(self, message: Any) -> Iterator[Any]:
        """Yield the prices that a message is about: where its order stands, and where it goes."""
        if type(message) is dict:
            if message.get("product_id") != self.product_id or message.get("type") not in KINDS:
                return
            order_id = message.get("maker_order_id", message.get("order_id"))
            yield from (message[name] for name in ("price", "new_price") if message.get(name) is not None)
        elif type(message) is list and self.product_id in message and message[0] in self._layout:
            at = self._layout[message[0]][3:]
            order_id = message[at[0]] if at else None
            yield from (message[at[place]] for place in _PRICES.get(message[0], ()))
        else:
            return
        if (key := self._keys.get(str(order_id))) is not None:
            yield format(self._steps.price_of(key), "f")

    def _fill(self, side: Side[Orders], rows: Sequence[Any]) -> None:
        """Put orders into a book that is being built, whose keys are sorted when all are there."""
        levels, sign, key_of, keys, sizes = side.levels, side.sign, self._steps.key_of, self._keys, self._sizes
        for row in rows:
            try:
                price, size, order_id = row
                key = key_of(price) * sign
                if not ((amount := size.replace(".", "", 1)).isdecimal() and amount.strip("0")) and not is_size(size):
                    continue
                if order_id in keys or type(order_id) is not str:
                    raise ValueError  # there are no two of one id
            except UNREADABLE:
                self.faults.unreadable += 1
                continue
            keys[order_id], sizes[order_id] = key, size
            level = levels.setdefault(key, order_id)
            if isinstance(level, dict):
                level[order_id] = None
            elif level is not order_id:
                levels[key] = {level: None, order_id: None}

    def _effect_of_dict(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "open":
            self._open(message["order_id"], message["side"], message["price"], message["remaining_size"])
        elif kind == "done":
            self._remove(message["order_id"])
        elif kind == "match":
            self._match(message["maker_order_id"], message["size"])
        elif kind == "change":
            self._alter(message["order_id"], message.get("new_price"), message.get("new_size"))

    def _effect_of_row(self, row: list[Any]) -> None:
        kind = row[0]
        at = self._layout[kind]
        if kind == "open":
            self._open(row[at[3]], row[at[4]], row[at[5]], row[at[6]])
        elif kind == "done":
            self._remove(row[at[3]])
        elif kind == "match":
            self._match(row[at[3]], row[at[4]])
        elif kind == "change":
            self._alter(row[at[3]], row[at[4]], row[at[5]])

    def _open(self, order_id: str, side: str, price: str, size: str) -> None:
        half = self._halves[side]
        key = half.at_hand.get(price)
        if key is None:
            key = self._steps.keep(half, price)
        if type(order_id) is not str:
            raise ValueError(f"{order_id!r} is no id")
        if not ((amount := size.replace(".", "", 1)).isdecimal() and amount.strip("0")) and not is_size(size):
            return
        if order_id in self._keys:
            self._remove(order_id)
        self._put(half, key, order_id, size)

    def _put(self, half: Side[Orders], key: int, order_id: str, size: str | Decimal) -> None:
        self._keys[order_id], self._sizes[order_id] = key, size
        level = half.levels.get(key)
        if level is None:
            half.levels[key] = order_id
            insort(half.keys, key)
            if half.keys[-1] == key:
                self._check_crossing()
        elif isinstance(level, dict):
            level[order_id] = None
        else:
            half.levels[key] = {level: None, order_id: None}

    def _remove(self, order_id: str) -> None:
        key = self._keys.pop(order_id, None)
        if key is None:  # it never was in the book: a market order, or one that was filled at once
            return
        del self._sizes[order_id]
        half = self._bids if key > 0 else self._asks
        level = half.levels[key]
        if type(level) is dict:
            del level[order_id]
            if level:
                return
        half.discard(key)

    def _match(self, maker: str, size: str) -> None:
        traded = exact(size)
        if maker not in self._keys:
            self.faults.strangers += 1
            return
        left = EXACT.subtract(Decimal(self._sizes[maker]), traded)
        if left > 0:
            self._sizes[maker] = left
        else:
            self._remove(maker)

    def _alter(self, order_id: str, price: str | None, size: str | None) -> None:
        """Change an order; one that moves to another price, or grows, goes behind the others there."""
        key = self._keys.get(order_id)
        if key is None:
            return
        half = self._bids if key > 0 else self._asks
        before = self._sizes[order_id]
        after = before if size is None else size
        if not is_size(str(after)):
            self._remove(order_id)
            return
        altered = self._keys[order_id] if price is None else self._steps.key_of(price) * half.sign
        if altered == self._keys[order_id] and Decimal(after) <= Decimal(before):  # a finer step multiplied it
            self._sizes[order_id] = after
        else:
            self._remove(order_id)
            self._put(half, altered, order_id, after)

    def multiply(self, factor: int) -> None:
        """Follow a change of the step."""
        for order_id, key in self._keys.items():
            self._keys[order_id] = key * factor

    def _empty(self, state: BookState) -> None:
        super()._empty(state)
        self._keys.clear()
        self._sizes.clear()


def _ids(level: Orders) -> Iterable[str]:
    return level if isinstance(level, dict) else (level,)
