"""The numbers of messages, as the wire has them."""

from __future__ import annotations

__all__ = ["number_or_same"]

MOST_DIGITS = 19
"""More have no number of the venue's; to read a text of any length would take any time."""


def number_or_same(value: object) -> object:
    """Return the number that a text is, as rows of ``level3`` have theirs; whatever else it is, as it is."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= MOST_DIGITS:
        return int(value)
    return value
