"""
Sets of whole numbers as ranges.

A set is a list of pairs, the first and the last number of each range, in order and without overlaps: what is missing of
a product may be a hundred thousand numbers, and is seldom more than one range.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

__all__ = ["Ranges", "common", "count", "find", "holds", "in_words", "lacking"]

Ranges = Sequence[tuple[int, int]]
"""First and last number of each range."""

MOST_NAMED = 10
"""Ranges that a text names."""


def find(ranges: Ranges, number: int) -> int | None:
    """Return the index of the range that a number is in; ``None`` if it is in none."""
    index = bisect_right(ranges, number, key=lambda one: one[0]) - 1
    return index if index >= 0 and number <= ranges[index][1] else None


def holds(ranges: Ranges, number: int) -> bool:
    """Tell whether a number is in one of the ranges."""
    return find(ranges, number) is not None


def count(ranges: Ranges) -> int:
    """Return how many numbers there are in all."""
    return sum(last - first + 1 for first, last in ranges)


def common(some: Ranges, others: Ranges) -> list[tuple[int, int]]:
    """Return what is in both."""
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(some) and j < len(others):
        first, last = max(some[i][0], others[j][0]), min(some[i][1], others[j][1])
        if first <= last:
            found.append((first, last))
        if some[i][1] < others[j][1]:
            i += 1
        else:
            j += 1
    return found


def lacking(first: int, last: int, numbers: Iterable[int]) -> list[tuple[int, int]]:
    """
    Return what is not there of a range.

    Args:
        first: Where the range begins.
        last: Its last number.
        numbers: What is there: numbers of the range, in ascending order.
    """
    found = []
    for number in (*numbers, last + 1):
        if number > first:
            found.append((first, number - 1))
        first = number + 1
    return found


def in_words(ranges: Ranges) -> str:
    """Return the numbers as text, such as ``3, 5 to 7``; of many ranges the first few, and how many numbers more."""
    named = [str(first) if first == last else f"{first} to {last}" for first, last in ranges[:MOST_NAMED]]
    more = count(ranges[MOST_NAMED:])
    return ", ".join(named) + (f" and {more} more" if more else "")
