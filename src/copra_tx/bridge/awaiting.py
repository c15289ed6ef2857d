"""
A Deferred that asyncio can await too.

A coroutine tells its driver what it waits for by yielding it: Twisted's drivers understand Deferreds, asyncio's tasks
understand futures, and each refuses the other's. Who drives is not known beforehand, so what an ``AwaitableDeferred``
yields is both.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from twisted.internet.defer import CancelledError, DebugInfo, Deferred
from twisted.python.failure import Failure

__all__ = ["AwaitableDeferred"]

T = TypeVar("T")


class _Outcome:
    """What an asyncio task is woken with: the ``result()`` of a future, which raises what there is to raise."""

    def __init__(self, outcome: object) -> None:
        self._outcome = outcome

    def result(self) -> None:
        failure = self._outcome
        if not isinstance(failure, Failure):
            return
        error = failure.value
        assert error is not None
        try:
            if isinstance(error, CancelledError):
                raise asyncio.CancelledError(*error.args)
            raise error.with_traceback(failure.tb)
        finally:
            del self, failure, error  # a traceback holds this frame, which then must not hold the failure


class Hop(Deferred[None]):
    """
    What one waiter waits for: a Deferred to Twisted's drivers, a future to asyncio's tasks.

    A class of its own because ``asyncio.isfuture`` is true of it: ``wait_for`` and ``gather`` would take the object
    that users hold for one of asyncio's own futures.
    """

    _asyncio_future_blocking = True  # how a task knows a future; it sets this to False when it begins to wait

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def add_done_callback(self, callback: Callable[[_Outcome], object], *, context: Context | None = None) -> None:
        loop = asyncio.get_running_loop()

        def wake(outcome: object) -> None:
            loop.call_soon(callback, _Outcome(outcome), context=context)

        self.addBoth(wake)

    def cancel(self, msg: object = None) -> bool:  # type: ignore[override]  # as a future's: tells whether it did
        """End this waiting; what is waited for is left alone."""
        if self.called:
            return False
        self.errback(CancelledError() if msg is None else CancelledError(msg))
        return True


class _Unhandled(DebugInfo):
    """
    Logs a failure that nobody handled when its Deferred is gone, as Twisted does; but not one that was told.

    Attributes:
        told: The latest failure that needs no log: the operation's own, or what a waiter got.
        heard: Whether a waiter got something.
    """

    told: Failure | None = None
    heard = False

    def __del__(self) -> None:
        if self.failResult is not self.told:
            super().__del__()


class _Point:
    """A point in a chain of callbacks where waiters see what has come of it, and leave it for those behind."""

    def __init__(self, unhandled: _Unhandled) -> None:
        self._unhandled = unhandled
        self._waiting: dict[Hop, None] = {}
        self.reached = False
        self.outcome: Any = None

    def begin(self, outcome: object) -> object:
        """Reach the point at the head of the chain, with the operation's own result or failure."""
        if isinstance(outcome, Failure):
            self._unhandled.told = outcome
        return self.reach(outcome)

    def reach(self, outcome: object) -> object:
        self.reached, self.outcome = True, outcome
        for hop in list(self._waiting):
            if not hop.called:
                self._wake(hop)
        return outcome

    def join(self, hop: Hop) -> None:
        if self.reached:
            self._wake(hop)
        else:
            self._waiting[hop] = None

    def leave(self, hop: Hop) -> None:
        self._waiting.pop(hop, None)

    def _wake(self, hop: Hop) -> None:
        self._unhandled.heard = True
        if isinstance(self.outcome, Failure):
            self._unhandled.told = self.outcome
            hop.errback(self.outcome)
        else:
            hop.callback(None)


def _moving_on(add: Callable[..., Deferred[Any]]) -> Callable[..., Deferred[Any]]:
    """Let whoever waits from now on see what a new callback makes of the result, as with every Deferred."""

    @functools.wraps(add)
    def added(self: AwaitableDeferred[Any], *arguments: Any, **keywords: Any) -> Deferred[Any]:
        self._point = None
        return add(self, *arguments, **keywords)

    return added


