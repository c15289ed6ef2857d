"""What books of both kinds have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, Literal

from copra_tx.errors import BookSnapshotError, BookUntrustedError, ConfigurationError

from .prices import EXACT, UNREADABLE, Kept, Side, Steps, exact
from .state import BookFaults, BookState

__all__ = ["Book", "Drift", "Level", "Verified"]

Level = tuple[Decimal, Decimal]
"""Price and size."""

SLICE = 1000
"""Levels compared between two breaks: some milliseconds."""

_NOTHING = Decimal(0)

Verified = Literal["sequence", "audit", "none"]
"""What a book's being right is known by: no hole in a sequence, a comparison with a REST book, or nothing."""

FIRST_TIME = "1"
"""Years of times begin with this, or higher; the year 1 was recorded."""


@dataclass(frozen=True, slots=True)
class Drift:
    """
    One level that differs from the venue's.

    Attributes:
        side: ``"buy"`` or ``"sell"``.
        price: Its price.
        ours: Its size in the book; ``None`` if it is not there.
        theirs: Its size in the REST book; ``None`` likewise.
    """

    side: str
    price: Decimal
    ours: Decimal | None
    theirs: Decimal | None


class Book(Generic[Kept]):
    """
    A book of one product.

    Args:
        product_id: The product; messages about others are passed over.

    Attributes:
        product_id: The product.
        state: What the book is worth.
        reason: Why it is ``UNTRUSTED``, in words; else empty.
        faults: What was odd so far.
        time: The time of the newest message, as the venue wrote it; empty before the first.
        verified: What its being right is known by: ``'sequence'``, ``'audit'`` or ``'none'``.
        may_cross: Set it during an auction, when a book may be crossed.
    """

    _verified_by: Verified = "none"

    def __init__(self, product_id: str) -> None:
        self.product_id = product_id
        self.faults = BookFaults()
        self.may_cross = False
        self.state, self.reason = BookState.EMPTY, ""
        self.time = ""
        self.verified: Verified = self._verified_by
        self._bids: Side[Kept] = Side(1)
        self._asks: Side[Kept] = Side(-1)
        self._steps = Steps((self._bids, self._asks))
        self._build = 0

    def clear(self) -> None:
        """Forget everything but the faults; for a line that was lost."""
        self._empty(BookState.EMPTY)
        self.time = ""

    def distrust(self, reason: str) -> None:
        """
        Make a book that has levels ``UNTRUSTED``, until its next snapshot.

        Args:
            reason: Why, in words.
        """
        if self.state is BookState.LIVE:
            self.state, self.reason = BookState.UNTRUSTED, reason

    @property
    def builds(self) -> int:
        """How often the book was emptied or built anew; another number means another book."""
        return self._build

    @property
    def best_bid(self) -> Level | None:
        """
        Price and size of the best bid, or ``None``.

        Raises:
            BookUntrustedError: As ``bids``.
        """
        return next(iter(self.bids(1)), None)

    @property
    def best_ask(self) -> Level | None:
        """
        Price and size of the best ask, or ``None``.

        Raises:
            BookUntrustedError: As ``asks``.
        """
        return next(iter(self.asks(1)), None)

    def bids(self, depth: int | None = None, *, trusted: bool = True) -> list[Level]:
        """
        Return the bids as (price, size), best first.

        Args:
            depth: At most so many levels; ``None`` for all.
            trusted: With ``False`` a book that is not to be trusted is read all the same.

        Raises:
            BookUntrustedError: If the state is ``UNTRUSTED``.
        """
        return self._levels(self._bids, depth, trusted=trusted)

    def asks(self, depth: int | None = None, *, trusted: bool = True) -> list[Level]:
        """Return the asks as (price, size), best first; otherwise as ``bids``."""
        return self._levels(self._asks, depth, trusted=trusted)

    def apply(self, message: Any) -> bool:
        """
        Take a message.

        Returns:
            Whether the book, or its state, may be another now.
        """
        raise NotImplementedError

    def prices_in(self, message: Any) -> Iterator[Any]:
        """Yield the prices, as texts or otherwise, that a message is about, if the book has not taken it yet."""
        raise NotImplementedError

    def differences(self, side: str, name: str, body: Mapping[str, Any]) -> Iterator[list[Drift]]:
        """Yield slice by slice how a side differs from what a body of the REST interface has under this name."""
        ours = self._bids if side == "buy" else self._asks
        theirs: Side[Decimal] = Side(ours.sign)
        self._steps.followers.append(theirs)
        try:
            rows = body[name]
            for start in range(0, len(rows), SLICE):
                for price, size, *_ in rows[start : start + SLICE]:
                    key = self._steps.key_of(price) * theirs.sign
                    theirs.levels[key] = EXACT.add(theirs.levels.get(key, _NOTHING), exact(size))
                yield []
        except UNREADABLE as error:
            raise BookSnapshotError(self.product_id, f"{name!r} of it cannot be read ({error})") from None
        else:
            while theirs.levels:
                batch = [theirs.levels.popitem() for _ in range(min(SLICE, len(theirs.levels)))]
                theirs.keys += [key for key, _ in batch]
                yield [drift for key, size in batch if (drift := self._difference(side, key, size))]
            yield [drift for key in ours.levels.keys() - theirs.keys if (drift := self._difference(side, key, None))]
        finally:
            self._steps.followers.remove(theirs)

    def _difference(self, side: str, key: int, theirs: Decimal | None) -> Drift | None:
        level = (self._bids if side == "buy" else self._asks).levels.get(key)
        size = None if level is None else self._size_of(level)
        return None if size == theirs else Drift(side, self._steps.price_of(key), size, theirs)

    def _levels(self, side: Side[Kept], depth: int | None, *, trusted: bool) -> list[Level]:
        self._check_readable(depth, trusted=trusted)
        price_of, size_of, levels = self._steps.price_of, self._size_of, side.levels
        return [(price_of(key), size_of(levels[key])) for key in side.best_first(depth)]

    def _size_of(self, level: Kept) -> Decimal:
        raise NotImplementedError

    def _check_readable(self, depth: int | None, *, trusted: bool) -> None:
        if depth is not None and (type(depth) is not int or depth < 0):
            raise ConfigurationError(f"depth is a number of levels or None, not {depth!r}")
        if trusted and self.state is BookState.UNTRUSTED:
            raise BookUntrustedError(self.product_id, self.reason)

    def _empty(self, state: BookState) -> None:
        """Throw the levels away, and end whatever builds new ones."""
        self._build += 1
        self.state, self.reason = state, ""
        self.verified = self._verified_by
        self._bids.clear()
        self._asks.clear()
        self._steps.digits = 0

    def _note_time(self, time: Any) -> None:
        if type(time) is str and time >= FIRST_TIME:
            self.time = time
        elif time is not None:
            self.faults.odd_times += 1

    def _check_crossing(self) -> None:
        bids, asks = self._bids.keys, self._asks.keys
        if bids and asks and bids[-1] + asks[-1] >= 0 and self.state is BookState.LIVE and not self.may_cross:
            self.faults.crossings += 1
            bid, ask = self._steps.price_of(bids[-1]), self._steps.price_of(asks[-1])
            self.distrust(f"the best bid, {bid}, is not below the best ask, {ask}: something was lost")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.product_id} {self.state.value}>"
