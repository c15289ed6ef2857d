"""Clients that fill their gaps, on a simulated exchange in memory, and what they got of the venue's trades."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import msgspec

from copra_tx.integrity.gaps import Gap
from copra_tx.simulator import TEST_KEY
from copra_tx.websocket import Channel
from copra_tx.websocket.pacing import Pacer
from support.exchange import Hall
from support.reactors import FakeReactor
from support.world import Recorder

__all__ = ["BTC", "MATCHES", "Filled", "Market", "lose", "numbers", "numbers_in", "quiet", "send"]

BTC = "BTC-USD"
MATCHES = Channel("matches", BTC)


def numbers_in(words: str) -> list[int]:
    """Return the trades that a complaint names, such as ``... cannot be had: 3, 5 to 7``."""
    assert " more" not in words
    ranges = re.findall(r"(\d+)(?: to (\d+))?", words.partition("cannot be had: ")[2])
    return [number for first, last in ranges for number in range(int(first), int(last or first) + 1)]


class Filled(Recorder):
    """Keeps what its callbacks get, in order."""

    jitter = 0.0

    def on_gap(self, gap: Gap) -> None:
        self.events.append(("gap", gap))

    def on_backfill(self, gap: Gap, trades: list[dict[str, Any]]) -> Any:
        self.events.append(("backfill", gap, trades))

    def told(self, *kinds: str) -> list[tuple[Any, ...]]:
        """Return what these callbacks were told."""
        return [event for event in self.events if event[0] in kinds]

    @property
    def filled(self) -> list[list[int]]:
        """The numbers of the trades handed over, gap by gap."""
        return [[trade["trade_id"] for trade in trades] for _, _, trades in self.told("backfill")]

    @property
    def missed(self) -> list[int]:
        """The numbers of the trades that were told not to be had."""
        return [number for _, words, _ in self.told("error") for number in numbers_in(words)]

    def live(self, product_id: str = BTC) -> list[int]:
        """Return the numbers of the product's trades that came as messages, in the order in which they came."""
        kinds = ("match", "last_match")
        return [
            message["trade_id"]
            for message in self.messages
            if message["type"] in kinds and message["product_id"] == product_id
        ]

    def got(self, product_id: str = BTC) -> Counter[int]:
        """Return how often each trade of a product came or was told not to be had; a message counts once."""
        trades = Counter(set(self.live(product_id)))
        for _, gap, found in self.told("backfill"):
            trades.update(trade["trade_id"] for trade in found if gap.product_id == product_id)
        for _, words, _ in self.told("error"):
            trades.update(numbers_in(words) if f" of {product_id} cannot" in words else ())
        return trades


class Market(Hall):
    """A ``Hall`` with a market of orders, that ends in good order; ten orders a second make some two trades."""

    def __init__(self, reactor: FakeReactor, seed: int = 7, **arguments: Any) -> None:
        super().__init__(reactor, **({"seed": seed, "products": [BTC]} | arguments))
        self._reactor = reactor
        self.clients: list[Filled] = []

    def client(self, channels: Any = MATCHES, *, kind: type[Filled] = Filled, **options: Any) -> Any:
        """Make a client that dials the exchange."""
        key = {"auth": True, "key": TEST_KEY.key, "secret": TEST_KEY.secret, "passphrase": TEST_KEY.passphrase}
        client = kind(
            None,
            channels,
            self.exchange.url,
            **key
            | {
                "reactor": self._reactor,
                "pacer": Pacer(self._reactor, rate=1000, burst=1000),
                "rest_url": self.exchange.rest_url,
                "backfill": True,
            }
            | options,
        )
        self.clients.append(client)
        return client

    def trades(self, client: Filled, product_id: str = BTC) -> Counter[int]:
        """Return every trade of the venue's from the client's first to its last, each once."""
        numbers = client.live(product_id)
        return Counter(range(min(numbers), max(numbers) + 1))

    def asked(self) -> list[str]:
        """Return the query of each request for trades so far."""
        return [target.partition("?")[2] for target in self.exchange.rest_requests if "/trades" in target]

    def end(self) -> None:
        """Close the clients, stop the exchange, and see that no timer is left."""
        for client in self.clients:
            client.close()
        self.exchange.stopService()
        self.pass_time(10.0)
        assert self._reactor.getDelayedCalls() == []


def quiet(market: Market, **options: Any) -> Any:
    """Return a client that has come to its first trades, and learns of gaps by skipped numbers only."""
    client = market.client(heartbeats=False, **options)
    market.pass_time(3.0)
    assert client.live()
    return client


def lose(market: Market, client: Filled, count: int = 1, channel: str | None = None) -> Gap:
    """Let so many trades not come, and return the gap as soon as it is told."""
    before = len(client.told("gap"))
    market.exchange.skip("match", BTC, channel=channel, count=count)
    for _ in range(400):
        if len(client.told("gap")) > before:
            break
        market.pass_time(1 / 16)
    gap: Gap = client.told("gap")[-1][1]
    assert gap.missing == count
    return gap


def send(market: Market, trade_id: int) -> None:
    """Let a trade come late, by the feed."""
    market.exchange.send(msgspec.json.decode(market.exchange.market.trade(BTC, trade_id)))  # type: ignore[arg-type]
    market.pass_time(1 / 16)


def numbers(gap: Gap) -> list[int]:
    """Return the numbers of the trades that are missing."""
    return list(range(gap.expected, gap.received))
