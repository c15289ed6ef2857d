"""Clients that do not read fast enough, on real sockets: their own buffers tell the exchange, and it cuts them off."""

from __future__ import annotations

import json
import socket
import time

from copra_tx.simulator import SimulatedExchange
from support.exchange import dial

BTC, ETH = "BTC-USD", "ETH-USD"


async def test_a_client_that_stops_reading_is_cut_off() -> None:
    async with SimulatedExchange(speed=200, slow_limit=1.0, close_timeout=0.2) as exchange:
        frozen, reading = await dial(exchange.url), await dial(exchange.url)
        frozen.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        began = time.monotonic()
        frozen.ask("subscribe", "level2_batch", BTC, ETH)
        reading.ask("subscribe", "heartbeat", BTC)
        await frozen.next("subscriptions")
        frozen.transport.pauseProducing()
        lost = await exchange.when_lost(1)
        assert 1.0 < time.monotonic() - began < 30.0  # it first fills the buffers of the sockets
        assert ("level2_50", BTC) in lost.session.keys
        assert [connection.session.keys for connection in exchange.connections] == [{("heartbeat", BTC)}]
        frozen.transport.resumeProducing()
        assert (await frozen.ended)[:2] == (False, 1006)
        assert reading.end is None


async def test_a_client_that_reads_too_slowly_is_told_why() -> None:
    """No reader keeps up with a year in half a minute."""
    async with SimulatedExchange(speed=1_000_000, slow_limit=0.3, close_timeout=30.0) as exchange:
        client = await dial(exchange.url)
        client.ask("subscribe", "level2_batch", BTC, ETH)
        assert (await client.ended)[:2] == (False, 1006)
        assert json.loads(client.frames[-1]) == {
            "type": "error",
            "message": "ErrSlowConsume",
            "reason": "ErrSlowConsume",
        }
        assert len(client.frames) > 1000


async def test_a_client_that_keeps_up_is_left_alone() -> None:
    """It was waited for: its first snapshot alone is more than the transport takes at once."""
    async with SimulatedExchange(speed=20, slow_limit=10.0) as exchange:
        client = await dial(exchange.url)
        client.ask("subscribe", "level2_batch", BTC, ETH)
        await client.until(lambda: len(client.frames) > 1000 or client.end is not None)
        assert client.types().count("error") == 0
        assert client.end is None
