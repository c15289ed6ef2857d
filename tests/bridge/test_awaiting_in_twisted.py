"""An AwaitableDeferred as a Deferred: callbacks, Twisted's coroutines, failures that nobody handles. On any reactor."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    ensureDeferred,
    getDebugging,
    inlineCallbacks,
    setDebugging,
)
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from copra_tx.bridge import AwaitableDeferred
from support.tasks import plainly
from support.world import outcome


def coroutine(deferred: AwaitableDeferred[Any]) -> list[Any]:
    """Await it in a coroutine of Twisted's; returns what ``outcome`` does."""
    return outcome(ensureDeferred(plainly(deferred)))


def is_error(outcome: list[Any], error: BaseException) -> bool:
    [failure] = outcome
    return isinstance(failure, Failure) and failure.value is error


def test_all_coroutines_see_the_same_result() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    before = [coroutine(deferred), coroutine(deferred)]
    deferred.callback(1)
    assert [*before, coroutine(deferred), coroutine(deferred)] == [[1]] * 4


def test_all_coroutines_see_the_same_failure() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    before = [coroutine(deferred), coroutine(deferred)]
    error = ValueError("it")
    deferred.errback(error)
    for waiter in [*before, coroutine(deferred), coroutine(deferred)]:
        assert is_error(waiter, error)


def test_cancelling_a_coroutine_leaves_the_operation_and_the_others_alone() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    cancelled, other = ensureDeferred(plainly(deferred)), coroutine(deferred)
    got = outcome(cancelled)
    cancelled.cancel()
    assert got[0].check(CancelledError)
    assert not deferred.called
    deferred.callback(1)
    assert other == [1]


def test_cancelling_it_ends_the_operation_for_all() -> None:
    cancellers: list[Deferred[Any]] = []
    deferred: AwaitableDeferred[int] = AwaitableDeferred(cancellers.append)
    before = coroutine(deferred)
    deferred.cancel()
    assert cancellers == [deferred]
    for waiter in (before, coroutine(deferred), outcome(deferred)):
        assert waiter[0].check(CancelledError)


def test_a_result_after_the_cancellation_is_dropped() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    before = coroutine(deferred)
    deferred.cancel()
    deferred.callback(1)
    for waiter in (before, coroutine(deferred)):
        assert waiter[0].check(CancelledError)


def test_a_coroutine_that_goes_on_may_wait_again_and_cancel_others() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    results: list[int] = []

    async def first() -> None:
        results.append(await deferred)
        second.cancel()
        results.append(await deferred)

    ensureDeferred(first())
    second = ensureDeferred(plainly(deferred))
    got = outcome(second)
    deferred.callback(1)
    assert results == [1, 1]
    assert got[0].check(CancelledError)


# -- callbacks


def test_who_waits_after_a_callback_sees_what_it_returned() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    before = coroutine(deferred)
    deferred.addCallback(lambda number: number + 1)
    between = coroutine(deferred)
    deferred.addCallbacks(lambda number: number + 1)
    deferred.callback(1)
    assert (before, between, coroutine(deferred)) == ([1], [2], [3])
    deferred.addBoth(lambda number: number + 1)
    assert coroutine(deferred) == [4]


def test_who_waits_after_an_errback_sees_what_it_returned() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    error = ValueError("it")
    before = coroutine(deferred)
    deferred.addErrback(lambda _: "mended")
    deferred.errback(error)
    assert is_error(before, error)
    assert coroutine(deferred) == ["mended"]


def test_who_waits_after_a_callback_that_returned_a_deferred_waits_for_that() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    inner: Deferred[int] = Deferred()
    deferred.addCallback(lambda _: inner)
    deferred.callback(1)
    waiter = coroutine(deferred)
    assert waiter == []
    inner.callback(2)
    assert (waiter, coroutine(deferred)) == ([2], [2])


def test_it_has_a_timeout_as_other_deferreds() -> None:
    clock = Clock()
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    waiter = coroutine(deferred.addTimeout(1, clock))  # type: ignore[arg-type]
    clock.advance(2)
    assert waiter[0].check(DeferredTimeoutError)


@pytest.mark.parametrize("fired_first", [False, True])
def test_returned_from_a_callback_it_gives_its_result_and_earlier_waiters_keep_theirs(fired_first: bool) -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    waiter = coroutine(deferred)
    if fired_first:
        deferred.callback(1)
    outer: Deferred[None] = Deferred()
    outer.addCallback(lambda _: deferred)
    outer.callback(None)
    if not fired_first:
        deferred.callback(1)
    assert (outcome(outer), waiter, coroutine(deferred)) == ([1], [1], [1])


