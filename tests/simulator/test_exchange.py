"""The exchange as a service on real sockets: where it is, how it starts, stops and starts again, over TLS too."""

from __future__ import annotations

import math
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import IService, MultiService
from twisted.internet.error import CannotListenError, ConnectionRefusedError
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

from copra_tx.errors import ConfigurationError
from copra_tx.simulator import SimulatedExchange
from copra_tx.simulator.flow import FlowMarket
from copra_tx.simulator.market import Market
from support.exchange import dial, dial_raw

BTC, ETH = "BTC-USD", "ETH-USD"


def _trusting(exchange: SimulatedExchange, host: str = "127.0.0.1") -> Any:
    authority = Certificate.loadPEM(Path(exchange.ca_file).read_bytes())
    return optionsForClientTLS(host, trustRootFromCertificates([authority]))


def test_names_are_looked_up_on_first_use() -> None:
    from copra_tx import simulator

    assert {name for name in simulator.__all__ if getattr(simulator, name)} == set(simulator.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Exchange'"):
        simulator.Exchange  # noqa: B018


# -- where it is


async def test_it_has_an_address_when_it_has_started() -> None:
    exchange = SimulatedExchange()
    with pytest.raises(ConfigurationError, match="no address before startService"):
        exchange.url  # noqa: B018
    exchange.startService()
    assert exchange.url.startswith("ws://127.0.0.1:")
    assert exchange.running
    await exchange.stopService()
    assert SimulatedExchange(port=8765).url == "ws://127.0.0.1:8765"
    assert SimulatedExchange(port=8765, host="::1", tls=True).url == "wss://[::1]:8765"


async def test_it_listens_on_other_addresses_of_the_machine_too() -> None:
    async with SimulatedExchange(host="127.0.0.2") as exchange:
        client = await dial(exchange.url)
        client.ask("subscribe", "ticker", BTC)
        assert (await client.next())["type"] == "subscriptions"


@pytest.mark.parametrize("speed", [0, -1.0, math.nan])
def test_a_market_has_a_speed(speed: float) -> None:
    with pytest.raises(ConfigurationError, match="speed must be above zero"):
        SimulatedExchange(speed=speed)


@pytest.mark.parametrize("name", ["products", "delisted"])
def test_one_product_is_not_a_collection(name: str) -> None:
    arguments: Any = {name: BTC}
    with pytest.raises(ConfigurationError, match="not one string"):
        SimulatedExchange(**arguments)


# -- the life of a service


async def test_it_is_a_service_among_others() -> None:
    parent = MultiService()
    exchange = SimulatedExchange()
    exchange.setServiceParent(parent)
    assert IService.providedBy(exchange)
    parent.startService()
    client = await dial(exchange.url)
    await parent.stopService()
    assert (await client.ended)[:2] == (True, 1001)
    assert not exchange.running


async def test_it_starts_again_where_it_was_and_the_market_has_gone_on() -> None:
    exchange = SimulatedExchange(speed=1000)
    urls, heartbeats = [], []
    for _ in range(2):
        exchange.startService()
        exchange.startService()  # it runs already
        urls.append(exchange.url)
        client = await dial(exchange.url)
        client.ask("subscribe", "heartbeat", BTC)
        heartbeats.append(await client.next("heartbeat"))
        await exchange.stopService()
    assert urls[0] == urls[1]
    assert heartbeats[0]["sequence"] < heartbeats[1]["sequence"]
    assert exchange.opened_count == 2


async def test_nothing_answers_once_it_has_stopped() -> None:
    async with SimulatedExchange() as exchange:
        url = exchange.url
    with pytest.raises(ConnectionRefusedError):
        await dial(url)


async def test_stopping_what_never_started_and_twice() -> None:
    exchange = SimulatedExchange()
    await exchange.stopService()
    exchange.startService()
    first, second = exchange.stopService(), exchange.stopService()
    await first
    await second


async def test_a_port_that_is_taken_is_told_and_leaves_nothing() -> None:
    async with SimulatedExchange() as exchange:
        port = int(exchange.url.rpartition(":")[2])
        other = SimulatedExchange(port=port)
        with pytest.raises(CannotListenError):
            other.startService()
        assert not other.running
        await other.stopService()


async def test_every_kind_of_line_is_gone_when_it_has_stopped() -> None:
    """Bounded by ``close_timeout`` where a client does not answer, at once where none is expected."""
    exchange = SimulatedExchange(close_timeout=0.2, speed=math.inf)
    exchange.startService()
    polite = await dial(exchange.url)
    frozen = await dial(exchange.url)
    frozen.transport.pauseProducing()
    stalled, deaf = await dial(exchange.url), await dial(exchange.url)
    raw = await dial_raw(exchange.url)
    exchange.ignore_upgrades()
    waiting = await dial(exchange.url, wait=False)
    reading = await dial(exchange.url)
    reading.ask("subscribe", "level2_batch", BTC)
    await exchange.when_received(1)
    await exchange.when_accepted(7)
    by_age = exchange.connections
    by_age[2].stall(pongs=False)
    by_age[3].ignore_close()
    began = time.monotonic()
    await exchange.stopService()
    assert time.monotonic() - began < 2.0
    assert exchange.connections == ()
    assert (await polite.ended)[:2] == (True, 1001)
    for client in (stalled, deaf, waiting):
        assert (await client.ended)[:2] == (False, 1006)
    with pytest.raises(ConnectionError):
        await waiting.opened
    await raw.ended
    frozen.transport.resumeProducing()
    await frozen.ended
    await reading.ended


async def test_a_line_that_comes_while_it_stops_is_dropped() -> None:
    """Two lines wait to be accepted in the same turn, and the first one makes the exchange stop."""
    from twisted.internet import reactor

    exchange = SimulatedExchange(silence_limit=60.0)
    exchange.startService()
    stopped: list[Any] = []
    exchange.at("accepted", lambda connection: stopped.append(exchange.stopService()))
    address = "127.0.0.1", int(exchange.url.rpartition(":")[2])
    with socket.create_connection(address), socket.create_connection(address):
        await exchange.when_lost(2).addTimeout(10, reactor)
        await stopped[0]
    assert exchange.accepted_count == 2


async def test_waiting_for_what_happens() -> None:
    async with SimulatedExchange() as exchange:
        waiting = [exchange.when_accepted(2), exchange.when_opened(2), exchange.when_received(2), exchange.when_lost(2)]
        given_up = exchange.when_opened(2)
        given_up.addErrback(lambda _: None)
        given_up.cancel()
        first = await dial(exchange.url)
        first.ask("subscribe", "status")
        await exchange.when_received()
        assert [deferred.called for deferred in waiting] == [False, False, False, False]
        second = await dial(exchange.url)
        second.ask("subscribe", "ticker", BTC)
        assert await waiting[0] is exchange.connections[1]
        assert await waiting[1] is exchange.connections[1]
        assert (await waiting[2])["channels"][0]["name"] == "ticker"
        connections = exchange.connections
        first.sendClose(1000)
        second.sendClose(1000)
        assert await waiting[3] in connections
        assert await exchange.when_lost(1) in connections
        assert exchange.accepted_count == exchange.opened_count == 2


# -- as fast as the client reads


async def test_at_infinite_speed_the_client_sets_the_pace() -> None:
    """One client stops reading, and the other gets on; each has the market from its beginning, and all of it."""
    market = Market()
    async with SimulatedExchange(speed=math.inf) as exchange:
        slow, quick = await dial(exchange.url), await dial(exchange.url)
        slow.ask("subscribe", "level2_batch", ETH)
        await slow.until(lambda: len(slow.frames) > 10)
        slow.transport.pauseProducing()
        quick.ask("subscribe", "heartbeat", BTC)
        await quick.until(lambda: len(quick.frames) > 60 * 60)
        ahead = [connection.position for connection in exchange.connections]
        assert ahead[0] < 60 * 2750 < ahead[1]
        slow.transport.resumeProducing()
        await slow.until(lambda: len(slow.frames) > 4000)
        updates = (market.message(at) for at in range(2**31) if ("level2_50", ETH) in market.entry(at).keys)
        assert slow.frames[2:4000] == list(islice(updates, 3998))
        quick.sendClose(1000)
        assert (await quick.ended)[0]


async def test_compression_is_accepted_on_request() -> None:
    from autobahn.websocket.compress import (
        PerMessageBzip2Offer,
        PerMessageDeflateOffer,
        PerMessageDeflateResponseAccept,
    )

    options = {
        "perMessageCompressionOffers": [PerMessageDeflateOffer()],
        "perMessageCompressionAccept": PerMessageDeflateResponseAccept,
    }
    for compression in (False, True):
        async with SimulatedExchange(compression=compression) as exchange:
            client = await dial(exchange.url, **options)
            assert bool(client.websocket_extensions_in_use) is compression
            client.ask("subscribe", "level2_batch", BTC)
            assert len((await client.next("snapshot"))["bids"]) > 15000
            if compression:
                other = await dial(exchange.url, perMessageCompressionOffers=[PerMessageBzip2Offer()])
                assert not other.websocket_extensions_in_use


# -- a market made of orders


async def test_the_same_seed_gives_the_same_bytes_on_every_exchange() -> None:
    frames = []
    for _ in range(2):
        async with SimulatedExchange(seed=9, order_rate=100.0, book_depth=20, speed=math.inf) as exchange:
            client = await dial(exchange.url)
            client.ask("subscribe", "level2_batch", BTC, ETH)
            await client.until(lambda client=client: len(client.frames) > 500)  # type: ignore[misc]
            frames.append(client.frames[:500])
            assert isinstance(exchange.market, FlowMarket)
    assert frames[0] == frames[1]


def test_a_market_has_what_it_was_told() -> None:
    began = datetime(2026, 11, 24, tzinfo=UTC)
    market = SimulatedExchange(seed=1, products=["SOL-EUR"], book_depth=7, began=began).market
    assert isinstance(market, FlowMarket)
    book = market.book("SOL-EUR", 0)
    assert (len(book.orders("buy")), len(book.orders("sell")), book.time) == (7, 7, began)
    assert isinstance(SimulatedExchange().market, Market)


@pytest.mark.parametrize("wrong", [{"order_rate": 0}, {"book_depth": 0}, {"market_minutes": 0.5}])
def test_an_order_flow_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="orders a second, orders on each side and whole minutes above zero"):
        SimulatedExchange(seed=1, **wrong)


