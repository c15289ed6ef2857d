"""The market on the Advanced Trade feed: shapes as documented, the same books and trades as on the Exchange feed."""

from __future__ import annotations

import json
import math
import time
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from copra_tx.feed import advanced_trade
from copra_tx.keys import signer_of
from copra_tx.simulator import TEST_CDP_KEY
from support.exchange import Hall
from support.reactors import FakeReactor
from support.samples import advanced_samples

SERVER = advanced_samples("server")
BTC = "BTC-USD"


def ask(client: Any, channel: str, *products: str, kind: str = "subscribe", **fields: Any) -> None:
    request: dict[str, Any] = {"type": kind, "channel": channel, **fields}
    client.send(request | {"product_ids": list(products)} if products else request)


@pytest.fixture
def hall(fake_reactor: FakeReactor) -> Hall:
    return Hall(fake_reactor, feed="advanced")


def frames(hall: Hall, seconds: float, *channels: str) -> list[Any]:
    client = hall.connect()
    for channel in channels:
        ask(client, channel, *(() if channel == "heartbeats" else (BTC, "ETH-USD")))
    hall.pass_time(seconds)
    hall.exchange.stopService()
    hall.pass_time(1)
    return client.messages


def of(messages: list[Any], channel: str, kind: str = "update") -> list[Any]:
    return [one for one in messages if one["channel"] == channel and one["events"][0].get("type", kind) == kind]


def shape(value: Any) -> Any:
    """Return names in their order, and types."""
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    return [shape(value[0])] if isinstance(value, list) and value else type(value)


@pytest.mark.parametrize(
    ("channel", "sample", "kind"),
    [
        ("level2", "l2-snapshot", "snapshot"),
        ("level2", "l2-update", "update"),
        ("market_trades", "market_trades-snapshot", "snapshot"),
        ("market_trades", "market_trades-update", "update"),
        ("ticker", "ticker", "update"),
        ("ticker_batch", "ticker_batch", "update"),
        ("status", "status", "snapshot"),
        ("heartbeats", "heartbeats", "update"),
    ],
)
def test_messages_are_as_the_samples(hall: Hall, channel: str, sample: str, kind: str) -> None:
    messages = of(frames(hall, 8, channel), SERVER[sample]["channel"], kind)
    assert messages
    for message in messages:
        assert shape(message) == shape(SERVER[sample])


def test_the_snapshot_comes_before_the_answer_and_numbers_go_on(hall: Hall) -> None:
    messages = frames(hall, 5, "level2", "heartbeats")
    assert [one["channel"] for one in messages[:4]] == ["l2_data", "l2_data", "subscriptions", "subscriptions"]
    assert [one["sequence_num"] for one in messages] == list(range(len(messages)))
    assert {one["channel"] for one in messages} == {"l2_data", "subscriptions", "heartbeats"}


def test_heartbeats_come_once_a_second(hall: Hall) -> None:
    counters = [one["events"][0]["heartbeat_counter"] for one in of(frames(hall, 70, "heartbeats"), "heartbeats")]
    assert len(counters) in (69, 70)
    assert all(after == before + 1 for before, after in pairwise(counters))


def test_client_id_is_there_if_asked_for(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor, feed="advanced", client_id=True)
    messages = frames(hall, 3, "level2", "heartbeats", "market_trades", "status")
    assert {list(one)[1] for one in messages} == {"client_id"}
    assert {one["client_id"] for one in messages} == {""}


def test_books_and_trades_are_those_of_the_exchange_feed(fake_reactor: FakeReactor) -> None:
    """Told at the same moments of the same market."""
    advanced = frames(Hall(fake_reactor, feed="advanced"), 20, "level2", "market_trades")
    exchange_hall = Hall(other := FakeReactor())
    client = exchange_hall.connect()
    client.send({"type": "subscribe", "product_ids": [BTC, "ETH-USD"], "channels": ["level2_batch", "matches"]})
    exchange_hall.pass_time(20)
    exchange_hall.exchange.stopService()
    other.advance(1)

    theirs: dict[tuple[str, str, Decimal], str] = {}
    for message in client.messages:
        if message["type"] == "snapshot":
            for side, levels in (("bid", message["bids"]), ("offer", message["asks"])):
                theirs |= {(message["product_id"], side, Decimal(price)): size for price, size in levels}
        elif message["type"] == "l2update":
            for side, price, size in message["changes"]:
                theirs[message["product_id"], {"buy": "bid", "sell": "offer"}[side], Decimal(price)] = size
    ours: dict[tuple[str, str, Decimal], str] = {}
    for message in (one for one in advanced if one["channel"] == "l2_data"):
        for event in message["events"]:
            for update in event["updates"]:
                ours[event["product_id"], update["side"], Decimal(update["price_level"])] = update["new_quantity"]
    assert ours == theirs

    trades = [one for one in client.messages if one["type"] in ("match", "last_match")]
    snapshots, updates = (of(advanced, "market_trades", kind) for kind in ("snapshot", "update"))
    told = [one["events"][0]["trades"][0] for one in snapshots]
    told += [trade for one in updates for trade in reversed(one["events"][0]["trades"])]
    for product in (BTC, "ETH-USD"):
        assert [(int(one["trade_id"]), one["side"].lower()) for one in told if one["product_id"] == product] == [
            (one["trade_id"], one["side"]) for one in trades if one["product_id"] == product
        ]


