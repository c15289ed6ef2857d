"""Pings, and what follows when nothing comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Keepalive", "Pingable"]


class Pingable(Protocol):
    """The part of a WebSocket protocol that pings."""

    def sendPing(self, payload: bytes | None = None) -> None:
        """Send a ping frame."""


class Keepalive:
    """
    Pings an open line and tells when it is dead.

    Any byte counts as an answer: under a flood the pong may stand behind megabytes of data. Autobahn has such
    a thing too, but its timers run on the global reactor only.

    Args:
        clock: Where the timers run.
        interval: Seconds between two pings; 0 for none.
        timeout: Seconds without a byte after a ping that make a line dead.
        octets_received: Tells how much the line received so far.
        suspended: Tells whether the line is paused; it is given time then.
        dead: Called once when the line is dead.
    """

    def __init__(
        self,
        clock: IReactorTime,
        interval: float,
        timeout: float,
        octets_received: Callable[[], int],
        suspended: Callable[[], bool],
        dead: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._interval, self._timeout = interval, timeout
        self._octets_received, self._suspended, self._dead = octets_received, suspended, dead
        self._line: Pingable | None = None
        self._timer: IDelayedCall | None = None
        self._octets = 0
        self._was_suspended = False

    def start(self, line: Pingable) -> None:
        """Begin with an open line."""
        self._line = line
        if self._interval:
            self._timer = self._clock.callLater(self._interval, self._ping)

    def stop(self) -> None:
        """End; no timer is left."""
        self._line = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ping(self) -> None:
        assert self._line is not None
        self._octets = self._octets_received()
        self._was_suspended = self._suspended()
        self._timer = self._clock.callLater(self._timeout, self._check)
        self._line.sendPing(b"copra-tx")

    def _check(self) -> None:
        self._timer = None
        # Reading may have been resumed only just before.
        excused = self._was_suspended or self._suspended()
        if excused or self._octets_received() != self._octets:
            self._timer = self._clock.callLater(max(self._interval - self._timeout, 0.0), self._ping)
        else:
            self._dead()
