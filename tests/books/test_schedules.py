"""
Whatever goes wrong: each number is told once, a book is right or does not say so, and afterwards all is well again.

``--schedules N`` says how many seeds there are; ``support.ordeal`` what each has to live through.
"""

from __future__ import annotations

from collections import Counter

import pytest

from copra_tx.integrity.gaps import Gap
from support.ordeal import KINDS, Ordeal

ORDINARY = 500
"""Seeds of a run that says nothing else."""

BLOCK = 20
"""Seeds that are one test."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make blocks of the seeds; the many that somebody asks for are for the soak."""
    if "seeds" not in metafunc.fixturenames:
        return
    asked: int | None = metafunc.config.getoption("schedules")
    count = ORDINARY if asked is None else asked
    blocks = [range(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
    marks = () if asked is None else (pytest.mark.slow,)
    metafunc.parametrize("seeds", [pytest.param(block, id=f"{block[0]}-{block[-1]}", marks=marks) for block in blocks])


def test_nothing_is_silent_and_no_book_is_wrong(seeds: range) -> None:
    happened: Counter[str] = Counter()
    for seed in seeds:
        ordeal = Ordeal(seed)
        ordeal.live_through()
        happened += ordeal.happened
    if len(seeds) == BLOCK:
        happened["out of order"] = happened["late"] + happened["repeated"]  # one block in 500 has only one of them
        assert min(happened[name] for name in ("gaps", "missing", "out of order", "lines", "close")) > 0


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(35, id="a heartbeat comes after late frames, and the count of these stays"),
        pytest.param(80, id="a late frame of levels comes after the newer snapshot"),
        pytest.param(765, id="the last trade comes with a new subscription, after heartbeats told it missing"),
    ],
)
def test_what_went_wrong_once_does_not_again(seed: int) -> None:
    Ordeal(seed).live_through()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_is_the_same_ordeal(kind: str) -> None:
    runs = []
    for _ in range(2):
        ordeal = Ordeal(3, kind)
        ordeal.live_through()
        gaps = [entry for entry in ordeal.client.log if isinstance(entry, Gap)]
        runs.append((ordeal.happened, gaps, len(ordeal.client.log)))
    assert runs[0] == runs[1]
    assert runs[0][1]
