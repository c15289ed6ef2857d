"""A book of price levels, from the ``level2`` channels of both feeds."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

from .base import Book
from .prices import UNREADABLE, ZEROS, Side, is_size
from .state import BookState

__all__ = ["Level2Book"]

SLICE = 2500
"""Levels between two breaks: about 2 ms."""

_EMPTY, _SYNCING, _LIVE = BookState.EMPTY, BookState.SYNCING, BookState.LIVE  # to look them up each time costs more


class Level2Book(Book[str]):
    """
    The price levels of one product.

    ``apply`` takes every message there is, of both feeds: ``snapshot`` and ``l2update``, and the ``l2_data`` envelopes
    of Advanced Trade; the rest, and other products, are passed over.

    Level 2 of the Exchange feed has no sequence: what is lost on the way is noticed only when the book is crossed, by
    an audit against a REST book, or not at all. ``verified`` says so. Sizes are kept as the wire's text and become
    ``Decimal`` when they are read.

    Args:
        product_id: The product.
        is_numbered: Whether its messages come in an order that the owner checks, as on Advanced Trade, where every
            frame has a number: the owner calls ``distrust`` when one is missing, and ``verified`` is ``'sequence'``. Of
            one connection, a frame that comes late or again is passed over then; ``clear`` before the next.
        wire_id: The name under which the product comes in ``l2_data``, where that is another one: Advanced Trade sends
            the book of ``XLM-USDC`` as that of ``XLM-USD``.
    """

    def __init__(self, product_id: str, *, is_numbered: bool = False, wire_id: str = "") -> None:
        if is_numbered:
            self._verified_by = "sequence"
        super().__init__(product_id)
        self._wire_id = wire_id or product_id
        bids, asks = (
            (side, side.at_hand.get, side.levels, side.keys) for side in (self._bids, self._asks)
        )  # which stay the same
        self._sides = {"buy": bids, "bid": bids, "sell": asks, "offer": asks}
        self._waiting: deque[Any] = deque()
        self._is_numbered, self._newest = is_numbered, -1

    def clear(self) -> None:
        """Forget everything but the faults; for a line that was lost."""
        super().clear()
        self._newest = -1

    def apply(self, message: Any) -> bool:
        """
        Take a message.

        Returns:
            Whether the book, or its state, may be another now.
        """
        if type(message) is dict and message.get("type") == "l2update":
            if message.get("product_id") != self.product_id:
                return False
            self._note_time(message.get("time"))
            return self._update(message.get("changes"))
        changed = False
        for piece in self._take(message):
            changed = changed or piece
        return changed

    def apply_in_slices(self, message: Any) -> Iterator[None]:
        """
        Take a message; if it brings a snapshot, in slices of some milliseconds, the book being ``SYNCING`` meanwhile.

        Other messages may be applied between two slices; they wait until the snapshot is complete. What is left of
        the slices does nothing any more once the book is cleared or gets another snapshot.
        """
        if type(message) is dict and message.get("type") == "l2update":
            self.apply(message)
            return
        for _ in self._take(message):
            yield

    def copy_from(self, other: Level2Book) -> None:
        """Become what another book is that follows the same messages, and is ``LIVE``."""
        self._empty(_SYNCING)
        self._steps.digits = other._steps.digits
        for mine, theirs in (self._bids, other._bids), (self._asks, other._asks):
            mine.levels.update(theirs.levels)
            mine.keys += theirs.keys
        self.time, self.verified, self.state = other.time, other.verified, other.state
        self._newest = other._newest

    def prices_in(self, message: Any) -> Iterator[Any]:
        """Yield the prices that an update is about; a snapshot is about all there are."""
        if type(message) is dict and message.get("type") == "l2update":
            updates = [message.get("changes")] if message.get("product_id") == self.product_id else []
        else:
            updates = [changes for kind, changes in self._parts(message) if kind == "update"]
        for changes in updates:
            for change in changes if isinstance(changes, list | tuple) else ():
                yield from change[1:2] if isinstance(change, list | tuple) else ()

    def is_snapshot(self, message: Any) -> bool:
        """Tell whether a message brings a snapshot of this product, and not one that comes late."""
        return any(kind == "snapshot" for kind, _ in self._parts(message)) and not self._is_late(message)

    def _parts(self, message: Any) -> Iterator[tuple[str, Any]]:
        """Yield what a message holds for us, piece by piece: of which kind, and what it brings."""
        if type(message) is not dict:
            return
        if message.get("type") == "snapshot":
            if message.get("product_id") == self.product_id:
                yield "snapshot", ((self._bids, message.get("bids")), (self._asks, message.get("asks")))
        elif message.get("channel") == "l2_data" and type(events := message.get("events")) is list:
            for event in events:
                if type(event) is dict and event.get("product_id") == self._wire_id:
                    updates = event.get("updates")
                    if event.get("type") == "snapshot":
                        yield "snapshot", ((self._bids, _pairs(updates, "bid")), (self._asks, _pairs(updates, "offer")))
                    else:
                        yield "update", _changes(updates)

    def _take(self, message: Any) -> Iterator[bool]:
        """Take whatever is not the plain ``l2update``; yields where a break may be made."""
        parts = list(self._parts(message))
        if not parts:
            return
        if self._is_late(message):
            self.faults.late += 1
            return
        if self._is_numbered and type(number := message.get("sequence_num")) is int:
            self._newest = number
        self._note_time(message.get("time", message.get("timestamp")))
        newest = max((number for number, (kind, _) in enumerate(parts) if kind == "snapshot"), default=None)
        if newest is None:
            for _, changes in parts:
                yield self._update(changes)
        else:
            self._empty(_SYNCING)
            self._waiting.extend(changes for _, changes in parts[newest + 1 :])
            yield from self._rebuild(parts[newest][1])

    def _is_late(self, message: Any) -> bool:
        """Tell whether a frame came that is newer than this one: what this one says does not hold any more."""
        number = message.get("sequence_num") if self._is_numbered else None
        return type(number) is int and number <= self._newest

    def _update(self, changes: Any) -> bool:
        if self.state is _EMPTY:
            self.faults.early += 1
        elif self.state is _SYNCING:
            self._waiting.append(changes)
        else:
            self._change(changes)
            bids, asks = self._bids.keys, self._asks.keys
            if bids and asks and bids[-1] + asks[-1] >= 0:
                self._check_crossing()
            return True
        return False

    def _change(self, changes: Any) -> None:
        """Set and delete levels. Every step in here is paid for by each change."""
        sides = self._sides
        for change in changes if isinstance(changes, list | tuple) else (None,):
            try:
                name, price, size = change
                side, key_at_hand, levels, keys = sides[name]
                key = key_at_hand(price)
                if key is None:
                    key = self._steps.keep(side, price)
                if size in ZEROS:
                    size = ""
                elif not ((amount := size.replace(".", "", 1)).isdecimal() and amount.strip("0")):
                    size = size if is_size(size) else ""
            except UNREADABLE:
                self._leave_out(change)
                continue
            if size:
                if key not in levels:
                    insort(keys, key)
                levels[key] = size
            elif levels.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]

    def _rebuild(self, sides: Iterable[tuple[Side[str], Any]]) -> Iterator[bool]:
        """Build the book anew, and then take what has come meanwhile."""
        build = self._build
        for side, rows in sides:
            left = iter(rows if isinstance(rows, list | tuple | Iterator) else (None,))
            while batch := list(islice(left, SLICE)):
                self._fill(side, batch)
                yield True
                if self._build != build:
                    return
            side.sort()
        while self._waiting:
            self._change(self._waiting.popleft())
            if self._waiting:
                yield True
                if self._build != build:
                    return
        self.state = _LIVE
        self._check_crossing()
        yield True

    def _fill(self, side: Side[str], rows: Iterable[Any]) -> None:
        """Put levels into a book that is being built, whose keys are sorted when all are there."""
        levels, sign, key_of = side.levels, side.sign, self._steps.key_of
        for row in rows:
            try:
                price, size = row
                key = key_of(price)
                if not ((amount := size.replace(".", "", 1)).isdecimal() and amount.strip("0")):
                    size = size if is_size(size) else ""
            except UNREADABLE:
                self.faults.unreadable += 1
                continue
            if size:
                levels[key * sign] = size

    def _leave_out(self, change: Any) -> None:
        """Count a change that cannot be read. If only the size is unreadable, nothing is known of the level now."""
        self.faults.unreadable += 1
        try:
            name, price, _ = change
            side, *_ = self._sides[name]
            key = self._steps.key_of(price)
        except UNREADABLE:
            return
        side.discard(key * side.sign)

    def _empty(self, state: BookState) -> None:
        super()._empty(state)
        self._waiting.clear()

    def _size_of(self, level: str) -> Decimal:
        return Decimal(level)


def _changes(updates: Any) -> list[Any]:
    """Return the entries of an ``l2_data`` event as an ``l2update`` has them; something unreadable for what is none."""
    return [
        (entry.get("side"), entry.get("price_level"), entry.get("new_quantity")) if type(entry) is dict else None
        for entry in (updates if isinstance(updates, list) else (None,))
    ]


def _pairs(updates: Any, side: str) -> Iterator[Any]:
    """Yield the entries of one side of an ``l2_data`` event; with the bids what is of no side, for it to be counted."""
    if not isinstance(updates, list):
        updates = (None,)
    for entry in updates:
        name = entry.get("side") if type(entry) is dict else None
        if name == side:
            yield entry.get("price_level"), entry.get("new_quantity")
        elif side == "bid" and name != "offer":
            yield None
