"""A book of orders over real frames of ``full``, and over the simulated market in both of its forms."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from copra_tx.book import BookFaults, BookState, Level3Book
from copra_tx.simulator.flow import FlowMarket
from support.naive import NaiveOrders

FRAMES = Path(__file__).parent.parent / "simulator" / "full_frames.jsonl"


def test_real_frames_have_no_gap_and_nothing_that_cannot_be_read() -> None:
    """Of orders that were there before the recording, the book knows nothing: it is loaded empty."""
    frames = [json.loads(line) for line in FRAMES.read_text("utf-8").splitlines()[1:]]
    books: dict[str, Level3Book] = {}
    naive: dict[str, NaiveOrders] = {}
    for frame in frames:
        product = frame.get("product_id")
        if frame["type"] in ("subscriptions", "heartbeat"):
            for book in books.values():
                assert not book.apply(frame)
            continue
        if product not in books:
            body = {"sequence": frame["sequence"] - 1, "bids": [], "asks": []}
            books[product], naive[product] = Level3Book(product), NaiveOrders(body)
            books[product].load(body)
        for one, book in books.items():
            assert book.apply(frame) is (one == product)
        naive[product].apply(frame)
    assert len(books) == 2
    for product, book in books.items():
        assert book.state is BookState.LIVE
        assert book.faults == BookFaults(strangers=book.faults.strangers)
        assert book.sequence == naive[product].sequence
        assert dict(book.bids()) == naive[product].levels()["buy"]
        assert dict(book.asks()) == naive[product].levels()["sell"]
    assert sum(len(book.orders("buy")) + len(book.orders("sell")) for book in books.values()) > 3


@pytest.mark.parametrize("channel", ["full", "level3"])
def test_a_book_equals_the_markets_at_every_sequence(channel: str) -> None:
    market: Any = FlowMarket(frozenset({"BTC-USD"}), seed=11)
    book = Level3Book("BTC-USD")
    opening = market.book("BTC-USD", 0)
    book.load({"sequence": opening.sequence, "bids": opening.orders("buy"), "asks": opening.orders("sell")})
    assert book.state is BookState.LIVE
    looked = 0
    for position in range(market.due(40.0)):
        if (channel, "BTC-USD") not in market.entry(position).keys:
            continue
        assert book.apply(json.loads(market.message(position)))
        if book.sequence % 25:
            continue
        there = market.book_at("BTC-USD", book.sequence)
        for side in ("buy", "sell"):
            theirs = [(Decimal(price), Decimal(size), order_id) for price, size, order_id in there.orders(side)]
            assert [tuple(order) for order in book.orders(side)] == theirs
        looked += 1
    assert looked > 10
    assert book.faults == BookFaults()
