"""What a connection stands on: the WebSocket below it, and its timers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Timers", "Wire"]


class Wire(Protocol):
    """The WebSocket below a connection."""

    @property
    def can_send(self) -> bool:
        """Whether messages can be sent."""

    def send_frame(self, payload: bytes, *, binary: bool) -> None:
        """Send one data frame."""

    def send_octets(self, octets: bytes) -> None:
        """Write to the transport, beside all framing."""

    def send_close(self, code: int, reason: str) -> None:
        """Send a close frame, if messages can be sent."""

    def hang_up(self) -> None:
        """End the TCP line when everything written is sent."""

    def abort(self) -> None:
        """End the TCP line at once."""

    def pause_reading(self) -> None:
        """Read nothing more from the TCP line."""

    def resume_reading(self) -> None:
        """Read again."""


class Timers:
    """
    The named timers of one connection, of which none outlives it.

    Args:
        clock: What they run on.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._running: dict[str, IDelayedCall] = {}
        self._stopped = False

    def start(self, name: str, delay: float, call: Callable[[], None]) -> None:
        """Call ``call`` in ``delay`` seconds; a timer of this name that runs already goes on instead."""
        if name not in self._running and not self._stopped:
            self._running[name] = self._clock.callLater(delay, self._fire, name, call)

    def stop(self, name: str) -> None:
        """Stop the timer of this name, if it runs."""
        if name in self._running:
            self._running.pop(name).cancel()

    def stop_all(self) -> None:
        """Stop every timer, and start none from now on."""
        self._stopped = True
        for name in list(self._running):
            self.stop(name)

    def _fire(self, name: str, call: Callable[[], None]) -> None:
        del self._running[name]
        call()
