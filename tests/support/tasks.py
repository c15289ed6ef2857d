"""Tests that run in an asyncio task, on the loop of the reactor that runs the others."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater

from copra_tx.bridge import AwaitableDeferred, run_coroutine

Test = Callable[..., Coroutine[Any, Any, None]]
Way = Callable[[AwaitableDeferred[Any]], Coroutine[Any, Any, Any]]


def in_task(test: Test) -> Callable[..., Deferred[None]]:
    """Run an ``async def`` test in a task, where it awaits what asyncio awaits."""

    @functools.wraps(test)
    def run(*arguments: Any, **keywords: Any) -> Deferred[None]:
        task = the_loop().create_task(test(*arguments, **keywords))
        return Deferred.fromFuture(task)

    marked: Callable[..., Deferred[None]] = pytest.mark.asyncio_only(run)
    return marked


def the_loop() -> asyncio.AbstractEventLoop:
    from twisted.internet import reactor

    loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop  # type: ignore[attr-defined]
    return loop


async def turns(count: int = 3) -> None:
    """Give the loop a few turns: whoever can go on has gone on then."""
    for _ in range(count):
        await asyncio.sleep(0)


async def by_task_group(deferred: AwaitableDeferred[Any]) -> Any:
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(deferred)
    except* Exception as errors:
        raise errors.exceptions[0] from None
    return task.result()


async def by_wait(deferred: AwaitableDeferred[Any]) -> Any:
    done, _ = await asyncio.wait([asyncio.create_task(deferred)])
    return done.pop().result()


async def by_timeout(deferred: AwaitableDeferred[Any]) -> Any:
    async with asyncio.timeout(10):
        return await deferred


async def plainly(deferred: Awaitable[Any]) -> Any:
    return await deferred


async def gathered(deferred: AwaitableDeferred[Any]) -> Any:
    first, second = await asyncio.gather(deferred, plainly(deferred))
    assert first is second
    return first


async def by_twisted_coroutine(deferred: AwaitableDeferred[Any]) -> Any:
    return await ensureDeferred(plainly(deferred)).asFuture(asyncio.get_running_loop())


async def by_mixed_coroutine(deferred: AwaitableDeferred[Any]) -> Any:
    from twisted.internet import reactor

    async def mixed() -> Any:
        await deferLater(reactor, 0)
        await asyncio.sleep(0)
        return await deferred

    return await run_coroutine(reactor, mixed()).asFuture(asyncio.get_running_loop())


WAYS: dict[str, Way] = {
    "await": plainly,
    "wait_for": lambda deferred: asyncio.wait_for(deferred, 10),
    "gather": gathered,
    "create_task": lambda deferred: plainly(asyncio.create_task(deferred)),
    "ensure_future": lambda deferred: plainly(asyncio.ensure_future(deferred)),
    "shield": lambda deferred: plainly(asyncio.shield(deferred)),
    "TaskGroup": by_task_group,
    "wait": by_wait,
    "timeout": by_timeout,
    "coroutine of Twisted": by_twisted_coroutine,
    "run_coroutine": by_mixed_coroutine,
}
"""Every way to wait inside an asyncio task."""
