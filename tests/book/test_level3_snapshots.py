"""Books of orders: snapshots, what waits for them, sequences and their gaps."""

from __future__ import annotations

from typing import Any

import pytest

from copra_tx.book import BookState, Level3Book, level3
from copra_tx.errors import BookSnapshotError
from support.books import BODY, live_orders, noop, opened

LIVE, SYNCING, UNTRUSTED = BookState.LIVE, BookState.SYNCING, BookState.UNTRUSTED


def test_messages_wait_for_the_snapshot() -> None:
    book = Level3Book("BTC-USD")
    assert book.state is BookState.EMPTY
    assert book.apply(opened(99, "old"))
    assert book.state is SYNCING
    assert not book.apply(noop(100))
    book.apply(opened(101))
    assert (book.bids(), book.sequence) == ([], None)
    assert book.load(BODY)
    assert (book.state, book.sequence) == (LIVE, 101)
    assert [order.order_id for order in book.orders("buy")] == ["b1", "b2", "new", "b3"]
    book.apply(noop(102))
    assert book.sequence == 102


def test_a_snapshot_older_than_what_waits_is_refused() -> None:
    book = Level3Book("BTC-USD")
    book.apply(noop(102))
    assert not book.joins(100)
    assert not book.load(BODY)
    assert (book.state, book.faults.stale_snapshots, book.bids()) == (SYNCING, 1, [])
    assert book.load(BODY | {"sequence": 101})
    assert (book.state, book.sequence) == (LIVE, 102)


def test_a_snapshot_may_be_ahead_of_the_feed() -> None:
    book = Level3Book("BTC-USD")
    book.apply(noop(97))
    book.load(BODY)
    assert (book.state, book.sequence) == (LIVE, 100)
    for number in range(98, 101):
        assert not book.apply(opened(number, f"o{number}"))
    assert book.apply(noop(101))
    assert len(book.orders("buy")) == 3


def test_a_snapshot_older_than_the_book_is_refused() -> None:
    book = live_orders()
    book.apply(opened(101))
    assert not book.load(BODY)
    assert (book.state, book.sequence, book.order("new") is None) == (LIVE, 101, False)


def test_orders_that_cannot_be_read_are_left_out_of_a_snapshot() -> None:
    rows = [
        ["99", "0.-10000", "x"],
        ["x", "1", "y"],
        ["99", "1", "b1"],
        ["99", "1", 5],
        ["99", "1"],
        None,
        ["99", "0", "z"],
    ]
    book = live_orders(BODY | {"bids": [*BODY["bids"], *rows]})
    assert (len(book.orders("buy")), book.faults.unreadable) == (3, 6)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "NotFound"}, r"level=3: it has message"),
        ({}, "it has nothing"),
        ([], r"it is \[\]"),
        (BODY | {"bids": None}, "it has sequence, bids"),
        (BODY | {"sequence": "5"}, "it has sequence, bids"),
    ],
)
def test_what_is_no_snapshot_is_refused_at_once(body: Any, words: str) -> None:
    book = live_orders()
    with pytest.raises(BookSnapshotError, match=words):
        book.load(body)
    with pytest.raises(BookSnapshotError, match="GET /products/BTC-USD/book"):
        book.load_in_slices(body)
    assert (book.state, len(book.bids())) == (LIVE, 2)


def test_during_an_auction_a_book_may_be_crossed() -> None:
    crossed = BODY | {"bids": [["100.5", "1", "b1"]]}
    book = Level3Book("BTC-USD")
    assert not book.load(crossed)
    assert (book.state, book.faults.crossings) == (UNTRUSTED, 1)
    assert book.load(crossed | {"auction_mode": True})
    assert book.state is LIVE


# Gaps.


def test_a_gap_ends_the_trust_until_the_next_snapshot() -> None:
    book = live_orders()
    assert book.apply(opened(103))
    assert (book.state, book.faults.gaps, book.sequence) == (UNTRUSTED, 1, 100)
    assert book.reason == "message 101 was expected and 103 came: 2 missing"
    book.apply(noop(104))
    assert len(book.bids(trusted=False)) == 2
    assert not book.load(BODY | {"sequence": 101})
    assert book.state is UNTRUSTED
    assert book.load(BODY | {"sequence": 102})
    assert (book.state, book.sequence, book.reason) == (LIVE, 104, "")
    assert book.order("new") is not None


def test_what_was_missing_may_come_late() -> None:
    book = live_orders()
    book.apply(opened(103, "third"))
    book.apply(noop(104))
    assert book.apply(opened(101, "first"))
    assert (book.state, book.sequence) == (UNTRUSTED, 101)
    assert book.apply(opened(102, "second"))
    assert (book.state, book.sequence, book.reason, book.faults.late) == (LIVE, 104, "", 0)
    assert {"first", "second", "third"} < {order.order_id for order in book.orders("buy")}


def test_what_comes_late_in_no_order_mends_nothing() -> None:
    book = live_orders()
    book.apply(noop(103))
    assert not book.apply(noop(102))
    book.apply(noop(101))
    assert (book.state, book.sequence, book.faults.late) == (UNTRUSTED, 101, 1)


