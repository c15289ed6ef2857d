"""Waiting for an AwaitableDeferred in asyncio; what Twisted makes of it is in test_awaiting_in_twisted.py."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from copra_tx.bridge import AwaitableDeferred
from support.tasks import WAYS, in_task, plainly, the_loop, turns

pytestmark = pytest.mark.asyncio_only

ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@pytest.fixture(params=["plain", "debug", "task in Python"])
def loop_kind(request: pytest.FixtureRequest) -> Iterator[None]:
    """The loop as it is, in debug mode, and with asyncio's other implementation of tasks."""
    loop = the_loop()
    debug = loop.get_debug()
    if request.param == "debug":
        loop.set_debug(True)
    elif request.param == "task in Python":
        loop.set_task_factory(
            lambda loop, coroutine, **keywords: asyncio.tasks._PyTask(coroutine, loop=loop, **keywords)  # type: ignore[attr-defined]
        )
    yield
    loop.set_debug(debug)
    loop.set_task_factory(None)


@ways
@in_task
async def test_the_result_comes_by_every_way(way: Any, loop_kind: None) -> None:
    deferred: AwaitableDeferred[object] = AwaitableDeferred()
    result = object()
    before = asyncio.create_task(way(deferred))
    await turns()
    deferred.callback(result)
    assert await before is result
    assert await way(deferred) is result


@ways
@in_task
async def test_the_failure_comes_by_every_way(way: Any, loop_kind: None) -> None:
    deferred: AwaitableDeferred[object] = AwaitableDeferred()
    error = ValueError("the operation's")
    before = asyncio.create_task(way(deferred))
    await turns()
    deferred.errback(error)
    for waiter in (before, way(deferred)):
        with pytest.raises(ValueError, match="the operation's") as caught:
            await waiter
        assert caught.value is error


@ways
@in_task
async def test_the_cancellation_of_the_operation_comes_by_every_way(way: Any) -> None:
    deferred: AwaitableDeferred[object] = AwaitableDeferred()
    before = asyncio.create_task(way(deferred))
    await turns()
    deferred.cancel()
    for waiter in (before, asyncio.create_task(way(deferred))):
        # A coroutine of Twisted's sees Twisted's kind. A TaskGroup ignores tasks that were cancelled.
        with pytest.raises((asyncio.CancelledError, CancelledError)):
            await waiter


FIRE, TURN = "fire", "turn"
STEPS = st.lists(
    st.one_of(
        st.sampled_from([FIRE, TURN]),
        st.sampled_from(sorted(WAYS)).map(lambda name: ("wait", name)),
        st.integers(0, 5).map(lambda number: ("cancel", number)),
    ),
    max_size=15,
)


@given(steps=STEPS, fails=st.booleans())
@in_task
async def test_whoever_waits_sees_the_same_and_whoever_gives_up_hurts_nobody(steps: list[Any], fails: bool) -> None:
    cancellations: list[object] = []
    deferred: AwaitableDeferred[str] = AwaitableDeferred(cancellations.append)
    waiters: list[asyncio.Task[Any]] = []
    cancelled: set[asyncio.Task[Any]] = set()
    with_wait_for: set[asyncio.Task[Any]] = set()

    def fire() -> None:
        if not deferred.called:
            deferred.errback(ValueError("it")) if fails else deferred.callback("it")

    for step in [*steps, FIRE]:
        if step == FIRE:
            fire()
        elif step == TURN:
            await turns(1)
        elif step[0] == "wait":
            waiters.append(asyncio.create_task(WAYS[step[1]](deferred)))
            if step[1] == "wait_for" and sys.version_info < (3, 12):
                with_wait_for.add(waiters[-1])
        elif step[1] < len(waiters) and waiters[step[1]].cancel():
            cancelled.add(waiters[step[1]])
    outcomes = await asyncio.gather(*waiters, plainly(deferred), return_exceptions=True)

    for waiter, outcome in zip([*waiters, None], outcomes, strict=True):
        gave_up = isinstance(outcome, (asyncio.CancelledError, CancelledError))
        assert gave_up or (isinstance(outcome, ValueError) if fails else outcome == "it")
        # Until Python 3.12 wait_for hands out a result that comes in the turn of the cancellation.
        assert gave_up == (waiter in cancelled) or waiter in with_wait_for
    assert cancellations == []


