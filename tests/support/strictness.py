"""
A pytest plugin that makes pytest-twisted as strict as trial.

After each test, and after the teardown of its fixtures, the test fails if

* a failure, or an event of level ``critical``, was logged through Twisted, or an error by asyncio's loop, and
  the test did not take it from the ``logged_errors`` fixture;
* a delayed call, a selectable (socket, port, pipe), or an asyncio task or file descriptor, is left in the global
  reactor that was not there before the test.

What is left is cancelled and dropped, so that the next test starts clean. A test marked ``asyncio_only`` is
not run on any other reactor than asyncio's.

The reactor is imported by the fixtures, never at module level: pytest-twisted installs it after the plugins
are loaded.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Iterator

# Turns of the reactor which a test's last sockets get to close themselves. Loopback needs no time, only
# turns: a TLS close takes about ten.
_SETTLING_TURNS = 100


class CriticalEventError(Exception):
    """Stands for a critical event, or an error of asyncio's loop, that was logged without an exception."""


@implementer(ILogObserver)
class LoggedErrors:
    """The failures logged during one test, oldest first."""

    def __init__(self) -> None:
        self._failures: list[Failure] = []

    def flush(self, *types: type[BaseException]) -> list[Failure]:
        """
        Return the failures of these types (of any type, when none is given) and take them as expected.

        What is logged later, or in the teardown of a fixture, still fails the test.
        """
        gc.collect()  # a Deferred whose failure nobody handled logs it when it is collected
        flushed = [failure for failure in self._failures if not types or failure.check(*types)]
        self._failures = [failure for failure in self._failures if failure not in flushed]
        return flushed

    def __call__(self, event: LogEvent) -> None:
        """Take an event of Twisted's log."""
        failure = event.get("log_failure") or event.get("failure")  # the latter by twisted.python.log.err
        if failure is not None:
            self._failures.append(failure)
        elif event.get("log_level") is LogLevel.critical and not event.get("isError"):
            # With "isError" and no failure it is the headline of an event that follows and has the failure.
            self._failures.append(Failure(CriticalEventError(formatEvent(event))))

    def take_record(self, record: logging.LogRecord) -> None:
        """Take a record of asyncio's log: its loop tells there about exceptions that nobody retrieved."""
        error = record.exc_info[1] if record.exc_info else None
        self._failures.append(Failure(error or CriticalEventError(record.getMessage())))


class _Leftovers:
    """What there is in the global reactor now and was not when this was made."""

    def __init__(self) -> None:
        from twisted.internet import reactor

        self._reactor: Any = reactor
        self._loop: Any = getattr(reactor, "_asyncioEventloop", None)
        self._before = {*self._calls(), *self._selectables(), *self._tasks(), *self._descriptors()}

    def _calls(self) -> set[Any]:
        return set(self._reactor.getDelayedCalls())

    def _selectables(self) -> set[Any]:
        own = self._reactor._internalReaders  # its waker, and what tells it about signals
        return {*self._reactor.getReaders(), *self._reactor.getWriters()}.difference(own)

    def _tasks(self) -> set[Any]:
        return set() if self._loop is None else asyncio.all_tasks(self._loop)

    def _descriptors(self) -> set[Any]:
        """Return what asyncio's own transports wait for; a closed one breaks whoever gets its number next."""
        selector = getattr(self._loop, "_selector", None)
        own = {reader.fileno() for reader in self._reactor._internalReaders}
        waited_for = [] if selector is None else [key.fd for key in selector.get_map().values()]
        return {(descriptor, "descriptor") for descriptor in waited_for if descriptor not in own}

    def settle(self) -> None:
        """Turn the reactor until nothing is left; at least twice, at most ``_SETTLING_TURNS`` times."""
        for turn in range(_SETTLING_TURNS):
            left = self._calls() | self._selectables() | self._tasks() | self._descriptors()
            if turn >= 2 and not left - self._before:
                return
            pytest_twisted.blockon(deferLater(self._reactor, 0))

    def clear(self) -> list[str]:
        """Cancel and drop what is left, and return it in words."""
        words = []
        for call in self._calls() - self._before:
            words.append(f"delayed call: {call}")
            call.cancel()
        for task in self._tasks() - self._before:
            words.append(f"asyncio task: {task!r}")
            task.cancel()
        for selectable in self._selectables() - self._before:
            words.append(f"selectable: {selectable!r}")
            self._reactor.removeReader(selectable)
            self._reactor.removeWriter(selectable)
            if hasattr(selectable, "socket"):
                selectable.socket.close()
        for descriptor, _ in self._descriptors() - self._before:
            words.append(f"descriptor: {descriptor}")
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)
        if words:
            pytest_twisted.blockon(deferLater(self._reactor, 0))  # cancelled tasks end here, not later
        return words


@pytest.fixture(scope="session", autouse=True)
def _frozen_heap() -> Iterator[None]:
    """Exempt what the imports made from the collection after each test: 1 ms instead of 50."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def logged_errors(_frozen_heap: None) -> Iterator[LoggedErrors]:
    """Fail the test for unexpected logged errors and for what it leaves in the reactor; see the module."""
    errors, leftovers = LoggedErrors(), _Leftovers()
    handler = logging.Handler(logging.ERROR)
    handler.emit = errors.take_record  # type: ignore[method-assign]
    globalLogPublisher.addObserver(errors)
    logging.getLogger("asyncio").addHandler(handler)
    yield errors
    leftovers.settle()
    gc.collect()  # unhandled errors of Deferreds and tasks belong to the test that made them
    gc.freeze()  # what is left are caches: the next collection need not look through them again
    left = leftovers.clear()
    globalLogPublisher.removeObserver(errors)
    logging.getLogger("asyncio").removeHandler(handler)
    logged = errors.flush()
    complaints = [f"logged and not flushed: {failure.getTraceback()}" for failure in logged]
    complaints += [f"left in the reactor: {word}" for word in left]
    if complaints:
        pytest.fail("\n".join(complaints), pytrace=False)


def pytest_configure(config: pytest.Config) -> None:
    """Declare our marker."""
    config.addinivalue_line("markers", "asyncio_only: needs asyncio's reactor; not run on others")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that need asyncio when another reactor drives them."""
    if config.getoption("reactor") == "asyncio":
        return
    left_out = [item for item in items if item.get_closest_marker("asyncio_only")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
