"""One limiter for everything that the clients of a process send to the venue."""

from __future__ import annotations

import enum
from collections import deque
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from copra_tx.errors import ConfigurationError

__all__ = ["Pacer", "Priority", "shared_pacer"]

RATE = 8.0
"""
Dials and requests a second of one address.

Source: Coinbase docs, Exchange, "WebSocket Rate Limits" (read 2026-11): 8 requests a second per address, with bursts
of up to 20; the same page also says 100 messages a second, and 10 with bursts of 1000: this is the safest of them.
"""


_ONE = 1 - 1e-5
"""What has come back when a timer set for one fires: the time of day, as a float, moves in steps of 0.2 µs."""


class Priority(enum.IntEnum):
    """Who goes first: a request on an open line (the venue drops a silent one after 5 s), then new dials."""

    REQUEST = 0
    DIAL = 1


class Pacer:
    """
    Grants permissions, ``rate`` a second for long, ``burst`` at once.

    Those who ask with the same priority are served in the order they asked.

    Args:
        clock: Gives the time and runs the one timer, which runs only while somebody waits.
        rate: Permissions a second.
        burst: Permissions that may be granted at once after a pause.

    Raises:
        ConfigurationError: If it could never grant anything.
    """

    def __init__(self, clock: IReactorTime, rate: float = RATE, burst: float = RATE) -> None:
        if not (rate > 0 and burst >= 1):
            raise ConfigurationError(f"rate must be above zero and burst at least 1, not {rate!r} and {burst!r}")
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
        queue = self._waiting[priority]
        permission: Deferred[None] = Deferred(lambda _: self._give_up(queue, permission))
        queue.append(permission)
        self._grant()
        return permission

    def _give_up(self, queue: deque[Deferred[None]], permission: Deferred[None]) -> None:
        queue.remove(permission)
        if self._timer is not None and self._next_queue() is None:
            self._timer.cancel()
            self._timer = None

    def _grant(self) -> None:
        now = self._clock.seconds()
        elapsed = max(0.0, now - self._at)  # the time of day may be set back
        self._left, self._at = min(self._burst, self._left + elapsed * self._rate), now
        while self._left >= _ONE and (queue := self._next_queue()) is not None:
            self._left -= 1
            queue.popleft().callback(None)  # which may ask again, or give up another one
        if self._timer is None and self._next_queue() is not None:
            self._timer = self._clock.callLater((1 - self._left) / self._rate, self._due)

    def _due(self) -> None:
        self._timer = None
        self._grant()

    def _next_queue(self) -> deque[Deferred[None]] | None:
        return next((queue for queue in self._waiting.values() if queue), None)  # in the order of priorities


_shared: WeakValueDictionary[object, Pacer] = WeakValueDictionary()


def shared_pacer(clock: IReactorTime) -> Pacer:
    """Return the pacer that everything on one reactor shares; it lives as long as one of its users."""
    pacer = _shared.get(clock)
    if pacer is None:
        pacer = _shared[clock] = Pacer(clock)
    return pacer
