"""Books of levels beside naive ones: after any updates, and over the recorded minute; and how much memory they take."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.book import BookFaults, BookState, Level2Book
from copra_tx.simulator.recording import load_recording
from support.books import snapshot, update
from support.naive import NaiveLevels

numbers = st.decimals(min_value="0.01", max_value="30", places=2).map(str) | st.sampled_from(
    ["7", "7.0", "7.10", "7.1"]
)
sizes = st.sampled_from(["0", "0.00000000", "0.0"]) | st.integers(1, 99).map(lambda n: f"0.{n:02d}")
changes = st.lists(st.tuples(st.sampled_from(["buy", "sell"]), numbers, sizes), max_size=6)
rows = st.lists(st.tuples(numbers, sizes), max_size=12)


def _sorted(naive: NaiveLevels) -> tuple[list[Any], list[Any]]:
    return sorted(naive.sides["buy"].items(), reverse=True), sorted(naive.sides["sell"].items())


@given(bids=rows, asks=rows, updates=st.lists(changes, max_size=12))
def test_it_equals_a_naive_book_after_any_updates(bids: Any, asks: Any, updates: Any) -> None:
    book = Level2Book("BTC-USD")
    book.may_cross = True
    book.apply(snapshot(bids, asks))
    naive = NaiveLevels(snapshot(*([row for row in some if Decimal(row[1])] for some in (bids, asks))))
    for message in (update(), *(update(*some) for some in updates)):
        book.apply(message)
        naive.apply(message)
        bids_now, asks_now = _sorted(naive)
        assert (book.bids(), book.asks()) == (bids_now, asks_now)
        assert book.best_bid == (bids_now[0] if bids_now else None)
        assert book.asks(2) == asks_now[:2]
    assert book.faults == BookFaults()


def test_the_recorded_minute_makes_a_naive_book_and_never_crosses() -> None:
    books, naive, updates = {}, {}, 0
    for frame in load_recording():
        message, product = frame.message, frame.message.get("product_id")
        if message["type"] == "snapshot":
            books[product], naive[product] = Level2Book(product), NaiveLevels(message)
            books[product].apply(message)
        elif message["type"] == "l2update":
            naive[product].apply(message)
            for book in books.values():
                book.apply(message)
            updates += 1
            if updates % 190 == 0:
                for one, book in books.items():
                    bids, asks = _sorted(naive[one])
                    assert (book.bids(), book.asks()) == (bids, asks)
                    assert (book.best_bid, book.best_ask) == (bids[0], asks[0])
    assert updates == 1898
    assert {(book.state, book.faults.crossings) for book in books.values()} == {(BookState.LIVE, 0)}
    assert all(book.faults == BookFaults() for book in books.values())
    for one, book in books.items():
        assert (book.bids(), book.asks()) == _sorted(naive[one])


def test_a_level_takes_220_bytes_at_most() -> None:
    raw = next(frame.raw for frame in load_recording() if b'"snapshot"' in frame.raw and b'"BTC-USD"' in frame.raw)
    book = Level2Book("BTC-USD")
    tracemalloc.start()
    try:
        book.apply(msgspec.json.decode(raw))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    count = len(book.bids()) + len(book.asks())
    assert count == 42390
    assert 100 < kept / count < 220
