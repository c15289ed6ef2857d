"""A book of single orders, from ``full`` or ``level3`` of the Exchange feed and a book of the REST interface."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from copra_tx.errors import BookSnapshotError

from .orders import KINDS, OrdersBook
from .prices import UNREADABLE
from .rows import read_schema
from .state import BookState

__all__ = ["Level3Book"]

SLICE = 1000
"""Orders, or messages that waited, between two breaks: 2 to 5 ms."""

MOST_WAITING = 200_000
"""Messages kept for a snapshot that does not come; some minutes of the busiest product."""

_EMPTY, _SYNCING, _LIVE, _UNTRUSTED = BookState  # to look them up each time costs more than comparing

_BROKEN = (*UNREADABLE, IndexError)


class Level3Book(OrdersBook):
    """
    The open orders of one product.

    ``apply`` takes every message there is: those of ``full``, and the rows of ``level3`` with their schema; the rest,
    and other products, are passed over. Messages that come before a snapshot wait for it. ``load`` takes the
    snapshot, a book of the REST interface. From then on every message is one higher than the one before it, or the
    book is ``UNTRUSTED`` until the next ``load``; messages wait for that one meanwhile. If those that were missing
    come late, in their order and with none missing after them, the book is ``LIVE`` again by itself.

    Source of all rules: Coinbase docs, Exchange, "WebSocket Channels", full and level3 (read 2026-11).

    Args:
        product_id: The product.

    Attributes:
        sequence: The number of the newest message, or snapshot, that is in the book; ``None`` before the first.
    """

    _verified_by = "sequence"

    def __init__(self, product_id: str) -> None:
        super().__init__(product_id)
        self.sequence: int | None = None
        self._waiting: deque[tuple[int, Any]] = deque()
        self._is_mendable = False

    # -- snapshots

    def load(self, body: Mapping[str, Any]) -> bool:
        """
        Take the body of ``GET /products/ID/book?level=3``, and then the messages that waited for it.

        Returns:
            Whether it was taken. One that is older than what waits (``faults.stale_snapshots``) is not: the REST
            interface has a cache. Ask again then.

        Raises:
            BookSnapshotError: If it is no such body.
        """
        return max(self._loading(body), default=False)

    def load_in_slices(self, body: Mapping[str, Any]) -> Iterator[None]:
        """
        Do as ``load``, in slices of some milliseconds, the book being ``SYNCING`` meanwhile.

        Messages may be applied between two slices. What is left of the slices does nothing any more once the book is
        cleared or loaded anew. It was taken if the book is ``LIVE`` afterwards.

        Raises:
            BookSnapshotError: As ``load``, at once.
        """
        return (None for _ in self._loading(body))

    def joins(self, sequence: int) -> bool:
        """Tell whether a snapshot with this sequence would join on to what waits, or to what is in the book."""
        if self._waiting:
            return sequence >= self._waiting[0][0] - 1
        return self.sequence is None or sequence >= self.sequence

    def _loading(self, body: Mapping[str, Any]) -> Iterator[bool]:
        if not isinstance(body, Mapping):
            raise BookSnapshotError(self.product_id, f"it is {body!r:.100}")
        sequence, sides = body.get("sequence"), (body.get("bids"), body.get("asks"))
        if type(sequence) is not int or not all(isinstance(rows, list | tuple) for rows in sides):
            raise BookSnapshotError(self.product_id, f"it has {', '.join(map(str, body)) or 'nothing'}")
        return self._load(sequence, sides, body)

    def _load(self, sequence: int, sides: Iterable[Any], body: Mapping[str, Any]) -> Iterator[bool]:
        if not self.joins(sequence):
            self.faults.stale_snapshots += 1
            return
        self._start_over(sequence)
        build = self._build
        self._note_time(body.get("time"))
        self.may_cross = body.get("auction_mode") is True
        for side, rows in zip((self._bids, self._asks), sides, strict=True):
            for start in range(0, len(rows), SLICE):
                self._fill(side, rows[start : start + SLICE])
                yield False
                if self._build != build:
                    return
            side.sort()
        while self._drain():
            yield False
            if self._build != build:
                return
        yield self.state is _LIVE

    def _start_over(self, sequence: int | None) -> None:
        """Throw the orders away, and keep what waits."""
        waiting = self._waiting.copy()
        self._empty(_SYNCING)
        self.sequence, self._waiting = sequence, waiting

    def _drain(self) -> bool:
        """Take a slice of what waited, while it joins on to the book; with the last of it the book is ``LIVE``."""
        waiting, state = self._waiting, self.state
        for _ in range(min(len(waiting), SLICE)):
            number, message = waiting[0]
            assert self.sequence is not None
            if number > self.sequence + 1:
                if state is _SYNCING:  # there was a hole while the book was built
                    self.faults.stale_snapshots += 1
                    self._start_over(None)
                return False
            waiting.popleft()
            if number > self.sequence:
                self.sequence = number
                if not self._effect(message):
                    return False
        if waiting:
            return True
        self.state, self.reason = _LIVE, ""
        self._check_crossing()
        return False

    # -- messages

    def apply(self, message: Any) -> bool:  # noqa: PLR0911  # there is much to pass over
        """
        Take a message.

        Returns:
            Whether the book, or its state, may be another now.
        """
        if type(message) is dict:
            if (kind := message.get("type")) not in KINDS or message.get("product_id") != self.product_id:
                if kind == "level3":
                    self._take_schema(message)
                return False
            number, time = message.get("sequence"), message.get("time")
        elif type(message) is list:
            try:
                layout = self._layout.get(message[0]) or self._layout["noop"]
                if message[layout[0]] != self.product_id:
                    return False
                number, time = int(message[layout[1]]), message[layout[2]]
            except _BROKEN:
                self.faults.unreadable += 1
                return False
        else:
            return False
        if type(number) is not int:
            self.faults.unreadable += 1
            return False
        self._note_time(time)
        if self.state is _LIVE and number == self.sequence + 1:  # type: ignore[operator]  # it has one when LIVE
            self.sequence = number
            self._effect(message)
            return True
        return self._out_of_order(number, message)

    def _take_schema(self, message: Mapping[str, Any]) -> None:
        try:
            self._layout = read_schema(message["schema"])
        except UNREADABLE:
            self.faults.unreadable += 1

    def _out_of_order(self, number: int, message: Any) -> bool:
        state, newest = self.state, self._waiting[-1][0] if self._waiting else self.sequence
        if newest is not None and number <= newest:
            if self._is_mendable and self.sequence is not None and number == self.sequence + 1:
                return self._mend(number, message)
            self.faults.late += 1
            return False
        if newest is not None and number > newest + 1:
            self.faults.gaps += 1
            self.distrust(f"message {newest + 1} was expected and {number} came: {number - newest - 1} missing")
            self._is_mendable = state is _LIVE
            self._waiting.clear()
        elif state is _EMPTY:
            self.state = _SYNCING
        if len(self._waiting) >= MOST_WAITING:
            self.faults.overflows += 1
            self._is_mendable = False
            self._waiting.clear()
        self._waiting.append((number, message))
        return self.state is not state

    def _mend(self, number: int, message: Any) -> bool:
        """Take one that was missing; with the last of them the book is what it was."""
        self.sequence = number
        if self._effect(message) and len(self._waiting) <= SLICE:
            self._drain()
        return True

    def distrust(self, reason: str) -> None:
        """Make a book that has levels ``UNTRUSTED``, until the next ``load``; otherwise as for every book."""
        self._is_mendable = False
        super().distrust(reason)

    # -- what a message does to the book

    def _effect(self, message: Any) -> bool:
        """Do what a message does; one that cannot be read makes the book ``UNTRUSTED``, and ``False`` the answer."""
        try:
            if type(message) is dict:
                self._effect_of_dict(message)
            else:
                self._effect_of_row(message)
        except _BROKEN:
            self.faults.unreadable += 1
            self._is_mendable = False
            self.state, self.reason = _UNTRUSTED, f"message {self.sequence} cannot be read"
            return False
        return True

    def _empty(self, state: BookState) -> None:
        super()._empty(state)
        self.sequence, self._is_mendable = None, False
        self._waiting = deque()
