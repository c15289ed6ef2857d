"""The limiter of dials and requests, on a clock in memory."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from copra_tx.errors import ConfigurationError
from copra_tx.websocket.pacing import RATE, Pacer, Priority, shared_pacer

REQUEST, DIAL = Priority.REQUEST, Priority.DIAL


@dataclass
class Asked:
    """Somebody who asked for a permission."""

    number: int
    priority: Priority
    permission: Deferred[None] = field(default_factory=Deferred)
    granted_at: float | None = None
    gave_up: bool = False

    @property
    def waits(self) -> bool:
        return self.granted_at is None and not self.gave_up


class Queue:
    """A pacer, and everybody who ever asked it; checks the order at each permission."""

    def __init__(self, clock: Clock, rate: float = 8.0, burst: float = 8.0) -> None:
        self.clock = clock
        self.pacer = Pacer(clock, rate, burst)  # type: ignore[arg-type]
        self.asked: list[Asked] = []
        self.granted: list[Asked] = []

    def ask(self, priority: Priority = REQUEST) -> Asked:
        one = Asked(len(self.asked), priority)
        self.asked.append(one)
        one.permission = self.pacer.acquire(priority)
        one.permission.addCallbacks(lambda _: self._grant(one), lambda failure: failure.trap(CancelledError))
        return one

    def give_up(self, one: Asked) -> None:
        one.gave_up = one.waits
        one.permission.cancel()

    def _grant(self, one: Asked) -> None:
        assert one.waits
        for other in self.asked:
            if other.waits and other is not one:
                assert (one.priority, one.number) < (other.priority, other.number)
        one.granted_at = self.clock.seconds()
        self.granted.append(one)

    @property
    def times(self) -> list[float]:
        return [one.granted_at for one in self.granted if one.granted_at is not None]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_at_once_then_the_rate(clock: Clock) -> None:
    queue = Queue(clock, rate=8, burst=3)
    for _ in range(6):
        queue.ask()
    assert queue.times == [0, 0, 0]
    clock.pump([0.0625] * 10)
    assert queue.times == [0, 0, 0, 0.125, 0.25, 0.375]
    assert clock.getDelayedCalls() == []


def test_what_was_not_used_comes_back_up_to_the_burst(clock: Clock) -> None:
    queue = Queue(clock, rate=8, burst=3)
    for _ in range(3):
        queue.ask()
    clock.advance(1000)
    for _ in range(4):
        queue.ask()
    assert len(queue.times) == 6


def test_requests_go_before_dials_and_each_in_their_order(clock: Clock) -> None:
    queue = Queue(clock, rate=1, burst=1)
    queue.ask()
    dials = [queue.ask(DIAL), queue.ask(DIAL)]
    requests = [queue.ask(REQUEST), queue.ask(REQUEST)]
    clock.pump([1] * 4)
    assert queue.granted[1:] == [*requests, *dials]


def test_the_default_is_the_venues_limit(clock: Clock) -> None:
    pacer = Pacer(clock)  # type: ignore[arg-type]
    granted: list[None] = []
    for _ in range(100):
        pacer.acquire(REQUEST).addCallback(granted.append)
    clock.pump([1 / 64] * 64)
    assert RATE + 1 * RATE - 1 <= len(granted) <= RATE + 1 * RATE
    clock.advance(20)


def test_who_gives_up_is_not_served_and_leaves_no_timer(clock: Clock) -> None:
    queue = Queue(clock, rate=1, burst=1)
    queue.ask()
    first, second = queue.ask(DIAL), queue.ask(DIAL)
    queue.give_up(first)
    assert len(clock.getDelayedCalls()) == 1
    queue.give_up(second)
    assert clock.getDelayedCalls() == []
    third = queue.ask(DIAL)
    clock.advance(1)
    assert queue.granted[1:] == [third]


def test_who_was_served_cannot_give_it_back(clock: Clock) -> None:
    queue = Queue(clock, rate=1, burst=1)
    queue.give_up(queue.ask())
    queue.ask()
    assert len(queue.granted) == 1
    clock.advance(1)


def test_who_is_served_may_ask_again_or_make_another_one_give_up(clock: Clock) -> None:
    queue = Queue(clock, rate=1, burst=1)
    queue.ask()
    again: list[Asked] = []

    def served(_: Any) -> None:
        again.append(queue.ask(REQUEST))
        queue.give_up(last)

    queue.ask(DIAL).permission.addCallback(served)
    last = queue.ask(DIAL)
    clock.pump([1, 1])
    assert queue.granted[2:] == again
    assert clock.getDelayedCalls() == []


def test_a_clock_that_is_set_back_holds_nobody_up(clock: Clock) -> None:
    queue = Queue(clock, rate=1, burst=1)
    clock.advance(10_000)
    queue.ask()
    clock.rightNow = 1.0
    queue.ask()
    clock.advance(1)
    assert len(queue.granted) == 2


@pytest.mark.parametrize("now", [0.0, 1_795_000_000.123456])
def test_it_wastes_no_turn_at_any_time_of_day(now: float) -> None:
    clock = Clock()
    clock.advance(now)
    queue = Queue(clock)
    for _ in range(1000):
        queue.ask()
    timers = 0
    while clock.getDelayedCalls():
        clock.advance(clock.getDelayedCalls()[0].getTime() - clock.seconds())
        timers += 1
    assert len(queue.granted) == 1000
    assert timers == 1000 - RATE


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0.5), (float("nan"), 1)])
def test_one_that_could_never_grant_anything_is_refused(clock: Clock, rate: float, burst: float) -> None:
    with pytest.raises(ConfigurationError, match="rate must be above zero and burst at least 1"):
        Pacer(clock, rate, burst)  # type: ignore[arg-type]


ASK, WAIT, GIVE_UP = "ask", "wait", "give up"
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just(ASK), st.sampled_from(Priority)),
        st.tuples(st.just(WAIT), st.floats(0, 2)),
        st.tuples(st.just(GIVE_UP), st.integers(0, 40)),
    ),
    max_size=80,
)


@given(
    steps=STEPS,
    rate=st.floats(0.5, 50),
    burst=st.floats(1, 20),
    now=st.sampled_from([0.0, 1_795_000_000.123456]),
)
def test_never_more_than_the_rate_and_a_burst_in_any_window(
    steps: list[tuple[str, Any]], rate: float, burst: float, now: float
) -> None:
    clock = Clock()
    clock.advance(now)
    queue = Queue(clock, rate, burst)
    for step, argument in steps:
        if step == ASK:
            queue.ask(argument)
        elif step == WAIT:
            clock.advance(argument)
        elif argument < len(queue.asked):
            queue.give_up(queue.asked[argument])
        waiting = [one for one in queue.asked if one.waits]
        assert len(clock.getDelayedCalls()) == (1 if waiting else 0)

    while clock.getDelayedCalls():
        clock.advance(1 / 64)
    assert not any(one.waits for one in queue.asked)

    times = queue.times
    assert times == sorted(times)
    for first, begin in enumerate(times):
        for last in range(first, len(times)):
            allowed = rate * (times[last] - begin) + burst
            assert last - first + 1 <= allowed + 0.001


def test_one_clock_has_one_pacer_as_long_as_somebody_uses_it(clock: Clock) -> None:
    pacer = shared_pacer(clock)  # type: ignore[arg-type]
    assert shared_pacer(clock) is pacer  # type: ignore[arg-type]
    assert shared_pacer(Clock()) is not pacer  # type: ignore[arg-type]
    pacer.acquire(REQUEST)
    left = pacer._left
    del pacer
    gc.collect()
    assert shared_pacer(clock)._left > left  # type: ignore[arg-type]
