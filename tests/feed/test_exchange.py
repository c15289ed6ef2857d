"""The Exchange feed: the bytes of requests, and what the venue's messages mean."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.feed import dialect, exchange
from copra_tx.feed.credentials import ExchangeCredentials
from copra_tx.websocket.channel import Channel
from support.samples import rest_samples, samples

SERVER, CLIENT = samples("server"), samples("client")
ACCOUNT = "d50ec984-77a8-460a-b958-66f114b0de9b"
CREDENTIALS = ExchangeCredentials(
    key="a1b2c3d4e5f60718293a4b5c6d7e8f90",
    secret=base64.b64encode(bytes(range(64))).decode(),
    passphrase="test-passphrase",
)

EVERY_CHANNEL = {
    name: Channel(name, account_ids=ACCOUNT) if name == "balance" else Channel(name, "BTC-USD")
    for name in exchange.CHANNELS
}


def test_addresses() -> None:
    assert exchange.FEED_URL == "wss://ws-feed.exchange.coinbase.com"
    assert exchange.SANDBOX_FEED_URL == "wss://ws-feed-public.sandbox.exchange.coinbase.com"
    assert exchange.DIRECT_FEED_URL == "wss://ws-direct.exchange.coinbase.com"
    assert exchange.SANDBOX_DIRECT_FEED_URL == "wss://ws-direct.sandbox.exchange.coinbase.com"


# Requests


def unsigned(kind: Any, *channels: Channel) -> bytes:
    return exchange.request(kind, channels, None, "1700000000")


def test_a_request_is_sorted() -> None:
    channels = [Channel("ticker", ["ETH-USD", "BTC-USD"]), Channel("heartbeat", "LTC-EUR")]
    assert unsigned("subscribe", *channels) == (
        b'{"type":"subscribe","channels":'
        b'[{"name":"heartbeat","product_ids":["LTC-EUR"]},{"name":"ticker","product_ids":["BTC-USD","ETH-USD"]}]}'
    )


def test_status_has_no_products_and_balance_has_accounts() -> None:
    assert unsigned("subscribe", Channel("status")) == b'{"type":"subscribe","channels":[{"name":"status"}]}'
    assert unsigned("unsubscribe", Channel("balance", account_ids=["b", "a"])) == (
        b'{"type":"unsubscribe","channels":[{"name":"balance","account_ids":["a","b"]}]}'
    )


def test_everything_is_asked_for_by_naming_nothing() -> None:
    expected = b'{"type":"subscribe","channels":[{"name":"rfq_matches"}]}'
    assert unsigned("subscribe", Channel("rfq_matches")) == unsigned("subscribe", Channel("rfq_matches", "ALL"))
    assert unsigned("subscribe", Channel("rfq_matches")) == expected


def test_a_signed_request_has_four_more_fields_all_of_them_strings() -> None:
    request = json.loads(exchange.request("subscribe", [Channel("full", "BTC-USD")], CREDENTIALS, "1700000000.123456"))
    assert list(request) == ["type", "channels", "signature", "key", "passphrase", "timestamp"]
    assert request["timestamp"] == "1700000000.123456"
    assert request["signature"] == "4ce8mVb02ZsQCji4RcYyxRt7rHid1vsadz1jaHBuDeA="
    assert {type(value) for name, value in request.items() if name != "channels"} == {str}


channel_lists = st.lists(
    st.one_of(
        st.builds(
            Channel,
            st.sampled_from(["ticker", "full", "level2_batch", "rfq_matches"]),
            st.lists(st.sampled_from(["BTC-USD", "ETH-USD", "LTC-EUR"]), min_size=1),
        ),
        st.builds(Channel, st.sampled_from(["status", "rfq_matches"])),
        st.builds(
            lambda accounts: Channel("balance", account_ids=accounts),
            st.lists(st.sampled_from(["a", "b"]), min_size=1),
        ),
    ),
    min_size=1,
    max_size=6,
)


@given(channel_lists, st.randoms(use_true_random=False))
def test_the_same_request_has_the_same_bytes(channels: list[Channel], random: Any) -> None:
    """However it is put together: one entry for each channel, sorted, and nowhere an empty list."""
    shuffled = list(channels)
    random.shuffle(shuffled)
    assert unsigned("subscribe", *channels) == unsigned("subscribe", *shuffled)
    request = json.loads(unsigned("subscribe", *channels))
    names = [entry["name"] for entry in request["channels"]]
    assert names == sorted(set(names)) == sorted({channel.name for channel in channels})
    for entry in request["channels"]:
        lists = [value for name, value in entry.items() if name != "name"]
        assert len(lists) <= 1
        assert all(ids and ids == sorted(set(ids)) for ids in lists)
        same = [channel for channel in channels if channel.name == entry["name"]]
        everything = not all(channel.members for channel in same)
        wanted = set() if everything else {one for channel in same for one in channel.members}
        assert {one for ids in lists for one in ids} == wanted


def meaning(request: dict[str, Any]) -> dict[str, Any]:
    """Return a request in one form: products at top level belong to each channel."""
    channels: dict[str, set[tuple[str, str]]] = {}
    for entry in request["channels"]:
        own = {"name": entry} if isinstance(entry, str) else entry
        channels[own["name"]] = {
            (kind, one)
            for kind in ("product_ids", "account_ids")
            for one in (*request.get(kind, ()), *own.get(kind, ()))
        }
    rest = {name: value for name, value in request.items() if name not in ("channels", "product_ids", "account_ids")}
    return rest | {"channels": channels}


SAME_AS_SAMPLE = {
    "subscribe-strings": [
        Channel("heartbeat", ["BTC-USD", "ETH-USD"]),
        Channel("level2_batch", ["BTC-USD", "ETH-USD"]),
    ],
    "subscribe-objects": [Channel("heartbeat", "ETH-EUR"), Channel("matches", ["BTC-USD", "ETH-USD"])],
    "subscribe-mixed": [
        Channel("level2_batch", ["ETH-USD", "ETH-EUR"]),
        Channel("heartbeat", ["ETH-USD", "ETH-EUR"]),
        Channel("ticker", ["ETH-USD", "ETH-EUR", "ETH-BTC"]),
    ],
    "subscribe-status": [Channel("status")],
    "subscribe-balance": [Channel("balance", account_ids=ACCOUNT)],
    "subscribe-signed": [Channel("full", "BTC-USD")],
    "unsubscribe-pairs": [Channel("ticker", ["ETH-USD", "ETH-EUR"])],
}


@pytest.mark.parametrize("name", SAME_AS_SAMPLE)
def test_requests_mean_what_the_samples_mean(name: str) -> None:
    sample = CLIENT[name]
    credentials = CREDENTIALS if "signature" in sample else None
    ours = exchange.request(sample["type"], SAME_AS_SAMPLE[name], credentials, "1700000000")
    assert meaning(json.loads(ours)) == meaning(sample)


def test_every_request_of_the_samples_was_compared() -> None:
    """But for the one that names no product of a channel that has some: our requests always say which."""
    assert set(CLIENT) - set(SAME_AS_SAMPLE) == {"unsubscribe-channel"}


# Which channels bring what

ORDERS = {"full", "user"}
EXPLAINED = {
    "heartbeat": {"heartbeat"},
    "status": {"status"},
    "auction": {"auctionfeed"},
    "ticker": {"ticker", "ticker_batch"},
    "last_match": {"matches"},
    "match": {"matches"} | ORDERS,
    "rfq_match": {"rfq_matches"},
    "snapshot": {"level2", "level2_batch"},
    "l2update": {"level2", "level2_batch"},
    "received": ORDERS,
    "open": ORDERS,
    "done": ORDERS,
    "change": ORDERS,
    "activate": ORDERS,
    "level3": {"level3"},
    "balance": {"balance"},
}
NOT_FROM_A_CHANNEL = {"subscriptions", "error"}


@pytest.mark.parametrize("name", SERVER)
def test_every_message_of_the_venue_is_explained_by_its_channels(name: str) -> None:
    message = SERVER[name]
    message_type = "level3" if isinstance(message, list) else message["type"]
    if message_type in NOT_FROM_A_CHANNEL:
        assert exchange.DIALECT.explaining_channels(message_type) == ()
    else:
        assert set(exchange.DIALECT.explaining_channels(message_type)) == EXPLAINED[message_type]


def test_the_samples_have_every_type_and_every_channel_is_explained() -> None:
    types = {"level3" if isinstance(message, list) else message["type"] for message in SERVER.values()}
    assert types - NOT_FROM_A_CHANNEL == set(EXPLAINED) == exchange.DIALECT.message_types
    assert set().union(*EXPLAINED.values()) == set(exchange.CHANNELS)


def test_what_nobody_knows_is_not_explained() -> None:
    for unknown in (
        "",
        "new_thing",
        "Ticker",
        "level2",
        *(str(answer.get("type")) for answer in rest_samples().values()),
    ):
        assert exchange.DIALECT.explaining_channels(unknown) == ()


# The answer that lists everything


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("subscriptions", {"level2_batch": {"BTC-USD"}, "matches": {"BTC-USD"}}),
        ("subscriptions-balance", {"balance": {ACCOUNT}}),
        ("subscriptions-empty", {}),
    ],
)
def test_the_answers_of_the_samples(name: str, held: dict[str, set[str]]) -> None:
    assert exchange.listed(SERVER[name]) == held


def listing(*channels: object) -> dict[str, frozenset[str]]:
    return exchange.listed({"type": "subscriptions", "channels": list(channels)})


def test_the_venues_own_names_come_back_as_ours() -> None:
    assert listing(
        {"name": "level2_50", "product_ids": ["BTC-USD"], "account_ids": None},
        {"name": "ticker_1000", "product_ids": ["ETH-USD", "BTC-USD"], "account_ids": None},
        {"name": "level2", "product_ids": ["LTC-USD"]},
    ) == {"level2_batch": {"BTC-USD"}, "ticker_batch": {"ETH-USD", "BTC-USD"}, "level2": {"LTC-USD"}}


def test_a_channel_listed_under_both_its_names_holds_what_both_list() -> None:
    both = [{"name": name, "product_ids": [one]} for name, one in (("level2_50", "A-USD"), ("level2_batch", "B-USD"))]
    assert listing(*both) == {"level2_batch": {"A-USD", "B-USD"}}


@pytest.mark.parametrize("name", ["status", "rfq_matches"])
@pytest.mark.parametrize(
    "rest", [{}, {"product_ids": None}, {"product_ids": []}, {"product_ids": [""]}, {"product_ids": ["ALL"]}]
)
def test_a_channel_about_everything_is_held_without_products(name: str, rest: dict[str, Any]) -> None:
    assert listing({"name": name} | rest) == {name: frozenset()}


@pytest.mark.parametrize("name", ["status", "rfq_matches"])
def test_a_channel_about_everything_may_be_held_for_some_products(name: str) -> None:
    assert listing({"name": name, "product_ids": ["BTC-USD", "ETH-USD"]}) == {name: {"BTC-USD", "ETH-USD"}}
    assert listing({"name": name, "product_ids": ["BTC-USD", "ALL"]}) == {name: frozenset()}


@pytest.mark.parametrize("name", ["ticker", "level2_50", "balance"])
@pytest.mark.parametrize("rest", [{}, {"product_ids": None, "account_ids": None}, {"product_ids": []}])
def test_a_channel_that_must_be_about_something_is_not_held_without(name: str, rest: dict[str, Any]) -> None:
    assert listing({"name": name} | rest) == {}


def test_a_channel_that_nobody_knows_is_listed_as_it_is() -> None:
    assert listing({"name": "new", "product_ids": ["BTC-USD"]}, {"name": "newer"}) == {"new": {"BTC-USD"}}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"channels": None},
        {"channels": "ticker"},
        {"channels": {"name": "ticker"}},
        {"channels": [None, 1, "ticker", ["ticker"], {}, {"name": None}, {"name": ["ticker"]}]},
        {"channels": [{"name": "ticker", "product_ids": "BTC-USD"}]},
        {"channels": [{"name": "ticker", "product_ids": {"BTC-USD": 1}}]},
        {"channels": [{"name": "ticker", "product_ids": [None, 1, ["BTC-USD"], {}]}]},
    ],
)
def test_an_answer_of_another_shape_lists_nothing(answer: dict[str, Any]) -> None:
    assert exchange.listed(answer) == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just("ticker"),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["name", "product_ids", "account_ids", "channels", "message"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["channels", "message", "reason"]), json_values))
def test_no_shape_of_an_answer_or_an_error_is_too_much(answer: dict[str, Any]) -> None:
    assert all(isinstance(ids, frozenset) for ids in exchange.listed(answer).values())
    assert all(isinstance(words, str) for words in dialect.error_words(answer))


# Errors

AUTH_REQUIRED = SERVER["error-auth-required"]["reason"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (SERVER["error-auth-required"], ("Failed to subscribe", AUTH_REQUIRED)),
        (SERVER["error-bad-product"], ("Failed to subscribe", "NOPE-USD is not a valid product")),
        ({"type": "error", "message": "ErrSlowConsume"}, ("ErrSlowConsume", "")),
        ({"type": "error", "message": "Message too big", "reason": ""}, ("Message too big", "")),
        ({"type": "error", "message": None, "reason": None}, ("", "")),
        ({"type": "error"}, ("", "")),
        ({"type": "error", "message": 42, "reason": ["a", {"b": 1.5}]}, ("42", '["a",{"b":1.5}]')),
        ({"type": "error", "message": False, "reason": 10**40}, ("false", f"1{'0' * 40}")),
    ],
)
def test_the_words_of_an_error(message: dict[str, Any], words: tuple[str, str]) -> None:
    assert dialect.error_words(message) == words


def test_words_nested_without_end_are_not_shown() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert dialect.error_words({"message": nested}) == ("(nested too deeply to be shown)", "")


# Reason of a refusal; the channels it names; the products it names. Everything else is about none of ours.
REFUSALS = [
    (AUTH_REQUIRED, {"level2", "level3", "full"}, ()),
    ("NOPE-USD is not a valid product", (), {"NOPE-USD"}),
    (" is not a valid product", (), ()),
    ("BTC-USD is delisted", (), {"BTC-USD"}),
    ("ticker is not a valid channel", {"ticker"}, ()),
    ("level2_50 is not a valid channel", {"level2_batch"}, ()),
    ("ticker_1000 is not a valid channel", {"ticker_batch"}, ()),
    ("Invalid product ID provided", (), ()),
    ("Type has to be either subscribe or unsubscribe", (), ()),
    ("No channels provided", (), ()),
    ("You need to specify at least one product ID for channel heartbeat", {"heartbeat"}, ()),
    ("IP does not match IP whitelist", (), ()),
    ("request timestamp expired", (), ()),
    ("ErrSlowConsume", (), ()),
    ("ErrSlowRead", (), ()),
    ("Message too big", (), ()),
    (exchange.UNREADABLE_REQUEST, (), ()),
]


@pytest.mark.parametrize(("reason", "channels", "products"), REFUSALS, ids=[reason for reason, _, _ in REFUSALS])
def test_what_a_refusal_names(reason: str, channels: set[str], products: set[str]) -> None:
    asked = {"BTC-USD", "NOPE-USD", "BTC-USDC", "USD"}
    for name, message in itertools.product(exchange.CHANNELS, ("", "Failed to subscribe: ")):
        channel = EVERY_CHANNEL[name] if name == "balance" else Channel(name, asked)
        named = exchange.named_in(message + reason, channel)
        if name in channels:
            assert named == channel.members
        elif products and name != "balance":
            assert named == products
        else:
            assert named is None


def test_a_name_is_a_whole_word_in_any_case() -> None:
    channel = Channel("full", ["BTC-USD", "W.X"])
    assert exchange.named_in("btc-usd, is delisted", channel) == {"BTC-USD"}
    assert exchange.named_in("(FULL)", channel) == channel.members
    for words in ("BTC-USDT", "WBTC-USD", "BTC-USD-PERP", "fully", "full_x", "full-x", "WAX", "BTC", "", "USD"):
        assert exchange.named_in(words, channel) is None


def test_an_error_that_names_a_channel_about_everything_names_nothing_in_it() -> None:
    assert exchange.named_in("status is not a valid channel", Channel("status")) == frozenset()
    assert exchange.named_in("BTC-USD is not a valid product", Channel("status")) is None


def test_an_account_is_named_like_a_product() -> None:
    channel = Channel("balance", account_ids=[ACCOUNT, "other"])
    assert exchange.named_in(f"account {ACCOUNT} is unknown", channel) == {ACCOUNT}
    assert exchange.named_in("balance needs a signature", channel) == channel.members
