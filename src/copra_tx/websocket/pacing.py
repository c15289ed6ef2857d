"""One limiter for everything that the clients of a process send to the venue."""

from __future__ import annotations

import enum
from collections import deque
from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Pacer", "Priority", "shared_pacer"]

RATE = 8.0
"""
Dials and requests a second of one address.

Source: Coinbase docs, Exchange, "WebSocket Rate Limits" (read 2026-11): 8 requests a second per address, with bursts
of up to 20; the same page also says 100 messages a second, and 10 with bursts of 1000: this is the safest of them.
"""


_ONE = 1 - 1e-9  # what has come back by the time a timer set for it fires, in floating point


class Priority(enum.IntEnum):
    """Who goes first: a request on an open line (the venue drops a silent one after 5 s), then new dials."""

    REQUEST = 0
    DIAL = 1


class Pacer:
    """
    Grants permissions, ``rate`` a second for long, ``burst`` at once.

    Args:
        clock: Gives the time and runs the one timer, which runs only while somebody waits.
        rate: Permissions a second.
        burst: Permissions that may be granted at once after a pause.
    """

    def __init__(self, clock: IReactorTime, rate: float = RATE, burst: float = RATE) -> None:
        self._clock = clock
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, clock.seconds()
        self._waiting: dict[Priority, deque[Deferred[None]]] = {priority: deque() for priority in Priority}
        self._timer: IDelayedCall | None = None

    def acquire(self, priority: Priority) -> Deferred[None]:
        """
        Ask for one permission.

        Returns:
            Fires with ``None`` when it is granted, often at once. Cancelling it gives the place in the queue up.
        """
        permission: Deferred[None] = Deferred(lambda deferred: self._forget(priority, deferred))
        self._waiting[priority].append(permission)
        self._grant()
        return permission

    def _forget(self, priority: Priority, permission: Deferred[Any]) -> None:
        self._waiting[priority].remove(permission)
        if self._timer is not None and not any(self._waiting.values()):
            self._timer.cancel()
            self._timer = None

    def _grant(self) -> None:
        now = self._clock.seconds()
        self._left, self._at = min(self._burst, self._left + (now - self._at) * self._rate), now
        while self._left >= _ONE and (queue := self._first_queue()) is not None:
            self._left -= 1
            queue.popleft().callback(None)
        if self._timer is None and self._first_queue() is not None:
            self._timer = self._clock.callLater((1 - self._left) / self._rate, self._due)

    def _due(self) -> None:
        self._timer = None
        self._grant()

    def _first_queue(self) -> deque[Deferred[None]] | None:
        return next((queue for _, queue in sorted(self._waiting.items()) if queue), None)


_shared: WeakValueDictionary[object, Pacer] = WeakValueDictionary()


def shared_pacer(clock: IReactorTime) -> Pacer:
    """Return the pacer that everything on one reactor shares; it lives as long as one of its users."""
    pacer = _shared.get(clock)
    if pacer is None:
        pacer = _shared[clock] = Pacer(clock)
    return pacer
