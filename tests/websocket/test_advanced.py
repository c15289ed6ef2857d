"""The Advanced Trade feed through the client: requests, answers, what is handed over, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from copra_tx.errors import SubscriptionRefusedError
from copra_tx.feed import advanced_trade, exchange
from copra_tx.websocket import ADVANCED_TRADE_URL, ADVANCED_TRADE_USER_URL, FEED_URL, Channel
from copra_tx.websocket.pacing import Pacer
from copra_tx.websocket.subscriptions import split
from support.advanced import GapRecorder, Venue, joined, l2, trade
from support.samples import advanced_samples
from support.world import World, outcome, settle

BOOKS = Channel("level2", ["BTC-USD", "ETH-USD"])
TRADES = Channel("market_trades", "BTC-USD")
HEARTBEATS = ("subscribe", "heartbeats", None)


@pytest.fixture
def world() -> World:
    return World()


# Which feed it is


@pytest.mark.parametrize(
    ("url", "feed", "dialect"),
    [
        (FEED_URL, "auto", exchange.DIALECT),
        (ADVANCED_TRADE_URL, "auto", advanced_trade.DIALECT),
        (ADVANCED_TRADE_USER_URL, "auto", advanced_trade.USER_DIALECT),
        ("ws://127.0.0.1:8080", "auto", exchange.DIALECT),
        ("wss://advanced-trade-ws.example.org", "auto", exchange.DIALECT),
        ("ws://127.0.0.1:8080", "advanced", advanced_trade.DIALECT),
        (ADVANCED_TRADE_USER_URL, "advanced", advanced_trade.USER_DIALECT),
        (ADVANCED_TRADE_URL, "exchange", exchange.DIALECT),
    ],
)
def test_the_feed_follows_from_the_host_or_is_given(world: World, url: str, feed: str, dialect: object) -> None:
    client = world.client([], url, feed=feed, auto_connect=False)
    assert client.dialect is dialect


# Requests


def test_each_channel_has_a_request_of_its_own_and_heartbeats_come_by_themselves(world: World) -> None:
    world.client([BOOKS, TRADES], feed="advanced")
    venue = Venue(world)
    venue.answer_all()
    assert venue.requests == [
        HEARTBEATS,
        ("subscribe", "level2", ["BTC-USD", "ETH-USD"]),
        ("subscribe", "market_trades", ["BTC-USD"]),
    ]


def test_one_request_is_open_at_a_time(world: World) -> None:
    """There is no request id: what an answer or an error belongs to shows by that alone."""
    world.client([BOOKS, TRADES], feed="advanced")
    venue = Venue(world)
    assert venue.requests == [HEARTBEATS]
    venue.answer()
    assert len(venue.requests) == 2


def test_requests_are_cut_by_channel_and_size() -> None:
    three, two = Channel("ticker", ["A-USD", "B-USD", "C-USD"]), Channel("status", ["A-USD", "B-USD"])
    parts = [[(one.name, sorted(one.members)) for one in part] for part in split([three, two], 2, joining=False)]
    assert parts == [
        [("ticker", ["A-USD", "B-USD"])],
        [("ticker", ["C-USD"])],
        [("status", ["A-USD", "B-USD"])],
    ]


def test_heartbeats_can_be_left_out(world: World) -> None:
    world.client(TRADES, feed="advanced", heartbeats=False)
    venue = Venue(world)
    venue.answer_all()
    assert venue.requests == [("subscribe", "market_trades", ["BTC-USD"])]


def test_requests_are_paced(world: World) -> None:
    """Eight a second, dials included; here one after the dial, and then one each eighth of a second."""
    names = ["candles", "level2", "market_trades", "status", "ticker", "ticker_batch"]
    channels = [Channel(name, "BTC-USD") for name in names]
    world.client(channels, feed="advanced", pacer=Pacer(world.reactor, rate=8, burst=1))
    world.advance(1 / 8)
    venue = Venue(world)
    sent = []
    for _ in range(len(names) + 1):
        world.advance(1 / 8)
        sent.append(len(venue.requests))
        venue.answer()
        settle(world)
    assert sent == list(range(1, len(names) + 2))


def test_a_request_has_one_form(world: World) -> None:
    client, venue = joined(world, [])
    client.subscribe(Channel("level2", ["ETH-USD", "BTC-USD"]))
    venue.answer()
    settle(world)
    client.unsubscribe(Channel("level2", "ETH-USD"))
    assert len(venue.requests) == 2
    assert venue.server.requests == [
        advanced_samples("client")["subscribe-level2"] | {"product_ids": ["BTC-USD", "ETH-USD"]},
        advanced_samples("client")["unsubscribe-level2"],
    ]


def test_unsubscribing_heartbeats_ends_their_delivery_and_not_the_subscription(world: World) -> None:
    client, venue = joined(world, Channel("heartbeats"))
    beat = venue.say("heartbeats", {"heartbeat_counter": 1})
    settle(world)
    assert client.messages == [beat]
    done = outcome(client.unsubscribe(Channel("heartbeats")))
    assert done == [None]
    assert venue.requests == []
    venue.say("heartbeats", {"heartbeat_counter": 2})
    settle(world)
    assert client.messages == [beat]


# Answers


def test_the_answer_may_come_after_the_first_data(world: World) -> None:
    client, venue = joined(world, [])
    subscribed = outcome(client.subscribe(BOOKS))
    snapshot = venue.say("l2_data", l2("BTC-USD", "snapshot"))
    settle(world)
    assert client.messages == [snapshot]
    assert subscribed == []
    answer = venue.answer()
    settle(world)
    assert subscribed == [None]
    assert client.messages == [snapshot, answer]


def test_what_the_answer_lacks_was_refused(world: World) -> None:
    client, venue = joined(world, [])
    venue.refused = {"NOPE-USD"}
    subscribed = outcome(client.subscribe(Channel("ticker", ["BTC-USD", "NOPE-USD"])))
    venue.answer()
    settle(world)
    world.advance(2)
    [failure] = subscribed
    assert failure.check(SubscriptionRefusedError)
    assert failure.value.product_ids == {"NOPE-USD"}
    assert client.channels["ticker"].product_ids == {"BTC-USD", "NOPE-USD"}


def test_usdc_products_come_back_under_another_name(world: World) -> None:
    """The server turns them into -USD: they are held, and their data are wanted."""
    client, venue = joined(world, [])
    subscribed = outcome(client.subscribe(Channel("level2", ["XLM-USDC", "BTC-USD"])))
    venue.answer()
    settle(world)
    assert subscribed == [None]
    assert venue.held["level2"] == ["BTC-USD", "XLM-USD"]
    client.unsubscribe(Channel("level2", "BTC-USD"))  # from now on everything is looked at
    client.events.clear()
    message = venue.say("l2_data", l2("XLM-USD"))
    settle(world)
    assert client.messages == [message]
    assert client.counters.errors == 0


def test_a_usdc_product_is_not_taken_away_from_its_twin(world: World) -> None:
    client, venue = joined(world, Channel("level2", ["XLM-USDC", "XLM-USD"]))
    assert outcome(client.unsubscribe(Channel("level2", "XLM-USDC"))) == [None]
    assert venue.requests == []
    client.unsubscribe(Channel("level2", "XLM-USD"))
    assert venue.requests == [("unsubscribe", "level2", ["XLM-USD", "XLM-USDC"])]


def test_user_is_listed_by_the_id_of_the_user(world: World) -> None:
    """What was asked for is held then, and no more than that."""
    client, venue = joined(world, Channel("user", "BTC-USD"))
    assert venue.held["user"] == ["an-id"]
    more = outcome(client.subscribe(Channel("user", "ETH-USD")))
    assert venue.requests == [("subscribe", "user", ["ETH-USD"])]
    venue.answer()
    settle(world)
    assert more == [None]
    less = outcome(client.unsubscribe(Channel("user", "ETH-USD")))
    assert venue.requests[1:] == [("unsubscribe", "user", ["ETH-USD"])]
    venue.held["user"] = ["an-id"]
    venue.say("subscriptions", {"subscriptions": venue.held})
    settle(world)
    assert less == [None]


def test_user_is_given_up_as_a_whole(world: World) -> None:
    client, venue = joined(world, Channel("user", ["BTC-USD", "ETH-USD"]))
    done = outcome(client.unsubscribe(Channel("user", ["BTC-USD", "ETH-USD"])))
    assert venue.requests == [("unsubscribe", "user", None)]
    venue.answer()
    settle(world)
    assert done == [None]
    assert "user" not in venue.held
    client.subscribe(Channel("user", "BTC-USD"))
    assert venue.requests[1:] == [("subscribe", "user", ["BTC-USD"])]


# What is handed over


@pytest.mark.parametrize("name", [name for name in advanced_samples("server") if not name.startswith("error")])
def test_every_sample_message_passes_unchanged(world: World, name: str) -> None:
    """With and without ``client_id``, whatever the time and the number it was recorded with."""
    everything = [
        *(Channel(name, ["BTC-USD", "ETH-USD", "ETH-USDT"]) for name in ("candles", "status", "ticker")),
        *(Channel(name, ["BTC-USD", "ETH-USD", "ETH-USDT"]) for name in ("ticker_batch", "level2", "market_trades")),
        *(Channel("user", "ALL"), Channel("futures_balance_summary"), Channel("heartbeats")),
    ]
    client, venue = joined(world, everything)
    message = advanced_samples("server")[name]
    message["sequence_num"] = venue.number
    venue.server.say(message)
    settle(world)
    assert client.messages == [message]
    assert list(client.messages[0]) == list(message)
    assert client.counters.unusable == {}
    assert client.gaps == []


def test_heartbeats_are_not_handed_over_unless_asked_for(world: World) -> None:
    client, venue = joined(world, TRADES)
    venue.say("heartbeats", {"heartbeat_counter": 1})
    message = venue.say("market_trades", trade("BTC-USD"))
    venue.say("heartbeats", {"heartbeat_counter": 2})
    settle(world)
    assert client.messages == [message]
    assert client.counters.messages == 3  # the first two are the answers
    assert client.counters.unwanted == 0


def test_a_message_is_whole_or_not_there(world: World) -> None:
    """After an unsubscribe everything is looked at; an envelope is dropped if nothing in it is wanted."""
    client, venue = joined(world, [Channel("market_trades", ["BTC-USD", "ETH-USD"]), BOOKS])
    client.unsubscribe([Channel("market_trades", "ETH-USD"), Channel("level2", ["ETH-USD"])])
    client.events.clear()
    wanted = [
        venue.say("market_trades", trade("ETH-USD", "BTC-USD")),
        venue.say("l2_data", l2("ETH-USD"), l2("BTC-USD")),
        venue.say("market_trades", {"type": "update", "trades": []}),
        venue.say("market_trades"),
        venue.say("something_new", {"type": "update"}),
    ]
    venue.say("market_trades", trade("ETH-USD"))
    venue.say("l2_data", l2("ETH-USD"))
    venue.say("heartbeats", {"heartbeat_counter": 1})
    settle(world)
    assert client.messages == wanted
    assert client.counters.unwanted == 2


@pytest.mark.parametrize("size", [1, 40])
@pytest.mark.parametrize("decode", ["dict", "lazy", None])
def test_many_at_once_and_each_by_itself_are_the_same(world: World, decode: Any, size: int) -> None:
    client, venue = joined(world, TRADES, decode=decode)
    sent = []
    for index in range(80):
        sent.append(venue.say("market_trades", trade("BTC-USD")))
        venue.say("heartbeats", {"heartbeat_counter": index})
        if index % size == 0:
            settle(world)
    settle(world)
    decoded = [json.loads(one) if decode is None else dict(one) for one in client.messages]
    assert decoded == sent
    assert client.counters.messages == 2 + len(sent)
    assert client.gaps == []


def test_lazy_messages_show_channel_and_number(world: World) -> None:
    client, venue = joined(world, TRADES, decode="lazy")
    message = venue.say("market_trades", trade("BTC-USD"))
    settle(world)
    [lazy] = client.messages
    assert (lazy.type, lazy.sequence, lazy.product_id) == ("market_trades", 2, None)
    assert lazy["events"] == message["events"]


@pytest.mark.parametrize("decode", ["dict", "lazy"])
def test_what_is_of_no_use_is_told_once_per_kind(world: World, decode: str) -> None:
    client, venue = joined(world, TRADES, decode=decode)
    for payload in (b"[]", b'["level3","BTC-USD"]', b"7", b'{"type":"ticker"}', b'{"channel":7}', b"{"):
        venue.server.sendMessage(payload)
        settle(world)
    assert client.counters.unusable == {"no object": 3, "no channel": 2, "not JSON": 1}
    assert len(client.errors) == 3
    assert client.messages == client.gaps == []


# Errors


def test_an_error_says_which_request_was_open(world: World) -> None:
    client, venue = joined(world, [])
    refused = outcome(client.subscribe(Channel("user", ["BTC-USD", "ETH-USD"])))
    venue.refuse(advanced_samples("server")["error-auth"])
    world.advance(2)
    [(message, reason)] = client.errors
    assert message == "authentication failure"
    assert "the open request was to subscribe: user of BTC-USD, ETH-USD" in reason
    assert "the key is missing, wrong or out of date" in reason
    [failure] = refused
    assert failure.value.words == ("authentication failure",)
    assert failure.value.candidates == ("user",)


def test_an_error_out_of_the_blue_says_so(world: World) -> None:
    client, venue = joined(world, [])
    venue.refuse(advanced_samples("server")["error-rate"])
    settle(world)
    assert client.errors == [("rate limit exceeded", "no request was open")]


def test_the_limit_of_level2_names_it(world: World) -> None:
    client, venue = joined(world, [], max_level2_products=1000)
    refused = outcome(client.subscribe(BOOKS))
    venue.refuse(advanced_samples("server")["error-l2-limit"])
    world.advance(2)
    [failure] = refused
    assert failure.value.candidates == ()
    assert failure.value.words == ("too many L2 streams requested in a single session",)


# Anew


def test_renew_brings_a_fresh_snapshot(world: World) -> None:
    """Repeating a subscribe brings none."""
    client, venue = joined(world, BOOKS)
    renewed = outcome(client.renew(BOOKS))
    venue.answer_all()
    assert venue.requests == [
        ("unsubscribe", "level2", ["BTC-USD", "ETH-USD"]),
        ("subscribe", "level2", ["BTC-USD", "ETH-USD"]),
    ]
    assert renewed == [None]


def test_a_reconnection_restores_exactly_what_was_wanted(world: World) -> None:
    client, _ = joined(world, [BOOKS, TRADES])
    client.unsubscribe(Channel("level2", "ETH-USD"))
    world.drop()
    world.advance(2)
    venue = Venue(world)
    venue.answer_all()
    assert venue.requests == [
        HEARTBEATS,
        ("subscribe", "level2", ["BTC-USD"]),
        ("subscribe", "market_trades", ["BTC-USD"]),
    ]
    client.events.clear()
    message = venue.say("market_trades", trade("BTC-USD"))
    settle(world)
    assert client.messages == [message]
    assert client.gaps == []


def test_a_failing_callback_is_told_with_the_channel(world: World, logged_errors: Any) -> None:
    class Failing(GapRecorder):
        def on_message(self, message: Any) -> None:
            raise ZeroDivisionError

    world.client(TRADES, kind=Failing, feed="advanced")
    Venue(world).say("market_trades", trade("BTC-USD"))
    settle(world)
    assert len(logged_errors.flush(ZeroDivisionError)) == 1
