"""The venue's rules, request by request: what it answers, in which words, and what a connection then holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from copra_tx.errors import ConfigurationError
from copra_tx.simulator import TEST_KEY, ApiKey
from copra_tx.simulator.venue import Allowance, Answer, Session, Venue
from support.samples import samples

NOW = 1700000000.0
LOGIN_NEEDED = samples("server")["error-auth-required"]
UNPARSABLE = b"invalid (un)subscribe msg"
SIGNED = {
    "signature": "4w5N81jN+R8BEl+8gu26Lel0jalXF5uTezix+T8v9eY=",
    "key": TEST_KEY.key,
    "passphrase": TEST_KEY.passphrase,
    "timestamp": "1700000000",
}
SIGNED_CHANNELS = ["level2", "level3", "full", "user"]
REQUESTS = samples("client")


class Desk:
    """A venue and one connection to it."""

    def __init__(self, *, now: float = NOW, **arguments: Any) -> None:
        arguments = {"keys": [TEST_KEY]} | arguments
        self.venue = Venue({"BTC-USD", "ETH-USD", "ETH-EUR", "ETH-BTC"}, {"XYZ-USD"}, **arguments)
        self.session = Session()
        self.now = now

    def ask(self, request: Any) -> Answer:
        payload = request if isinstance(request, bytes) else json.dumps(request).encode()
        return self.venue.answer(self.session, payload, self.now)

    def answers(self, request: Any) -> list[Any]:
        """Return the decoded answers; what is not JSON as it is."""
        return [json.loads(text) if kind else text for kind, text in self.ask(request).messages]

    def subscribe(self, *channels: Any, **fields: Any) -> list[Any]:
        return self.answers({"type": "subscribe", "channels": list(channels), **fields})

    def unsubscribe(self, *channels: Any, **fields: Any) -> list[Any]:
        return self.answers({"type": "unsubscribe", "channels": list(channels), **fields})

    def held(self) -> dict[str, Any]:
        """Return what the ``subscriptions`` answer says, by channel, products as a set."""
        answer = json.loads(self.session.answer())
        return {
            channel["name"]: set(channel["product_ids"] or channel["account_ids"] or ())
            for channel in answer["channels"]
        }


def _item(name: str, *products: str) -> dict[str, Any]:
    return {"name": name, "product_ids": list(products)}


def _refused(reason: str) -> dict[str, str]:
    return {"type": "error", "message": "Failed to subscribe", "reason": reason}


# -- what is taken


def test_channels_may_be_strings_and_objects_and_share_products() -> None:
    desk = Desk()
    assert [answer["type"] for answer in desk.answers(REQUESTS["subscribe-mixed"])] == ["subscriptions"]
    both = {"ETH-USD", "ETH-EUR"}
    assert desk.held() == {"level2_50": both, "heartbeat": both, "ticker": both | {"ETH-BTC"}}


@pytest.mark.parametrize("name", ["subscribe-strings", "subscribe-objects", "subscribe-status"])
def test_every_form_of_the_documentation_is_taken(name: str) -> None:
    assert [answer["type"] for answer in Desk().answers(REQUESTS[name])] == ["subscriptions"]


def test_the_answer_lists_everything_in_the_venues_names() -> None:
    desk = Desk()
    desk.subscribe("level2_batch", "ticker_batch", product_ids=["BTC-USD"])
    [answer] = desk.subscribe({"name": "status"}, {"name": "rfq_matches"}, _item("matches", "BTC-USD", "ETH-USD"))
    assert answer["type"] == "subscriptions"
    assert {channel["name"]: channel for channel in answer["channels"]} == {
        "level2_50": {"name": "level2_50", "product_ids": ["BTC-USD"], "account_ids": None},
        "ticker_1000": {"name": "ticker_1000", "product_ids": ["BTC-USD"], "account_ids": None},
        "status": {"name": "status", "product_ids": None, "account_ids": None},
        "rfq_matches": {"name": "rfq_matches", "product_ids": None, "account_ids": None},
        "matches": {"name": "matches", "product_ids": ["ETH-USD", "BTC-USD"], "account_ids": None},
    }


def test_the_venues_own_names_are_taken_too() -> None:
    desk = Desk()
    desk.subscribe(_item("level2_50", "BTC-USD"), _item("ticker_1000", "BTC-USD"))
    desk.subscribe(_item("level2_batch", "ETH-USD"))
    assert desk.held() == {"level2_50": {"BTC-USD", "ETH-USD"}, "ticker_1000": {"BTC-USD"}}


def test_what_is_new_with_a_request_is_told_once() -> None:
    desk = Desk()
    answer = desk.ask({"type": "subscribe", "channels": ["ticker", "level2_batch"], "product_ids": ["BTC-USD"]})
    assert set(answer.joined) == {("ticker", "BTC-USD"), ("level2_50", "BTC-USD")}
    assert answer.is_subscribe
    again = desk.ask({"type": "subscribe", "channels": ["ticker"], "product_ids": ["BTC-USD", "BTC-USD", "ETH-USD"]})
    assert again.joined == (("ticker", "ETH-USD"),)
    assert again.request == {
        "type": "subscribe",
        "channels": ["ticker"],
        "product_ids": ["BTC-USD", "BTC-USD", "ETH-USD"],
    }


# -- unsubscribe


def test_products_can_be_left() -> None:
    desk = Desk()
    desk.subscribe(_item("ticker", "BTC-USD", "ETH-USD", "ETH-EUR"))
    [answer] = desk.answers(REQUESTS["unsubscribe-pairs"])
    assert answer["channels"] == [{"name": "ticker", "product_ids": ["BTC-USD"], "account_ids": None}]


def test_a_channel_without_products_is_left_as_a_whole() -> None:
    desk = Desk()
    desk.subscribe("heartbeat", "ticker", product_ids=["BTC-USD", "ETH-USD"])
    desk.answers(REQUESTS["unsubscribe-channel"])
    assert desk.held() == {"ticker": {"BTC-USD", "ETH-USD"}}
    assert desk.unsubscribe("ticker") == [samples("server")["subscriptions-empty"]]


def test_a_channel_whose_last_product_is_left_is_gone() -> None:
    desk = Desk()
    desk.subscribe(_item("ticker", "BTC-USD"), "status")
    assert desk.unsubscribe(_item("ticker", "BTC-USD"), "status") == [samples("server")["subscriptions-empty"]]


def test_a_channel_never_joined_can_be_left() -> None:
    desk = Desk()
    assert desk.unsubscribe("ticker", _item("level2", "BTC-USD")) == [samples("server")["subscriptions-empty"]]
    assert not desk.ask({"type": "unsubscribe", "channels": ["ticker"]}).is_subscribe


def test_an_unsubscribe_of_a_bad_product_takes_nothing_else_away() -> None:
    desk = Desk()
    desk.subscribe(_item("ticker", "BTC-USD"))
    error, answer = desk.unsubscribe(_item("ticker", "NOPE-USD"))
    assert error == _refused("NOPE-USD is not a valid product") | {"message": "Failed to unsubscribe"}
    assert answer["channels"][0]["product_ids"] == ["BTC-USD"]


def test_all_of_rfq_matches_is_joined_and_left() -> None:
    desk = Desk()
    desk.subscribe(_item("rfq_matches", "ALL"))
    assert desk.held() == {"rfq_matches": set()}
    desk.unsubscribe(_item("rfq_matches", "ALL"))
    assert desk.held() == {}


# -- refusals, in the venue's words


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"type": "subscribe", "channels": [_item("ticker", "NOPE-USD")]}, "NOPE-USD is not a valid product"),
        ({"type": "subscribe", "channels": [_item("ticker", "XYZ-USD")]}, "XYZ-USD is delisted"),
        ({"type": "subscribe", "channels": [_item("heartbeats", "BTC-USD")]}, "heartbeats is not a valid channel"),
        ({"type": "subscribe", "channels": [{}]}, " is not a valid channel"),
        ({"type": "subscribe", "channels": [5]}, "5 is not a valid channel"),
        (
            {"type": "subscribe", "channels": [{"name": "ticker", "product_ids": "BTC-USD"}]},
            "Invalid product ID provided",
        ),
        ({"type": "subscribe", "channels": ["ticker"], "product_ids": [1]}, "Invalid product ID provided"),
        ({"type": "subscribe", "channels": []}, "No channels provided"),
        ({"type": "subscribe"}, "No channels provided"),
        ({"type": "subscribe", "channels": "ticker"}, "No channels provided"),
        ({"type": "hello", "channels": ["ticker"]}, "Type has to be either subscribe or unsubscribe"),
        ({}, "Type has to be either subscribe or unsubscribe"),
        (
            {"type": "subscribe", "channels": ["heartbeat"]},
            "You need to specify at least one product ID for channel heartbeat",
        ),
        (
            {"type": "subscribe", "channels": ["balance"], **SIGNED},
            "You need to specify at least one account ID for channel balance",
        ),
    ],
)
def test_a_refusal_is_in_the_venues_words(request_: Any, reason: str) -> None:
    desk = Desk()
    assert desk.answers(request_) == [_refused(reason)]
    assert desk.session.keys == frozenset()


def test_an_unsubscribe_fails_to_unsubscribe() -> None:
    """As recorded: bennycode/coinbase-pro-node, MIT, ws/ticker/unsubscribe-error.json."""
    recorded = {"message": "Failed to unsubscribe", "reason": "No channels provided", "type": "error"}
    assert Desk().answers({"type": "unsubscribe"}) == [recorded]


@pytest.mark.parametrize(
    "request_",
    [
        {"type": "subscribe", "product_ids": [], "channels": ["ticker"]},
        {"type": "subscribe", "channels": [_item("ticker")]},
        {"type": "subscribe", "product_ids": [], "channels": [_item("ticker")]},
    ],
)
def test_an_empty_list_is_read_as_a_product_without_a_name(request_: Any) -> None:
    assert Desk().answers(request_) == [_refused(" is not a valid product")]


def test_an_empty_list_beside_shared_products_is_refused_too() -> None:
    error, answer = Desk().answers({"type": "subscribe", "product_ids": ["BTC-USD"], "channels": [_item("ticker")]})
    assert error == _refused(" is not a valid product")
    assert answer["channels"][0]["product_ids"] == ["BTC-USD"]


def test_part_of_a_request_can_be_refused() -> None:
    desk = Desk()
    answers = desk.subscribe(
        _item("ticker", "BTC-USD", "NOPE-USD", "XYZ-USD"), _item("candles", "BTC-USD"), _item("matches", "AB-CD")
    )
    assert answers[:-1] == [
        _refused("NOPE-USD is not a valid product"),
        _refused("XYZ-USD is delisted"),
        _refused("candles is not a valid channel"),
        _refused("AB-CD is not a valid product"),
    ]
    assert answers[-1]["type"] == "subscriptions"
    assert desk.held() == {"ticker": {"BTC-USD"}}


def test_a_wholly_refused_request_can_be_answered_with_subscriptions_too() -> None:
    desk = Desk(answer_refused=True)
    desk.subscribe(_item("ticker", "BTC-USD"))
    for request in ({"type": "subscribe", "channels": [_item("ticker", "NOPE-USD")]}, {"type": "hello"}):
        error, answer = desk.answers(request)
        assert error["type"] == "error"
        assert answer["channels"][0]["product_ids"] == ["BTC-USD"]


@pytest.mark.parametrize("payload", [b"hello", b"", b"[]", b"5", b'{"type":"\xff"}', b"[" * 100000, b"{'type':1}"])
def test_what_is_no_request_is_answered_without_json(payload: bytes) -> None:
    answer = Desk().ask(payload)
    assert answer.messages == (("", UNPARSABLE),)
    assert not answer.is_subscribe


def test_requests_are_kept_decoded_or_as_text() -> None:
    assert Desk().ask(b"\xffhello").request == "\ufffdhello"
    assert Desk().ask(b"[1]").request == [1]


# -- signatures


@pytest.mark.parametrize("channel", SIGNED_CHANNELS)
def test_signed_channels_need_a_signature(channel: str) -> None:
    desk = Desk()
    assert desk.subscribe(_item(channel, "BTC-USD")) == [LOGIN_NEEDED]
    [answer] = desk.subscribe(_item(channel, "BTC-USD"), **SIGNED)
    assert answer["channels"][0]["name"] == channel


def test_balance_is_for_accounts_of_signed_connections() -> None:
    desk = Desk()
    request = REQUESTS["subscribe-balance"]
    assert desk.answers(request) == [samples("server")["subscriptions-balance"]]
    assert Desk().answers({key: value for key, value in request.items() if key not in SIGNED}) == [LOGIN_NEEDED]
    assert desk.answers({"type": "unsubscribe", "channels": request["channels"]}) == [
        samples("server")["subscriptions-empty"]
    ]


def test_one_request_may_be_signed_for_some_of_its_channels() -> None:
    error, answer = Desk().subscribe(_item("level2", "BTC-USD"), _item("ticker", "BTC-USD"))
    assert error == LOGIN_NEEDED
    assert [channel["name"] for channel in answer["channels"]] == ["ticker"]


def test_the_documented_signed_request_is_taken() -> None:
    assert [answer["type"] for answer in Desk().answers(REQUESTS["subscribe-signed"])] == ["subscriptions"]


@pytest.mark.parametrize("now", [1700000000.0, 1700000030.0, 1699999970.0])
def test_timestamps_may_be_thirty_seconds_off(now: float) -> None:
    assert Desk(now=now).subscribe(_item("full", "BTC-USD"), **SIGNED)[0]["type"] == "subscriptions"


def test_timestamps_may_have_a_fraction() -> None:
    fields = SIGNED | {"timestamp": "1700000000.123456", "signature": "4ce8mVb02ZsQCji4RcYyxRt7rHid1vsadz1jaHBuDeA="}
    assert Desk().subscribe(_item("full", "BTC-USD"), **fields)[0]["type"] == "subscriptions"


@pytest.mark.parametrize(
    ("fields", "message", "reason"),
    [
        ({"timestamp": "1699999969.9"}, "Bad Request", "request timestamp expired"),
        ({"timestamp": "1700000030.1"}, "Bad Request", "request timestamp expired"),
        ({"timestamp": "nan"}, "Bad Request", "request timestamp expired"),
        ({"timestamp": "now"}, "Bad Request", "request timestamp expired"),
        ({"signature": "mrfYJJfLgYAQ17WPZ6ktZ5KtXBkLLB6MI9g6SvPc1ds="}, "Unauthorized", "invalid signature"),
        ({"signature": ""}, "Unauthorized", "invalid signature"),
        ({"signature": "é"}, "Unauthorized", "invalid signature"),
        ({"passphrase": "wrong"}, "Unauthorized", "invalid signature"),
        ({"passphrase": None}, "Unauthorized", "invalid signature"),
    ],
)
def test_a_wrong_signature_is_refused(fields: Any, message: str, reason: str) -> None:
    """A channel that needs none is refused with it: the whole request is."""
    desk = Desk()
    error = {"type": "error", "message": f"Sorry, you could not be authenticated: {message}", "reason": reason}
    assert desk.subscribe(_item("full", "BTC-USD"), _item("ticker", "BTC-USD"), **SIGNED | fields) == [error]
    assert desk.session.keys == frozenset()


def test_a_key_that_is_not_known_counts_as_none() -> None:
    error, answer = Desk().subscribe(_item("full", "BTC-USD"), _item("ticker", "BTC-USD"), **SIGNED | {"key": "other"})
    assert error == LOGIN_NEEDED
    assert [channel["name"] for channel in answer["channels"]] == ["ticker"]


def test_a_key_may_be_bound_to_another_address() -> None:
    key = ApiKey(TEST_KEY.key, TEST_KEY.secret, TEST_KEY.passphrase, ip_allowed=False)
    [error] = Desk(keys=[key]).subscribe(_item("full", "BTC-USD"), **SIGNED)
    assert (error["message"], error["reason"]) == (
        "Sorry, you could not be authenticated: Unauthorized",
        "IP does not match IP whitelist",
    )


@pytest.mark.parametrize("timestamp", [1700000000, 1700000000.5, None])
def test_a_timestamp_that_is_no_string_makes_the_request_unparsable(timestamp: Any) -> None:
    desk = Desk()
    assert desk.subscribe(_item("ticker", "BTC-USD"), **SIGNED | {"timestamp": timestamp}) == [UNPARSABLE]
    assert desk.session.keys == frozenset()


def test_a_channel_joined_without_a_signature_stays_so_until_it_is_left() -> None:
    desk = Desk()
    desk.subscribe(_item("matches", "BTC-USD"))
    desk.subscribe(_item("matches", "ETH-USD"), _item("ticker", "BTC-USD"), **SIGNED)
    assert not desk.session.is_signed("matches")
    assert desk.session.is_signed("ticker")
    desk.unsubscribe("matches")
    assert not desk.session.is_signed("matches")
    desk.subscribe(_item("matches", "BTC-USD"), **SIGNED)
    assert desk.session.is_signed("matches")


def test_keys_keep_their_secrets_to_themselves() -> None:
    assert TEST_KEY.secret not in repr(TEST_KEY)
    assert TEST_KEY.passphrase not in repr(TEST_KEY)
    with pytest.raises(ConfigurationError, match="the secret of key 'k' is not base64") as caught:
        ApiKey("k", "not base64!", "p")
    assert "not base64!" not in str(caught.value)


# -- how many requests a client may send


def test_requests_come_back_with_time() -> None:
    allowance = Allowance(rate=2.0, burst=3, now=10.0)
    assert [allowance.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert not allowance.take(10.4)
    assert allowance.take(10.5)
    assert not allowance.take(10.6)
    assert [allowance.take(1000.0) for _ in range(4)] == [True, True, True, False]
