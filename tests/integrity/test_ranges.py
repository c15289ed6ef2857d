"""Sets of numbers as ranges do what sets do."""

from __future__ import annotations

from itertools import chain, pairwise

from hypothesis import given
from hypothesis import strategies as st

from copra_tx.integrity.ranges import MOST_NAMED, Ranges, common, count, holds, in_words, lacking

numbers = st.sets(st.integers(0, 40))


def ranges(members: set[int]) -> Ranges:
    """What is not lacking of what is lacking."""
    return lacking(0, 40, sorted(set(range(41)) - members))


def members(found: Ranges) -> set[int]:
    listed = list(chain.from_iterable(range(first, last + 1) for first, last in found))
    assert listed == sorted(set(listed))
    return set(listed)


@given(numbers)
def test_what_is_lacking_is_all_that_is_not_there(there: set[int]) -> None:
    found = lacking(0, 40, sorted(there))
    assert members(found) == set(range(41)) - there
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(found))


@given(numbers, numbers)
def test_they_are_as_sets(some: set[int], others: set[int]) -> None:
    assert members(common(ranges(some), ranges(others))) == some & others
    assert count(ranges(some)) == len(some)
    assert {number for number in range(-1, 42) if holds(ranges(some), number)} == some


def test_nothing_lacks_of_nothing() -> None:
    assert lacking(5, 4, ()) == []
    assert lacking(5, 5, ()) == [(5, 5)]


def test_words_name_the_first_few() -> None:
    assert in_words([(3, 3), (5, 7)]) == "3, 5 to 7"
    many = [(10 * number, 10 * number + 1) for number in range(MOST_NAMED + 2)]
    assert in_words(many).endswith("90 to 91 and 4 more")
    assert in_words(many[:MOST_NAMED]).endswith(", 90 to 91")
