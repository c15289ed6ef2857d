"""Events that both asyncio and Twisted wait for."""

from __future__ import annotations

import asyncio

import pytest
from twisted.internet.defer import CancelledError, ensureDeferred

from copra_tx.bridge import ConnectionEvent
from support.tasks import in_task, turns
from support.world import outcome


def test_it_is_set_and_cleared() -> None:
    event = ConnectionEvent()
    assert not event.is_set()
    assert repr(event) == "<ConnectionEvent not set>"
    event.set()
    assert event.is_set()
    assert repr(event) == "<ConnectionEvent set>"
    event.clear()
    assert not event.is_set()


def test_deferreds_fire_when_it_is_set() -> None:
    event = ConnectionEvent()
    waiting = [outcome(event.when_set()), outcome(ensureDeferred(event.wait()))]
    assert waiting == [[], []]
    event.set()
    event.set()
    assert waiting == [[True], [True]]
    assert outcome(event.when_set()) == [True]
    assert outcome(ensureDeferred(event.wait())) == [True]


def test_all_who_wait_are_woken_though_one_clears_it() -> None:
    event = ConnectionEvent()
    first = event.when_set().addCallback(lambda _: event.clear())
    second, third = outcome(event.when_set()), outcome(first)
    event.set()
    assert (second, third) == ([True], [None])
    assert not event.is_set()
    assert outcome(event.when_set()) == []


def test_who_gives_up_is_forgotten() -> None:
    event = ConnectionEvent()
    waiter, coroutine = event.when_set(), ensureDeferred(event.wait())
    gave_up = [outcome(waiter), outcome(coroutine)]
    waiter.cancel()
    coroutine.cancel()
    assert [got[0].type for got in gave_up] == [CancelledError, CancelledError]
    assert event._waiting == []
    event.set()


def test_who_is_woken_may_cancel_another() -> None:
    event = ConnectionEvent()
    first, second, third = (event.when_set() for _ in range(3))
    first.addCallback(lambda _: second.cancel())
    others = [outcome(second), outcome(third)]
    event.set()
    assert others[0][0].type is CancelledError
    assert others[1] == [True]


@in_task
async def test_tasks_wait_as_for_asyncios() -> None:
    event = ConnectionEvent()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(event.wait(), 0.001)
    assert event._waiting == []
    tasks = [asyncio.create_task(event.wait()), asyncio.create_task(event.when_set())]
    await turns()
    event.set()
    assert await asyncio.gather(*tasks, event.wait()) == [True, True, True]
