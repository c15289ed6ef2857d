"""Whatever goes wrong: a book is the venue's at its own sequence or not ``LIVE``, and ``LIVE`` again afterwards."""

from __future__ import annotations

import pytest
from txaio.tx import config as txaio_config

from copra_tx.book import BookState
from support.keepers import BTC, Venue, channel, truth
from support.reactors import FakeReactor
from support.schedules import FaultSchedule

QUIET = 45.0
"""Seconds after the last fault: a wait of 30 s may have begun just then."""


def live_through(seed: int, name: str) -> None:
    """Live through a schedule of faults, and look at the book again and again."""
    reactor = txaio_config.loop = FakeReactor()
    venue = Venue(reactor, seed=seed, book_depth=20)
    client = venue.client(channel(name))
    book = client.books[BTC]
    schedule = FaultSchedule(seed, channels=[name], product_ids=[BTC], ends=12.0)
    schedule.arrange(venue.exchange, reactor)
    looked = 0
    while reactor.seconds() < schedule.ends + QUIET:
        venue.pass_time(0.5)
        if book.state is BookState.LIVE:
            looked += 1
            assert truth(venue, book), f"{schedule!r} at {reactor.seconds()}"
    assert book.state is BookState.LIVE, f"{schedule!r}: {book.faults}"
    assert looked > 20
    venue.end()


@pytest.mark.parametrize("name", ["full", "level3"])
@pytest.mark.parametrize("seed", range(8))
def test_a_book_is_right_or_says_that_it_is_not(seed: int, name: str) -> None:
    live_through(seed, name)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 350))
def test_a_book_is_right_whatever_the_seed(seed: int) -> None:
    live_through(seed, ("full", "level3")[seed % 2])
