"""
What the simulated exchange promises of ``full``, the real feed fulfils too.

``FullContract`` is held against consecutive real frames of 2017, and against a flow of orders.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from copra_tx.simulator import TEST_KEY
from support.exchange import Hall
from support.reactors import FakeReactor

PRODUCTS = ["BTC-USD", "ETH-USD"]
Messages = list[dict[str, Any]]

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NUMBER, _SIDE = r"\d+(\.\d+)?", "buy|sell"
_COMMON = {"type": r"\w+", "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "product_id": "|".join(PRODUCTS)}
# What each must have, as patterns of its text; ``sequence`` is a number in all of them.
MUST: dict[str, dict[str, str]] = {
    "received": {"order_id": _UUID, "side": _SIDE, "order_type": "limit|market"},
    "open": {"order_id": _UUID, "side": _SIDE, "price": _NUMBER, "remaining_size": _NUMBER},
    "done": {"order_id": _UUID, "side": _SIDE, "reason": "filled|canceled"},
    "match": {"maker_order_id": _UUID, "taker_order_id": _UUID, "side": _SIDE, "price": _NUMBER, "size": _NUMBER},
    "change": {"order_id": _UUID, "side": _SIDE, "reason": "STP|modify_order", "new_size": _NUMBER},
    "heartbeat": {},
}


class FullContract:
    """What a client may rely on."""

    @pytest.fixture
    def messages(self) -> Messages:
        """A stretch of ``full`` and ``heartbeat`` of two products."""
        raise NotImplementedError

    def test_messages_have_these_fields(self, messages: Messages) -> None:
        for message in messages:
            assert type(message["sequence"]) is int
            for name, pattern in (_COMMON | MUST[message["type"]]).items():
                assert re.fullmatch(pattern, message[name]), (name, message)

    def test_each_number_comes_once_and_heartbeats_repeat_the_last(self, messages: Messages) -> None:
        for product_id in PRODUCTS:
            about = [message for message in messages if message["product_id"] == product_id]
            for before, after in pairwise(about):
                assert after["sequence"] == before["sequence"] + (after["type"] != "heartbeat")

    def test_an_order_is_received_before_it_is_anything_else(self, messages: Messages) -> None:
        received: set[str] = set()
        known: set[str] = set()
        for message in messages:
            if message["type"] == "received":
                assert message["order_id"] not in known
                received.add(message["order_id"])
            known.update(message[name] for name in ("order_id", "maker_order_id") if name in message)
            if message["type"] == "open":
                assert message["order_id"] in received
            if message["type"] == "match" and received:
                assert message["taker_order_id"] in received

    def test_time_goes_forward(self, messages: Messages) -> None:
        for product_id in PRODUCTS:
            times = [message["time"] for message in messages if message["product_id"] == product_id]
            assert times == sorted(times)


class TestRecordedFull(FullContract):
    """The real one."""

    @pytest.fixture
    def messages(self) -> Messages:
        lines = Path(__file__).with_name("full_frames.jsonl").read_text().splitlines()[1:]
        return [json.loads(line) for line in lines]


class TestMadeFull(FullContract):
    """The simulated one."""

    @pytest.fixture
    def messages(self, fake_reactor: FakeReactor) -> Messages:
        hall = Hall(fake_reactor, seed=2, now=lambda: 1700000000.0)
        client = hall.connect()
        signed = {"key": TEST_KEY.key, "passphrase": TEST_KEY.passphrase, "timestamp": "1700000000"}
        client.send(
            {
                "type": "subscribe",
                "product_ids": PRODUCTS,
                "channels": ["full", "heartbeat"],
                "signature": TEST_KEY.sign("1700000000"),
                **signed,
            }
        )
        hall.pass_time(60.0)
        messages: Messages = client.messages[1:]
        assert {message["type"] for message in messages} == set(MUST)
        return messages
