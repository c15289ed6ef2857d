"""The recorded minute through a client: right books, and nothing told that was not so."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from copra_tx.book import BookFaults, BookState
from copra_tx.integrity.gaps import Gap
from copra_tx.simulator.minute import RECORDED_PRODUCTS
from copra_tx.websocket import Channel
from support.keepers import BookRecorder, Venue
from support.naive import NaiveLevels
from support.reactors import FakeReactor


class Reader(BookRecorder):
    """Keeps a naive book of each product beside the client's own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.naive: dict[str, NaiveLevels] = {}
        self.kinds: dict[str, int] = {}
        super().__init__(*args, **kwargs)

    def on_message(self, message: Any) -> None:
        super().on_message(message)
        kind = message["type"]
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if kind == "snapshot":
            self.naive[message["product_id"]] = NaiveLevels(message)
        elif kind == "l2update":
            self.naive[message["product_id"]].apply(message)

    def on_gap(self, gap: Gap) -> None:
        self.told.append(("gap", gap))

    def on_stall(self, what: str, seconds: float) -> None:
        self.told.append(("stall", what, seconds))


def _sides(naive: NaiveLevels) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
    return sorted(naive.sides["buy"].items(), reverse=True), sorted(naive.sides["sell"].items())


@pytest.mark.parametrize("name", ["level2", "level2_batch"])
def test_both_books_are_the_naive_ones_and_nothing_is_told_to_be_wrong(fake_reactor: FakeReactor, name: str) -> None:
    venue = Venue(fake_reactor, seed=None, products=RECORDED_PRODUCTS)
    products = sorted(RECORDED_PRODUCTS)
    channels = [Channel(one, products) for one in (name, "matches", "ticker", "ticker_batch")]
    client = venue.client([*channels, Channel("status")], kind=Reader)
    for _ in range(6):
        venue.pass_time(10.0)
        for product in products:
            book = client.books[product]
            assert book.state is BookState.LIVE
            assert book.faults == BookFaults()  # never crossed, for one
            assert (book.bids(), book.asks()) == _sides(client.naive[product])
    assert client.kinds["l2update"] > 1000
    assert client.kinds["match"] > 50
    assert [client.heard(kind) for kind in ("gap", "stall", "error", "close")] == [[], [], [], []]
    assert client.status.is_ready
    counters = client.counters
    assert (counters.connections, counters.gaps, counters.late, counters.repeated, counters.stalls) == (1, 0, 0, 0, 0)
    venue.end()
