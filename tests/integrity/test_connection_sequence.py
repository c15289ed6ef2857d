"""The counter of a connection."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.integrity.connection_sequence import ConnectionSequence
from copra_tx.integrity.gaps import Gap


def test_it_counts_from_zero() -> None:
    """The first frame of a connection has the number 0: a loss before the first one that arrives is seen."""
    assert ConnectionSequence().observe(0) is None
    assert ConnectionSequence().observe(2) == Gap("", "", 0, 2, 2, "sequence_num skipped")


def test_a_repeated_frame_is_counted_and_no_gap() -> None:
    sequence = ConnectionSequence()
    for number in 0, 1, 1, 0, 2:
        assert sequence.observe(number) is None
    assert (sequence.late, sequence.repeated) == (0, 2)
    assert sequence.expected == 3


def test_late_frames_close_their_gap() -> None:
    """With the last of them it is told again; one that comes twice is a repeated one."""
    sequence = ConnectionSequence()
    gap = sequence.observe(2)
    assert gap is not None
    told = [sequence.observe(number) for number in (1, 1, 0, 0)]
    assert told == [None, None, replace(gap, recovered=True), None]
    assert (sequence.late, sequence.repeated) == (2, 2)
    assert sequence.expected == 3


@pytest.mark.parametrize("number", [None, "3", 1.0, True, [], {}])
def test_what_is_no_number_says_nothing(number: object) -> None:
    """Neither is it a gap, nor is anything missing after it."""
    sequence = ConnectionSequence()
    assert sequence.observe(number) is None
    assert sequence.expected == 0
    assert sequence.late == sequence.repeated == 0


@given(st.lists(st.integers(0, 30), max_size=40))
def test_every_missing_number_is_told_exactly_once(numbers: list[int]) -> None:
    """Whatever arrives, in whatever order."""
    sequence = ConnectionSequence()
    told_so = [gap for number in numbers if (gap := sequence.observe(number)) is not None]
    gaps = [gap for gap in told_so if not gap.recovered]
    told = [number for gap in gaps for number in range(gap.expected, gap.received)]
    assert all(gap.missing == gap.received - gap.expected for gap in gaps)
    rising = [number for index, number in enumerate(numbers) if number > max([-1, *numbers[:index]])]
    assert told == sorted(set(range(max([-1, *numbers]) + 1)) - set(rising))
    late = set(told).intersection(numbers)
    assert sequence.late == len(late)
    closed = [replace(gap, recovered=True) for gap in gaps if late.issuperset(range(gap.expected, gap.received))]
    assert sorted(gap.expected for gap in told_so if gap.recovered) == [gap.expected for gap in closed]
