"""How far behind the venue we are: its messages' times against the clock of this machine."""

from __future__ import annotations

import math
import statistics
from collections import deque
from datetime import UTC, datetime
from typing import NamedTuple

__all__ = ["Lag", "LagFigures", "seconds_of"]

WINDOW = 60.0
"""Seconds that the figures are about."""

SHORTEST_STEP = 0.1
"""Seconds between two samples that are taken: heartbeats of many products come at once, and are equally late."""


class LagFigures(NamedTuple):
    """
    Seconds from the time in a message to its receipt, in the last minute.

    Attributes:
        median: Of the samples.
        worst: The largest.
    """

    median: float
    worst: float


class Lag:
    """
    Samples of the last minute.

    They are of heartbeats, and of a message of each kind now and then: what is sampled costs nothing to the others.

    Attributes:
        due: When it is time for the next sample, on any clock that only goes forward.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()
        self.due = -math.inf

    def add(self, now: float, lag: float) -> None:
        """Take a sample."""
        self.due = now + SHORTEST_STEP
        self._samples.append((now, lag))
        self._forget(now)

    def clear(self) -> None:
        """Forget everything."""
        self._samples.clear()
        self.due = -math.inf

    def figures(self, now: float) -> LagFigures | None:
        """Return the figures; ``None`` if the last minute had no sample."""
        self._forget(now)
        lags = [lag for _, lag in self._samples]
        return LagFigures(statistics.median(lags), max(lags)) if lags else None

    def least(self, now: float) -> float | None:
        """
        Return the smallest one: that is how far our clock is ahead of the venue's, but for the time of the way.

        ``None`` if the last minute had no sample.
        """
        self._forget(now)
        return min((lag for _, lag in self._samples), default=None)

    def _forget(self, now: float) -> None:
        while self._samples and now - self._samples[0][0] > WINDOW:
            self._samples.popleft()


def seconds_of(time: object) -> float | None:
    """
    Return the seconds since the Unix epoch of a message's ``time``; ``None`` if that is not one.

    The venue writes ISO 8601 with up to nine digits of a second, and ``0001-01-01`` for no time.
    """
    if not isinstance(time, str):
        return None
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return None
    if moment.year == 1:
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
