"""One client and its exchange, in memory: what it gets, when, and for what it is cut off."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import pytest

from copra_tx.simulator import SimulatedExchange
from copra_tx.simulator.market import Market
from support.exchange import Hall, PlainClient
from support.reactors import FakeReactor

BTC, ETH = "BTC-USD", "ETH-USD"
LENGTH = 2750  # messages of one repetition


def _of(client: PlainClient, *types: str) -> list[Any]:
    return [message for message in client.messages if message["type"] in types]


# -- what a client gets


def test_the_answer_comes_first_then_the_greetings_then_the_market(fake_reactor: FakeReactor) -> None:
    client = Hall(fake_reactor).connect()
    client.send({"type": "subscribe", "product_ids": [BTC, ETH], "channels": ["level2_batch", "matches"]})
    fake_reactor.advance(1.0)
    fake_reactor.advance(1.0)
    assert client.types()[:5] == ["subscriptions", "snapshot", "last_match", "snapshot", "last_match"]
    assert set(client.types()[5:]) == {"l2update", "match"}


def test_a_client_gets_what_it_is_subscribed_to_and_nothing_else(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    one, other = hall.connect(), hall.connect()
    one.ask("subscribe", "ticker", BTC)
    other.ask("subscribe", "heartbeat", ETH)
    hall.pass_time(30.0)
    assert {(message["type"], message.get("product_id")) for message in one.messages[1:]} == {("ticker", BTC)}
    assert {(message["type"], message.get("product_id")) for message in other.messages[1:]} == {("heartbeat", ETH)}
    assert len(_of(other, "heartbeat")) == 30
    assert len(hall.exchange.connections) == 2


def test_a_second_subscribe_adds_to_the_first(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    client = hall.connect()
    client.ask("subscribe", "heartbeat", BTC)
    hall.pass_time(2.5)
    client.ask("subscribe", "heartbeat", ETH)
    client.ask("subscribe", "heartbeat", ETH)
    hall.pass_time(2.0)
    answers = _of(client, "subscriptions")
    assert [answer["channels"][0]["product_ids"] for answer in answers] == [[BTC], [ETH, BTC], [ETH, BTC]]
    assert Counter(message["product_id"] for message in _of(client, "heartbeat")) == {BTC: 4, ETH: 2}


def test_an_unsubscribe_ends_the_data_at_once(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    client = hall.connect()
    client.ask("subscribe", "level2_batch", BTC, ETH)
    hall.pass_time(2.0)
    client.ask("unsubscribe", "level2_batch", ETH)
    hall.pass_time(1.0)
    client.ask("unsubscribe", "level2_batch")
    hall.pass_time(10.0)
    second, third = (at for at, kind in enumerate(client.types()) if kind == "subscriptions" and at)
    assert {message["product_id"] for message in client.messages[second + 1 : third]} == {BTC}
    assert client.messages[third:] == [{"type": "subscriptions", "channels": []}]
    assert client.end is None


def test_a_new_subscription_of_a_book_brings_a_new_snapshot(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    client = hall.connect()
    for kind in ("subscribe", "subscribe", "unsubscribe", "subscribe"):
        client.ask(kind, "level2_batch", ETH)
        hall.pass_time(1.0)
    assert [kind for kind in client.types() if kind != "l2update"] == [
        *("subscriptions", "snapshot", "subscriptions"),  # the second one asks for nothing new
        *("subscriptions", "subscriptions", "snapshot"),
    ]


def test_a_book_joined_in_the_middle_goes_on_without_a_break(fake_reactor: FakeReactor) -> None:
    """Whoever joined earlier got, after the snapshot of the one who joins later, the very same updates."""
    hall = Hall(fake_reactor)
    early, late = hall.connect(), hall.connect()
    early.ask("subscribe", "level2_batch", ETH)
    hall.pass_time(3.0)
    late.ask("subscribe", "level2_batch", ETH)
    hall.pass_time(2.0)
    assert late.types()[:2] == ["subscriptions", "snapshot"]
    updates = late.frames[2:]
    assert updates
    assert early.frames[-len(updates) :] == updates
    before = early.messages[-len(updates) - 1]
    assert before["time"] == late.messages[1]["time"]  # the newest change in the snapshot


def test_channels_of_which_nothing_was_recorded_stay_silent(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    client = hall.connect()
    client.send({"type": "subscribe", "product_ids": [BTC], "channels": ["auctionfeed", "rfq_matches"]})
    hall.pass_time(60.0)
    assert client.types() == ["subscriptions"]


def test_status_comes_at_once_and_then_every_five_seconds(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor, products={"SOL-EUR"}, delisted={"XYZ-USD"})
    client = hall.connect()
    client.ask("subscribe", "status")
    hall.pass_time(10.0)
    assert client.types() == ["subscriptions", "status", "status", "status"]
    assert [product["id"] for product in client.messages[1]["products"]] == ["SOL-EUR", "XYZ-USD"]


def test_the_exchange_knows_its_requests(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    client = hall.connect()
    client.ask("subscribe", "ticker", BTC)
    client.sendMessage(b"what?")
    fake_reactor.advance(0)
    asked: list[object] = [
        {"type": "subscribe", "channels": [{"name": "ticker", "product_ids": [BTC]}]},
        "what?",
    ]
    assert hall.exchange.received == hall.connection.received == asked
    assert hall.connection.session.keys == {("ticker", BTC)}
    assert hall.connection.upgrade_headers["upgrade"].lower() == "websocket"
    assert client.frames[-1] == b"invalid (un)subscribe msg"


def test_only_the_newest_requests_are_kept(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor, request_burst=3000)
    client = hall.connect()
    for number in range(1100):
        client.sendMessage(b"%d" % number)
    fake_reactor.advance(0)
    assert hall.exchange.received == hall.connection.received == list(range(100, 1100))


def test_binary_requests_are_taken_as_text_ones(fake_reactor: FakeReactor) -> None:
    client = Hall(fake_reactor).connect()
    client.sendMessage(b'{"type":"subscribe","channels":["status"]}', isBinary=True)
    fake_reactor.advance(0)
    assert client.types()[0] == "subscriptions"
    assert client.binary[0] is False


# -- when


@pytest.mark.parametrize("speed", [1.0, 5.0, 120.0])
def test_messages_come_at_their_times_at_any_speed(fake_reactor: FakeReactor, speed: float) -> None:
    """After each step exactly what is due by then has arrived."""
    market = Market()
    hall = Hall(fake_reactor, speed=speed)
    client = hall.connect()
    client.send({"type": "subscribe", "product_ids": [ETH], "channels": ["ticker", "heartbeat"]})
    fake_reactor.advance(0)
    began = market.due(0.0)  # a heartbeat of the first moment is over when the client comes
    wanted = {("ticker", ETH), ("heartbeat", ETH)}
    for step in range(1, 101):
        fake_reactor.advance(2.0 / speed)
        due = [at for at in range(began, market.due(2.0 * step - 0.0001)) if market.entry(at).keys & wanted]
        assert client.frames[1 : len(due) + 1] == [market.message(at) for at in due]
        assert len(client.frames) - 1 - len(due) in {0, 1}  # the heartbeat of the very moment
    assert len(client.frames) > 3 * 60


def test_the_market_goes_on_while_nobody_listens(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    fake_reactor.advance(130.0)
    client = hall.connect()
    client.ask("subscribe", "heartbeat", BTC)
    hall.pass_time(1.5)
    [heartbeat] = _of(client, "heartbeat")
    assert heartbeat["time"] == "2026-07-07T23:00:28.000000Z"
    assert hall.connection.position == 2 * LENGTH + Market().due(11.5)


def test_a_client_that_left_everything_joins_the_market_where_it_is_by_then(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    client = hall.connect()
    client.ask("subscribe", "heartbeat", BTC)
    hall.pass_time(1.5)
    client.ask("unsubscribe", "heartbeat")
    hall.pass_time(20.0)
    client.ask("subscribe", "heartbeat", BTC)
    hall.pass_time(1.0)
    assert [heartbeat["time"][17:19] for heartbeat in _of(client, "heartbeat")] == ["18", "39"]


def test_all_clients_see_the_same_market(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor, speed=10.0)
    clients = [hall.connect(), hall.connect()]
    for client in clients:
        client.ask("subscribe", "matches", BTC, ETH)
    hall.pass_time(15.0)
    assert clients[0].frames == clients[1].frames
    assert len(clients[0].frames) > 2 * 435


def test_a_reactor_that_was_busy_catches_up_in_slices(fake_reactor: FakeReactor) -> None:
    """A minute of the market at once: other work gets its turn between two slices."""
    hall = Hall(fake_reactor)
    client = hall.connect()
    client.ask("subscribe", "level2_batch", BTC, ETH)
    fake_reactor.advance(0)
    end, seen = LENGTH + Market().due(0.0), [0]

    def look() -> None:
        seen.append(hall.connection.position)
        if seen[-1] < end:
            fake_reactor.callLater(0, look)

    fake_reactor.callLater(60.0, look)
    fake_reactor.advance(60.0)
    assert len({position for position in seen if 0 < position < end}) >= 2
    assert seen == sorted(seen)
    assert len(_of(client, "l2update")) == 1900


# -- what it is cut off for


@pytest.mark.parametrize("upgraded", [True, False])
def test_a_line_without_a_subscribe_ends_after_five_seconds(fake_reactor: FakeReactor, upgraded: bool) -> None:
    hall = Hall(fake_reactor)
    client = hall.connect(upgraded=upgraded)
    client.ask("unsubscribe", "ticker") if upgraded else None
    fake_reactor.advance(4.9)
    assert client.end is None
    fake_reactor.advance(0.2)
    fake_reactor.advance(0)
    assert client.end is not None
    assert client.end[:2] == (False, 1006)
    assert fake_reactor.getDelayedCalls() == []


def test_a_silent_line_can_be_closed_with_a_code(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor, silence_limit=1.0, silence_code=1008)
    client = hall.connect()
    fake_reactor.advance(1.0)
    fake_reactor.advance(0)
    assert client.end is not None
    assert client.end[:2] == (True, 1008)


@pytest.mark.parametrize("products", [[BTC], ["NOPE-USD"]])
def test_any_subscribe_counts(fake_reactor: FakeReactor, products: list[str]) -> None:
    hall = Hall(fake_reactor)
    client = hall.connect()
    client.ask("subscribe", "heartbeat", *products)
    fake_reactor.advance(30.0)
    assert client.end is None


def test_too_many_requests_cut_a_client_off(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor, request_rate=2.0, request_burst=3)
    client = hall.connect()
    for _ in range(3):
        client.ask("subscribe", "heartbeat", BTC)
    fake_reactor.advance(0)
    fake_reactor.advance(0.6)  # one comes back
    client.ask("subscribe", "heartbeat", BTC)
    fake_reactor.advance(0)
    assert client.types().count("subscriptions") == 4
    client.ask("subscribe", "heartbeat", BTC)
    client.ask("subscribe", "heartbeat", BTC)
    fake_reactor.advance(0)
    assert client.messages[-1] == {"type": "error", "message": "ErrSlowRead", "reason": "ErrSlowRead"}
    assert client.types().count("error") == 1
    assert client.end is not None
    assert client.end[:2] == (False, 1006)
    assert len(hall.exchange.received) == 4


def test_too_large_a_request_cuts_a_client_off(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor, max_request_bytes=100)
    client = hall.connect()
    client.sendMessage(json.dumps({"type": "subscribe"}).encode().ljust(100))
    client.sendMessage(json.dumps({"type": "subscribe"}).encode().ljust(101))
    fake_reactor.advance(0)
    assert [message["message"] for message in client.messages] == ["Failed to subscribe", "Message too big"]
    assert client.end is not None


@pytest.mark.parametrize("speed", [1.0, 1000.0])
def test_a_client_that_makes_us_wait_is_cut_off(fake_reactor: FakeReactor, speed: float) -> None:
    hall = Hall(fake_reactor, speed=speed)
    client = hall.connect()
    client.ask("subscribe", "heartbeat", BTC)
    fake_reactor.advance(0)
    hall.lines[0].producer.pauseProducing()  # the transport: its buffer is full
    fake_reactor.advance(9.9)
    assert _of(client, "heartbeat", "error") == []
    fake_reactor.advance(0.2)
    fake_reactor.advance(0)
    assert client.types()[-1] == "error"
    assert client.messages[-1]["message"] == "ErrSlowConsume"
    assert client.end is not None


def test_a_client_that_has_caught_up_is_not(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    client = hall.connect()
    client.ask("subscribe", "heartbeat", BTC)
    fake_reactor.advance(0)
    for _ in range(5):
        hall.lines[0].producer.pauseProducing()
        fake_reactor.advance(9.0)
        hall.lines[0].producer.resumeProducing()
        fake_reactor.advance(0)
    hall.pass_time(30.0)
    assert client.end is None
    assert len(_of(client, "heartbeat")) == 75


def test_a_client_that_left_everything_while_behind_is_not(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    client = hall.connect()
    client.ask("subscribe", "heartbeat", BTC)
    fake_reactor.advance(0)
    hall.lines[0].producer.pauseProducing()
    fake_reactor.advance(5.0)
    client.ask("unsubscribe", "heartbeat")
    fake_reactor.advance(0)
    hall.lines[0].producer.resumeProducing()
    fake_reactor.advance(20.0)
    assert client.end is None
    assert _of(client, "error") == []


def test_without_a_pace_no_client_is_too_slow(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor, speed=math.inf)
    client = hall.connect()
    hall.lines[0].producer.pauseProducing()
    client.ask("subscribe", "heartbeat", BTC)
    fake_reactor.advance(60.0)
    assert client.types() == ["subscriptions"]
    assert client.end is None


def test_lines_say_what_they_are(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    client = hall.connect()
    client.ask("subscribe", "heartbeat", BTC, ETH)
    fake_reactor.advance(0)
    connection = hall.connection
    assert repr(connection) == "<Connection open, 1 requests, 2 subscriptions>"
    assert repr(hall.exchange) == "<SimulatedExchange ws://127.0.0.1:8080, 1 connections>"
    connection.close()
    assert repr(connection) == "<Connection not open, 1 requests, 2 subscriptions>"
    fake_reactor.advance(0)
    assert repr(connection) == "<Connection lost, 1 requests, 2 subscriptions>"
    assert repr(SimulatedExchange(fake_reactor)) == "<SimulatedExchange not listening, 0 connections>"


def test_a_quiet_market_stays_quiet_for_as_long_as_it_is_told(fake_reactor: FakeReactor) -> None:
    """Nothing but heartbeats for an hour, and then an order."""
    hall = Hall(fake_reactor, seed=1, order_rate=0.00025, market_minutes=180, products=[BTC])
    client = hall.connect()
    client.send({"type": "subscribe", "product_ids": [BTC], "channels": ["heartbeat", "level2_batch"]})
    hall.pass_time(3600.0, step=10.0)
    assert set(client.types()) == {"subscriptions", "snapshot", "heartbeat"}
    assert client.messages[-1]["time"] > "2026-07-07T23:57:40"
    hall.pass_time(3600.0, step=10.0)
    assert 0 < Counter(client.types())["l2update"] < 5