class AwaitableDeferred(Deferred[T], Coroutine[Any, Any, T]):
    """
    The result of an operation, for every way of waiting.

    It is a Deferred, and asyncio takes it wherever it takes a coroutine: ``await``, ``wait_for``, ``gather``,
    ``shield``, ``create_task``, ``TaskGroup``, ``run_until_complete``. (``asyncio.wait`` takes tasks only.)

    All who wait, in asyncio's or in Twisted's coroutines, see the same result or failure, whenever they come.
    Cancelling one of them (its task, its ``wait_for``) leaves the operation and the others alone; ``cancel()`` of
    this object itself ends it for everybody.

    Callbacks do what they do with every Deferred: whoever is added, or waits, after one sees what it returned. To
    ``yield`` it in ``inlineCallbacks``, or to return it from a callback of another Deferred, gives it away: the
    taker takes its result, and cancelling the taker cancels the operation.

    Its own failure is never logged as unhandled: whoever makes an ``AwaitableDeferred`` finds in ``looked_at``
    whether anybody took the failure, and else tells it in another way (``Client.subscribe`` through ``on_error``). The
    failure of a callback is logged as ever.
    """

    __name__ = "AwaitableDeferred"  # what tasks show as the name of their coroutine

    def __init__(self, canceller: Callable[[Deferred[Any]], None] | None = None) -> None:
        super().__init__(canceller)
        self._unhandled = _Unhandled()
        if self._debugInfo is not None:
            vars(self._unhandled).update(vars(self._debugInfo))
        self._debugInfo = self._unhandled
        self._point: _Point | None = _Point(self._unhandled)
        super().addCallbacks(self._point.begin, self._point.begin)
        self._drives: WeakKeyDictionary[asyncio.Task[Any], Generator[Any, Any, T]] = WeakKeyDictionary()

    if not TYPE_CHECKING:  # Twisted's own signatures hold
        addCallbacks = _moving_on(Deferred.addCallbacks)  # noqa: N815
        addCallback = _moving_on(Deferred.addCallback)  # noqa: N815
        addErrback = _moving_on(Deferred.addErrback)  # noqa: N815
        addBoth = _moving_on(Deferred.addBoth)  # noqa: N815

    @property
    def looked_at(self) -> bool:
        """Of a failed operation: whether anybody took the failure, by waiting or by a callback that dealt with it."""
        return self._unhandled.heard or getattr(self, "result", None) is not self._unhandled.told

    def __await__(self) -> Generator[Any, Any, T]:
        point = self._point
        if point is None:
            point = self._point = _Point(self._unhandled)
            super().addCallbacks(point.reach, point.reach)
        if point.reached and not isinstance(point.outcome, Failure):
            return point.outcome  # type: ignore[no-any-return]
        hop = Hop()
        try:
            point.join(hop)
            yield hop  # raises the failure: each driver its own kind, if it is a cancellation
            return point.outcome  # type: ignore[no-any-return]
        finally:
            point.leave(hop)
            del self, point, hop  # as above

    # A coroutine to asyncio's tasks, each of which waits for itself.

    def send(self, value: Any) -> Any:
        """For asyncio's tasks."""
        try:
            return self._drive().send(value)
        finally:
            del self  # as above

    def throw(self, *error: Any) -> Any:
        """For asyncio's tasks."""
        try:
            return self._drive().throw(*error)
        finally:
            del self, error  # as above

    def close(self) -> None:
        """For asyncio's tasks: there is nothing to close, a task that ends takes its own waiting with it."""

    def _drive(self) -> Generator[Any, Any, T]:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only asyncio's tasks drive an AwaitableDeferred; await it")
        drive = self._drives.get(task)
        if drive is None:
            drive = self._drives[task] = self.__await__()
        return drive
