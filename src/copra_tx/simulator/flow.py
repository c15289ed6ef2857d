"""
A market made of a seeded order flow: the same interface as the recorded one, and books order by order besides.

One period is made as it is needed, and repeated for ever: in each further repetition (*loop*) times, sequences, trade
ids and order ids are carried on. A *position* counts messages from the beginning, over all repetitions. Nothing here
has a clock or a network.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from copra_tx.errors import ConfigurationError

from . import derive
from .market import LEVEL3_SCHEMA, minute_text
from .matching import price_text, size_text
from .minute import RECORDED_PRODUCTS, Key
from .orders import OrderFlow
from .resting import SIDES, Resting, Side
from .telling import Told, tell

__all__ = ["BEGAN", "BookAt", "FlowMarket"]

BEGAN = datetime(2026, 7, 7, 22, 58, tzinfo=UTC)
"""When an order flow begins, unless told otherwise: at a fixed time, so that the same seed gives the same bytes."""

_CHECKPOINT = 512  # messages of a product after which its book is kept, at least
_STATUS = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class BookAt:
    """
    One product's book at one moment; money as whole numbers, see ``copra_tx.simulator.matching``.

    Attributes:
        product_id: The product.
        sequence: The number of the latest message of ``full`` that is in it.
        trade_id: The latest trade by then.
        time: When that was.
        resting: The orders. Shared: copy it before changing it.
        loop: The repetition; it stands at the end of each order id.
    """

    product_id: str
    sequence: int
    trade_id: int
    time: datetime
    resting: Resting
    loop: int

    def orders(self, side: Side) -> list[tuple[str, str, str]]:
        """Return price, size and id of each order of a side, as they would be matched; numbers with all zeros."""
        marks = _marks(self.loop)
        return [
            (price_text(order.price), size_text(order.size), (order.order_id.encode() % marks).decode())
            for order in self.resting.in_order(side)
        ]

    def levels(self, side: Side) -> list[tuple[str, str, int]]:
        """Return price, size and number of orders of each level of a side, best first; numbers with all zeros."""
        return [(price_text(price), size_text(size), count) for price, size, count in self.resting.levels(side)]


class _Listed:
    """One product: its orders, and where in the period its messages and trades stand."""

    def __init__(self, flow: OrderFlow) -> None:
        self.sequence, self.trade_id, self.opening = flow.sequence, flow.trade_id, flow.opening
        self.last_match = msgspec.json.encode(flow.last_match) % _marks(0)
        self.numbered: list[int] = []  # index of each message with a sequence number of its own
        self.trades: list[int] = []  # index of each message of ``matches``
        self.kept: list[tuple[int, Resting]] = [(0, flow.opening)]
        self._book, self._since = flow.opening.copy(), 0

    def add(self, index: int, told: Told) -> None:
        if told.counts:
            self.numbered.append(index)
        elif told.type == "match" and told.trade_id:
            self.trades.append(index)
        if told.effect is not None:
            self._book.put(told.effect)
        self._since += 1
        if self._since >= max(_CHECKPOINT, len(self._book.orders)):
            self._since = 0
            self.kept.append((index + 1, self._book.copy()))


class FlowMarket:
    """
    The market of the given products, made from a seed.

    Args:
        products: Ids of the listed products; each has orders and trades.
        delisted: Ids that are known but not traded any more; they only appear in ``status``.
        seed: Where chance begins. The same seed gives the same bytes of a product, whatever else is listed.
        rate: Orders, cancellations and changes a second and product, on average.
        depth: Orders on each side of each book, about.
        minutes: Length of the period, a whole number.
        began: When the market begins: what the messages say.

    Raises:
        ConfigurationError: If a number is not above zero, or ``minutes`` is not whole.
    """

    def __init__(
        self,
        products: Collection[str] = RECORDED_PRODUCTS,
        delisted: Collection[str] = (),
        *,
        seed: int,
        rate: float = 10.0,
        depth: int = 100,
        minutes: int = 5,
        began: datetime = BEGAN,
    ) -> None:
        if not (0 < rate < math.inf and depth > 0 and 0 < minutes < math.inf and minutes == int(minutes)):
            raise ConfigurationError(
                "a market of orders has orders a second, orders on each side and whole minutes above zero, "
                f"not {rate!r}, {depth!r} and {minutes!r}"
            )
        self.products, self.delisted = frozenset(products), frozenset(delisted)
        self._began, self._period = began, int(minutes) * 60
        period = self._period * 1_000_000
        flows = {
            product: OrderFlow(seed, product, rate=rate, depth=depth, period=period, began=began)
            for product in sorted(self.products)
        }
        self._listed = {product: _Listed(flow) for product, flow in flows.items()}
        self._status = msgspec.json.encode(derive.status(self.products, self.delisted))
        feeds = [tell(flow, began, period) for flow in flows.values()]
        self._source = heapq.merge(*feeds, self._statuses(), key=lambda told: told.offset)
        self._told: list[Told] = []
        self._offsets: list[float] = []
        self._complete = False
        channels = ("full", "user", "level3", "level2", "level2_50", "matches", "ticker", "ticker_1000", "heartbeat")
        self.keys = frozenset({("status", "")} | {(name, product) for name in channels for product in self.products})
        """Every channel and product that ever gets a message."""

    # -- in the order of the wire

    def due(self, seconds: float) -> int:
        """Return the position of the first message that is not yet due ``seconds`` after the beginning."""
        loop, rest = divmod(seconds, self._period)
        while not self._complete and (loop or not self._offsets or self._offsets[-1] <= rest):
            self._make_one()
        return int(loop) * len(self._told) + bisect_right(self._offsets, rest)

    def due_at(self, position: int) -> float:
        """Return when the message at ``position`` is due, in seconds after the beginning."""
        loop, index = self._split(position)
        return loop * self._period + self._offsets[index]

    def entry(self, position: int) -> Told:
        """Return what stands at ``position``, as it is in the first repetition."""
        return self._told[self._split(position)[1]]

    def message(self, position: int) -> bytes:
        """Return the message at ``position``, in the bytes of the wire."""
        return self._fill(*self._split(position))

    def greeting(self, key: Key, position: int) -> tuple[str, bytes] | None:
        """Return type and bytes of what a new subscriber gets before the message at ``position``; see ``Market``."""
        match key:
            case (("level2" | "level2_50"), product_id):
                return "snapshot", self.snapshot(product_id, position)
            case "matches", product_id:
                last = self.trade(product_id, self.book(product_id, position).trade_id)
                return None if last is None else ("last_match", last.replace(b'"match"', b'"last_match"', 1))
            case "status", _:
                return "status", self._status
            case "level3", _:
                return "level3", LEVEL3_SCHEMA
        return None

    def snapshot(self, product_id: str, position: int) -> bytes:
        """Return the level 2 ``snapshot`` of a product's book as the messages before ``position`` left it."""
        book = self.book(product_id, position)
        bids, asks = ([level[:2] for level in book.levels(side)] for side in SIDES)
        return msgspec.json.encode(
            {
                "type": "snapshot",
                "product_id": product_id,
                "asks": asks,
                "bids": bids,
                "time": derive.timestamp(book.time),
            }
        )

    # -- as REST has it

    def book(self, product_id: str, position: int) -> BookAt:
        """Return a product's book as the messages before ``position`` left it."""
        listed = self._listed[product_id]
        loop, index = self._split(position)
        start, resting = listed.kept[bisect_right(listed.kept, index, key=lambda kept: kept[0]) - 1]
        numbered = listed.numbered
        changes = numbered[bisect_left(numbered, start) : bisect_left(numbered, index)]
        effects = [effect for change in changes if (effect := self._told[change].effect) is not None]
        if effects:
            resting = resting.copy()
            for effect in effects:
                resting.put(effect)
        return BookAt(
            product_id,
            listed.sequence + loop * self._per_loop(numbered) + bisect_left(numbered, index),
            listed.trade_id + loop * self._per_loop(listed.trades) + bisect_left(listed.trades, index),
            self._began + timedelta(seconds=loop * self._period + (self._offsets[index - 1] if index else 0.0)),
            resting,
            loop,
        )

    def book_at(self, product_id: str, sequence: int) -> BookAt:
        """
        Return a product's book at one of its sequence numbers.

        Raises:
            LookupError: If the number is lower than that of the beginning.
        """
        return self.book(product_id, self.position_after(product_id, sequence))

    def position_after(self, product_id: str, sequence: int) -> int:
        """Return the position right after the ``full`` message with this number; 0 for that of the beginning."""
        listed = self._listed[product_id]
        number = sequence - listed.sequence
        if number < 0:
            raise LookupError(f"{product_id} begins with sequence {listed.sequence}, not with {sequence}")
        return self._at(listed.numbered, number - 1) + 1 if number else 0

    def trade(self, product_id: str, trade_id: int) -> bytes | None:
        """Return a trade as a ``match``, whenever it is made; ``None`` if older than the last before the beginning."""
        listed = self._listed[product_id]
        number = trade_id - listed.trade_id - 1
        if number < 0:
            return listed.last_match if number == -1 else None
        return self.message(self._at(listed.trades, number))

    # -- how it is made

    def _statuses(self) -> Iterator[Told]:
        keys = frozenset({("status", "")})
        for number in range(int(self._period / _STATUS)):
            yield Told(number * _STATUS + _STATUS / 2, "status", "", keys, self._status)

    def _make_one(self) -> None:
        """Make one more message of the period, if there is one."""
        told = next(self._source, None)
        if told is None:
            self._complete = True
            return
        if told.product_id:
            self._listed[told.product_id].add(len(self._told), told)
        self._told.append(told)
        self._offsets.append(told.offset)

    def _split(self, position: int) -> tuple[int, int]:
        while position >= len(self._told) and not self._complete:
            self._make_one()
        return divmod(position, len(self._told)) if self._complete else (0, position)

    def _at(self, indices: list[int], number: int) -> int:
        """Return the position of the ``number``-th of these messages over all repetitions."""
        while number >= len(indices) and not self._complete:
            self._make_one()
        loop, rest = divmod(number, len(indices))
        return loop * len(self._told) + indices[rest] if loop else indices[rest]

    def _per_loop(self, indices: list[int]) -> int:
        return len(indices) if self._complete else 0  # which is asked for before only in the first

    def _fill(self, loop: int, index: int) -> bytes:
        told = self._told[index]
        if not told.product_id:
            return told.text
        listed = self._listed[told.product_id]
        return told.text % {
            b"minute": minute_text(told.minute, loop * (self._period // 60)),
            b"sequence": told.sequence + loop * self._per_loop(listed.numbered),
            b"trade_id": told.trade_id + loop * self._per_loop(listed.trades),
            **_marks(loop),
        }


def _marks(loop: int) -> dict[bytes, int]:
    return {b"loop": loop, b"next": loop + 1}
