"""What is told of messages that did not come."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .ranges import Ranges, find

__all__ = ["MOST_OPEN", "Gap", "OpenGaps"]

MOST_OPEN = 100
"""Gaps of one counter that late messages can still close; the oldest ones are given up first."""


@dataclass(frozen=True, slots=True)
class Gap:
    """
    Numbered messages that were sent and did not arrive.

    Attributes:
        channel: The channel whose numbers these are; empty where one counter numbers a whole connection.
        product_id: The product whose numbers these are; empty as above.
        expected: The first number that is missing.
        received: The number that came instead; what is missing ends just before it.
        missing: How many are missing.
        cause: In words, what showed it: which counter skipped, or that the line was lost.
        recovered: Whether what was missing has come after all.
    """

    channel: str
    product_id: str
    expected: int
    received: int
    missing: int
    cause: str
    recovered: bool = False

    def __str__(self) -> str:
        about = " ".join(part for part in (self.channel, self.product_id) if part) or "the connection"
        what = f"{self.missing} message{'' if self.missing == 1 else 's'}"
        numbers = f"expected {self.expected}, received {self.received}"
        if self.recovered:
            return f"{about}: {what} came late ({numbers})"
        return f"{about}: {what} missing ({self.cause}; {numbers})"


class OpenGaps:
    """The gaps of one counter that were told, and what of them has not come yet."""

    def __init__(self) -> None:
        self._open: list[_OpenGap] = []

    def add(self, gap: Gap) -> None:
        """Wait for what is missing."""
        self._open.append(_OpenGap(gap))
        del self._open[:-MOST_OPEN]

    def take(self, number: int) -> tuple[bool, Gap | None]:
        """
        Take a number that came after it was passed.

        Returns:
            Whether it was waited for; and the gap, as recovered, if it was the last of one.
        """
        for one in reversed(self._open):
            if one.take(number):
                if one.ranges:
                    return True, None
                self._open.remove(one)
                return True, replace(one.gap, recovered=True)
        return False, None

    def still_missing(self, gap: Gap) -> Ranges:
        """Return what of a gap has not come since it was told; all of it, if it is one of those that were given up."""
        for one in self._open:
            if one.gap == gap:
                return tuple(one.ranges)
        return ((gap.expected, gap.received - 1),)

    def filled(self, gap: Gap, left: Ranges) -> None:
        """Take note that what was missing of a gap was had from elsewhere, but for what is left."""
        for one in [one for one in self._open if one.gap == gap]:
            one.ranges[:] = left
            if not left:
                self._open.remove(one)


class _OpenGap:
    """A gap and what of it has not come yet: ranges from the first to the last number, in order."""

    def __init__(self, gap: Gap) -> None:
        self.gap = gap
        self.ranges = [(gap.expected, gap.received - 1)]

    def take(self, number: int) -> bool:
        """Take a number away; tell whether it was there."""
        index = find(self.ranges, number)
        if index is None:
            return False
        first, last = self.ranges[index]
        rest = [(first, number - 1), (number + 1, last)]
        self.ranges[index : index + 1] = [one for one in rest if one[0] <= one[1]]
        return True
