"""Each missing number is told once, whatever order messages come in."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.integrity.gaps import MOST_OPEN, Gap
from copra_tx.integrity.sequences import HEARTBEAT, RECONNECTION, SKIPPED, Sequences


def told(sequences: Sequences, *numbers: int, product: str = "BTC-USD") -> list[Gap]:
    return list(chain.from_iterable(sequences.observe(product, number) for number in numbers))


@pytest.fixture
def sequences() -> Sequences:
    return Sequences("full")


def gap(expected: int, received: int, cause: str = SKIPPED, *, recovered: bool = False) -> Gap:
    return Gap("full", "BTC-USD", expected, received, received - expected, cause, recovered)


def test_where_it_begins_is_not_known_and_nothing_is_missing_before(sequences: Sequences) -> None:
    assert told(sequences, 7, 8, 9) == []
    assert sequences.last == {"BTC-USD": [9]}


def test_what_is_skipped_is_told(sequences: Sequences) -> None:
    assert told(sequences, 7, 10, 11, 13) == [gap(8, 10), gap(12, 13)]


def test_products_have_numbers_of_their_own(sequences: Sequences) -> None:
    assert told(sequences, 7, 8) == []
    assert told(sequences, 700, 701, product="ETH-USD") == []
    assert told(sequences, 9) == []


def test_a_late_one_closes_its_gap_and_is_counted(sequences: Sequences) -> None:
    assert told(sequences, 7, 9, 8) == [gap(8, 9), gap(8, 9, recovered=True)]
    assert (sequences.late, sequences.repeated) == (1, 0)


def test_a_gap_is_closed_when_all_of_it_has_come(sequences: Sequences) -> None:
    assert told(sequences, 1, 6, 4, 2) == [gap(2, 6)]
    assert told(sequences, 3, 5) == [gap(2, 6, recovered=True)]
    assert sequences.late == 4


def test_a_repeated_one_is_counted_and_not_told(sequences: Sequences) -> None:
    assert told(sequences, 7, 8, 8, 7, 3) == []
    assert told(sequences, 10, 9, 9) == [gap(9, 10), gap(9, 10, recovered=True)]
    assert (sequences.late, sequences.repeated) == (1, 4)
    sequences.observe("BTC-USD", 10, may_repeat=True)
    assert sequences.repeated == 4


def test_what_was_sent_between_two_connections_is_missing(sequences: Sequences) -> None:
    told(sequences, 7)
    sequences.connection_lost()
    assert sequences.last == {}
    assert told(sequences, 20, 22) == [gap(8, 20, RECONNECTION), gap(21, 22)]


@pytest.mark.parametrize("numbers", [(7, 8), (8, 9), (6, 7, 8), (5, 5, 6, 7, 8)])
def test_nothing_may_be_missing_between_two_connections(sequences: Sequences, numbers: tuple[int, ...]) -> None:
    """The next one may be behind the last one, too: other machines of the venue send at another pace."""
    told(sequences, 7)
    sequences.connection_lost()
    assert told(sequences, *numbers) == []


def test_a_connection_without_messages_changes_nothing(sequences: Sequences) -> None:
    told(sequences, 7)
    sequences.connection_lost()
    sequences.connection_lost()
    assert told(sequences, 9) == [gap(8, 9, RECONNECTION)]


# -- heartbeats


def heard(sequences: Sequences, *numbers: int) -> list[Gap]:
    return list(chain.from_iterable(sequences.announced("BTC-USD", number) for number in numbers))


def test_what_a_heartbeat_tells_of_may_be_under_way(sequences: Sequences) -> None:
    told(sequences, 7)
    assert heard(sequences, 9) == []
    assert told(sequences, 8, 9) == []
    assert heard(sequences, 9, 9) == []


def test_at_the_next_heartbeat_it_is_not_any_more(sequences: Sequences) -> None:
    told(sequences, 7)
    assert heard(sequences, 9, 12) == [gap(8, 10, HEARTBEAT)]
    assert heard(sequences, 12) == [gap(10, 13, HEARTBEAT)]
    assert heard(sequences, 12) == []
    assert told(sequences, 13) == []
    assert told(sequences, 9, 8) == [gap(8, 10, HEARTBEAT, recovered=True)]


def test_without_any_message_heartbeats_tell_where_it_begins(sequences: Sequences) -> None:
    assert heard(sequences, 5, 5, 7, 7) == [gap(6, 8, HEARTBEAT)]


def test_heartbeats_tell_what_was_sent_between_two_connections(sequences: Sequences) -> None:
    told(sequences, 7)
    sequences.connection_lost()
    assert heard(sequences, 9) == []
    assert heard(sequences, 9) == [gap(8, 10, RECONNECTION)]
    assert heard(sequences, 9) == []
    sequences.connection_lost()
    assert heard(sequences, 9, 9) == []


# -- bounds


def test_what_is_not_subscribed_to_any_more_is_forgotten(sequences: Sequences) -> None:
    told(sequences, 7, 9)
    heard(sequences, 9)
    sequences.keep(["ETH-USD"])
    assert told(sequences, 20, 8) == []
    assert sequences.repeated == 1
    sequences.connection_lost()
    sequences.keep([])
    assert told(sequences, 40) == []


def test_the_oldest_gaps_are_given_up(sequences: Sequences) -> None:
    told(sequences, *range(1, 2 * MOST_OPEN + 4, 2))
    assert told(sequences, 2) == []
    assert told(sequences, 4) == [gap(4, 5, recovered=True)]
    assert (sequences.late, sequences.repeated) == (1, 1)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=80), st.lists(st.integers(0, 79), max_size=3))
def test_each_missing_number_is_told_exactly_once(numbers: list[int], drops: list[int]) -> None:
    """The model is a set: missing is what lies between the first and the highest one and has not come."""
    sequences = Sequences("full")
    gaps: list[Gap] = []
    for index, number in enumerate(numbers):
        if index in drops:
            sequences.connection_lost()
        gaps += sequences.observe("BTC-USD", number)
    first, seen = numbers[0], set[int]()
    missing: list[int] = []
    highest = first
    for number in numbers:
        missing += range(highest + 1, number)
        highest = max(highest, number)
        seen.add(number)
    opened = [one for one in gaps if not one.recovered]
    assert list(chain.from_iterable(range(one.expected, one.received) for one in opened)) == missing
    assert all(one.missing == one.received - one.expected > 0 for one in opened)
    closed = {(one.expected, one.received) for one in gaps if one.recovered}
    assert len(closed) == len(gaps) - len(opened)
    assert closed == {
        (one.expected, one.received) for one in opened if seen.issuperset(range(one.expected, one.received))
    }


def test_the_first_of_a_new_line_may_close_the_last_gap_of_the_one_before(sequences: Sequences) -> None:
    """As the last trade does, which comes again with a subscription, and which only heartbeats had told of."""
    product = "BTC-USD"
    sequences.observe(product, 5)
    sequences.announced(product, 6)
    assert sequences.announced(product, 6) == (gap(6, 7, HEARTBEAT),)
    sequences.connection_lost()
    assert sequences.observe(product, 6, may_repeat=True) == (gap(6, 7, HEARTBEAT, recovered=True),)
    assert (sequences.late, sequences.repeated) == (1, 0)
    assert sequences.observe(product, 7) == ()


# -- what is had from elsewhere


def test_what_of_a_gap_is_still_missing(sequences: Sequences) -> None:
    (missing,) = told(sequences, 1, 9)
    assert sequences.still_missing(missing) == ((2, 8),)
    told(sequences, 4, 8)
    assert sequences.still_missing(missing) == ((2, 3), (5, 7))
    assert sequences.still_missing(gap(20, 22)) == ((20, 21),)


def test_what_was_had_from_elsewhere_is_not_late_any_more(sequences: Sequences) -> None:
    (missing,) = told(sequences, 1, 9)
    sequences.filled(missing, ((5, 6),))
    assert told(sequences, 4, 5) == []
    assert (sequences.late, sequences.repeated) == (1, 1)
    assert told(sequences, 6) == [gap(2, 9, recovered=True)]


def test_a_gap_that_was_filled_is_closed_and_not_told_again(sequences: Sequences) -> None:
    (missing,) = told(sequences, 1, 4)
    sequences.filled(missing, ())
    sequences.filled(missing, ())
    assert told(sequences, 2, 3) == []
    assert (sequences.late, sequences.repeated) == (0, 2)


def test_the_first_one_of_a_connection_may_be_a_late_one(sequences: Sequences) -> None:
    assert told(sequences, 1) == []
    for number in (2, 3):
        sequences.announced("BTC-USD", number)
    assert list(sequences.announced("BTC-USD", 3)) == [gap(3, 4, HEARTBEAT)]
    sequences.connection_lost()
    assert told(sequences, 3) == [gap(3, 4, HEARTBEAT, recovered=True)]
