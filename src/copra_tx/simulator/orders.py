"""
A seeded flow of orders for one product: what traders might send, and what the matching engine makes of it.

The same seed gives the same bytes, whatever else is listed: chance comes from a generator of the product's own. The
flow lasts one *period* and ends where it began: in its last second every order is cancelled and the opening book is
put up again, so that repetitions of it join. Order ids end with ``%(loop)06x``, the number of the repetition; those of
the opening book that is put up for the next one with ``%(next)06x``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from .derive import timestamp
from .matching import Engine, Event, price_text, size_text, trimmed
from .resting import OPPOSITE, SIDES, Order, Resting, Side

__all__ = ["OrderFlow", "Step"]

_CLOSING, _REOPENING, _REOPENED = 1_000_000, 500_000, 50_000  # microseconds before the end of the period
_PRICES = {"BTC-USD": 63_519_29, "ETH-USD": 1_774_92}  # where the market stands; hundredths of the quote currency
_PRICE = 100_00
_CENT = 10**6  # a hundredth of the base currency, in its hundred-millionths


@dataclass(frozen=True, slots=True)
class Step:
    """
    What one order, or one change of an order, leads to.

    Attributes:
        offset: When, in microseconds after the beginning of the period.
        events: In their order.
    """

    offset: int
    events: list[Event]


class OrderFlow:
    """
    The orders of one product in one period.

    Args:
        seed: Where chance begins.
        product_id: The product.
        rate: Orders, cancellations and changes a second, on average.
        depth: How many orders rest on each side at the beginning; about as many always do.
        period: Length of the period in microseconds.
        began: When the period begins: what its messages say.

    Attributes:
        middle: The price around which it goes, in hundredths of the quote currency.
        sequence: The product's sequence number at the beginning.
        trade_id: The latest trade's id at the beginning.
        last_match: That trade; nothing older is known.
        opening: The book at the beginning; not to be changed.
        engine: The matching engine; it is where the latest step left it.
    """

    def __init__(self, seed: int, product_id: str, *, rate: float, depth: int, period: int, began: datetime) -> None:
        self._random = random.Random(f"{seed} {product_id}")  # noqa: S311  # chance that can be repeated
        self._rate, self._depth, self._period, self._began = rate, depth, period, began
        self.middle = _PRICES.get(product_id, _PRICE)
        self.sequence = 10**10 + self._below(10**10)
        self.trade_id = 10**8 + self._below(10**8)
        self.opening = Resting()
        signs: dict[Side, int] = {"buy": -1, "sell": 1}
        for number in range(depth):
            for side, sign in signs.items():
                price = max(1, self.middle + sign * self._away(2 * number))
                self.opening.put(self._new(side, price, self._size()))
        self.last_match = self._match_before(product_id)
        self.engine = Engine(product_id, self.opening.copy(), sequence=self.sequence, trade_id=self.trade_id)
        self._ids = list(self.opening.orders)  # some are gone by now

    def _match_before(self, product_id: str) -> dict[str, Any]:
        return {
            "type": "match",
            "trade_id": self.trade_id,
            "maker_order_id": self.order_id(),
            "taker_order_id": self.order_id(),
            "side": SIDES[self._below(2)],
            "size": trimmed(size_text(self._size())),
            "price": trimmed(price_text(self.middle)),
            "product_id": product_id,
            "sequence": self.sequence,
            "time": timestamp(self._began - timedelta(seconds=1)),
        }

    def order_id(self) -> str:
        """Return the id of a new order."""
        bits = f"{self._random.getrandbits(100):025x}"
        return (
            f"{bits[:8]}-{bits[8:12]}-4{bits[12:15]}-{8 + int(bits[15], 16) % 4:x}{bits[16:19]}-{bits[19:]}%(loop)06x"
        )

    def steps(self) -> Iterator[Step]:
        """Yield all steps of the period; once only."""
        offset = self._gap()
        while offset < self._period - _CLOSING:
            yield self._step(offset, self._act)
            offset += self._gap()
        yield from self._close()

    def _close(self) -> Iterator[Step]:
        """Cancel everything, and put the opening book up again for the next period."""
        engine, left = self.engine, [*self.engine.book.orders]
        for number, order_id in enumerate(left):
            offset = self._period - _CLOSING + number * (_CLOSING - _REOPENING) // len(left)
            yield self._step(offset, partial(engine.cancel, order_id))
        orders = list(self.opening.orders.values())
        for number, order in enumerate(orders):
            offset = self._period - _REOPENING + number * (_REOPENING - _REOPENED) // len(orders)
            again = Order(order.order_id.replace("loop", "next"), order.side, order.price, order.size, order.own)
            yield self._step(offset, partial(engine.limit, again))

    def _step(self, offset: int, act: Callable[[], list[Event]]) -> Step:
        self.engine.time = timestamp(self._began + timedelta(microseconds=offset))
        return Step(offset, act())

    # -- what traders do

    def _act(self) -> list[Event]:
        """Let one trader do something; which, is chance, but the book neither dries out nor grows for ever."""
        kind, size = self._below(100), len(self.engine.book.orders)
        if size <= self._depth:
            return self._make()
        if kind < (50 if size > 2 * self._depth else 25):
            return self.engine.cancel(self._any())
        if kind < 54:
            return self._modify(self._any())
        return self._take() if kind < 64 else self._make()

    def _make(self) -> list[Event]:
        """Put an order on the book, mostly near the best price."""
        side = self._side()
        best = self.engine.book.best(OPPOSITE[side])
        away = self._away(self._below(4 * self._depth))
        price = (self.middle if best is None else best) + (away if side == "sell" else -away)
        order = self._new(side, max(1, price), self._size())
        self._ids.append(order.order_id)
        return self.engine.limit(order)

    def _take(self) -> list[Event]:
        """Match orders of the book, of one price or of several."""
        side, size, kind = self._side(), self._size(), self._below(3)
        best = self.engine.book.best(OPPOSITE[side])
        if best is not None and kind:
            through = self._below(20) * (1 if side == "buy" else -1)
            order = self._new(side, max(1, best + through), size)
            self._ids.append(order.order_id)
            return self.engine.limit(order)
        own = self._is_own()
        if own or self._below(2):
            return self.engine.market(self.order_id(), side, size=size, own=own)
        return self.engine.market(self.order_id(), side, funds=size * self.middle)

    def _modify(self, order_id: str) -> list[Event]:
        """Change an order's size, or move it away from the other side."""
        order = self.engine.book.orders[order_id]
        if self._below(2):
            return self.engine.modify(order_id, order.price, self._size())
        away = 1 + self._below(50)
        price = order.price + (away if order.side == "sell" else -away)
        return self.engine.modify(order_id, max(1, price), order.size)

    # -- chance

    def _below(self, number: int) -> int:
        return int(self._random.random() * number)

    def _gap(self) -> int:
        """Return the microseconds until the next step."""
        return 1 + int(self._random.random() * 2_000_000 / self._rate)

    def _side(self) -> Side:
        """Return a side, more likely the one that brings the price back to where the market stands."""
        best = self.engine.book.best("buy") or self.middle
        off = (best - self.middle) * 2000 // self.middle  # in twentieths of a percent
        return "buy" if self._below(100) < 50 - max(-30, min(30, off)) else "sell"

    def _size(self) -> int:
        """Return a size: half of them round, as people like them."""
        if self._below(2):
            return (1 + self._below(20)) * _CENT
        return 1 + self._below(999_999) * (1, 10, 100, 1000)[self._below(4)]

    def _away(self, number: int) -> int:
        """Return how far from the best price an order is put: near, or anywhere within two percent."""
        if number < self._depth:
            return 1 + self._below(60)
        return 1 + self._below(1 + self.middle // 50)

    def _is_own(self) -> bool:
        return self._below(12) == 0

    def _new(self, side: Side, price: int, size: int) -> Order:
        return Order(self.order_id(), side, price, size, own=self._is_own())

    def _any(self) -> str:
        """Return the id of any order of the book."""
        orders, ids = self.engine.book.orders, self._ids
        while True:
            at = self._below(len(ids))
            if ids[at] in orders:
                return ids[at]
            ids[at], ids[-1] = ids[-1], ids[at]
            ids.pop()