def test_a_second_gap_cannot_be_mended() -> None:
    book = live_orders()
    book.apply(noop(102))
    book.apply(noop(105))
    assert not book.apply(noop(101))
    assert (book.state, book.sequence, book.faults.gaps, book.faults.late) == (UNTRUSTED, 100, 2, 1)
    assert book.joins(104)
    assert not book.joins(103)


def test_a_late_message_that_cannot_be_read_mends_nothing() -> None:
    book = live_orders()
    book.apply(noop(102))
    book.apply(opened(101, price="x"))
    assert (book.state, book.reason) == (UNTRUSTED, "message 101 cannot be read")


def test_a_waiting_message_that_cannot_be_read_ends_the_trust() -> None:
    book = Level3Book("BTC-USD")
    book.apply(opened(101, price="x"))
    book.apply(noop(102))
    assert not book.load(BODY)
    assert (book.state, book.sequence) == (UNTRUSTED, 101)
    assert book.load(BODY | {"sequence": 101})
    assert book.sequence == 102


def test_a_repeated_message_is_counted() -> None:
    book = live_orders()
    book.apply(opened(101))
    assert not book.apply(opened(101))
    assert not book.apply(opened(50, "old"))
    assert (book.state, book.faults.late, len(book.orders("buy"))) == (LIVE, 2, 4)


def test_a_hole_in_what_waits_begins_the_waiting_anew() -> None:
    book = Level3Book("BTC-USD")
    book.apply(noop(98))
    assert not book.apply(noop(101))
    assert not book.load(BODY | {"sequence": 99})
    assert book.load(BODY)
    assert (book.state, book.sequence, book.faults.gaps) == (LIVE, 101, 1)


def test_a_crossed_book_waits_for_a_snapshot() -> None:
    book = live_orders()
    book.apply(opened(101, price="100"))
    assert (book.state, book.faults.crossings) == (UNTRUSTED, 1)
    book.apply(noop(102))
    assert book.sequence == 101
    assert book.load(BODY | {"sequence": 101})
    assert (book.state, book.sequence) == (LIVE, 102)


def test_what_somebody_else_distrusts_is_not_mended() -> None:
    book = live_orders()
    book.apply(noop(102))
    book.distrust("the clock struck thirteen")
    book.apply(noop(101))
    assert (book.state, book.faults.late) == (UNTRUSTED, 1)


def test_no_more_waits_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(level3, "MOST_WAITING", 3)
    book = Level3Book("BTC-USD")
    for number in range(90, 95):
        book.apply(noop(number))
    assert book.faults.overflows == 1
    assert not book.joins(91)
    assert book.joins(92)


def test_clear_forgets_everything_but_the_faults() -> None:
    book = live_orders()
    book.apply(noop(102))
    book.clear()
    assert (book.state, book.sequence, book.bids(), book.faults.gaps) == (BookState.EMPTY, None, [], 1)
    book.apply(noop(5))
    assert book.load(BODY | {"sequence": 5})
    assert book.state is LIVE


# Slices.


def large(count: int) -> dict[str, Any]:
    bids = [[f"{50 + n / 100:.2f}", "1", f"b{n}"] for n in range(count)]
    asks = [[f"{5000 + n / 100:.2f}", "1", f"a{n}"] for n in range(count)]
    return BODY | {"bids": bids, "asks": asks}


def test_a_large_snapshot_is_loaded_in_slices() -> None:
    book = Level3Book("BTC-USD")
    book.apply(noop(100))
    states = []
    number = 101
    for _ in book.load_in_slices(large(2500)):
        states.append((book.state, book.bids()))
        for _ in range(500):
            book.apply(opened(number, f"new{number}", price="1"))
            number += 1
    assert len(states) >= 7
    assert states[0] == (SYNCING, [])
    assert (book.state, book.sequence) == (LIVE, number - 1)
    assert len(book.orders("buy")) == 2500 + number - 101


@pytest.mark.parametrize("event", ["clear", "load"])
@pytest.mark.parametrize("after", [1, 7])
def test_slices_end_when_something_else_begins(event: str, after: int) -> None:
    book = Level3Book("BTC-USD")
    for number in range(101, 2500):
        book.apply(noop(number))
    slices = book.load_in_slices(large(2500))
    for _ in range(after):
        next(slices)
    book.clear() if event == "clear" else book.load(BODY | {"sequence": 9999})
    state, bids = book.state, book.bids()
    assert list(slices) == []
    assert (book.state, book.bids()) == (state, bids)


def test_a_hole_while_a_snapshot_is_loaded_makes_it_stale() -> None:
    book = Level3Book("BTC-USD")
    slices = book.load_in_slices(large(600))
    next(slices)
    book.apply(noop(103))
    for _ in slices:
        assert book.state is SYNCING
    assert (book.state, book.sequence, book.faults.stale_snapshots, book.bids()) == (SYNCING, None, 1, [])
    assert book.load(BODY | {"sequence": 102})
    assert (book.state, book.sequence) == (LIVE, 103)
