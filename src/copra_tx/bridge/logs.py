"""Our log events in the standard ``logging``, where a program that knows no Twisted looks for them."""

from __future__ import annotations

import functools
import logging

from twisted.logger import ILogObserver, LogEvent, LogLevel, STDLibLogObserver, globalLogPublisher
from zope.interface import implementer

__all__ = ["pass_on_logs", "stop_passing_on_logs"]

LOGGER = "copra_tx"
"""Name of the standard logger, and our namespace in Twisted's log."""

_FRAMES = 8
"""Frames from the standard logger up to whoever logged: that observer's, ours, the publisher's, two of ``Logger``."""


@implementer(ILogObserver)
class _ToStandardLogging:
    """Passes on the events of our namespace."""

    def __call__(self, event: LogEvent) -> None:
        namespace = str(event.get("log_namespace", ""))
        if namespace.partition(".")[0] == LOGGER and not _is_shown_already(event):
            _standard_observer()(event)


@functools.cache
def _standard_observer() -> STDLibLogObserver:
    # Made late: it changes the logger.
    return STDLibLogObserver(LOGGER, _FRAMES)


def _is_shown_already(event: LogEvent) -> bool:
    # Until somebody begins Twisted's logging it writes critical events to stderr itself. So does the standard
    # logging while nobody configured it: one of the two is enough.
    return event.get("log_level") is LogLevel.critical and not logging.getLogger(LOGGER).hasHandlers()


_observer = _ToStandardLogging()


def pass_on_logs() -> None:
    """Begin; a second call changes nothing."""
    globalLogPublisher.addObserver(_observer)


def stop_passing_on_logs() -> None:
    """End."""
    globalLogPublisher.removeObserver(_observer)
