"""Coroutines that may wait for Twisted's Deferreds and for what asyncio awaits, in any mixture."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.python.failure import Failure

from .awaiting import Hop
from .reactors import asyncio_loop_of

__all__ = ["FAILURES", "run_coroutine"]

FAILURES = (Exception, asyncio.CancelledError)
"""
What is a failure if the user's code raises it; Ctrl-C and an exit are not.

A callback that looks at the result of a future that was cancelled is mistaken, and not cancelled itself.
"""

T = TypeVar("T")


def run_coroutine(reactor: object, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """
    Run a coroutine that may await Deferreds and, on asyncio's reactor, whatever asyncio awaits.

    On asyncio's reactor it runs in a task, from the loop's next turn on; elsewhere as Twisted runs its coroutines. A
    task that the coroutine makes of another one (``create_task``, ``gather``) is asyncio's alone, and
    awaits no Deferred but an ``AwaitableDeferred``.

    Returns:
        Fires with its result. Cancelling it cancels the coroutine, and fails it with Twisted's ``CancelledError``.
    """
    loop = asyncio_loop_of(reactor)
    if loop is None:
        return ensureDeferred(coroutine)
    done: Deferred[T] = Deferred.fromFuture(loop.create_task(_understanding_both(coroutine, loop)))
    return done.addErrback(_as_twisteds)


async def _understanding_both(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    return await _translating(coroutine, loop)


@types.coroutine
def _translating(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> Generator[Any, Any, T]:
    """Drive a coroutine, and wait in an asyncio task's way for the Deferreds that it waits for."""
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            wanted = coroutine.send(value) if error is None else coroutine.throw(error)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        finally:
            value = error = None  # a traceback holds this frame, which then must not hold the error
        try:
            if isinstance(wanted, Deferred) and not isinstance(wanted, Hop):
                yield from _fired(wanted, loop)  # the Deferred's own iterator takes the result then
            else:
                value = yield wanted
        except BaseException as caught:  # noqa: BLE001  # the coroutine's to handle, CancelledError included
            error = caught


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


def _as_twisteds(failure: Failure) -> Failure:
    return Failure(CancelledError()) if failure.check(asyncio.CancelledError) else failure