# -- TLS


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_wss_is_verified_by_the_throw_away_authority(host: str) -> None:
    async with SimulatedExchange(tls=True) as exchange:
        assert exchange.url.startswith("wss://127.0.0.1:")
        client = await dial(exchange.url.replace("127.0.0.1", host), tls=_trusting(exchange, host))
        client.ask("subscribe", "level2_batch", BTC)
        assert (await client.next("snapshot"))["product_id"] == BTC
        exchange.close(4000, "bye")
        assert await client.ended == (True, 4000, "bye")


async def test_a_client_that_does_not_trust_it_goes_away() -> None:
    async with SimulatedExchange(tls=True) as exchange, SimulatedExchange(tls=True) as other:
        for tls in (optionsForClientTLS("127.0.0.1"), _trusting(other), _trusting(exchange, "feed.example")):
            client = await dial(exchange.url, tls=tls, wait=False)
            assert (await client.ended)[0] is False
            with pytest.raises(ConnectionError):
                await client.opened
        assert exchange.opened_count == 0
        await exchange.when_lost(3)


async def test_faults_over_tls() -> None:
    from twisted.internet import reactor

    async with SimulatedExchange(tls=True, speed=math.inf, close_timeout=60.0) as exchange:
        for fault in ("drop", "hang_up", "close"):
            client = await dial(exchange.url, tls=_trusting(exchange))
            client.ask("subscribe", "level2_batch", BTC)
            await client.next("l2update")
            getattr(exchange, fault)()
            _, code, _ = await client.ended.addTimeout(10, reactor)
            assert code == (1000 if fault == "close" else 1006)


