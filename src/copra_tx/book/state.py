"""What a book is worth, and what was odd about what it was made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["BookFaults", "BookState"]


class BookState(enum.Enum):
    """What a book is worth. The values are what the documentation calls them."""

    EMPTY = "empty"
    """Nothing was heard of the product, or the line was lost: there are no levels."""

    SYNCING = "syncing"
    """It is being built, or waits for a snapshot: there are no levels yet."""

    LIVE = "live"
    """It is the venue's, as far as can be known."""

    UNTRUSTED = "untrusted"
    """Something was lost: reading it raises, unless ``trusted=False`` is passed."""


@dataclass(slots=True)
class BookFaults:
    """
    What was odd, as numbers. A book survives all of it; where it may be wrong now it is ``UNTRUSTED``.

    Attributes:
        unreadable: Prices, sizes or rows that cannot be read (a size of ``"0.-10000"`` was recorded). A level or order
            whose size cannot be read is left out.
        odd_times: Times that are none; ``0001-01-01`` was recorded.
        early: Updates before any snapshot; they are passed over.
        crossings: How often the best bid was not below the best ask.
        gaps: How often a sequence had a hole.
        late: Messages older than the book, or repeated; they are passed over.
        stale_snapshots: Snapshots that the messages at hand do not join on to; they are refused.
        strangers: Trades with an order that is not in the book.
        overflows: How often more messages waited for a snapshot than are kept.
    """

    unreadable: int = 0
    odd_times: int = 0
    early: int = 0
    crossings: int = 0
    gaps: int = 0
    late: int = 0
    stale_snapshots: int = 0
    strangers: int = 0
    overflows: int = 0
