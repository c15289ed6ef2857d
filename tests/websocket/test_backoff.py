"""``jittered``: the cap holds, nothing is negative, and waits grow until the cap."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.websocket.backoff import jittered

fractions = st.floats(0, 1)
delays = st.floats(0, 1e9)


@pytest.mark.parametrize(
    ("delay", "jitter", "maximum", "draw", "wait"),
    [
        (1, 0.5, 30, 0.0, 1.0),
        (1, 0.5, 30, 1.0, 0.5),
        (8, 0.25, 30, 0.5, 7.0),
        (30, 0.5, 30, 0.0, 30.0),
        (1000, 0.5, 30, 0.0, 30.0),
        (1000, 0.5, 30, 1.0, 15.0),
        (4, 0.0, 30, 0.7, 4.0),
        (math.inf, 0.0, 30, 0.7, 30.0),
        (4, 1.0, 30, 1.0, 0.0),
    ],
)
def test_jitter_shortens_what_the_cap_leaves(
    delay: float, jitter: float, maximum: float, draw: float, wait: float
) -> None:
    assert jittered(delay, jitter, maximum, draw) == wait


@given(delays, fractions, delays, fractions)
def test_a_wait_is_never_above_the_cap_nor_the_delay_nor_below_zero(
    delay: float, jitter: float, maximum: float, draw: float
) -> None:
    wait = jittered(delay, jitter, maximum, draw)
    assert 0 <= wait <= min(delay, maximum)
    assert wait >= min(delay, maximum) * (1 - jitter)


@given(delays, fractions, delays, fractions, fractions)
def test_a_larger_draw_never_waits_longer(
    delay: float, jitter: float, maximum: float, one: float, other: float
) -> None:
    shorter, longer = (
        jittered(delay, jitter, maximum, max(one, other)),
        jittered(delay, jitter, maximum, min(one, other)),
    )
    assert shorter <= longer


@given(st.floats(1e-3, 10), st.floats(0, 0.5), st.floats(10, 1e4), st.lists(fractions, min_size=1, max_size=20))
def test_doubling_delays_wait_longer_each_time_until_the_cap(
    initial: float, jitter: float, maximum: float, draws: list[float]
) -> None:
    delays = [initial * 2**attempt for attempt in range(len(draws))]
    waits = [
        jittered(delay, jitter, maximum, draw) for delay, draw in zip(delays, draws, strict=True) if delay <= maximum
    ]
    assert waits == sorted(waits)
