"""The language of the Advanced Trade feed: requests, answers, what a message is about, what an error names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.feed import advanced_trade, both, exchange
from copra_tx.websocket.channel import Channel
from support.samples import advanced_samples

CLIENT, SERVER = advanced_samples("client"), advanced_samples("server")

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["events", "subscriptions", "product_id", "trades", "tickers", "level2", "user"]), inner
        )
    ),
    max_leaves=12,
)


class FakeKey:
    """Signs with the time."""

    def sign(self, timestamp: str) -> dict[str, str]:
        return {"jwt": f"token of {timestamp}"}


# Requests


@pytest.mark.parametrize(
    ("sample", "kind", "channel", "key"),
    [
        ("subscribe-level2", "subscribe", Channel("level2", ["ETH-USD", "BTC-USD"]), None),
        ("subscribe-heartbeats", "subscribe", Channel("heartbeats"), None),
        ("subscribe-user", "subscribe", Channel("user", "BTC-USD"), FakeKey()),
        ("unsubscribe-level2", "unsubscribe", Channel("level2", "ETH-USD"), None),
    ],
)
def test_requests_are_the_documented_ones(sample: str, kind: Any, channel: Channel, key: Any) -> None:
    expected = dict(CLIENT[sample])
    if "jwt" in expected:
        expected["jwt"] = "token of 1700000000.5"
    assert json.loads(advanced_trade.request(kind, [channel], key, "1700000000.5")) == expected


def test_everything_is_asked_for_by_naming_no_product() -> None:
    request = advanced_trade.request("unsubscribe", [Channel("user", "ALL")], None, "")
    assert json.loads(request) == {"type": "unsubscribe", "channel": "user"}


def test_parts_of_one_channel_go_together() -> None:
    request = advanced_trade.request("subscribe", [Channel("ticker", "B-USD"), Channel("ticker", "A-USD")], None, "")
    assert request == b'{"type":"subscribe","channel":"ticker","product_ids":["A-USD","B-USD"]}'


@pytest.mark.parametrize("name", advanced_trade.CHANNELS)
def test_only_private_channels_must_be_signed(name: str) -> None:
    channel = Channel(name, "ALL" if not advanced_trade.CHANNELS[name].needs_products else "BTC-USD")
    is_private = name in ("user", "futures_balance_summary")
    assert advanced_trade.DIALECT.must_sign([channel]) is is_private
    assert exchange.DIALECT.must_sign([channel])


# Answers


def test_answers_list_what_is_held() -> None:
    assert advanced_trade.listed(SERVER["subscriptions"]) == {"heartbeats": set(), "level2": {"BTC-USD", "ETH-USD"}}
    assert advanced_trade.listed(SERVER["subscriptions-user-client-id"]) == {"user": set()}
    assert advanced_trade.listed(SERVER["captured-2"]) == {"market_trades": {"ETH-USDT"}}


def test_what_is_listed_without_products_is_not_held_and_what_is_new_is() -> None:
    answer = {"events": [{"subscriptions": {"ticker": [], "level2": None, "new": ["X-USD", 7]}}, 7, {}]}
    assert advanced_trade.listed(answer) == {"new": {"X-USD"}}


@given(anything)
def test_whatever_an_answer_is_it_can_be_read(events: object) -> None:
    held = advanced_trade.listed({"channel": "subscriptions", "events": events})
    assert all(isinstance(one, str) for ids in held.values() for one in ids)


# What a message is about


@pytest.mark.parametrize(
    ("sample", "products"),
    [
        ("l2-snapshot", ["BTC-USD"]),
        ("market_trades-update", ["ETH-USD", "ETH-USD"]),
        ("candles-snapshot", ["BTC-USD", "BTC-USD"]),
        ("ticker", ["BTC-USD"]),
        ("status", ["BTC-USD"]),
        ("user-update", ["BTC-USD"]),
        ("heartbeats", [None]),
        ("futures_balance_summary", [None]),
    ],
)
def test_products_of_each_event_or_part(sample: str, products: list[object]) -> None:
    assert list(advanced_trade.products_in(SERVER[sample])) == products


def test_an_event_without_parts_is_about_no_product() -> None:
    events = [{"trades": []}, {"trades": None}, {"trades": [7, {}]}, {}, 7]
    assert list(advanced_trade.products_in({"events": events})) == [None] * 5


@given(anything)
def test_whatever_a_message_is_its_products_can_be_looked_for(events: object) -> None:
    list(advanced_trade.products_in({"events": events}))


def test_the_exchange_feed_has_one_product_a_message() -> None:
    assert exchange.DIALECT.products_in({"product_id": "BTC-USD"}) == ("BTC-USD",)
    assert exchange.DIALECT.products_in({}) == (None,)


@pytest.mark.parametrize(
    ("channel", "product", "on_wire"),
    [
        ("level2", "XLM-USDC", "XLM-USD"),
        ("level2", "XLM-USD", "XLM-USD"),
        ("ticker", "USDT-USDC", "USDT-USDC"),
        ("ticker", "EURC-USDC", "EURC-USDC"),
        ("user", "XLM-USDC", "XLM-USDC"),
        ("ticker", "USDC-EUR", "USDC-EUR"),
    ],
)
def test_usdc_on_the_wire(channel: str, product: str, on_wire: str) -> None:
    assert advanced_trade.wire_id(channel, product) == on_wire
    assert exchange.DIALECT.wire_id(channel, product) == product


# Errors


def test_only_the_limit_names_a_channel() -> None:
    words = {name: SERVER[name]["message"] for name in SERVER if name.startswith("error")}
    named = {name: advanced_trade.named_in(words[name], Channel("level2", "BTC-USD")) for name in words}
    assert named == {"error-auth": None, "error-l2-limit": {"BTC-USD"}, "error-rate": None}
    assert advanced_trade.named_in(words["error-l2-limit"], Channel("ticker", "BTC-USD")) is None
    assert advanced_trade.named_in("no ticker today", Channel("ticker", "BTC-USD")) == {"BTC-USD"}


def test_the_misleading_error_is_explained() -> None:
    assert "does not know" in advanced_trade.explained("authentication failure")
    assert advanced_trade.explained("rate limit exceeded") == ""


# Names


def test_names_of_neither_feed() -> None:
    assert "the channels are heartbeats" in advanced_trade.unknown_channel("tikker")
    assert "'level2'" in both.unknown_channel("L2_Data")
    assert "'level2_batch'" in both.unknown_channel("level2_50")


def test_every_channel_of_the_exchange_feed_that_is_none_here_is_known_as_such() -> None:
    for name in exchange.CHANNELS.keys() - advanced_trade.CHANNELS.keys():
        assert "is a channel of the Exchange feed" in advanced_trade.unknown_channel(name.upper())
    for name in advanced_trade.CHANNELS.keys() - exchange.CHANNELS.keys():
        assert "is a channel of the Advanced Trade feed" in exchange.unknown_channel(name.upper())


def test_each_type_belongs_to_one_channel() -> None:
    dialect = advanced_trade.DIALECT
    assert all(len(dialect.explaining_channels(message_type)) == 1 for message_type in dialect.message_types)
    assert dialect.explaining_channels("l2_data") == ("level2",)
    assert dialect.explaining_channels("level2") == ()


def test_its_words_blame_no_clock() -> None:
    """They say the same of whatever is wrong: a key, a token, a product."""
    assert not advanced_trade.DIALECT.is_about_signature("authentication failure")
