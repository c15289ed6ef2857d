"""A reactor that can be a guest on somebody else's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.logger import Logger

from .interrupts import Interrupts
from .logs import pass_on_logs, stop_passing_on_logs
from .threads import wait_for_no_thread_of

__all__ = ["GuestReactor"]


class GuestReactor(AsyncioSelectorReactor):
    """
    Twisted's asyncio reactor, for loops that somebody else runs and stops.

    Twisted's own works under ``reactor.run()`` only. On a loop that merely runs, its thread pool is never started, so
    that look-ups of host names hang for ever; started without ``run()`` and never stopped, its threads keep the
    process alive; and ``stop()`` stops the host's loop. Here ``begin()`` starts it as a guest: everything works,
    nothing outlives the loop, and stopping the reactor leaves the loop running. ``reactor.run()`` works as ever.

    Uses undocumented names of Twisted's: ``_asyncioEventloop``, ``_readers``, ``_writers``, ``_internalReaders``,
    ``_scheduledAt``, ``_timerHandle``, ``_onTimer``, ``_started``, ``_startedBefore`` and ``_justStopped``. The tests
    run it in every kind of host.

    Args:
        loop: The loop to live on.

    Attributes:
        guest: Whether it was started by ``begin()``, not by ``run()``.
    """

    _log = Logger()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.guest = False
        self._passes_on_logs = True
        self._interrupts = Interrupts()
        self.addSystemEventTrigger("after", "shutdown", stop_passing_on_logs)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop it lives on."""
        return self._asyncioEventloop

    @property
    def passes_on_logs(self) -> bool:
        """Whether our log events go to the standard ``logging`` while it is a guest."""
        return self._passes_on_logs

    @passes_on_logs.setter
    def passes_on_logs(self, wanted: bool) -> None:
        self._passes_on_logs = wanted
        if not wanted:
            stop_passing_on_logs()
        elif self.guest and self.running:
            pass_on_logs()

    def begin(self) -> None:
        """Start as a guest, unless it runs already. Call it on the running loop."""
        if self._started:
            return
        if self._startedBefore:  # a shutdown used up what the constructors arranged for it
            self._startedBefore = False
            self.addSystemEventTrigger("during", "shutdown", self.crash)
            self.addSystemEventTrigger("during", "shutdown", self.disconnectAll)
            self.addSystemEventTrigger("after", "shutdown", stop_passing_on_logs)
        self.guest = True
        if self._passes_on_logs:
            pass_on_logs()
        self._interrupts.install(self.loop)
        wait_for_no_thread_of(self.getThreadPool())
        self.startRunning(installSignalHandlers=False)

    def run(self, installSignalHandlers: bool = True) -> None:  # noqa: N803
        """Run until stopped, as Twisted's; the loop is ours then, not somebody else's."""
        if self.guest and self._started:  # begun when the loop ran for something else
            self._reset()
        self.guest = False
        stop_passing_on_logs()
        super().run(installSignalHandlers)

    def crash(self) -> None:
        """Stop without shutdown triggers, or as their last step; a guest leaves the loop running."""
        if self.guest:
            self._reset()
        else:
            super().crash()

    def _reset(self) -> None:
        self._interrupts.uninstall()
        super(AsyncioSelectorReactor, self).crash()

    def callFromThread(  # type: ignore[override]  # noqa: N802  # Twisted's own classes disagree on the name of f
        self, f: Callable[..., Any], *args: object, **kwargs: object
    ) -> None:
        """Call soon in the loop's thread; if the loop is closed, as soon as another one takes its place."""
        self.threadCallQueue.append((f, args, kwargs))
        loop = self.loop
        try:
            loop.call_soon_threadsafe(self._onTimer)
        except RuntimeError:
            if not loop.is_closed():
                raise

    def rebind(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        Move to another loop, because the old one is closed.

        Sockets, delayed calls, and what threads were doing move along; the loop's own transports cannot, and end. A
        client that was not closed goes on either way, and the log says that it was left.
        """
        from .transports import open_transports

        readers, writers, bound = list(self._readers), list(self._writers), open_transports(self.loop)
        lines, calls = {*readers, *writers, *bound} - self._internalReaders, self.getDelayedCalls()
        if lines or calls:
            self._log.warn(
                "A loop was closed with {lines} connections and {calls} delayed calls on it; the next loop takes them "
                "over. Close clients before their loop ends",
                lines=len(lines),
                calls=len(calls),
            )
        if self._justStopped:  # the shutdown was to come in a turn that the old loop did not have
            self._justStopped = self._startedBefore = False
        if self._started:  # nobody detached
            self._reset()
        self._asyncioEventloop = loop
        self._scheduledAt = self._timerHandle = None
        self._readers.clear()
        self._writers.clear()
        for reader in readers:
            self.addReader(reader)
        for writer in writers:
            self.addWriter(writer)
        for transport in bound:
            transport.loop_closed()
        loop.call_soon(self._onTimer)
