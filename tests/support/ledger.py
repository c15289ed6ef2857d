"""
What a client was given and told of one numbered stream, held against the rules: kept in sets, nothing inferred.

``take`` and ``take_gap`` get what ``on_message`` and ``on_gap`` got, in that order; each fails with an
``AssertionError`` as soon as something is told that is not so. ``close`` says what was never told::

    ledger = Ledger()
    ledger.take(1)
    ledger.take_gap(Gap("full", "BTC-USD", 2, 4, 2, "..."))
    ledger.take(4)
    ledger.close()
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from copra_tx.integrity.gaps import Gap

__all__ = ["Ledger"]


class Ledger:
    """
    The numbers of one stream.

    Args:
        begins: The first number there is, if that is known before it comes.

    Attributes:
        gaps, missing, late, repeated, recovered: What the client's counters must say, and how many gaps were closed.
        highest: The highest number that the client knows of.
    """

    def __init__(self, begins: int | None = None) -> None:
        self.gaps = self.missing = self.late = self.repeated = self.recovered = 0
        self.highest = None if begins is None else begins - 1
        self._lowest = begins
        self._came: set[int] = set()
        self._told: dict[int, Gap] = {}
        self._left: dict[Gap, set[int]] = {}
        self._closed: Gap | None = None

    def take(self, number: int, *, may_repeat: bool = False) -> None:
        """
        A message came.

        Args:
            number: Its number.
            may_repeat: Whether it is one that the venue sends again on purpose.
        """
        closed, self._closed = self._closed, None
        if number in self._came or (self._lowest is not None and number < self._lowest):
            self.repeated += not may_repeat
        elif (gap := self._told.get(number)) is not None:
            self.late += 1
            left = self._left[gap]
            left.remove(number)
            if not left:
                assert closed == replace(gap, recovered=True), f"{number} closed {gap}, and that was not told"
                self.recovered += 1
                closed = None
        elif self.highest is not None:
            assert number == self.highest + 1, f"{number} came after {self.highest}, and no gap was told"
        assert closed is None, f"{closed} was told before {number}, which does not close it"
        self._came.add(number)
        self._reach(number, number)

    def take_gap(self, gap: Gap) -> None:
        """A gap was told."""
        if gap.recovered:
            assert replace(gap, recovered=False) in self._left, f"{gap} was never told to be missing"
            assert self._closed is None
            self._closed = gap
            return
        numbers = range(gap.expected, gap.received)
        assert gap.missing == len(numbers) > 0, repr(gap)
        assert self.highest in (None, gap.expected - 1), f"{gap}: after {self.highest}"
        for number in numbers:
            assert number not in self._came, f"{number} came, and is told missing: {gap}"
            assert number not in self._told, f"{number} was told missing already: {gap}"
            self._told[number] = gap
        self._left[gap] = set(numbers)
        self.gaps, self.missing = self.gaps + 1, self.missing + gap.missing
        self._reach(gap.expected, gap.received - 1)

    def close(self) -> None:
        """See that every number came or was told missing."""
        assert self._closed is None, f"{self._closed} was told, and nothing came"
        if self._lowest is not None and self.highest is not None:
            silent = set(range(self._lowest, self.highest + 1)) - self._came - self._told.keys()
            assert not silent, f"never told: {sorted(silent)}"

    def _reach(self, lowest: int, highest: int) -> None:
        self._lowest = lowest if self._lowest is None else self._lowest
        self.highest = highest if self.highest is None else max(self.highest, highest)
