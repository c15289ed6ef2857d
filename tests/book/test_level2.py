"""Books of levels: what the messages of both feeds make of them, odd ones included."""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import Any

import pytest

from copra_tx.book import BookFaults, BookState, Level2Book
from copra_tx.book.level2 import SLICE
from copra_tx.book.prices import MOST_AT_HAND
from copra_tx.errors import BookUntrustedError, ConfigurationError
from support.books import levels, snapshot, update

SMALL = snapshot([("99.5", "1"), ("99", "2")], [("100", "3"), ("101.25", "4")], time="2026-08-25T03:35:57.25Z")


def live(message: dict[str, Any] = SMALL) -> Level2Book:
    book = Level2Book("BTC-USD")
    assert book.apply(message)
    assert book.state is BookState.LIVE
    return book


def test_a_snapshot_makes_a_book_live() -> None:
    book = Level2Book("BTC-USD")
    assert (book.state, book.best_bid, book.asks()) == (BookState.EMPTY, None, [])
    book.apply(SMALL)
    assert book.state is BookState.LIVE
    assert book.bids() == levels(("99.5", "1"), ("99", "2"))
    assert book.asks() == levels(("100", "3"), ("101.25", "4"))
    assert (book.best_bid, book.best_ask) == ((Decimal("99.5"), Decimal(1)), (Decimal(100), Decimal(3)))
    assert (book.bids(1), book.asks(0), book.bids(9)) == (book.bids()[:1], [], book.bids())
    assert (book.time, book.verified) == ("2026-08-25T03:35:57.25Z", "none")
    assert repr(book) == "<Level2Book BTC-USD live>"


def test_a_change_sets_the_new_total_and_zero_takes_a_level_away() -> None:
    book = live()
    assert book.apply(
        update(("buy", "99.5", "0.00000000"), ("buy", "98", "5"), ("sell", "100.00", "0.10"), time="2026")
    )
    assert book.bids() == levels(("99", "2"), ("98", "5"))
    assert book.asks(1) == levels(("100", "0.10"))
    assert str(book.asks(1)[0][1]) == "0.10"  # as the wire has it
    assert book.time == "2026"


@pytest.mark.parametrize("price", ["100", "100.0", "100.00000000", "0100", "1e2", "1.0E+2"])
@pytest.mark.parametrize("size", ["0", "0.0", "0.000000000000000000000", "00.0", "0e5", ".0", "-0"])
def test_prices_and_zeros_are_numbers_whatever_they_look_like(price: str, size: str) -> None:
    book = live()
    book.apply(update(("sell", price, size)))
    assert book.best_ask == (Decimal("101.25"), Decimal(4))
    assert book.faults == BookFaults()


def test_deleting_what_is_not_there_is_routine() -> None:
    book = live()
    book.apply(update(("buy", "50", "0"), ("sell", "100.5", "0.00")))
    assert (len(book.bids()), len(book.asks()), book.faults) == (2, 2, BookFaults())


def test_finer_prices_may_come_at_any_time() -> None:
    book = live()
    book.apply(update(("buy", "99.500000000000000001", "7"), ("buy", "99.4", "1"), ("sell", "99.75", "2")))
    assert book.bids(3) == levels(("99.500000000000000001", "7"), ("99.5", "1"), ("99.4", "1"))
    assert book.asks() == levels(("99.75", "2"), ("100", "3"), ("101.25", "4"))


def test_any_number_of_prices_may_change() -> None:
    book = live(snapshot([], []))
    book.apply(update(*(("buy", str(price), "1") for price in range(1, MOST_AT_HAND + 9))))
    book.apply(update(*(("buy", f"{price}.0", "0") for price in range(2, MOST_AT_HAND + 9))))
    assert book.bids() == levels(("1", "1"))


def test_a_book_may_come_under_another_name() -> None:
    book = Level2Book("XLM-USDC", wire_id="XLM-USD")
    level = {"side": "bid", "event_time": "2026", "price_level": "0.1", "new_quantity": "2"}
    event = {"type": "snapshot", "product_id": "XLM-USDC", "updates": [level]}
    assert not book.apply({"channel": "l2_data", "events": [event]})
    assert book.apply({"channel": "l2_data", "events": [event | {"product_id": "XLM-USD"}]})
    assert (book.product_id, book.bids()) == ("XLM-USDC", levels(("0.1", "2")))


