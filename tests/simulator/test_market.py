"""The market goes on for ever without a break: books, sequences, trade ids and times join over the seam."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copra_tx.simulator.market import Market
from copra_tx.simulator.minute import PERIOD
from copra_tx.simulator.recording import load_recording
from support.samples import samples

BTC, ETH = "BTC-USD", "ETH-USD"
LENGTH = 2750  # messages of one repetition


@pytest.fixture(scope="module")
def market() -> Market:
    return Market()


def _messages(market: Market, positions: range, *keys: tuple[str, str]) -> list[Any]:
    wanted = frozenset(keys)
    return [json.loads(market.message(at)) for at in positions if market.entry(at).keys & wanted]


def _time(message: Any) -> datetime:
    return datetime.fromisoformat(message["time"])


class NaiveBook:
    """What a client makes of a snapshot and the updates after it."""

    def __init__(self, snapshot: Any) -> None:
        self.sides = {
            "buy": {Decimal(price): Decimal(size) for price, size in snapshot["bids"]},
            "sell": {Decimal(price): Decimal(size) for price, size in snapshot["asks"]},
        }

    def apply(self, update: Any) -> None:
        for side, price, size in update["changes"]:
            self.sides[side][Decimal(price)] = Decimal(size)
            if not Decimal(size):
                del self.sides[side][Decimal(price)]


positions = st.one_of(
    st.integers(0, 3 * LENGTH),
    st.builds(lambda loop, beside: loop * LENGTH + beside, st.integers(1, 2), st.integers(-4, 4)),  # at a seam
)


@settings(max_examples=12)
@given(stops=st.lists(positions, min_size=2, max_size=4, unique=True), product_id=st.sampled_from([BTC, ETH]))
def test_a_book_from_any_position_equals_the_markets_at_any_later_one(
    market: Market, stops: list[int], product_id: str
) -> None:
    start, *later = sorted(stops)
    book = NaiveBook(json.loads(market.snapshot(product_id, start)))
    at = start
    for stop in later:
        for update in _messages(market, range(at, stop), ("level2_50", product_id)):
            book.apply(update)
        at = stop
        assert book.sides == NaiveBook(json.loads(market.snapshot(product_id, stop))).sides


@pytest.mark.parametrize("product_id", [BTC, ETH])
def test_books_do_not_cross_over_two_seams(market: Market, product_id: str) -> None:
    book = NaiveBook(json.loads(market.snapshot(product_id, LENGTH - 200)))
    for update in _messages(market, range(LENGTH - 200, LENGTH + 200), ("level2_50", product_id)):
        book.apply(update)
        assert max(book.sides["buy"]) < min(book.sides["sell"])


@pytest.mark.parametrize("product_id", [BTC, ETH])
def test_trade_ids_have_no_gap_and_sequences_grow(market: Market, product_id: str) -> None:
    last = json.loads(market.last_match(product_id, 0) or b"")
    trades = _messages(market, range(2 * LENGTH + 500), ("matches", product_id))
    assert [trade["trade_id"] for trade in trades] == [
        last["trade_id"] + number for number in range(1, len(trades) + 1)
    ]
    sequences = [last["sequence"], *(trade["sequence"] for trade in trades)]
    assert all(before < after for before, after in pairwise(sequences))


@pytest.mark.parametrize("product_id", [BTC, ETH])
def test_heartbeats_and_tickers_keep_up_with_the_trades(market: Market, product_id: str) -> None:
    last = json.loads(market.last_match(product_id, 0) or b"")
    keys = [(channel, product_id) for channel in ("matches", "ticker", "heartbeat")]
    heartbeats = []
    for message in _messages(market, range(3 * LENGTH), *keys):
        if message["type"] == "match":
            last = message
        elif message["type"] == "ticker":
            assert (message["trade_id"], message["sequence"]) == (last["trade_id"], last["sequence"])
        else:
            assert message["last_trade_id"] == last["trade_id"]
            assert message["sequence"] >= last["sequence"]
            heartbeats.append(message)
    assert len(heartbeats) == 3 * 60
    gaps = [_time(after) - _time(before) for before, after in pairwise(heartbeats)]
    assert all(abs(gap - timedelta(seconds=1)) < timedelta(milliseconds=1) for gap in gaps)
    grown = [heartbeat["sequence"] for heartbeat in heartbeats]
    assert grown == sorted(grown)


def test_times_go_on_by_the_minute_and_over_midnight(market: Market) -> None:
    first = json.loads(market.message(0))
    for loop in (1, 61, 62, 24 * 60):
        later = json.loads(market.message(loop * LENGTH))
        assert _time(later) - _time(first) == timedelta(seconds=loop * PERIOD)
        assert len(later["time"]) == len(first["time"])


def test_positions_and_times_belong_together(market: Market) -> None:
    assert market.due(0.0) == sum(market.due_at(at) == 0.0 for at in range(10))  # the messages of the first moment
    for position in (0, 1, 500, LENGTH - 1, LENGTH, 2 * LENGTH + 77):
        due_at = market.due_at(position)
        assert market.due(due_at) > position
        assert market.due(due_at - 0.000001) <= position
    assert market.due_at(2 * LENGTH) == market.due_at(0) + 2 * PERIOD
    assert market.due(PERIOD) - market.due(0.0) == LENGTH


def test_recorded_bytes_are_sent_as_they_were_recorded(market: Market) -> None:
    recorded = [frame.raw for frame in load_recording() if frame.message["type"] in {"l2update", "match"}]
    sent = [market.message(at) for at in range(LENGTH) if market.entry(at).type in {"l2update", "match"}]
    assert set(recorded) < set(sent)
    snapshots = {frame.raw for frame in load_recording() if frame.message["type"] == "snapshot"}
    assert {market.snapshot(BTC, 0), market.snapshot(ETH, 0)} == snapshots


def test_asking_for_earlier_books_again_changes_nothing(market: Market) -> None:
    asked = [LENGTH + 900, 900, 10, 900, LENGTH + 10, LENGTH + 900]
    books = [NaiveBook(json.loads(market.snapshot(ETH, position))).sides for position in asked]
    assert books[0] == books[1] == books[3] == books[5]
    assert books[2] == books[4] != books[0]


def test_a_snapshot_is_as_old_as_its_newest_change(market: Market) -> None:
    position = LENGTH + 1000
    [newest] = _messages(market, range(LENGTH, position), ("level2", BTC))[-1:]
    assert json.loads(market.snapshot(BTC, position))["time"] == newest["time"]


def test_greetings() -> None:
    market = Market({BTC, "SOL-EUR"}, {"XYZ-USD"})
    for channel in ("level2", "level2_50"):
        kind, message = market.greeting((channel, BTC), 5) or ("", b"")
        assert (kind, json.loads(message)["type"]) == ("snapshot", "snapshot")
    kind, message = market.greeting(("matches", BTC), 5) or ("", b"")
    assert (kind, json.loads(message)["type"]) == ("last_match", "last_match")
    kind, message = market.greeting(("status", ""), 5) or ("", b"")
    assert (kind, len(json.loads(message)["products"])) == ("status", 3)
    kind, message = market.greeting(("level3", BTC), 5) or ("", b"")
    assert (kind, json.loads(message)) == ("level3", samples("server")["level3-schema"])
    for channel in ("ticker", "ticker_1000", "heartbeat", "full", "user"):
        assert market.greeting((channel, BTC), 5) is None
    assert market.greeting(("matches", "SOL-EUR"), 5) is None  # nothing ever traded
    kind, message = market.greeting(("level2", "SOL-EUR"), 5) or ("", b"")
    assert json.loads(message)["bids"] == []


def test_the_last_match_is_the_trade_before(market: Market) -> None:
    trades = [at for at in range(2 * LENGTH) if ("matches", ETH) in market.entry(at).keys]
    for before, after in pairwise(trades):
        if before in trades[:3] or after > LENGTH - 100:
            expected = json.loads(market.message(before)) | {"type": "last_match"}
            for position in (before + 1, after):
                assert json.loads(market.last_match(ETH, position) or b"") == expected


def test_keys_are_what_can_be_heard(market: Market) -> None:
    channels = {channel for channel, _ in market.keys}
    assert channels == {"level2", "level2_50", "matches", "ticker", "ticker_1000", "heartbeat", "status"}
    assert len(market.keys) == 2 * 6 + 1
