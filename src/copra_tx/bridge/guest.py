"""A reactor that can be a guest on somebody else's loop."""

from __future__ import annotations

import asyncio
import functools
import threading

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.logger import Logger

from .logs import pass_on_logs, stop_passing_on_logs

__all__ = ["GuestReactor"]


class GuestReactor(AsyncioSelectorReactor):
    """
    Twisted's asyncio reactor, for loops that somebody else runs and stops.

    Twisted's own works under ``reactor.run()`` only. On a loop that merely runs, its thread pool is never started, so
    that look-ups of host names hang for ever; started without ``run()`` and never stopped, its threads keep the
    process alive; and ``stop()`` stops the host's loop. Here ``begin()`` starts it as a guest: everything works,
    nothing outlives the loop, and stopping the reactor leaves the loop running. ``reactor.run()`` works as ever.

    Uses a few undocumented names of Twisted's base classes, each by a test of the hosts in which it must work.

    Args:
        loop: The loop to live on.
        passes_on_logs: Whether our log events go to the standard ``logging`` while it is a guest.

    Attributes:
        guest: Whether it was started by ``begin()``, not by ``run()``.
    """

    _log = Logger()

    def __init__(self, loop: asyncio.AbstractEventLoop, *, passes_on_logs: bool = True) -> None:
        super().__init__(loop)
        self.guest = False
        self._passes_on_logs = passes_on_logs
        self._spent = False  # the shutdown triggers have fired once

    def begin(self) -> None:
        """Start as a guest, unless it runs already."""
        if self.running:
            return
        if self._spent:  # a shutdown used up what Twisted's constructor arranged for it
            self._spent = self._startedBefore = False
            for step in (self.crash, self.disconnectAll):
                self.addSystemEventTrigger("during", "shutdown", step)
        self.guest = True
        if self._passes_on_logs:
            pass_on_logs()
        # Nobody may ever stop us: threads must not keep the process alive.
        self.getThreadPool().threadFactory = functools.partial(threading.Thread, daemon=True)  # type: ignore[assignment]
        self.startRunning(installSignalHandlers=False)
        self._reschedule()

    def run(self, installSignalHandlers: bool = True) -> None:
        """Run until stopped, as Twisted's; the loop is ours then, not somebody else's."""
        self.guest = False
        stop_passing_on_logs()
        super().run(installSignalHandlers)

    def crash(self) -> None:
        """Reset the reactor, the last step of a stop; as a guest it leaves the loop running."""
        if self.guest:
            self._spent = True
            super(AsyncioSelectorReactor, self).crash()
        else:
            super().crash()

    def rebind(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        Move to another loop, because the old one is closed.

        What was left on the old loop, sockets and delayed calls, ended with it.
        """
        calls = self.getDelayedCalls()
        lines = [one for one in {*self._readers, *self._writers} if one not in self._internalReaders]
        if calls or lines:
            self._log.warn(
                "The loop was closed with {lines} open connections and {calls} delayed calls on it, which are "
                "forgotten now; close clients before their loop ends",
                lines=len(lines),
                calls=len(calls),
            )
        for call in calls:
            call.cancel()
        if self.running:  # nobody detached
            super(AsyncioSelectorReactor, self).crash()
            self._startedBefore = False
        self._asyncioEventloop = loop
        self._scheduledAt = self._timerHandle = None
        self._readers.clear()
        self._writers.clear()
        for reader in self._internalReaders:
            self.addReader(reader)
