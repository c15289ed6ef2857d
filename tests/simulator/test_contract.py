"""
One contract, every feed: what the simulated exchange promises, the recording of the real one fulfils too.

``FeedContract`` says what a client may rely on that subscribed to ``level2_batch``, ``matches`` and ``heartbeat``. It
is held against the recording of such a connection, and against simulated ones, of the recorded minute and of orders,
that begin at different moments, go over the seam and are as long. What was not recorded there is compared with single
real frames of other years.
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from copra_tx.simulator.recording import load_recording
from support.exchange import Hall
from support.reactors import FakeReactor

PRODUCTS = ["BTC-USD", "ETH-USD"]
Messages = list[dict[str, Any]]

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NUMBER, _TIME = r"\d+(\.\d+)?", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_PRODUCT, _SIDE = "|".join(PRODUCTS), "buy|sell"
_TRADE = [
    ("trade_id", int),
    ("maker_order_id", _UUID),
    ("taker_order_id", _UUID),
    ("side", _SIDE),
    ("size", _NUMBER),
    ("price", _NUMBER),
    ("product_id", _PRODUCT),
    ("sequence", int),
    ("time", _TIME),
]
# The fields of each message in their order: a pattern for text, a type for numbers, a list for one of such.
SHAPES: dict[str, list[tuple[str, Any]]] = {
    "subscriptions": [("channels", [("name", r"\w+"), ("product_ids", list), ("account_ids", type(None))])],
    "snapshot": [("product_id", _PRODUCT), ("asks", tuple), ("bids", tuple), ("time", _TIME)],
    "last_match": _TRADE,
    "match": _TRADE,
    "l2update": [("product_id", _PRODUCT), ("changes", tuple), ("time", _TIME)],
    "heartbeat": [("last_trade_id", int), ("product_id", _PRODUCT), ("sequence", int), ("time", _TIME)],
}


def _check_fields(fields: dict[str, Any], shape: list[tuple[str, Any]]) -> None:
    assert list(fields) == [name for name, _ in shape]
    for name, kind in shape:
        value = fields[name]
        if isinstance(kind, str):
            assert isinstance(value, str)
            assert re.fullmatch(kind, value), (name, value)
        elif isinstance(kind, list):
            for entry in value:
                _check_fields(entry, kind)
        else:
            assert type(value) is kind


@functools.cache
def _decode(frames: tuple[bytes, ...]) -> Messages:
    """Decode what was received; levels as tuples, which cost the garbage collector nothing."""
    messages: Messages = [json.loads(frame) for frame in frames]
    for message in messages:
        for name in {"asks", "bids", "changes"} & message.keys():
            message[name] = tuple(map(tuple, message[name]))
    return messages


def _time(message: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(message["time"])


class FeedContract:
    """What the messages of one connection have in common, whoever sends them."""

    @pytest.fixture
    def messages(self) -> Messages:
        """Everything received on one connection, from its first frame."""
        raise NotImplementedError

    @pytest.fixture(params=PRODUCTS)
    def product(self, request: pytest.FixtureRequest, messages: Messages) -> Messages:
        """Everything about one product."""
        return [message for message in messages if message.get("product_id") == request.param]

    def test_the_answer_comes_first_and_names_everything(self, messages: Messages) -> None:
        assert [message["type"] for message in messages].index("subscriptions") == 0
        assert Counter(message["type"] for message in messages)["subscriptions"] == 1
        channels = {channel["name"]: sorted(channel["product_ids"]) for channel in messages[0]["channels"]}
        assert channels == {"level2_50": PRODUCTS, "matches": PRODUCTS, "heartbeat": PRODUCTS}

    def test_messages_have_these_fields_in_this_order(self, messages: Messages) -> None:
        for message in messages:
            _check_fields(message, [("type", r"\w+"), *SHAPES[message["type"]]])

    def test_there_is_enough_of_everything(self, product: Messages) -> None:
        counts = Counter(message["type"] for message in product)
        assert counts["snapshot"] == counts["last_match"] == 1
        assert counts["l2update"] > 800
        assert counts["match"] > 80
        assert counts["heartbeat"] > 55

    def test_a_book_begins_with_its_snapshot(self, product: Messages) -> None:
        kinds = [message["type"] for message in product]
        assert kinds.index("snapshot") < kinds.index("l2update")
        [snapshot] = [message for message in product if message["type"] == "snapshot"]
        for side, sign in (("bids", -1), ("asks", 1)):
            levels = snapshot[side]
            assert all(len(level) == 2 and all(re.fullmatch(_NUMBER, text) for text in level) for level in levels)
            prices = [sign * Decimal(price) for price, _ in levels]
            assert prices == sorted(set(prices))
            assert all(Decimal(size) > 0 for _, size in levels)

    def test_books_never_cross(self, product: Messages) -> None:
        """Prices as floats, which compare five times as fast, and are one for every writing of a price."""
        [snapshot] = [message for message in product if message["type"] == "snapshot"]
        bids = {float(price) for price, _ in snapshot["bids"]}
        asks = {float(price) for price, _ in snapshot["asks"]}
        best_bid, best_ask = max(bids), min(asks)
        for update in (message for message in product if message["type"] == "l2update"):
            for side, text, size in update["changes"]:
                levels, price = {"buy": bids, "sell": asks}[side], float(text)
                (levels.add if float(size) else levels.discard)(price)
            touched = {float(price) for _, price, _ in update["changes"]}
            best_bid = max(bids) if best_bid in touched else max(best_bid, *(touched & bids), best_bid)
            best_ask = min(asks) if best_ask in touched else min(best_ask, *(touched & asks), best_ask)
            assert best_bid < best_ask

    def test_changes_are_triples_of_text(self, product: Messages) -> None:
        for update in (message for message in product if message["type"] == "l2update"):
            assert update["changes"]
            for side, price, size in update["changes"]:
                assert re.fullmatch(_SIDE, side)
                assert re.fullmatch(_NUMBER, price)
                assert re.fullmatch(_NUMBER, size)

    def test_trade_ids_have_no_gap_and_begin_with_the_last_match(self, product: Messages) -> None:
        trades = [message for message in product if message["type"] in {"match", "last_match"}]
        assert [trade["type"] for trade in trades] == ["last_match", *["match"] * (len(trades) - 1)]
        assert all(after["trade_id"] == before["trade_id"] + 1 for before, after in pairwise(trades))

    def test_sequences_grow(self, product: Messages) -> None:
        """Strictly over the trades; a heartbeat may repeat the number of the message before it."""
        trades = [message["sequence"] for message in product if message["type"] in {"match", "last_match"}]
        assert all(before < after for before, after in pairwise(trades))
        numbers = [message["sequence"] for message in product if "sequence" in message]
        assert numbers == sorted(numbers)

    def test_a_heartbeat_knows_the_last_trade(self, product: Messages) -> None:
        last: dict[str, Any] = {}
        for message in product:
            if message["type"] in {"match", "last_match"}:
                last = message
            elif message["type"] == "heartbeat":
                assert message["last_trade_id"] == last["trade_id"]
                assert message["sequence"] >= last["sequence"]

    def test_heartbeats_come_once_a_second(self, product: Messages) -> None:
        times = [_time(message) for message in product if message["type"] == "heartbeat"]
        assert {time.microsecond for time in times} <= {0, 1}
        assert {round((after - before).total_seconds(), 3) for before, after in pairwise(times)} == {1.0}

    def test_time_goes_forward_within_each_kind(self, product: Messages) -> None:
        for kind in ("l2update", "match", "heartbeat"):
            times = [_time(message) for message in product if message["type"] == kind]
            assert times == sorted(times)

    def test_updates_come_in_batches(self, product: Messages) -> None:
        times = [_time(message) for message in product if message["type"] == "l2update"]
        gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
        assert 0.04 < sum(gaps) / len(gaps) < 0.08
        assert max(gaps) < 0.3


class TestRecordedFeed(FeedContract):
    """The real one."""

    @pytest.fixture
    def messages(self) -> Messages:
        return _decode(tuple(frame.raw for frame in load_recording()))


@functools.cache
def _simulate(start: float, speed: float, *channels: str, **arguments: Any) -> tuple[bytes, ...]:
    """Return the frames of a connection of a little more than a minute."""
    reactor = FakeReactor()
    hall = Hall(reactor, speed=speed, **arguments)
    reactor.advance(start / speed)
    client = hall.connect()
    client.send({"type": "subscribe", "product_ids": PRODUCTS, "channels": list(channels)})
    hall.pass_time(64.0 / speed)
    hall.exchange.stopService()
    reactor.advance(0)
    assert reactor.getDelayedCalls() == []
    return tuple(client.frames)


class TestSimulatedFeed(FeedContract):
    """From the beginning, from the middle over the seam, and two repetitions later a hundred times as fast."""

    @pytest.fixture(params=[(0.0, 1.0), (25.5, 1.0), (146.25, 100.0)], ids=["beginning", "middle", "later"])
    def messages(self, request: pytest.FixtureRequest) -> Messages:
        start, speed = request.param
        return _decode(_simulate(start, speed, "level2_batch", "matches", "heartbeat"))


class TestMadeFeed(FeedContract):
    """A flow of orders, from its beginning and from the middle."""

    @pytest.fixture(params=[(0.0, 1.0), (120.25, 100.0)], ids=["beginning", "middle"])
    def messages(self, request: pytest.FixtureRequest) -> Messages:
        start, speed = request.param
        return _decode(_simulate(start, speed, "level2_batch", "matches", "heartbeat", seed=7, order_rate=40.0))


# What the recorded connection did not subscribe to.


def _real(kind: str) -> Messages:
    """Return the single real frames of a kind; of years between 2019 and 2022, so older fields only."""
    lines = Path(__file__).with_name("single_frames.jsonl").read_text().splitlines()[1:]
    frames = [json.loads(line)["message"] for line in lines]
    return [frame for frame in frames if frame["type"] == kind]


def _simulated(kind: str, *channels: str) -> Messages:
    return [message for message in _decode(_simulate(0.0, 1.0, *channels)) if message["type"] == kind]


@pytest.mark.parametrize(
    ("kind", "channel"),
    [
        *(("ticker", "ticker"), ("ticker", "ticker_batch"), ("heartbeat", "heartbeat"), ("match", "matches")),
        *(("last_match", "matches"), ("l2update", "level2_batch"), ("snapshot", "level2_batch")),
        *(("subscriptions", "ticker"), ("status", "status")),
    ],
)
def test_every_field_of_single_real_frames_is_simulated(kind: str, channel: str) -> None:
    """With a value of the same type. The venue has added fields since, and taken some of ``status`` away."""
    real, simulated = _real(kind), _simulated(kind, channel)
    assert real
    assert simulated
    gone = {"base_min_size", "base_max_size", "max_market_funds"}  # removed on 2022-06-30
    undocumented = {"margin_enabled", "type", "funding_account_id", "details"}
    for frame in real:
        for message in simulated[:50]:
            _check_covers(message, frame, except_for=gone | undocumented)


def _check_covers(ours: Any, theirs: Any, *, except_for: set[str]) -> None:
    if isinstance(theirs, dict):
        for name, value in theirs.items():
            if name not in except_for:
                assert name in ours
                _check_covers(ours[name], value, except_for=except_for)
    elif isinstance(theirs, list | tuple):
        for entry in theirs[:1]:
            _check_covers(ours[0], entry, except_for=except_for)
    else:
        assert type(ours) is type(theirs) or None in (ours, theirs)


def test_the_order_of_a_tickers_fields_is_that_of_a_real_one() -> None:
    """Of 2022; the sizes of the best bid and ask came later that year."""
    real = next(frame for frame in _real("ticker") if next(iter(frame)) == "type")
    for channel in ("ticker", "ticker_batch"):
        for message in _simulated("ticker", channel):
            assert [name for name in message if name in real] == list(real)
            assert set(message) - set(real) == {"best_bid_size", "best_ask_size"}
