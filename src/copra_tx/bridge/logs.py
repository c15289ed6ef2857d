"""Our log events in the standard ``logging``, where a program that knows no Twisted looks for them."""

from __future__ import annotations

import logging

from twisted.logger import ILogObserver, LogEvent, LogLevel, STDLibLogObserver, globalLogPublisher
from zope.interface import implementer

__all__ = ["pass_on_logs", "stop_passing_on_logs"]


@implementer(ILogObserver)
class _ToStandardLogging:
    """Passes on what ``copra_tx`` logs, under the logger name ``copra_tx``."""

    def __init__(self) -> None:
        self._pass_on = STDLibLogObserver("copra_tx")

    def __call__(self, event: LogEvent) -> None:
        namespace = str(event.get("log_namespace", ""))
        if namespace.partition(".")[0] == "copra_tx" and not _is_shown_already(event):
            self._pass_on(event)


def _is_shown_already(event: LogEvent) -> bool:
    # Until somebody begins Twisted's logging it writes critical events to stderr itself. So does the standard
    # logging while it is not configured: one of the two is enough.
    return event.get("log_level") is LogLevel.critical and not logging.getLogger("copra_tx").hasHandlers()


_observer = _ToStandardLogging()


def pass_on_logs() -> None:
    """Begin; a second call changes nothing."""
    stop_passing_on_logs()
    globalLogPublisher.addObserver(_observer)


def stop_passing_on_logs() -> None:
    """End."""
    globalLogPublisher.removeObserver(_observer)