def test_returned_from_a_callback_it_gives_its_failure_to_all() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    outer: Deferred[None] = Deferred()
    outer.addCallback(lambda _: deferred)
    outer.callback(None)
    error = ValueError("it")
    deferred.errback(error)
    assert deferred.looked_at
    assert is_error(outcome(outer), error)
    assert is_error(coroutine(deferred), error)


def test_yielded_by_a_generator_it_gives_its_result_and_waiters_keep_theirs() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()

    @inlineCallbacks
    def generator() -> Any:
        return (yield deferred)

    waiter, generated = coroutine(deferred), outcome(generator())
    deferred.callback(1)
    assert (waiter, generated) == ([1], [1])


def test_in_a_list_of_deferreds() -> None:
    good: AwaitableDeferred[int] = AwaitableDeferred()
    bad: AwaitableDeferred[int] = AwaitableDeferred()
    both = outcome(DeferredList([good, bad], consumeErrors=True))
    error = ValueError("it")
    good.callback(1)
    bad.errback(error)
    [[(_, result), (_, failure)]] = both
    assert result == 1
    assert failure.value is error
    assert coroutine(good) == [1]


def test_ensure_deferred_takes_it_for_what_it_is() -> None:
    deferred: AwaitableDeferred[int] = AwaitableDeferred()
    assert ensureDeferred(deferred) is deferred


# -- failures that nobody handles


def test_its_own_failure_is_never_told_as_unhandled() -> None:
    AwaitableDeferred[None]().errback(ValueError("told otherwise"))
    AwaitableDeferred[None]().addCallback(lambda _: None).errback(ValueError("told otherwise"))
    AwaitableDeferred[None]().callback(Failure(ValueError("told otherwise")))  # type: ignore[arg-type]
    AwaitableDeferred[None]().cancel()


def test_the_failure_of_a_callback_is(logged_errors: Any) -> None:
    deferred: AwaitableDeferred[None] = AwaitableDeferred()
    deferred.addCallback(lambda _: 1 / 0)
    deferred.callback(None)
    del deferred
    assert len(logged_errors.flush(ZeroDivisionError)) == 1


def test_the_failure_of_an_errback_is(logged_errors: Any) -> None:
    deferred: AwaitableDeferred[None] = AwaitableDeferred()
    deferred.addErrback(lambda _: 1 / 0)
    deferred.errback(ValueError("told otherwise"))
    del deferred
    assert len(logged_errors.flush(ZeroDivisionError)) == 1


def test_the_failure_of_a_callback_that_a_waiter_got_is_not() -> None:
    deferred: AwaitableDeferred[None] = AwaitableDeferred()
    deferred.addCallback(lambda _: 1 / 0)
    before = coroutine(deferred)
    deferred.callback(None)
    for waiter in (before, coroutine(deferred)):
        assert waiter[0].check(ZeroDivisionError)


def test_debugging_tells_where_it_was_made() -> None:
    debugging = getDebugging()
    setDebugging(True)
    try:
        deferred: AwaitableDeferred[None] = AwaitableDeferred()
    finally:
        setDebugging(debugging)
    assert "test_debugging_tells_where_it_was_made" in deferred._debugInfo._getDebugTracebacks()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("look", "looked_at"),
    [
        (lambda _: None, False),
        (lambda it: it.addCallback(lambda _: None), False),  # does not deal with failures
        (lambda it: it.addErrback(lambda failure: failure), False),  # nor does this
        (lambda it: it.addErrback(lambda _: None), True),
        (lambda it: it.addBoth(lambda _: None), True),
        (coroutine, True),
        (lambda it: outcome(ensureDeferred(plainly(it.addCallback(lambda _: None)))), True),
        (lambda it: ensureDeferred(plainly(it)).addErrback(lambda _: None).cancel(), False),  # gave up
    ],
)
def test_it_knows_whether_its_failure_was_looked_at(
    look: Callable[[AwaitableDeferred[None]], object], looked_at: bool
) -> None:
    deferred: AwaitableDeferred[None] = AwaitableDeferred()
    look(deferred)
    assert not deferred.looked_at
    deferred.errback(ValueError("it"))
    assert deferred.looked_at == looked_at


def test_it_goes_when_nobody_has_it_any_more() -> None:
    class Thing:
        pass

    gc.disable()
    try:
        deferred: AwaitableDeferred[Thing] = AwaitableDeferred()
        thing = Thing()
        gone = weakref.ref(thing)
        waiter = coroutine(deferred)
        deferred.callback(thing)
        del thing, deferred
        waiter.clear()
        assert gone() is None
    finally:
        gc.enable()
