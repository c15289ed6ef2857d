"""How long to wait before the next attempt."""

from __future__ import annotations

__all__ = ["jittered"]


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
