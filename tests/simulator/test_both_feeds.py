"""One contract, both feeds: whatever a user does with a client comes to the same, in either language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from copra_tx.errors import SubscriptionRefusedError
from copra_tx.simulator import TEST_CDP_KEY, TEST_KEY
from copra_tx.websocket import Channel
from copra_tx.websocket.pacing import Pacer
from support.exchange import Hall
from support.reactors import FakeReactor
from support.world import Recorder, outcome

BTC, ETH = "BTC-USD", "ETH-USD"


@dataclass(frozen=True)
class Feed:
    """
    What differs.

    Attributes:
        name: As a client is told.
        books, trades: Channels without a key.
        key: Arguments for a signed client.
        token: The member of a request that proves the key.
    """

    name: str
    books: str
    trades: str
    key: dict[str, Any]
    token: str

    def kind(self, message: Any) -> str:
        """Return what a message is, in the words of the Exchange feed."""
        if self.name == "exchange":
            return str(message["type"])
        first = message["events"][0] if message["events"] else {}
        kinds = {"l2_data": {"snapshot": "snapshot", "update": "l2update"}, "market_trades": {"update": "match"}}
        return kinds.get(message["channel"], {}).get(first.get("type"), message["channel"])

    def product(self, message: Any) -> str | None:
        """Return the product of a message."""
        if self.name == "exchange":
            return message.get("product_id")
        event = message["events"][0]
        return event.get("product_id") or next((one["product_id"] for one in event.get("trades", ())), None)

    def asked(self, requests: list[Any]) -> dict[str, list[str]]:
        """Return what is subscribed to by requests, channel by channel."""
        if self.name == "exchange":
            entries = [entry for request in requests for entry in request["channels"]]
            return {entry["name"]: entry.get("product_ids", []) for entry in entries}
        return {request["channel"]: request.get("product_ids", []) for request in requests}


EXCHANGE_KEY = {"key": TEST_KEY.key, "secret": TEST_KEY.secret, "passphrase": TEST_KEY.passphrase}
FEEDS = [
    Feed("exchange", "level2_batch", "matches", EXCHANGE_KEY, "signature"),
    Feed("advanced", "level2", "market_trades", {"key": TEST_CDP_KEY.key, "secret": TEST_CDP_KEY.secret}, "jwt"),
]


class Stage:
    """A simulated exchange in memory that speaks one feed, and a client of it."""

    def __init__(self, feed: Feed, reactor: FakeReactor) -> None:
        self.feed = feed
        self.hall = Hall(reactor, feed=feed.name)
        self._reactor = reactor

    def client(self, *channels: Channel, **options: Any) -> Any:
        """Return a client whose line is open."""
        options = {"reactor": self._reactor, "pacer": Pacer(self._reactor, 1000, 1000)} | options
        client = Recorder(None, channels, self.hall.exchange.url, feed=self.feed.name, **options)
        self.let_in()
        return client

    def let_in(self) -> None:
        self._reactor.advance(0)
        self.hall.let_in()
        self.hall.pass_time(2)

    def end(self, client: Any) -> None:
        client.close()
        self.hall.pass_time(3)
        self.hall.exchange.stopService()
        self.hall.pass_time(3)

    def kinds(self, client: Any, product: str) -> set[str]:
        """Return what came of a product."""
        return {self.feed.kind(one) for one in client.messages if self.feed.product(one) == product}


@pytest.fixture(params=FEEDS, ids=lambda feed: feed.name)
def stage(request: pytest.FixtureRequest, fake_reactor: FakeReactor) -> Stage:
    return Stage(request.param, fake_reactor)


def test_what_is_wanted_is_confirmed_and_comes(stage: Stage) -> None:
    books, trades = Channel(stage.feed.books, [BTC, ETH]), Channel(stage.feed.trades, BTC)
    client = stage.client(books, trades)
    assert outcome(client.subscribe([books, trades])) == [None]
    stage.hall.pass_time(5)
    assert {"snapshot", "l2update", "match"} <= stage.kinds(client, BTC)
    assert stage.kinds(client, ETH) == {"snapshot", "l2update"}
    assert client.errors == []
    stage.end(client)


def test_what_is_unsubscribed_from_stops_at_once(stage: Stage) -> None:
    client = stage.client(Channel(stage.feed.books, [BTC, ETH]))
    done = outcome(client.unsubscribe(Channel(stage.feed.books, ETH)))
    client.events.clear()
    stage.hall.pass_time(3)
    assert done == [None]
    assert stage.kinds(client, ETH) == set()
    assert stage.kinds(client, BTC) == {"l2update"}
    stage.end(client)


def test_renewing_brings_a_fresh_snapshot(stage: Stage) -> None:
    books = Channel(stage.feed.books, BTC)
    client = stage.client(books)
    client.events.clear()
    renewed = outcome(client.renew(books))
    stage.hall.pass_time(3)
    assert renewed == [None]
    assert [stage.feed.kind(one) for one in client.messages].count("snapshot") == 1
    stage.end(client)


def test_a_product_that_is_refused_fails_by_its_name(stage: Stage) -> None:
    client = stage.client(Channel(stage.feed.trades, BTC))
    refused = outcome(client.subscribe(Channel(stage.feed.trades, [ETH, "NOPE-USD"])))
    stage.hall.pass_time(3)
    [failure] = refused
    assert failure.check(SubscriptionRefusedError)
    assert failure.value.product_ids == {"NOPE-USD"}
    assert "match" in stage.kinds(client, ETH)
    stage.end(client)


def test_a_reconnection_restores_exactly_what_was_wanted(stage: Stage) -> None:
    client = stage.client(Channel(stage.feed.books, [BTC, ETH]))
    client.subscribe(Channel(stage.feed.trades, ETH))
    client.unsubscribe(Channel(stage.feed.books, BTC))
    stage.hall.pass_time(2)
    before = len(stage.hall.exchange.received)
    stage.hall.exchange.drop()
    client.events.clear()
    stage.hall.pass_time(2)
    asked = stage.feed.asked(stage.hall.exchange.received[before:])
    for heartbeats in ("heartbeat", "heartbeats"):  # which nobody asked for
        asked.pop(heartbeats, None)
    assert asked == {stage.feed.books: [ETH], stage.feed.trades: [ETH]}
    stage.hall.pass_time(10)
    assert {"snapshot", "match"} <= stage.kinds(client, ETH)
    assert stage.kinds(client, BTC) == set()
    stage.end(client)


def test_each_connection_is_signed_anew(stage: Stage) -> None:
    client = stage.client(Channel("user", BTC), auth=True, heartbeats=False, **stage.feed.key)
    stage.hall.exchange.drop()
    stage.hall.pass_time(3)
    requests: list[Any] = stage.hall.exchange.received
    proofs = [one[stage.feed.token] for one in requests if stage.feed.token in one]
    assert len(set(proofs)) == 2
    assert stage.hall.connection.session.is_signed("user")
    assert client.errors == []
    stage.end(client)


def test_after_close_nothing_comes(stage: Stage) -> None:
    client = stage.client(Channel(stage.feed.books, BTC))
    client.close()
    client.events.clear()
    stage.hall.pass_time(3)
    assert client.messages == []
    assert [close[:2] for close in client.closes] == [(True, 1000)]
    stage.hall.exchange.stopService()
    stage.hall.pass_time(3)
