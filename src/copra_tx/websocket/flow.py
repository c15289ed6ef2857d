"""Pausing the transport while a buffer is full."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITransport
from twisted.logger import Logger

from .counters import Counters

__all__ = ["FlowControl"]

PEEK_INTERVAL = 5.0
"""Seconds after which a paused line is read once: the end of the line and pings would go unnoticed otherwise."""


class FlowControl:
    """
    Stops and starts reading for everybody who has a buffer to fill.

    Nothing is dropped: what the read in hand still brings is buffered too. While it is paused, a line is read
    from once every ``PEEK_INTERVAL`` seconds.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, counters: Counters, changed: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._counters = counters
        self._changed = changed  # called when ``is_full`` did
        self._told: set[str] = set()
        self._transport: ITransport | None = None
        self._full: set[str] = set()
        self._peek: IDelayedCall | None = None

    @property
    def paused(self) -> bool:
        """Whether a buffer is full; deadlines are not to be trusted then."""
        return bool(self._full)

    @property
    def is_full(self) -> bool:
        """Whether a buffer is so full that it was told; not while only the loop is given its turn."""
        return bool(self._told)

    def connected(self, transport: ITransport) -> None:
        """Take the transport of a new line; it starts paused if a buffer is still full."""
        self._transport = transport
        if self._full:
            self._pause()

    def disconnected(self) -> None:
        """Let go of the transport; who is full stays so."""
        self._transport = None
        self._stop_peeking()

    def full(self, buffer: str, limit: int) -> None:
        """Stop reading since the named buffer is full; call it again for everything that still comes in."""
        if buffer not in self._full:
            self._counters.pauses += 1
            self._log.warn("The line is paused: {limit} messages wait for {buffer}", limit=limit, buffer=buffer)
        self.hold(buffer)
        if buffer not in self._told:
            self._told.add(buffer)
            self._changed()

    def hold(self, buffer: str) -> None:
        """Stop reading for a few turns of the loop, until ``drained``; that is nothing to be told."""
        self._full.add(buffer)
        if self._transport is not None and self._peek is None:
            self._pause()

    def drained(self, buffer: str) -> None:
        """Read on, unless another buffer is full."""
        if buffer in self._full:
            self._full.remove(buffer)
            if not self._full:
                self._stop_peeking()
                self._resume()
            if buffer in self._told:
                self._told.remove(buffer)
                self._changed()

    def release(self) -> None:
        """Read on whatever is full: what comes will be discarded."""
        self._full.clear()
        self._told.clear()
        self._stop_peeking()
        self._resume()

    def _pause(self) -> None:
        assert self._transport is not None
        self._transport.pauseProducing()  # type: ignore[attr-defined]  # every stream transport is a producer
        self._peek = self._clock.callLater(PEEK_INTERVAL, self._peek_once)

    def _peek_once(self) -> None:
        # Stays resumed until the next message finds its buffer full.
        self._peek = None
        self._resume()

    def _resume(self) -> None:
        if self._transport is not None:
            self._transport.resumeProducing()  # type: ignore[attr-defined]

    def _stop_peeking(self) -> None:
        if self._peek is not None:
            self._peek.cancel()
            self._peek = None
