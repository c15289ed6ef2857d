"""The book-keeping that the schedules are held against finds whatever is told wrongly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copra_tx.integrity.gaps import Gap
from support.ledger import Ledger

HOLE = Gap("full", "BTC-USD", 3, 5, 2, "a test")
CLOSED = replace(HOLE, recovered=True)


def kept(*entries: int | Gap, begins: int | None = None) -> Ledger:
    ledger = Ledger(begins)
    for entry in entries:
        if isinstance(entry, Gap):
            ledger.take_gap(entry)
        else:
            ledger.take(entry)
    ledger.close()
    return ledger


@pytest.mark.parametrize(
    ("entries", "counts"),
    [
        ((1, 2, 3), (0, 0, 0, 0, 0)),
        ((1, 2, HOLE, 5, 6), (1, 2, 0, 0, 0)),
        ((1, 2, HOLE, 5, 4, CLOSED, 3, 3), (1, 2, 2, 1, 1)),
        ((HOLE, 5, 2, 5), (1, 2, 0, 2, 0)),
    ],
)
def test_what_is_told_as_it_should_be_is_counted(entries: tuple[int | Gap, ...], counts: tuple[int, ...]) -> None:
    ledger = kept(*entries)
    assert (ledger.gaps, ledger.missing, ledger.late, ledger.repeated, ledger.recovered) == counts


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ((1, 3), "no gap was told"),
        ((1, 2, HOLE, HOLE, 5), "after 4"),
        ((1, 2, 3, HOLE), "after 3"),
        ((1, 2, replace(HOLE, missing=1), 5), "missing=1"),
        ((1, HOLE, 5), "after 1"),
        ((1, 2, HOLE, 5, 3, 4), "that was not told"),
        ((1, 2, HOLE, 5, CLOSED, 4), "does not close it"),
        ((1, 2, HOLE, 5, CLOSED), "nothing came"),
        ((1, 2, CLOSED, 3), "was never told to be missing"),
        ((1, 2, HOLE, 5, CLOSED, 6), "does not close it"),
    ],
)
def test_what_is_told_wrongly_is_found(entries: tuple[int | Gap, ...], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        kept(*entries)


def test_a_stream_may_begin_with_a_known_number() -> None:
    with pytest.raises(AssertionError, match="no gap was told"):
        kept(1, begins=0)
    assert kept(0, 1, begins=0).gaps == 0
