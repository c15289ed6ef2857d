"""Coroutines that wait for Twisted's Deferreds and for asyncio's futures."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import deferLater

from copra_tx.bridge import AwaitableDeferred, run_coroutine
from support.reactors import FakeReactor
from support.tasks import in_task, plainly, the_loop, turns
from support.world import outcome


def run(coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
    from twisted.internet import reactor

    return run_coroutine(reactor, coroutine)


# -- on asyncio's reactor


@in_task
async def test_it_awaits_every_kind_in_any_mixture() -> None:
    from twisted.internet import reactor

    awaitable: AwaitableDeferred[int] = AwaitableDeferred()

    async def inner() -> int:
        await awaitable
        return await deferLater(reactor, 0, lambda: 4)  # type: ignore[arg-type]

    async def coroutine() -> list[int]:
        plain: Deferred[int] = Deferred()
        plain.addCallback(lambda number: number + 1)
        the_loop().call_soon(plain.callback, 0)
        the_loop().call_soon(awaitable.callback, 2)
        future = the_loop().create_future()
        the_loop().call_soon(future.set_result, 3)
        got = [await plain, await awaitable, await future, await inner(), await ensureDeferred(inner())]
        got += await asyncio.gather(asyncio.sleep(0, 5), awaitable, asyncio.wait_for(awaitable, 1))
        got.append(await plain)  # once more, which Twisted allows
        return got

    assert await run(coroutine()).asFuture(the_loop()) == [1, 2, 3, 4, 4, 5, 2, 2, 1]


@in_task
async def test_failures_of_every_kind_can_be_caught_and_nothing_else_tells_them() -> None:
    async def coroutine() -> list[str]:
        plain: Deferred[None] = Deferred()
        the_loop().call_soon(lambda: plain.errback(ValueError("plain")))
        awaitable: AwaitableDeferred[None] = AwaitableDeferred()
        the_loop().call_soon(lambda: awaitable.errback(ValueError("awaitable")))
        future = the_loop().create_future()
        the_loop().call_soon(future.set_exception, ValueError("future"))
        chained: Deferred[None] = Deferred()
        chained.addCallback(lambda _: plain)
        chained.callback(None)
        caught = []
        for one in (chained, awaitable, future, awaitable):
            try:
                await one
            except ValueError as error:
                caught.append(str(error))
        return caught

    assert await run(coroutine()).asFuture(the_loop()) == ["plain", "awaitable", "future", "awaitable"]


@in_task
async def test_its_own_failure_is_that_of_the_deferred() -> None:
    error = ValueError("mine")

    async def coroutine() -> None:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(ValueError, match="mine") as caught:
        await run(coroutine()).asFuture(the_loop())
    assert caught.value is error


@in_task
async def test_cancelling_reaches_a_deferred() -> None:
    cancelled: list[Deferred[Any]] = []
    plain: Deferred[None] = Deferred(cancelled.append)
    running = run(plainly(plain))
    got = outcome(running)
    await turns()
    running.cancel()
    await turns()
    assert cancelled == [plain]
    assert got[0].check(CancelledError)


@in_task
async def test_cancelling_reaches_a_future() -> None:
    future = the_loop().create_future()
    running = run(plainly(future))
    got = outcome(running)
    await turns()
    running.cancel()
    await turns()
    assert future.cancelled()
    assert got[0].check(CancelledError)


@in_task
async def test_cancelling_leaves_the_operation_of_an_awaitable_deferred_alone() -> None:
    awaitable: AwaitableDeferred[int] = AwaitableDeferred()
    running = run(plainly(awaitable))
    got = outcome(running)
    await turns()
    running.cancel()
    await turns()
    assert got[0].check(CancelledError)
    awaitable.callback(1)
    assert await awaitable == 1


@in_task
async def test_cancelling_before_it_began() -> None:
    begun: list[bool] = []

    async def coroutine() -> None:
        begun.append(True)

    started = coroutine()
    running = run(started)
    got = outcome(running)
    running.cancel()
    await turns()
    assert got[0].check(CancelledError)
    assert begun == []
    started.close()  # asyncio throws into what drives it, before that drives it


@in_task
async def test_cancelling_in_the_turn_of_the_result_or_failure() -> None:
    for fire in (lambda it: it.callback(None), lambda it: it.errback(ValueError("too late"))):
        plain: Deferred[None] = Deferred()
        running = run(plainly(plain))
        got = outcome(running)
        await turns()
        fire(plain)
        running.cancel()
        await turns()
        assert got[0].check(CancelledError)


@in_task
async def test_a_coroutine_may_catch_the_cancellation_and_go_on() -> None:
    async def coroutine() -> str:
        try:
            await Deferred()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "went on"

    running = run(coroutine())
    got = outcome(running)
    await turns()
    running.cancel()
    await turns()
    assert got == ["went on"]


@in_task
async def test_a_deferred_that_others_cancel_raises_twisteds_kind() -> None:
    plain: Deferred[None] = Deferred()
    running = run(plainly(plain))
    got = outcome(running)
    await turns()
    plain.cancel()
    await turns()
    assert got[0].check(CancelledError)


@in_task
async def test_it_begins_in_a_later_turn_with_the_context_of_its_caller() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("caller's")

    async def coroutine() -> str:
        before = variable.get()
        variable.set("its own")
        await Deferred.fromFuture(asyncio.ensure_future(asyncio.sleep(0)))
        return f"{before}, {variable.get()}"

    running = run(coroutine())
    assert not running.called
    assert await running.asFuture(the_loop()) == "caller's, its own"
    assert variable.get() == "caller's"


@in_task
async def test_an_error_goes_when_nobody_has_it_any_more() -> None:
    class MineError(Exception):
        pass

    async def failing() -> None:
        await asyncio.sleep(0)
        raise MineError

    async def coroutine() -> weakref.ref[MineError]:
        try:
            await failing()
        except MineError as error:
            return weakref.ref(error)
        raise AssertionError

    gc.disable()
    try:
        gone = await run(coroutine()).asFuture(the_loop())
        await turns()
        assert gone() is None
    finally:
        gc.enable()


# -- on any other


def test_elsewhere_it_runs_as_a_coroutine_of_twisteds() -> None:
    plain: Deferred[int] = Deferred()
    awaitable: AwaitableDeferred[int] = AwaitableDeferred()

    async def coroutine() -> list[int]:
        return [await plain, await awaitable]

    got = outcome(run_coroutine(FakeReactor(), coroutine()))
    plain.callback(1)
    awaitable.callback(2)
    assert got == [[1, 2]]


def test_elsewhere_cancelling_reaches_what_it_waits_for() -> None:
    plain: Deferred[int] = Deferred()
    running = run_coroutine(FakeReactor(), plainly(plain))
    got = outcome(running)
    running.cancel()
    assert got[0].check(CancelledError)
    assert plain.called