def test_a_book_can_begin_as_another_one_and_goes_its_own_way() -> None:
    other, book = live(), Level2Book("BTC-USD")
    other.apply(update(("buy", "99.25", "7")))
    book.copy_from(other)
    assert (book.state, book.time, book.verified) == (BookState.LIVE, other.time, "none")
    assert (book.bids(), book.asks()) == (other.bids(), other.asks())
    book.apply(update(("buy", "99.125", "1"), ("sell", "100", "0")))
    assert other.bids() == levels(("99.5", "1"), ("99.25", "7"), ("99", "2"))
    assert book.bids() == levels(("99.5", "1"), ("99.25", "7"), ("99.125", "1"), ("99", "2"))
    assert book.best_ask == (Decimal("101.25"), Decimal(4))


def test_other_products_and_messages_are_passed_over() -> None:
    book = live()
    for message in (
        update(("buy", "99.5", "0"), product="ETH-USD"),
        snapshot([], [], product="ETH-USD"),
        {"type": "match", "product_id": "BTC-USD", "price": "1", "size": "1"},
        {"type": "subscriptions", "channels": []},
        {"channel": "heartbeats", "events": [{}]},
        ["open", "BTC-USD"],
        "words",
        None,
    ):
        assert not book.apply(message)
        assert not book.is_snapshot(message)
    assert book.bids() == live().bids()


def test_an_update_before_the_snapshot_is_counted() -> None:
    book = Level2Book("BTC-USD")
    assert not book.apply(update(("buy", "1", "1")))
    assert (book.state, book.faults.early, book.bids()) == (BookState.EMPTY, 1, [])


def test_a_new_snapshot_replaces_everything() -> None:
    book = live()
    book.apply(snapshot([("7", "1")], [("8.125", "1")]))
    assert (book.bids(), book.asks()) == (levels(("7", "1")), levels(("8.125", "1")))


@pytest.mark.parametrize(
    ("row", "left"),
    [
        (["99.5", "0.-10000"], 1),
        (["99.5", "-1"], 1),
        (["99.5", "NaN"], 1),
        (["99.5", "Infinity"], 1),
        (["99.5", ". 5"], 1),
        (["99.5", None], 1),
        (["99.5", 1], 1),
        (["99.5", ["1"]], 1),
        (["0", "1"], 2),
        (["-5", "1"], 2),
        (["1e40", "1"], 2),
        (["1.0000000000000000001", "1"], 2),
        (["sNaN", "1"], 2),
        ([None, "1"], 2),
        ([["1"], "1"], 2),
        ([99.5, "1"], 2),
        (["99.5"], 2),
        ([], 2),
        (None, 2),
    ],
)
def test_what_cannot_be_read_is_left_out_and_counted(row: Any, left: int) -> None:
    """In an update and in a snapshot; a level whose size cannot be read is not the one it was."""
    book = live()
    book.apply(update(("sell", "100", "9")) | {"changes": [row and ["buy", *row], ["sell", "100", "9"]]})
    assert (len(book.bids()), book.asks(1), book.faults.unreadable) == (left, levels(("100", "9")), 1)
    book = live(snapshot([], [("100", "9")]) | {"bids": [["99", "2"], row]})
    assert (book.bids(), book.faults.unreadable, book.state) == (levels(("99", "2")), 1, BookState.LIVE)


@pytest.mark.parametrize("part", ["words", 5, None, {"a": 1}])
def test_parts_of_a_message_may_be_anything(part: Any) -> None:
    book = live()
    book.apply(update() | {"changes": part})
    book.apply(SMALL | {"bids": part})
    assert (book.faults.unreadable, book.bids(), len(book.asks())) == (2, [], 2)
    book.apply({"channel": "l2_data", "events": [{"type": "update", "product_id": "BTC-USD", "updates": part}, part]})
    book.apply({"channel": "l2_data", "events": part})
    assert book.faults.unreadable == 3
    book.apply({"channel": "l2_data", "events": [{"type": "snapshot", "product_id": "BTC-USD", "updates": part}]})
    assert (book.faults.unreadable, book.bids(), book.asks()) == (4, [], [])


def test_a_side_that_is_none_is_counted() -> None:
    book = live()
    book.apply(update(("both", "99.5", "0")))
    assert (book.faults.unreadable, len(book.bids())) == (1, 2)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00.000000Z", "", 5])
def test_a_time_that_is_none_is_counted(time: Any) -> None:
    book = live()
    book.apply(update(("buy", "99.5", "8"), time=time))
    assert (book.time, book.faults.odd_times, book.bids(1)) == (SMALL["time"], 1, levels(("99.5", "8")))