@pytest.mark.parametrize("seed", [None, 7])
def test_trades_of_a_quarter_second_come_together_newest_first(fake_reactor: FakeReactor, seed: int | None) -> None:
    hall = Hall(fake_reactor, feed="advanced", seed=seed)
    messages = [one["events"][0]["trades"] for one in of(frames(hall, 20, "market_trades"), "market_trades")]
    for trades in messages:
        assert len({one["product_id"] for one in trades}) == 1
        numbers = [int(one["trade_id"]) for one in trades]
        assert numbers == list(range(numbers[0], numbers[0] - len(numbers), -1))
        first, last = (datetime.fromisoformat(one["time"]) for one in (trades[-1], trades[0]))
        assert first <= last < first + timedelta(seconds=0.25)
    assert {len(trades) > 1 for trades in messages} == {True, False}


def test_a_snapshot_has_the_trades_so_far_newest_first(hall: Hall) -> None:
    early = hall.connect()
    ask(early, "market_trades", BTC)
    hall.pass_time(20)
    late = hall.connect()
    ask(late, "market_trades", BTC)
    hall.pass_time(1)
    hall.exchange.stopService()
    hall.pass_time(1)
    seen = [trade for one in of(early.messages, "market_trades") for trade in reversed(one["events"][0]["trades"])]
    [snapshot] = [one["events"][0]["trades"] for one in of(late.messages, "market_trades", "snapshot")]
    assert len(snapshot) == 50
    assert snapshot == [one for one in reversed(seen) if int(one["trade_id"]) <= int(snapshot[0]["trade_id"])][:50]


def test_a_market_of_orders_is_told_too(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor, feed="advanced", seed=7)
    messages = frames(hall, 10, "level2", "market_trades", "ticker", "heartbeats")
    assert {one["channel"] for one in messages} == {"l2_data", "market_trades", "ticker", "heartbeats", "subscriptions"}
    assert [one["sequence_num"] for one in messages] == list(range(len(messages)))


def test_what_has_no_data_stays_silent(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor, feed="advanced", speed=math.inf)
    messages = frames(hall, 1, "candles")
    assert [one["channel"] for one in messages] == ["subscriptions"]


# What is done wrong


def test_a_message_that_is_left_out_has_had_its_number(hall: Hall) -> None:
    client = hall.connect()
    ask(client, "market_trades", BTC)
    ask(client, "ticker_batch", BTC)
    hall.pass_time(1)
    hall.connection.skip("market_trades", BTC, count=2)
    hall.connection.skip(channel="ticker_batch")
    hall.connection.repeat("market_trades")
    hall.pass_time(10)
    hall.exchange.stopService()
    hall.pass_time(1)
    numbers = [one["sequence_num"] for one in client.messages]
    missing = set(range(numbers[-1])) - set(numbers)
    assert len(missing) == 3
    assert len(numbers) - len(set(numbers)) == 1
    assert len(of(client.messages, "ticker_batch")) == 1


def test_a_book_can_drift(hall: Hall) -> None:
    client = hall.connect()
    ask(client, "level2", BTC)
    hall.pass_time(1)
    hall.connection.drift(BTC)
    hall.pass_time(1)
    hall.exchange.stopService()
    hall.pass_time(1)
    changes = [update for one in of(client.messages, "l2_data") for update in one["events"][0]["updates"]]
    assert [one["new_quantity"] for one in changes if one["price_level"] == "0.01"] == ["1.00000000"]


def test_messages_of_a_test_are_numbered(hall: Hall) -> None:
    client = hall.connect()
    ask(client, "candles", BTC)
    hall.pass_time(0.1)
    hall.exchange.send({"channel": "candles", "events": [{"type": "update", "candles": []}]})
    hall.exchange.send({"channel": "candles", "sequence_num": 77, "events": []})
    hall.exchange.send_snapshot(0.01)
    hall.pass_time(0.1)
    hall.exchange.stopService()
    hall.pass_time(1)
    numbers = [(one["channel"], one["sequence_num"]) for one in client.messages]
    assert numbers == [("subscriptions", 0), ("candles", 1), ("candles", 77), ("l2_data", 2)]


def test_a_client_that_is_too_fast_is_warned_and_the_line_stays(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor, feed="advanced", request_rate=1, request_burst=1)
    client = hall.connect()
    ask(client, "heartbeats")
    ask(client, "ticker", BTC)
    hall.pass_time(1)
    ask(client, "ticker", BTC)
    hall.pass_time(1)
    assert [one for one in client.messages if "channel" not in one] == [SERVER["error-rate"]]
    assert json.loads(client.frames[-1])["events"]
    assert "ticker" in hall.connection.session.held
    hall.exchange.stopService()
    hall.pass_time(1)


def test_the_balance_of_futures_is_a_snapshot_as_documented(hall: Hall) -> None:
    signer = signer_of(advanced_trade.DIALECT, TEST_CDP_KEY.key, TEST_CDP_KEY.secret, "")
    client = hall.connect()
    ask(client, "futures_balance_summary", **signer.sign(str(int(time.time()))))
    hall.pass_time(1)
    first, answer = client.messages
    [event], [documented] = first["events"], SERVER["futures_balance_summary"]["events"]
    assert event.keys() == documented.keys()
    assert event["fcm_balance_summary"].keys() == documented["fcm_balance_summary"].keys()
    assert (first["channel"], event["type"], answer["channel"]) == (
        *("futures_balance_summary", "snapshot"),
        "subscriptions",
    )
    hall.exchange.stopService()
    hall.pass_time(1)
