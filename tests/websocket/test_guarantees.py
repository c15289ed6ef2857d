"""What the line promises, over real sockets against the simulated exchange, with TLS and without."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import gatherResults

from copra_tx.errors import SubscriptionRefusedError
from copra_tx.simulator import TEST_KEY, SimulatedExchange
from copra_tx.simulator.derive import snapshot_of_size
from copra_tx.websocket import Channel, State
from support.peers import the_reactor, within
from support.watched import Watched, watched
from support.world import BTC

MIB = 1024 * 1024
LEVEL2 = Channel("level2_batch", "BTC-USD")

schemes = pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])


@asynccontextmanager
async def exchange_and_client(
    tls: bool = False, channels: Any = BTC, *, speed: float = 1.0, kind: type[Watched] = Watched, **options: Any
) -> AsyncIterator[tuple[SimulatedExchange, Any]]:
    """Run an exchange and a client that has subscribed; close both."""
    async with SimulatedExchange(tls=tls, speed=speed) as exchange:
        client = watched(exchange.url, channels, kind=kind, **trusting(exchange, tls), **options)
        await client.when_messages(1, "subscriptions")
        yield exchange, client
        await within(client.close())


def trusting(exchange: SimulatedExchange, tls: bool) -> dict[str, Any]:
    return {"ca_file": exchange.ca_file} if tls else {}


# -- a line that ends is made again


@schemes
async def test_a_dropped_line_is_made_again(tls: bool) -> None:
    async with exchange_and_client(tls) as (exchange, client):
        exchange.drop()
        await client.when_messages(2, "subscriptions")
        [(was_clean, code, reason)] = client.closes
        assert (was_clean, code) == (False, 1006)
        assert "without a close frame" in reason
        assert exchange.received[1] == exchange.received[0]


@schemes
async def test_a_line_that_ends_in_order_but_without_a_close_frame_is_made_again(tls: bool) -> None:
    async with exchange_and_client(tls) as (exchange, client):
        exchange.hang_up()
        await client.when_messages(2, "subscriptions")
        assert client.closes == [(False, 1006, "the server ended the connection without a close frame")]


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 3000, 4999])
async def test_whatever_the_close_code_the_line_is_made_again(code: int) -> None:
    async with exchange_and_client() as (exchange, client):
        exchange.close(code, "go away")
        await client.when_messages(2, "subscriptions")
        assert client.closes == [(True, code, "go away")]


@schemes
async def test_a_server_that_does_not_even_answer_pings_is_left(tls: bool) -> None:
    async with exchange_and_client(tls, ping_interval=0.05, pong_timeout=0.2) as (exchange, client):
        await client.when(lambda client: client.events.count(("pong",)) >= 2)
        exchange.stall(pongs=False)
        await client.when_messages(2, "subscriptions")
        [(was_clean, code, reason)] = client.closes
        assert (was_clean, code) == (False, 1006)
        assert reason == "no answer to a ping and nothing else received for 0.2 s"


async def test_a_server_that_has_nothing_to_say_is_kept() -> None:
    async with exchange_and_client(ping_interval=0.2, pong_timeout=0.2) as (exchange, client):
        exchange.stall()
        silent_since = len(client.messages)
        await client.when(lambda client: client.events.count(("pong",)) >= 4)
        assert len(client.messages) == silent_since
        assert client.closes == []


async def test_a_server_that_is_not_there_for_a_while() -> None:
    async with exchange_and_client() as (exchange, client):
        await within(exchange.stopService())
        await client.when_closed(4)
        assert client.closes[0] == (True, 1001, "going away")
        for was_clean, code, reason in client.closes[1:]:
            assert (was_clean, code) == (False, 1006)
            assert reason.endswith("connection refused")
        exchange.startService()
        await client.when_messages(2, "subscriptions")
        assert client.connected.is_set()


# -- servers that refuse, and that only seem to work


@schemes
async def test_a_refused_upgrade_is_told_with_its_status(tls: bool) -> None:
    async with SimulatedExchange(tls=tls) as exchange:
        exchange.refuse_upgrades(3, status=503, reason="Down For Maintenance")
        client = watched(exchange.url, **trusting(exchange, tls))
        await client.when_messages(1, "subscriptions")
        told = (False, 1006, "the server refused the upgrade with HTTP status 503: Down For Maintenance")
        assert client.closes == [told] * 3
        await within(client.close())


async def test_a_refused_upgrade_says_when_to_come_back() -> None:
    async with SimulatedExchange() as exchange:
        exchange.refuse_upgrades(status=429, reason="Too Many Requests", retry_after=1)
        client = watched(exchange.url)
        await client.when_closed(1)
        begin = the_reactor().seconds()
        await within(exchange.when_opened())
        assert 0.99 <= the_reactor().seconds() - begin < 2
        assert client.closes[0][2].endswith("429: Too Many Requests (asked us to wait 1 s)")
        await within(client.close())


async def waits_between_attempts(exchange: SimulatedExchange, attempts: int) -> list[float]:
    client = watched(exchange.url, initial_delay=0.04, max_delay=10, max_message_bytes=MIB)
    ends: list[float] = []
    begins: list[float] = []
    for number in range(1, attempts + 1):
        await within(exchange.when_accepted(number))
        begins.append(the_reactor().seconds())
        await client.when_closed(number)
        ends.append(the_reactor().seconds())
    await within(client.close())
    assert client.counters.attempts == len(client.closes) == attempts
    return [begin - end for end, begin in zip(ends, begins[1:], strict=False)]


@pytest.mark.parametrize(
    "fault",
    [
        lambda exchange: exchange.drop_on_accept(math.inf),
        lambda exchange: exchange.refuse_upgrades(math.inf),
        lambda exchange: exchange.drop_on_open(math.inf),
        lambda exchange: exchange.drop_on_subscribe(math.inf),
        lambda exchange: exchange.at("subscribed", lambda line: line.close(1001), count=math.inf),
        lambda exchange: exchange.at("subscribed", lambda line: line.send_snapshot(1.5), count=math.inf),
    ],
    ids=["accept", "refuse", "open", "subscribe", "close", "too large"],
)
async def test_a_server_that_never_stays_is_tried_less_and_less(fault: Any) -> None:
    """Each wait is at least half its nominal length, and that doubles: neither TCP nor an answer begins anew."""
    async with SimulatedExchange() as exchange:
        fault(exchange)
        waits = await waits_between_attempts(exchange, 5)
    for number, wait in enumerate(waits):
        assert wait >= 0.04 * 2**number / 2 - 0.005, waits


async def test_every_attempt_is_told_of_exactly_once() -> None:
    async with SimulatedExchange() as exchange:
        exchange.drop_on_accept()
        exchange.ignore_upgrades()
        exchange.refuse_upgrades()
        exchange.drop_on_open()
        exchange.drop_on_subscribe()
        exchange.at("subscribed", lambda line: line.close(1011))
        exchange.at("subscribed", lambda line: line.send_octets(b"\xff\xff"))
        client = watched(exchange.url, open_timeout=0.5, heartbeats=False)
        await client.when(lambda client: client.events.count(("open",)) == 5)
        assert [code for _, code, _ in client.closes] == [1006, 1006, 1006, 1006, 1006, 1011, 1006]
        assert client.counters.attempts == len(client.closes) + 1 == exchange.accepted_count
        assert client.counters.connections == 5
        await within(client.close())
        assert client.closes[-1] == (True, 1000, "")
        assert client.counters.attempts == len(client.closes)


# -- large messages


@schemes
async def test_a_snapshot_of_8_mib_in_one_frame_arrives(tls: bool) -> None:
    async with exchange_and_client(tls, LEVEL2) as (exchange, client):
        exchange.send_snapshot(8)
        await client.when(lambda client: len(client.messages[-1].get("bids", ())) > 100_000)
        assert client.messages[-1] == msgspec.json.decode(snapshot_of_size(8 * MIB, "BTC-USD"))
        assert client.closes == []


@schemes
async def test_a_message_above_the_limit_ends_the_line_and_says_why(tls: bool) -> None:
    async with exchange_and_client(tls, LEVEL2, max_message_bytes=2 * MIB) as (exchange, client):
        await client.when_messages(1, "snapshot")
        exchange.send_snapshot(2)
        await client.when_messages(2, "snapshot")
        exchange.send_snapshot(2.5)
        await client.when_closed(1)
        [(was_clean, code, reason)] = client.closes
        assert (was_clean, code) == (False, 1006)
        assert f"{int(2.5 * MIB)} bytes" in reason
        assert f"max_message_bytes={2 * MIB}" in reason
        await client.when_messages(2, "subscriptions")


# -- signed channels


async def test_a_signed_channel_is_accepted() -> None:
    keys = {"key": TEST_KEY.key, "secret": TEST_KEY.secret, "passphrase": TEST_KEY.passphrase}
    async with exchange_and_client(channels=Channel("full", "BTC-USD"), auth=True, heartbeats=False, **keys) as (
        exchange,
        client,
    ):
        await within(client.subscribe([Channel("user", "ETH-USD"), Channel("level2", "BTC-USD")]))
        first, second = exchange.received
        assert first["timestamp"] != second["timestamp"]
        assert first["signature"] != second["signature"]
        assert client.errors == []


async def test_a_signed_channel_without_a_key_is_refused_in_the_venues_words() -> None:
    async with exchange_and_client() as (_, client):
        with pytest.raises(SubscriptionRefusedError, match="now require authentication") as caught:
            await within(client.subscribe([Channel("full", "BTC-USD"), Channel("matches", "BTC-USD")]))
        assert (caught.value.channel, caught.value.product_ids) == ("full", {"BTC-USD"})
        assert [message for message, _ in client.errors] == ["Failed to subscribe"]
        await within(client.subscribe(Channel("matches", "BTC-USD")))  # the rest stands


async def test_a_wrong_signature_is_refused() -> None:
    keys = {"key": TEST_KEY.key, "secret": TEST_KEY.secret, "passphrase": "wrong"}
    async with SimulatedExchange() as exchange:
        client = watched(exchange.url, Channel("full", "BTC-USD"), auth=True, **keys)
        with pytest.raises(SubscriptionRefusedError, match="could not be authenticated: Unauthorized"):
            await within(client.subscribe(Channel("full", "BTC-USD")))
        await within(client.close())


# -- nothing is left behind


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("tls", "transport", "times"),
    [
        (False, "twisted", 200),
        (True, "twisted", 50),
        pytest.param(True, "asyncio", 50, marks=pytest.mark.asyncio_only),
    ],
)
async def test_drops_and_reconnections_leave_no_file_descriptor(tls: bool, transport: str, times: int) -> None:
    ends = [SimulatedExchange.drop, SimulatedExchange.hang_up, SimulatedExchange.close]
    async with exchange_and_client(tls, transport=transport) as (exchange, client):
        before = open_files()
        for number in range(times):
            ends[number % 3](exchange)
            await client.when_messages(number + 2, "subscriptions")
        await within(exchange.when_lost(times))
        assert open_files() == before
        assert len(client.closes) == times
        assert client.counters.attempts == times + 1
    assert client.line.state is State.CLOSED


@schemes
async def test_many_clients_at_once(tls: bool) -> None:
    async with SimulatedExchange(tls=tls, speed=100) as exchange:
        clients = [watched(exchange.url, **trusting(exchange, tls)) for _ in range(8)]
        await gatherResults([client.when_messages(20) for client in clients])
        exchange.drop()
        await gatherResults([client.when_messages(2, "subscriptions") for client in clients])
        await gatherResults([within(client.close()) for client in clients])
        assert all(len(client.closes) == 2 for client in clients)
