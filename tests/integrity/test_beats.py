"""The cheap look at heartbeats that follow each other closely tells the same as the close one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.feed import exchange
from copra_tx.integrity.beats import Beat
from copra_tx.integrity.checks import Checks
from copra_tx.integrity.sequences import Sequences

BTC = "BTC-USD"


def beat_of(sequences: Sequences) -> Beat:
    return Beat(10.0, BTC, "sequence", sequences.told, sequences.last)


def keeps_up(beat: Beat, message: dict[str, Any], now: float = 9.9) -> bool:
    try:
        return beat.keeps_up(message, now)
    except KeyError:
        return False


def checks(*confirmed: str, pending: tuple[str, ...] = ()) -> Checks:
    made = Checks(exchange.DIALECT)
    made.subscribed({channel: [BTC] for channel in confirmed}, {channel: [BTC] for channel in pending})
    return made


@given(
    st.lists(
        st.tuples(st.sampled_from(["seen", "told", "lost", "kept"]), st.integers(min_value=1, max_value=9)), max_size=20
    )
)
def test_it_misses_nothing(steps: list[tuple[str, int]]) -> None:
    cheap, dear = Sequences("full"), Sequences("full")
    beat = beat_of(cheap)
    for what, number in steps:
        if what == "seen":
            assert cheap.observe(BTC, number) == dear.observe(BTC, number)
        elif what == "lost":
            cheap.connection_lost()
            dear.connection_lost()
        elif what == "kept":
            cheap.keep([BTC] if number % 2 else [])
            dear.keep([BTC] if number % 2 else [])
        else:
            found = () if keeps_up(beat, {"sequence": number}) else cheap.announced(BTC, number)
            assert found == dear.announced(BTC, number)


def test_it_is_enough_where_nothing_is_missing() -> None:
    sequences = Sequences("full")
    beat = beat_of(sequences)
    sequences.observe(BTC, 1)
    assert not keeps_up(beat, {"sequence": 1})  # the first one says how far it is, and of nothing that is due
    sequences.announced(BTC, 1)
    assert keeps_up(beat, {"sequence": 2})
    assert not keeps_up(beat, {"sequence": 3})  # 2 did not come
    sequences.observe(BTC, 2)
    assert keeps_up(beat, {"sequence": 3})


def test_it_is_for_a_while() -> None:
    sequences = Sequences("full")
    sequences.observe(BTC, 1)
    sequences.announced(BTC, 1)
    assert not keeps_up(beat_of(sequences), {"sequence": 1}, now=10.0)


@pytest.mark.parametrize("number", [1002, "1002", None, [1002], True])
def test_only_numbers_are_taken(number: Any) -> None:
    made = checks("matches")
    made.observe("match", BTC, 1, 1001)
    made.heartbeat(BTC, None, 1001)
    beat = made.beat(BTC, 10.0)
    assert beat is not None
    assert keeps_up(beat, {"last_trade_id": number}) is (number == 1002 and type(number) is int)
    assert not keeps_up(beat, {"sequence": 1})


def test_what_nothing_can_be_held_against_keeps_up() -> None:
    beat = checks(pending=("matches",)).beat(BTC, 10.0)
    assert beat is not None
    assert keeps_up(beat, {})
    assert not keeps_up(beat, {}, now=10.0)


def test_what_tells_of_two_channels_is_looked_at_closely() -> None:
    assert checks("full", "level3").beat(BTC, 10.0) is None