def test_the_precision_of_the_program_does_not_matter() -> None:
    context = decimal.Context(prec=2, traps=[])
    with decimal.localcontext(context):
        book = live(snapshot([("12345.6789", "0.12345678")], [("23456.789", "1e-3"), ("x", "1")]))
        book.apply(update(("buy", "12345.67", "x")))
    assert book.bids() == levels(("12345.6789", "0.12345678"))
    assert (book.asks(), book.faults.unreadable) == (levels(("23456.789", "0.001")), 2)


# Trust.


@pytest.mark.parametrize("bid", ["100", "100.5"])
def test_a_crossed_book_is_not_to_be_trusted(bid: str) -> None:
    book = live()
    assert book.apply(update(("buy", bid, "1")))
    assert (book.state, book.faults.crossings) == (BookState.UNTRUSTED, 1)
    for read in (lambda: book.best_bid, lambda: book.best_ask, book.bids, lambda: book.asks(1)):
        with pytest.raises(BookUntrustedError, match="BTC-USD is not to be trusted: the best bid"):
            read()
    assert book.bids(1, trusted=False) == levels((bid, "1"))
    book.apply(update(("buy", bid, "0")))  # something was lost all the same
    assert (book.state, book.faults.crossings) == (BookState.UNTRUSTED, 1)
    assert book.bids(trusted=False) == live().bids()
    book.apply(SMALL)
    assert (book.state, book.reason, book.bids()) == (BookState.LIVE, "", live().bids())


def test_only_a_whole_update_is_looked_at() -> None:
    book = live()
    book.apply(update(("buy", "100", "1"), ("sell", "100", "0")))
    assert (book.state, book.best_bid) == (BookState.LIVE, (Decimal(100), Decimal(1)))


def test_a_book_may_cross_during_an_auction() -> None:
    book = live()
    book.may_cross = True
    book.apply(update(("buy", "100.5", "1")))
    assert book.state is BookState.LIVE


def test_a_crossed_snapshot_is_not_trusted_either() -> None:
    book = Level2Book("BTC-USD")
    book.apply(snapshot([("2", "1")], [("1", "1")]))
    assert book.state is BookState.UNTRUSTED


def test_somebody_else_may_know_that_something_was_lost() -> None:
    book = Level2Book("BTC-USD")
    book.distrust("a frame was lost")
    assert book.state is BookState.EMPTY
    book.apply(SMALL)
    book.verified = "audit"
    book.distrust("a frame was lost")
    with pytest.raises(BookUntrustedError) as raised:
        book.bids()
    assert (raised.value.product_id, raised.value.reason) == ("BTC-USD", "a frame was lost")
    book.clear()
    assert (book.state, book.bids(), book.time, book.verified) == (BookState.EMPTY, [], "", "none")


@pytest.mark.parametrize("depth", [-1, 1.5, True, "1"])
def test_a_depth_is_a_number(depth: Any) -> None:
    with pytest.raises(ConfigurationError, match="depth is a number of levels"):
        live().bids(depth)


# Advanced Trade.


def envelope(*events: tuple[str, list[tuple[str, str, str]]], product: str = "BTC-USD") -> dict[str, Any]:
    return {
        "channel": "l2_data",
        "timestamp": "2026-09-07T01:57:58.894355Z",
        "sequence_num": 0,
        "events": [
            {
                "type": kind,
                "product_id": product,
                "updates": [{"side": side, "price_level": price, "new_quantity": size} for side, price, size in some],
            }
            for kind, some in events
        ],
    }


OPENING = ("snapshot", [("bid", "99.9", "3"), ("offer", "100", "4"), ("bid", "99.85", "1"), ("offer", "101", "0")])


def test_both_feeds_make_the_same_book() -> None:
    book = live(envelope(OPENING))
    assert (book.bids(), book.asks()) == (levels(("99.9", "3"), ("99.85", "1")), levels(("100", "4")))
    assert book.apply(
        envelope(("update", [("bid", "99.9", "0"), ("offer", "99.95", "2")]), ("update", [("bid", "1", "1")]))
    )
    assert (book.bids(), book.asks(1)) == (levels(("99.85", "1"), ("1", "1")), levels(("99.95", "2")))
    assert book.time == "2026-09-07T01:57:58.894355Z"


def test_events_of_one_envelope_count_in_their_order() -> None:
    other = envelope(OPENING, product="ETH-USD")["events"]
    message = envelope(("update", [("bid", "5", "5")]), OPENING, ("update", [("bid", "99.9", "7")]))
    message["events"][1:1] = other
    book = live(message)
    assert book.bids(1) == levels(("99.9", "7"))
    assert len(book.bids()) == 2


