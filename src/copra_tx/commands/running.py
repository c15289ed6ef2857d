"""One run of a command: until Ctrl-C, a deadline, or something that only the user can mend."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from twisted.application.service import IService

from copra_tx.names import look_up_on_daemon_threads

from .complaints import complain

__all__ = ["Run"]

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end a run in good order."""


class Run:
    """
    Runs a service on a reactor that is this program's own.

    Args:
        reactor: The reactor; it is run once.
        seconds: End after this many; ``None`` for no limit.
    """

    def __init__(self, reactor: Any, seconds: float | None = None) -> None:
        look_up_on_daemon_threads(reactor)
        self._reactor = reactor
        self._seconds = seconds
        self._ended = False
        self._complaint = ""
        self._cleanups: list[Callable[[], None]] = []
        self.expired: Callable[[], str] = lambda: ""
        """Asked at the deadline for what is wrong by then; nothing if the text is empty."""

    def end(self, complaint: str = "") -> None:
        """
        Stop the service and end the run.

        Args:
            complaint: What is wrong, and what to do about it; the status is 1 then.
        """
        if not self._ended:
            self._ended = True
            self._complaint = complaint
            self._reactor.callWhenRunning(self._reactor.stop)

    def at_the_very_end(self, cleanup: Callable[[], None]) -> None:
        """Have something called even if the run is cut short, by a signal's handler then; it may be called twice."""
        self._cleanups.append(cleanup)

    def __call__(self, service: IService) -> int:
        """
        Start the service, run, stop the service.

        Returns:
            The status of the program: 1 if ``end`` was given a complaint, which is then written to stderr, else 0.
        """
        self._reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
        for number in ENDING:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._signalled)
        try:
            service.startService()
            if self._seconds is not None:
                self._reactor.callWhenRunning(self._reactor.callLater, self._seconds, self._expire)
            self._reactor.run(installSignalHandlers=False)
        finally:
            for number in ENDING:
                signal.signal(number, signal.SIG_IGN)  # all is done; the interpreter's own end is not to be disturbed
            self._clean_up()
        return self._status()

    def _status(self) -> int:
        return complain(self._complaint) if self._complaint else 0

    def _expire(self) -> None:
        self.end(self.expired())

    def _signalled(self, *_: object) -> None:
        if not self._ended:
            self._reactor.callFromThread(self.end)
            return
        # A second one: something keeps us. It may have come in the midst of a write, which then fails here.
        status = 1
        try:
            self._clean_up()
            status = self._status()
        finally:
            os._exit(status)

    def _clean_up(self) -> None:
        for cleanup in self._cleanups:
            cleanup()
