"""The rules of the Advanced Trade feed's server, request by request."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from copra_tx.keys import CdpCredentials
from copra_tx.simulator import TEST_CDP_KEY, CdpKey
from copra_tx.simulator.cdp_venue import CdpVenue
from support.samples import advanced_samples
from support.strictness import CriticalEventError, LoggedErrors

NOW = 1700000000.0
REFUSED = advanced_samples("server")["error-auth"]
TOO_MANY = advanced_samples("server")["error-l2-limit"]
CREDENTIALS = CdpCredentials(TEST_CDP_KEY.key, TEST_CDP_KEY.secret)


class Desk:
    """A venue and one connection to it."""

    def __init__(self, products: Any = ("BTC-USD", "ETH-USD", "XLM-USD", "USDT-USDC"), **arguments: Any) -> None:
        self.venue = CdpVenue(products, [TEST_CDP_KEY], **arguments)
        self.session = self.venue.new_session()

    def ask(self, request: Any) -> Any:
        """Return the one answer; of a listing, what is listed, products as sets."""
        payload = request if isinstance(request, bytes) else json.dumps(request).encode()
        [(kind, text)] = self.venue.answer(self.session, payload, NOW).messages
        answer = json.loads(text)
        if kind != "subscriptions":
            return answer
        return {name: set(ids) for name, ids in answer["events"][0]["subscriptions"].items()}

    def subscribe(self, channel: str, *products: str, **fields: Any) -> Any:
        return self.ask({"type": "subscribe", "channel": channel, "product_ids": list(products), **fields})


def test_answers_list_everything_in_an_envelope() -> None:
    desk = Desk(client_id=True)
    assert desk.ask(advanced_samples("client")["subscribe-heartbeats"]) == {"heartbeats": {"heartbeats"}}
    held = desk.ask(advanced_samples("client")["subscribe-level2"])
    assert held == {"heartbeats": {"heartbeats"}, "level2": {"BTC-USD", "ETH-USD"}}
    answer = desk.venue.answer(desk.session, json.dumps({"type": "unsubscribe", "channel": "level2"}).encode(), NOW)
    message = json.loads(answer.messages[0][1])
    assert list(message) == ["channel", "client_id", "timestamp", "sequence_num", "events"]
    assert message["timestamp"] == "2023-11-14T22:13:20.000000Z"
    assert message["events"] == [{"subscriptions": {"heartbeats": ["heartbeats"]}}]


def test_unsubscribing_takes_away_products_or_the_channel() -> None:
    desk = Desk()
    desk.subscribe("ticker", "BTC-USD", "ETH-USD")
    assert desk.ask({"type": "unsubscribe", "channel": "ticker", "product_ids": ["ETH-USD"]}) == {"ticker": {"BTC-USD"}}
    assert desk.ask({"type": "unsubscribe", "channel": "candles", "product_ids": ["ETH-USD"]}) == {
        "ticker": {"BTC-USD"}
    }
    assert desk.ask({"type": "unsubscribe", "channel": "ticker", "product_ids": ["BTC-USD"]}) == {}
    desk.subscribe("ticker", "BTC-USD", "ETH-USD")
    assert desk.ask(advanced_samples("client")["unsubscribe-channel"]) == {}


@pytest.mark.parametrize("others", [[], ["ETH-USD"]])
def test_products_make_no_difference_to_channels_about_none(others: list[str]) -> None:
    desk = Desk()
    desk.subscribe("heartbeats", *others)
    assert desk.subscribe("heartbeats", "BTC-USD", "NOPE-USD") == {"heartbeats": {"heartbeats"}}
    assert desk.session.keys == {("heartbeats", "")}
    assert desk.ask({"type": "unsubscribe", "channel": "heartbeats", "product_ids": ["BTC-USD"]}) == {}


def test_products_are_translated_or_passed_over() -> None:
    desk = Desk()
    held = desk.subscribe("ticker", "XLM-USDC", "USDT-USDC", "NOPE-USD")
    assert held == {"ticker": {"XLM-USD", "USDT-USDC"}}
    assert desk.subscribe("level2", "NOPE-USD") == held


@pytest.mark.parametrize(
    "request_",
    [
        b"{",
        b"\xff",
        [],
        7,
        {},
        {"type": "subscribe"},
        {"type": "subscribe", "channel": "heartbeat"},
        {"type": "subscribe", "channel": ["level2"], "product_ids": ["BTC-USD"]},
        {"type": "sub", "channel": "level2", "product_ids": ["BTC-USD"]},
        {"type": "subscribe", "channel": "level2", "product_ids": "BTC-USD"},
        {"type": "subscribe", "channel": "level2", "product_ids": [7]},
        {"type": "subscribe", "channels": ["level2"], "product_ids": ["BTC-USD"]},
        {"type": "subscribe", "channel": "user", "product_ids": ["BTC-USD"]},
        {"type": "subscribe", "channel": "level2", "product_ids": ["BTC-USD"], "jwt": "header.payload.signature"},
        {"type": "subscribe", "channel": "level2", "product_ids": ["BTC-USD"], "jwt": 7},
    ],
    ids=repr,
)
def test_whatever_is_wrong_is_an_authentication_failure(request_: Any) -> None:
    """Misleading as that is; a doubtful token on a public channel counts, too."""
    desk = Desk()
    assert desk.ask(request_) == REFUSED
    assert desk.session.keys == frozenset()


def test_thirty_books_and_no_more() -> None:
    products = [f"P{number}-USD" for number in range(31)]
    desk = Desk(products)
    assert len(desk.subscribe("level2", *products[:30])["level2"]) == 30
    assert desk.subscribe("level2", products[30]) == TOO_MANY
    assert len(desk.subscribe("level2", products[0])["level2"]) == 30
    assert len(desk.subscribe("ticker", *products)["ticker"]) == 31
    desk.ask({"type": "unsubscribe", "channel": "level2", "product_ids": [products[0]]})
    assert products[30] in desk.subscribe("level2", products[30])["level2"]


# Tokens


def test_a_token_opens_private_channels_once() -> None:
    desk = Desk()
    token = CREDENTIALS.sign(f"{NOW}")
    assert desk.subscribe("user", **token) == {"user": {"3e625b74-1c4e-5967-ad38-4d26f30d4439"}}
    assert desk.session.is_signed("user")
    assert desk.subscribe("user", "BTC-USD", **token) == REFUSED
    assert desk.subscribe("ticker", "BTC-USD", **CREDENTIALS.sign(f"{NOW}"))["ticker"] == {"BTC-USD"}
    desk.ask({"type": "unsubscribe", "channel": "user", **CREDENTIALS.sign(f"{NOW}")})
    assert not desk.session.is_signed("user")


@pytest.mark.parametrize("off", [-121, 31, 3600])
def test_a_token_counts_for_two_minutes(off: int) -> None:
    assert Desk().subscribe("user", **CREDENTIALS.sign(f"{NOW + off}")) == REFUSED


@pytest.mark.parametrize("off", [-119, 0, 30])
def test_a_clock_may_be_a_little_off(off: int) -> None:
    assert "user" in Desk().subscribe("user", **CREDENTIALS.sign(f"{NOW + off}"))


def test_a_token_of_somebody_else_does_not_count() -> None:
    other = CdpCredentials(TEST_CDP_KEY.key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    assert Desk().subscribe("user", **other.sign(f"{NOW}")) == REFUSED
    renamed = CdpCredentials("another name", TEST_CDP_KEY.secret)
    assert Desk().subscribe("user", **renamed.sign(f"{NOW}")) == REFUSED


def test_when_a_token_was_issued_is_not_looked_at_on_this_machines_clock() -> None:
    """The exchange may have a clock of its own, in the year 2100 say."""
    then = 4_102_444_800
    claims = {"sub": TEST_CDP_KEY.key, "iss": "cdp", "nbf": then, "iat": then, "exp": then + 120}
    private_key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(TEST_CDP_KEY.secret)[:32])
    token = jwt.encode(claims, private_key, "EdDSA", {"kid": TEST_CDP_KEY.key, "nonce": "once"})
    assert TEST_CDP_KEY.nonce_of(token, then) == "once"


def test_what_cannot_be_checked_is_refused_and_told(
    monkeypatch: pytest.MonkeyPatch, logged_errors: LoggedErrors
) -> None:
    """``copra-tx simulate`` serves the feed without PyJWT, too."""
    token = CREDENTIALS.sign(f"{NOW}")
    monkeypatch.setitem(sys.modules, "jwt", None)
    assert Desk().subscribe("user", **token) == REFUSED
    [told] = logged_errors.flush(CriticalEventError)
    assert told.getErrorMessage().endswith("pip install copra-tx[advanced]")


def test_keys_show_nothing_secret() -> None:
    key = CdpKey("name", "the secret")
    assert "the secret" not in repr(key)


# What else is said


def test_errors_have_no_envelope() -> None:
    venue = Desk().venue
    assert json.loads(venue.error("words")[1]) == {"type": "error", "message": "words"}
    kind, text = venue.too_fast() or ("", b"")
    assert (kind, json.loads(text)) == ("error", advanced_samples("server")["error-rate"])


def test_messages_of_a_test_get_an_envelope_unless_they_bring_one() -> None:
    venue = Desk().venue
    event = {"type": "update", "product_id": "BTC-USD", "updates": []}
    frame, kind, product = venue.framed({"channel": "l2_data", "events": [event]}, NOW)
    assert json.loads(frame) == {
        "channel": "l2_data",
        "timestamp": "2023-11-14T22:13:20.000000Z",
        "sequence_num": -1,
        "events": [event],
    }
    assert (kind, product) == ("l2_data", "BTC-USD")
    for own in (advanced_samples("server")["ticker"], {"type": "error", "message": "x"}, [1]):
        assert json.loads(venue.framed(own, NOW)[0]) == own


@pytest.mark.parametrize("size", [400, 401, 5000, 1024 * 1024])
def test_a_snapshot_of_any_size(size: int) -> None:
    text, kind = Desk().venue.snapshot_of_size(size, "BTC-USD")
    assert (len(text), kind) == (size, "l2_data")
    message = json.loads(text)
    prices = [update["price_level"] for update in message["events"][0]["updates"]]
    assert prices == sorted(set(prices), reverse=True)
    with pytest.raises(ValueError, match="at least"):
        Desk().venue.snapshot_of_size(100, "BTC-USD")
