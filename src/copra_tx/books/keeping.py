"""Keeping one product's book right: snapshots, resynchronisation, and the audit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from decimal import Decimal
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from copra_tx.book import Book, BookState, Drift, Level2Book, Level3Book, prices_in
from copra_tx.book.drift import compare_in_slices, in_order
from copra_tx.errors import BookSnapshotError, ClientClosedError, RestError

__all__ = ["Keeper", "Keeper2", "Keeper3", "Venue"]

SMALL = 2000
"""A snapshot of up to so many levels is taken at once."""

CACHE = 1.0
"""For so many seconds the venue's REST interface serves a book from its cache (seen 2026-09)."""

MARGIN = 2.0
"""Seconds in which feed and REST are sure to have caught up with each other."""

PATIENCE = 5.0
"""Seconds that the feed may need to come to where a snapshot was ahead of it, or a renewed one to arrive."""

LONGEST_WAIT = 30.0
"""Seconds between two attempts to get a snapshot, at most."""

_LIVE, _UNTRUSTED, _SYNCING = BookState.LIVE, BookState.UNTRUSTED, BookState.SYNCING

_log = Logger()


class Venue(Protocol):
    """What a keeper asks for, and whom it tells."""

    def fetch_book(self, product_id: str, level: int) -> Awaitable[dict[str, Any]]:
        """Ask REST for a book; fails with a ``RestError``."""

    def renew_book(self, book: Book[Any]) -> None:
        """Ask the feed for a fresh snapshot."""

    def tell_book(self, book: Book[Any]) -> None:
        """A book changed by itself, not by the message that is being delivered."""

    def tell_trouble(self, book: Book[Any], error: Exception) -> None:
        """Something that a book needs cannot be had; it is asked for again."""

    def tell_drift(self, book: Book[Any], drifts: Collection[Drift]) -> None:
        """An audit found a book to be wrong."""


