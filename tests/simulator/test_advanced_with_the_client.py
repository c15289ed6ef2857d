"""Client and simulator on the Advanced Trade feed: over real sockets, with keys, losses and snapshots of megabytes."""

from __future__ import annotations

from typing import Any

import pytest

from copra_tx import Channel, Client
from copra_tx.bridge import ConnectionEvent
from copra_tx.simulator import TEST_CDP_KEY, SimulatedExchange

BTC = "BTC-USD"
SIGNED: dict[str, Any] = {"auth": True, "key": TEST_CDP_KEY.key, "secret": TEST_CDP_KEY.secret}


class Recorder(Client):
    """Keeps what it gets, and tells when there is one of a channel."""

    def __init__(self, exchange: SimulatedExchange, channels: Any, **options: Any) -> None:
        self.kept: list[Any] = []
        self.errors: list[tuple[str, str]] = []
        self.gaps: list[Any] = []
        self.seen: dict[str, ConnectionEvent] = {}
        super().__init__(None, channels, exchange.url, feed="advanced", **options)

    def on_message(self, message: Any) -> None:
        self.kept.append(message)
        self.event(message["channel"]).set()

    def on_error(self, message: str, reason: str = "") -> None:
        self.errors.append((message, reason))
        self.event("error").set()

    def on_gap(self, gap: Any) -> None:
        super().on_gap(gap)
        self.gaps.append(gap)

    def event(self, channel: str) -> ConnectionEvent:
        return self.seen.setdefault(channel, ConnectionEvent())

    async def another(self, channel: str) -> Any:
        self.event(channel).clear()
        await self.event(channel).when_set()
        return self.kept[-1]


@pytest.mark.parametrize("client_id", [False, True])
async def test_market_data(client_id: bool) -> None:
    async with SimulatedExchange(feed="advanced", speed=50, client_id=client_id) as exchange:
        channels = [
            *(Channel(name, BTC) for name in ("level2", "market_trades", "ticker", "ticker_batch", "status")),
            Channel("heartbeats"),
        ]
        client = Recorder(exchange, channels, compression=True)
        for channel in ("subscriptions", "l2_data", "market_trades", "ticker", "ticker_batch", "status", "heartbeats"):
            await client.event(channel).when_set()
        await client.subscribe(channels)
        assert client.errors == []
        assert client.gaps == []
        assert {"client_id" in message for message in client.kept} == {client_id}
        await client.unsubscribe(Channel("ticker", BTC))
        assert "ticker" not in exchange.connections[0].session.keys
        await client.close()


async def test_a_reconnection_has_a_new_token_and_restores_what_was_wanted() -> None:
    async with SimulatedExchange(feed="advanced") as exchange:
        client = Recorder(exchange, [Channel("user", BTC), Channel("ticker", BTC)], initial_delay=0.05, **SIGNED)
        await client.subscribe(client.channels.values())
        before = exchange.received[:]
        exchange.drop()
        await exchange.when_received(2 * len(before))
        after = exchange.received[len(before) :]
        tokens = [request.pop("jwt") for request in before + after if "jwt" in request]  # type: ignore[attr-defined]
        assert before == after
        assert [request["channel"] for request in before] == ["heartbeats", "ticker", "user"]  # type: ignore[index]
        assert len(tokens) == len(set(tokens)) == 2
        await client.subscribe(client.channels.values())
        assert exchange.connections[0].session.is_signed("user")
        assert client.errors == []
        await client.close()


async def test_all_requests_are_signed_if_asked_for() -> None:
    async with SimulatedExchange(feed="advanced") as exchange:
        client = Recorder(exchange, Channel("ticker", BTC), sign_public=True, **SIGNED)
        await client.subscribe(client.channels.values())
        assert ["jwt" in request for request in exchange.received] == [True, True]  # type: ignore[operator]
        assert exchange.connections[0].session.is_signed("ticker")
        await client.close()


async def test_a_private_channel_without_a_key_is_refused_in_words_that_help() -> None:
    async with SimulatedExchange(feed="advanced") as exchange:
        client = Recorder(exchange, Channel("user", BTC))
        await client.event("error").when_set()
        [(message, reason)] = client.errors
        assert message == "authentication failure"
        assert "subscribe: user of BTC-USD" in reason
        await client.close()


async def test_a_skipped_frame_is_told_once_and_the_books_are_renewed() -> None:
    async with SimulatedExchange(feed="advanced", speed=20) as exchange:
        client = Recorder(exchange, [Channel("level2", [BTC, "ETH-USD"]), Channel("market_trades", BTC)])
        await client.subscribe(client.channels.values())
        asked = len(exchange.received)
        exchange.skip("market_trades")
        await exchange.when_received(asked + 2)
        await client.subscribe(client.channels.values())
        assert [gap.missing for gap in client.gaps] == [1]
        renewal = [(one["type"], one["channel"]) for one in exchange.received[asked:]]  # type: ignore[index]
        assert renewal == [("unsubscribe", "level2"), ("subscribe", "level2")]
        snapshots = [one for one in client.kept if one["events"][0].get("type") == "snapshot"]
        books = [one["events"][0]["product_id"] for one in snapshots if one["channel"] == "l2_data"]
        assert sorted(books) == [BTC, BTC, "ETH-USD", "ETH-USD"]
        assert exchange.opened_count == 1
        assert client.counters.attempts == 1
        await client.close()


async def test_a_snapshot_of_five_megabytes_arrives() -> None:
    async with SimulatedExchange(feed="advanced") as exchange:
        client = Recorder(exchange, Channel("level2", "ETH-USD"))
        await client.subscribe(client.channels.values())
        exchange.send_snapshot(5, "ETH-USD")
        while len(client.kept[-1]["events"][0].get("updates", ())) < 40_000:
            await client.another("l2_data")
        assert client.gaps == []
        await client.close()
