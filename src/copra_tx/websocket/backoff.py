"""How long to wait before the next attempt."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

__all__ = ["jittered", "retry_after"]


def jittered(delay: float, jitter: float, maximum: float, draw: float) -> float:
    """
    Return how long to wait, in seconds: never more than ``maximum``, at most ``jitter`` of it less than ``delay``.

    Jitter only shortens, so that the cap holds; with ``jitter`` at most 0.5 and delays that double, each wait
    is at least as long as the one before it, until the cap is reached. Twisted's own is drawn after the cap, and
    from a normal distribution: no cap holds.

    Args:
        delay: Nominal wait in seconds.
        jitter: Largest part taken away, 0 to 1.
        maximum: The cap in seconds.
        draw: A random number, 0 to 1.
    """
    return min(delay, maximum) * (1 - jitter * draw)


def retry_after(value: str, date: str) -> float | None:
    """
    Return the seconds that a server asks us to wait, or ``None``.

    Args:
        value: Its ``Retry-After`` header: seconds, or a date (RFC 9110).
        date: Its ``Date`` header, from which such a date counts.
    """
    if value.isdecimal():
        return float(value)
    try:
        until, sent = (parsedate_to_datetime(text) for text in (value, date))
        return max(0.0, (until - sent).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None  # neither, one date without a time zone, or a year beyond all: the backoff rules