async def test_a_hang_up_over_tls_on_a_client_that_does_not_read_is_bounded() -> None:
    """TLS says good-bye first, which takes for ever here."""
    async with SimulatedExchange(tls=True, speed=math.inf, close_timeout=0.2) as exchange:
        client = await dial(exchange.url, tls=_trusting(exchange))
        client.ask("subscribe", "level2_batch", BTC)
        await client.next("l2update")
        client.transport.pauseProducing()
        exchange.hang_up()
        await exchange.when_lost(1)
        client.transport.resumeProducing()
        await client.ended


def test_the_authority_goes_with_its_exchange() -> None:
    exchange = SimulatedExchange(tls=True)
    ca_file = Path(exchange.ca_file)
    assert exchange.ca_file == str(ca_file)
    assert ca_file.read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE KEY" not in ca_file.read_text()
    del exchange
    assert not ca_file.parent.exists()


# -- in asyncio


PROGRAM = """
import asyncio, ssl
from copra_tx.simulator import SimulatedExchange

exchange = SimulatedExchange(tls=True)

async def main():
    async with exchange as it:
        assert it is exchange
        trust = ssl.create_default_context(cafile=exchange.ca_file)
        port = int(exchange.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname="localhost")
        writer.write(
            b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n"
        )
        answer = await reader.readuntil(b"\\r\\n\\r\\n")
        connection = await asyncio.wait_for(exchange.when_opened(exchange.opened_count), 10)
        assert connection in exchange.connections
        writer.close()
        await exchange.when_lost(exchange.accepted_count)
    assert exchange.connections == ()
    return answer.split()[1].decode(), exchange.url

first, second = asyncio.run(main()), asyncio.run(main())
assert first == second, (first, second)
print(first[0])
"""


def test_it_is_an_async_context_manager_in_asyncio_twice() -> None:
    """One exchange in two loops, one after the other; the client is asyncio's own, its TLS the standard library's."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "101\n", "")
