"""
Waiting across the border: a Deferred that asyncio can await, and coroutines that may await both kinds.

A coroutine tells its driver what it waits for by yielding it: asyncio's tasks understand futures, Twisted's drivers
understand Deferreds, and each refuses the other's.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from twisted.internet.defer import CancelledError, DebugInfo, Deferred, ensureDeferred
from twisted.python.failure import Failure

__all__ = ["AwaitableDeferred", "run_coroutine"]

T = TypeVar("T")


class _Outcome:
    """What an asyncio task finds when it wakes up: the ``result()`` of a future."""

    def __init__(self, outcome: object) -> None:
        self._outcome = outcome

    def result(self) -> Any:
        if isinstance(self._outcome, Failure):
            if self._outcome.check(CancelledError):
                raise asyncio.CancelledError
            raise self._outcome.value
        return self._outcome


class _Hop(Deferred[Any]):
    """
    What one waiter of an ``AwaitableDeferred`` waits for: to Twisted a Deferred, to an asyncio task a future.

    A class of its own because ``asyncio.isfuture`` is true of it: ``wait_for`` and ``gather`` would take the object
    that users hold for one of asyncio's own futures.
    """

    _asyncio_future_blocking = True  # how a task knows a future; it sets this to False when it has begun to wait

    def __init__(self) -> None:
        super().__init__()
        self.outcome: _Outcome | None = None

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def add_done_callback(self, callback: Callable[[_Outcome], object], *, context: Context | None = None) -> None:
        loop = asyncio.get_running_loop()

        def fired(outcome: object) -> None:
            self.outcome = _Outcome(outcome)
            loop.call_soon(callback, self.outcome, context=context)

        self.addBoth(fired)

    def remove_done_callback(self, _: object) -> int:
        return 0

    def cancel(self, msg: object = None) -> bool:  # type: ignore[override]  # tasks hand in a message, and want to know
        super().cancel()
        return True


class _OwnFailure(DebugInfo):
    """
    Logs a failure that nobody handled, as Twisted does, but for one that was told already.

    Attributes:
        told: The operation's own failure, once it has been told.
    """

    told: Failure | None = None

    def __del__(self) -> None:
        if self.failResult is not None and self.failResult is not self.told:
            super().__del__()


class AwaitableDeferred(Deferred[T], Coroutine[Any, Any, T]):
    """
    The result of an operation, for every way of waiting.

    It is a Deferred (``addCallback``, ``await`` and ``yield`` in Twisted coroutines), and asyncio takes it wherever
    it takes a coroutine: ``await``, ``wait_for``, ``gather``, ``create_task``, ``run_until_complete``, ``TaskGroup``.

    Every waiter sees the same result or failure. Cancelling a waiter (its task, or its ``wait_for``) leaves the
    operation and the other waiters alone; ``cancel()`` of this object itself ends the waiting for everybody.

    A failure that nobody ever looked at is not logged as unhandled: whoever makes an ``AwaitableDeferred`` tells it
    otherwise (``Client.subscribe`` through ``on_error``).
    """

    def __init__(self, canceller: Callable[[Deferred[Any]], None] | None = None) -> None:
        super().__init__(canceller)
        self._debugInfo = self._own = _OwnFailure()
        self._tasks: WeakKeyDictionary[asyncio.Task[Any], Generator[Any, Any, T]] = WeakKeyDictionary()

    @property
    def looked_at(self) -> bool:
        """Whether anybody waits for it now, in whichever way."""
        # ``callbacks`` until Twisted 25.3. Not by overriding addCallbacks: addBoth does not call it, nor does chaining.
        return bool(vars(self).get("_callbacks") or vars(self).get("callbacks"))

    def errback(self, fail: Failure | BaseException | None = None) -> None:
        """Fail the operation; if nobody has looked by then, the caller tells it otherwise."""
        failure = fail if isinstance(fail, Failure) else Failure(fail)  # type: ignore[arg-type]
        if not self.looked_at:
            self._own.told = failure
        super().errback(failure)

    def __await__(self) -> Generator[Any, Any, T]:
        hop = _Hop()

        def relay(outcome: T | Failure) -> T | Failure:
            if isinstance(outcome, Failure) and not hop.called:
                self._own.told = outcome
            if not hop.called:
                hop.callback(outcome)
            return outcome

        self.addBoth(relay)
        if hop.called:
            return (yield from Deferred.__await__(hop))  # type: ignore[no-any-return]
        got = yield hop
        # Twisted's driver hands the result in, asyncio's tasks only wake us up.
        return got if hop.outcome is None else hop.outcome.result()  # type: ignore[no-any-return]

    # A coroutine to asyncio: each task that drives it waits for itself.

    def send(self, value: Any) -> Any:
        """For asyncio's tasks."""
        return self._drive(lambda waiter: waiter.send(value))

    def throw(self, *error: Any) -> Any:
        """For asyncio's tasks."""
        return self._drive(lambda waiter: waiter.throw(*error))

    def close(self) -> None:
        """For asyncio's tasks."""
        task = asyncio.current_task()
        if task is not None and task in self._tasks:
            self._tasks.pop(task).close()

    def _drive(self, step: Callable[[Generator[Any, Any, T]], Any]) -> Any:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an AwaitableDeferred is driven by asyncio's tasks only; await it instead")
        waiter = self._tasks.get(task)
        if waiter is None:
            waiter = self._tasks[task] = self.__await__()
        try:
            return step(waiter)
        except BaseException:
            self._tasks.pop(task, None)
            raise


@types.coroutine
def _understanding_both(
    coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop
) -> Generator[Any, Any, T]:
    """Drive a coroutine inside an asyncio task, and let it wait for Twisted's Deferreds too."""
    step: Callable[[Any], Any] = coroutine.send
    argument: Any = None
    while True:
        try:
            wanted = step(argument)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        try:
            if isinstance(wanted, Deferred) and not isinstance(wanted, _Hop):
                yield from _fired(wanted, loop)
                argument = None  # the Deferred's own iterator takes the result from it
            else:
                argument = yield wanted
        except BaseException as error:  # noqa: BLE001  # the coroutine's to handle, CancelledError included
            step, argument = coroutine.throw, error
        else:
            step = coroutine.send


def _fired(deferred: Deferred[Any], loop: asyncio.AbstractEventLoop) -> Generator[Any, Any, None]:
    """Wait until a Deferred has its result, and leave the result there."""
    woken = loop.create_future()

    def wake(result: object) -> object:
        if not woken.done():
            woken.set_result(None)
        return result

    deferred.addBoth(wake)
    try:
        yield from woken
    except asyncio.CancelledError:
        deferred.addErrback(lambda _: None)
        deferred.cancel()
        raise


def run_coroutine(reactor: object, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """
    Run a coroutine that may await Deferreds and, on asyncio's reactor, whatever asyncio awaits.

    Returns:
        Fires with its result. Cancelling it cancels the coroutine.
    """
    from .reactors import asyncio_loop_of

    loop = asyncio_loop_of(reactor)
    if loop is None:
        return ensureDeferred(coroutine)
    done: Deferred[T] = Deferred.fromFuture(loop.create_task(_awaited(_understanding_both(coroutine, loop))))
    return done.addErrback(_as_twisteds)


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _as_twisteds(failure: Failure) -> Failure:
    return Failure(CancelledError()) if failure.check(asyncio.CancelledError) else failure