def test_entries_that_are_none_are_counted_once() -> None:
    message = envelope(OPENING, ("update", [("bid", "99.9", "8")]))
    message["events"][0]["updates"] += [{"side": "ask", "price_level": "1", "new_quantity": "1"}, "words", {}]
    message["events"][1]["updates"] += [None]
    book = live(message)
    assert (book.faults.unreadable, len(book.bids()), book.bids(1)) == (4, 2, levels(("99.9", "8")))


# Slices.


def large(count: int) -> dict[str, Any]:
    return snapshot([(f"{2 + n}", "1") for n in range(count)], [(f"{count + 2 + n}", "1") for n in range(count)])


def test_a_large_snapshot_is_taken_in_slices() -> None:
    book = Level2Book("BTC-USD")
    message = large(2 * SLICE)
    assert book.is_snapshot(message)
    states = []
    for number, _ in enumerate(book.apply_in_slices(message)):
        states.append((book.state, book.bids()))
        if number < 3:  # what comes between waits
            assert not book.apply(update(("buy", "1", str(number + 1)), ("sell", str(number + 2), "0")))
    assert len(states) >= 4
    assert states[0] == (BookState.SYNCING, [])
    assert book.state is BookState.LIVE
    assert (len(book.bids()), len(book.asks())) == (2 * SLICE + 1, 2 * SLICE)
    assert book.bids()[-1] == (Decimal(1), Decimal(3))


@pytest.mark.parametrize("event", ["clear", "snapshot"])
@pytest.mark.parametrize("after", [1, 3, 5])
def test_slices_end_when_something_else_begins(event: str, after: int) -> None:
    book = Level2Book("BTC-USD")
    slices = book.apply_in_slices(large(SLICE))
    for _ in range(after):
        next(slices)
        book.apply(update(("buy", "1", "1")))
    book.clear() if event == "clear" else book.apply(SMALL)
    state, bids = book.state, book.bids()
    assert list(slices) in ([], [None])
    assert (book.state, book.bids()) == (state, bids)


def test_other_messages_take_no_slices() -> None:
    book = live()
    assert list(book.apply_in_slices(update(("buy", "99.5", "0")))) == []
    assert book.bids() == levels(("99", "2"))
    list(book.apply_in_slices(envelope(("update", [("bid", "99", "0")]))))
    assert book.bids() == []


def test_the_prices_of_an_update_can_be_listed() -> None:
    book = live()
    assert list(book.prices_in(update(("buy", "1", "0"), ("sell", "2.0", "1")))) == ["1", "2.0"]
    assert list(book.prices_in(envelope(OPENING, ("update", [("bid", "3", "1")])))) == ["3"]
    assert list(book.prices_in(update(("buy", "1", "0"), product="ETH-USD"))) == []
    assert list(book.prices_in(update() | {"changes": ["x", None, []]})) == []
    assert list(book.prices_in(update() | {"changes": None})) == []


def numbered(number: int, kind: str, price: str) -> dict[str, Any]:
    level = {"side": "bid", "event_time": "2026-09-07T23:37:22Z", "price_level": price, "new_quantity": "1"}
    event = {"type": kind, "product_id": "BTC-USD", "updates": [level]}
    return {"channel": "l2_data", "timestamp": "2026-09-07T23:37:22Z", "sequence_num": number, "events": [event]}


def test_of_numbered_messages_those_that_come_late_or_again_are_passed_over() -> None:
    """What they say was replaced by what came before them."""
    book = Level2Book("BTC-USD", is_numbered=True)
    for late in numbered(4, "snapshot", "9"), numbered(3, "update", "9"), numbered(2, "snapshot", "9"):
        book.clear()
        assert book.apply(numbered(4, "snapshot", "5"))
        assert not book.is_snapshot(late)
        assert not book.apply(late)
        assert book.apply(numbered(5, "update", "6"))
        assert book.bids() == levels(("6", "1"), ("5", "1"))
    assert book.faults.late == 3


@pytest.mark.parametrize("number", [None, "3", 1.5])
def test_a_message_without_a_number_is_taken_as_it_comes(number: Any) -> None:
    book = Level2Book("BTC-USD", is_numbered=True)
    book.apply(numbered(4, "snapshot", "5"))
    assert book.apply(numbered(5, "update", "6") | {"sequence_num": number})
    assert book.apply(numbered(5, "update", "7"))
    assert len(book.bids()) == 3
    assert book.faults.late == 0
