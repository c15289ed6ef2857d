"""The simulated exchange and our client understand each other, on every path that a user of both takes."""

from __future__ import annotations

import math
from typing import Any

import pytest

from copra_tx import Channel, Client
from copra_tx.bridge import ConnectionEvent
from copra_tx.simulator import TEST_KEY, SimulatedExchange

BTC = "BTC-USD"
SIGNED: dict[str, Any] = {
    "auth": True,
    "key": TEST_KEY.key,
    "secret": TEST_KEY.secret,
    "passphrase": TEST_KEY.passphrase,
}


class Recorder(Client):
    """Keeps its messages and errors, and tells when there is one of a type."""

    def __init__(self, exchange: SimulatedExchange, channels: Any, **options: Any) -> None:
        self.kept: list[Any] = []
        self.errors: list[tuple[str, str]] = []
        self.seen: dict[str, ConnectionEvent] = {}
        super().__init__(None, channels, exchange.url, **options)

    def on_message(self, message: Any) -> None:
        self.kept.append(message)
        self.event(message["type"]).set()

    def on_error(self, message: str, reason: str = "") -> None:
        self.errors.append((message, reason))
        self.event("error").set()

    def event(self, kind: str) -> ConnectionEvent:
        return self.seen.setdefault(kind, ConnectionEvent())


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("compression", [False, True])
async def test_market_data(tls: bool, compression: bool) -> None:
    async with SimulatedExchange(speed=100, tls=tls, compression=compression) as exchange:
        channels = [Channel("ticker_batch", BTC), Channel("level2_batch", BTC), Channel("status")]
        options = {"ca_file": exchange.ca_file} if tls else {}
        client = Recorder(exchange, channels, compression=compression, **options)
        for kind in ("subscriptions", "ticker", "snapshot", "l2update", "status"):
            await client.event(kind).when_set()
        assert client.errors == []
        await client.unsubscribe(Channel("level2_batch", BTC))
        [connection] = exchange.connections
        assert connection.session.keys - {("heartbeat", BTC)} == {("ticker_1000", BTC), ("status", "")}
        await client.close()
        await exchange.when_lost()


async def test_signed_channels() -> None:
    async with SimulatedExchange() as exchange:
        client = Recorder(exchange, Channel("level2", BTC), **SIGNED)
        await client.event("snapshot").when_set()
        assert exchange.connections[0].session.is_signed("level2")
        await client.close()


async def test_a_refusal_reaches_on_error_in_the_venues_words() -> None:
    async with SimulatedExchange() as exchange:
        client = Recorder(exchange, [Channel("level2", BTC), Channel("ticker", [BTC, "NOPE-USD"])])
        await client.event("subscriptions").when_set()
        words = {reason.partition(" ")[0] for message, reason in client.errors if message == "Failed to subscribe"}
        assert words == {"level2,", "NOPE-USD"}
        await client.close()


async def test_it_comes_back_to_an_exchange_that_was_stopped() -> None:
    exchange = SimulatedExchange(speed=math.inf)
    exchange.startService()
    client = Recorder(exchange, Channel("heartbeat", BTC), initial_delay=0.05, max_delay=0.1)
    await client.event("heartbeat").when_set()
    await exchange.stopService()
    exchange.startService()
    await exchange.when_received(2)
    assert exchange.received[0] == exchange.received[1]
    await client.close()
    await exchange.stopService()


async def test_a_snapshot_of_eight_mebibytes_arrives() -> None:
    async with SimulatedExchange() as exchange:
        exchange.at("subscribed", lambda connection: connection.send_snapshot(8, "ETH-USD"))
        client = Recorder(exchange, Channel("level2_batch", [BTC, "ETH-USD"]), max_message_bytes=8 * 1024 * 1024)
        await client.event("subscriptions").when_set()
        await exchange.when_received()
        while len([message for message in client.kept if message["type"] == "snapshot"]) < 3:
            client.event("snapshot").clear()
            await client.event("snapshot").when_set()
        biggest = max(
            (message for message in client.kept if message["type"] == "snapshot"), key=lambda m: len(m["bids"])
        )
        assert len(biggest["bids"]) > 270_000
        await client.close()
