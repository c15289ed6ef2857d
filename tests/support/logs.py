"""What is logged through Twisted while a block runs: all of it, to be read, searched and waited for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, eventAsText, formatEvent, globalLogPublisher
from zope.interface import implementer

from support.peers import within

__all__ = ["Log", "logged"]


@implementer(ILogObserver)
class Log:
    """The events so far, oldest first."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []
        self._waiting: list[tuple[str, Deferred[None]]] = []

    def __call__(self, event: LogEvent) -> None:
        self.events.append(event)
        for entry in [entry for entry in self._waiting if entry[0] in formatEvent(event)]:
            self._waiting.remove(entry)
            entry[1].callback(None)

    def lines(self, namespace: str = "") -> list[str]:
        """Return what each event says, those of one namespace and below only, if given."""
        return [formatEvent(event) for event in self.events if str(event.get("log_namespace")).startswith(namespace)]

    def everything(self) -> str:
        """Return all that any observer could get to see: lines with tracebacks, and every field of every event."""
        return "\n".join(f"{eventAsText(event)}\n{event!r}" for event in self.events)

    def when(self, words: str) -> Deferred[None]:
        """Fire at the next event that says so."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((words, waiting))
        return within(waiting)


@contextmanager
def logged() -> Iterator[Log]:
    """Take what is logged until the block ends; debug events, too."""
    log = Log()
    globalLogPublisher.addObserver(log)
    try:
        yield log
    finally:
        globalLogPublisher.removeObserver(log)