class Keeper(ABC):
    """
    Keeps one book.

    Args:
        book: The book.
        venue: Is asked for snapshots, and told what happens.
        clock: Runs the timers and makes the breaks between slices.

    Attributes:
        audits: How many audits came to a result.
    """

    book: Book[Any]

    def __init__(self, book: Book[Any], venue: Venue, clock: IReactorTime) -> None:
        self.book = book
        self.audits = 0
        self._venue, self._clock = venue, clock
        self._tasks: dict[str, Deferred[None]] = {}
        self._moved: set[Decimal] | None = None

    def take(self, message: Any) -> bool:
        """Take a message; tells whether the book, or its state, may be another now."""
        if self._moved is not None:
            self._moved |= prices_in(self.book, message)
        changed = self._apply(message)
        if self.book.state is not _LIVE:
            self.begin()
        return changed

    def resynchronise(self) -> None:
        """Get a new snapshot, until the book is ``LIVE``, on the line there is."""
        self._begin("snapshot", self._get_snapshot())

    def begin(self) -> None:
        """Get the first snapshot, if it does not come by itself; the product is subscribed to."""
        if self.book.state is not _LIVE and self._needs_snapshot() and "snapshot" not in self._tasks:
            self.resynchronise()

    def audit_every(self, seconds: float) -> None:
        """Compare the book with REST's, again and again, as long as the line lasts."""
        self._begin("audit", self._audit_forever(seconds))

    def clear(self) -> None:
        """Forget the book, and stop whatever is under way; the line is lost."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            task.cancel()
        self._moved = None
        self.book.clear()

    @abstractmethod
    def _apply(self, message: Any) -> bool:
        """Have the book take a message."""

    @abstractmethod
    def _needs_snapshot(self) -> bool:
        """Tell whether a book that is not ``LIVE`` gets no snapshot by itself."""

    @abstractmethod
    async def _get_snapshot(self) -> None:
        """Get a snapshot, until the book is ``LIVE``."""

    async def _audit_forever(self, seconds: float) -> None:
        while True:
            await self._pause(seconds)
            if self.book.state is not _LIVE:
                continue
            try:
                drifts = await self._audit()
            except (RestError, BookSnapshotError) as error:
                self._tell(self._venue.tell_trouble, error)
                continue
            finally:
                self._moved = None
            if drifts is None:
                continue
            self.audits += 1
            if not drifts:
                if self.book.verified == "none":
                    self.book.verified = "audit"
                continue
            self.book.distrust(f"an audit found {len(drifts)} levels that differ from REST's")
            self._tell(self._venue.tell_drift, drifts)
            self._tell(self._venue.tell_book)
            self.resynchronise()

    async def _audit(self) -> list[Drift] | None:
        """Compare once; ``None`` if the book was not the same, and ``LIVE``, all the time."""
        builds, self._moved = self.book.builds, set()
        await self._pause(CACHE + MARGIN)
        body = await self._venue.fetch_book(self.book.product_id, 2)
        await self._pause(MARGIN)
        found: list[Drift] = []
        await self._in_slices(compare_in_slices(self.book, body), found.extend)
        if self.book.state is not _LIVE or self.book.builds != builds:
            return None
        return in_order(found, self._moved)

    # -- tasks

    def _tell(self, tell: Callable[..., None], *about: object) -> None:
        """Tell the user. Who unsubscribes then ends the task that tells: what runs just now nobody can cancel."""
        tasks = self._tasks
        tell(self.book, *about)
        if self._tasks is not tasks:  # it was cleared
            raise CancelledError

    async def _pause(self, seconds: float) -> None:
        await deferLater(self._clock, seconds)

    async def _in_slices(self, slices: Iterator[Any], use: Callable[[Any], object] = lambda _: None) -> None:
        """Do something bit by bit; the loop has its turn in between."""
        for bit in slices:
            use(bit)
            await self._pause(0)

    def _begin(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        before = self._tasks.pop(name, None)
        if before is not None:
            before.cancel()
        task = Deferred.fromCoroutine(coroutine)
        if not task.called:
            self._tasks[name] = task
        task.addBoth(self._ended, name, task)

    def _ended(self, result: object, name: str, task: Deferred[None]) -> None:
        if self._tasks.get(name) is task:
            del self._tasks[name]
        if isinstance(result, Failure) and not result.check(CancelledError, ClientClosedError):
            _log.failure("keeping {book} failed", failure=result, book=self.book)


class Keeper2(Keeper):
    """Keeps a book of levels: its snapshots come on the feed."""

    book: Level2Book

    def _apply(self, message: Any) -> bool:
        if type(message) is not dict or message.get("type") == "l2update":
            return self.book.apply(message)
        if not self.book.is_snapshot(message) or _size_of(message) <= SMALL:
            return self.book.apply(message)
        self._begin("build", self._build(message))
        return True

    async def _build(self, message: Any) -> None:
        await self._in_slices(self.book.apply_in_slices(message))
        self._venue.tell_book(self.book)

    def begin(self) -> None:
        """Get a snapshot if the one of the beginning was lost: there are messages, and still no book."""
        if self.book.state is not BookState.EMPTY:
            super().begin()
        elif "snapshot" not in self._tasks:
            self.expect_snapshot()

    def distrust(self, reason: str) -> None:
        """Something was lost; the client asks for a new snapshot by itself, but should that not come, so do we."""
        self.book.distrust(reason)
        if self._needs_snapshot():
            self.expect_snapshot()

    def expect_snapshot(self) -> None:
        """Ask for a snapshot should none come by itself."""
        self._begin("snapshot", self._get_snapshot(is_asked=True))

    def _needs_snapshot(self) -> bool:
        return self.book.state is _UNTRUSTED

    async def _get_snapshot(self, *, is_asked: bool = False) -> None:
        wait = PATIENCE
        while True:
            if not is_asked:
                self._venue.renew_book(self.book)
            is_asked = False
            await self._pause(wait)
            if self.book.state in (_LIVE, _SYNCING):
                return
            wait = min(2 * wait, LONGEST_WAIT)


class Keeper3(Keeper):
    """Keeps a book of orders: its snapshots come by REST."""

    book: Level3Book

    def _apply(self, message: Any) -> bool:
        return self.book.apply(message)

    def _needs_snapshot(self) -> bool:
        return True

    async def _get_snapshot(self) -> None:
        book, wait = self.book, CACHE
        while True:
            try:
                body = await self._venue.fetch_book(book.product_id, 3)
                await self._in_slices(book.load_in_slices(body))
            except (RestError, BookSnapshotError) as error:
                self._tell(self._venue.tell_trouble, error)
            else:
                if book.state is _LIVE:
                    break
            await self._pause(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        self._tell(self._venue.tell_book)
        self._begin("watch", self._watch())

    async def _watch(self) -> None:
        """A snapshot may be ahead of the feed, but not for long: until the feed comes to it, the book stands still."""
        loaded, late = self.book.sequence, self.book.faults.late
        await self._pause(PATIENCE)
        if (self.book.state, self.book.sequence) == (_LIVE, loaded) and self.book.faults.late > late:
            self.book.clear()
            self._tell(self._venue.tell_book)
            self.resynchronise()


def _size_of(message: dict[str, Any]) -> int:
    """Return about how many levels a message has."""
    parts = [message.get("bids"), message.get("asks")]
    events = message.get("events")
    parts += [event.get("updates") for event in events if isinstance(event, dict)] if isinstance(events, list) else []
    return sum(len(part) for part in parts if isinstance(part, list | tuple))
