"""The lag of the last minute, and what a message's time is."""

from __future__ import annotations

import pytest

from copra_tx.integrity.lag import SHORTEST_STEP, WINDOW, Lag, seconds_of


def test_without_samples_there_are_no_figures() -> None:
    assert Lag().figures(0.0) is None
    assert Lag().least(0.0) is None


def test_median_and_worst_of_the_last_minute() -> None:
    lag = Lag()
    for second, seconds_late in enumerate((9.0, 0.2, 0.1, 0.4)):
        lag.add(second, seconds_late)
    figures = lag.figures(3)
    assert figures is not None
    assert (figures.median, figures.worst) == (pytest.approx(0.3), 9.0)
    assert lag.least(3) == 0.1
    assert lag.figures(WINDOW + 0.5) == (0.2, 0.4)
    assert lag.figures(WINDOW + 3.5) is None


def test_of_many_at_once_one_is_due() -> None:
    lag = Lag()
    assert lag.due <= 0.0
    lag.add(1.0, 0.1)
    assert lag.due == 1.0 + SHORTEST_STEP


def test_it_is_bounded() -> None:
    lag = Lag()
    for index in range(100_000):
        if index / 1000 >= lag.due:
            lag.add(index / 1000, 0.1)
    assert len(lag._samples) <= WINDOW / SHORTEST_STEP + 1


def test_it_begins_anew() -> None:
    lag = Lag()
    lag.add(1.0, 5.0)
    lag.clear()
    assert lag.due <= 0.0
    lag.add(1.0, 1.0)
    assert lag.figures(1.0) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:01.250000001Z", 1.25),
        ("1970-01-01T00:00:01", 1.0),
        ("1970-01-01T01:00:01+01:00", 1.0),
    ],
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", [None, 3, "", "now", "0001-01-01T00:00:00Z", "1787644774.299000"])
def test_what_is_no_time(text: object) -> None:
    assert seconds_of(text) is None