@in_task
async def test_a_cancellation_in_the_turn_of_the_result_is_not_lost() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    task = asyncio.create_task(plainly(deferred))
    await turns()
    deferred.callback(1)
    assert task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@in_task
async def test_a_result_in_the_turn_of_the_cancellation_is_for_the_others() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    task, other = asyncio.create_task(deferred), asyncio.create_task(deferred)
    await turns()
    assert task.cancel("enough")
    deferred.callback(1)
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await task
    assert await other == 1


@in_task
async def test_a_task_cancelled_before_it_began() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    task = asyncio.create_task(deferred)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not deferred.called


@in_task
async def test_one_task_waits_for_it_again_and_again() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(deferred, 0.001)
    deferred.callback(1)
    assert [await deferred, await deferred, await asyncio.wait_for(deferred, 1)] == [1, 1, 1]


@in_task
async def test_a_coroutine_of_twisteds_that_a_task_starts() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    inner = ensureDeferred(plainly(deferred))  # runs in the task until it waits
    outer = asyncio.create_task(plainly(deferred))
    await turns()
    deferred.callback(1)
    assert (await inner.asFuture(the_loop()), await outer) == (1, 1)


@in_task
async def test_it_is_no_future_to_asyncio() -> None:
    deferred: AwaitableDeferred[None] = AwaitableDeferred()
    assert not asyncio.isfuture(deferred)
    task = asyncio.create_task(deferred)
    assert "AwaitableDeferred()" in repr(task)
    deferred.callback(None)
    await task


@in_task
async def test_it_may_be_closed_as_a_coroutine_which_ends_nothing() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    deferred.close()
    deferred.callback(1)
    assert await deferred == 1


def test_nobody_else_drives_it() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    with pytest.raises(RuntimeError, match="only asyncio's tasks"):
        deferred.send(None)
    with pytest.raises(RuntimeError, match="only asyncio's tasks"):
        deferred.throw(ValueError())


@in_task
async def test_what_nobody_waits_for_is_not_told_as_unhandled() -> None:
    AwaitableDeferred[None]().errback(ValueError("told otherwise"))


@in_task
async def test_a_task_whose_failure_nobody_retrieves_is_told_by_asyncio(logged_errors: Any) -> None:
    deferred: AwaitableDeferred[None] = AwaitableDeferred()
    task = asyncio.create_task(deferred)
    await turns()
    deferred.errback(ValueError("mine"))
    await turns()
    del task
    assert len(logged_errors.flush(ValueError)) == 1


# -- what is kept


class Thing:
    """Something that can be watched going away."""


class ThingError(Exception):
    pass


by_both = pytest.mark.parametrize("way", [lambda it: it, asyncio.create_task], ids=["await", "create_task"])


@by_both
@in_task
async def test_results_go_when_nobody_has_them_any_more(way: Any) -> None:
    async def wait() -> weakref.ref[Thing]:
        deferred: AwaitableDeferred[Thing] = AwaitableDeferred()
        the_loop().call_soon(deferred.callback, Thing())
        return weakref.ref(await way(deferred))

    gc.disable()
    try:
        gone = await wait()
        await turns()
        assert gone() is None
    finally:
        gc.enable()


@by_both
@in_task
async def test_failures_go_when_nobody_has_them_any_more(way: Any) -> None:
    def failing() -> Any:
        deferred: AwaitableDeferred[None] = AwaitableDeferred()
        the_loop().call_soon(lambda: deferred.errback(ThingError()))
        return way(deferred)

    async def wait() -> weakref.ref[ThingError]:
        try:
            await failing()
        except ThingError as error:
            return weakref.ref(error)
        raise AssertionError

    gc.disable()
    try:
        gone = await wait()
        await turns()
        assert gone() is None
    finally:
        gc.enable()


@in_task
async def test_whoever_gave_up_is_forgotten() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
    for wait in (plainly, lambda it: it):
        task = asyncio.create_task(wait(deferred))
        tasks.add(task)
        await turns()
        task.cancel()
        await turns()
        del task
    gc.collect()
    assert list(tasks) == []
    deferred.callback(1)


@in_task
async def test_it_goes_with_its_operation() -> None:
    gone: weakref.ref[Deferred[Any]] = weakref.ref(AwaitableDeferred[None]())
    assert gone() is None
