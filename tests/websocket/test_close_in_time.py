"""``close()`` over real sockets: in every state, whatever the other side does, it is done within 3 s."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults

from copra_tx.simulator import Connection, SimulatedExchange
from copra_tx.websocket import State
from support.logs import logged
from support.peers import RecordingServer, listening, refusing_port, the_reactor, within
from support.watched import Watched, watched

MOST_SECONDS = 3.0


class Scene:
    """What a client can meet; makes one client for each state."""

    def __init__(
        self, exchange: SimulatedExchange, flood: SimulatedExchange, silent: RecordingServer, transport: str
    ) -> None:
        self.exchange, self.flood, self.silent, self.transport = exchange, flood, silent, transport
        self.silent_url = ""
        self.ends: dict[Any, Connection] = {}

    def client(self, url: str | None = None, **options: Any) -> Any:
        url = self.exchange.url if url is None else url
        ca_file = (self.flood if url == self.flood.url else self.exchange).ca_file
        trust = {"ca_file": ca_file} if url.startswith("wss") else {}
        return watched(url, transport=self.transport, **trust | options)

    async def opened(self, exchange: SimulatedExchange | None = None, **options: Any) -> tuple[Any, Connection]:
        """Return a client to whom messages come, and the other end of its line."""
        exchange, ends = exchange or self.exchange, []
        exchange.at("opened", ends.append)
        client = self.client(exchange.url, **options)
        await client.when_messages(1)
        [self.ends[client]] = ends
        return client, self.ends[client]


async def idle(scene: Scene) -> Any:
    return scene.client(auto_connect=False)


async def scheduled(scene: Scene) -> Any:
    client = scene.client()
    assert client.line.state is State.SCHEDULED
    return client


async def dialling(scene: Scene) -> Any:
    """TCP is accepted, and then nobody says a word: over TLS its handshake hangs, else the upgrade."""
    client = scene.client(scene.silent_url, open_timeout=60)
    await scene.silent.when_received(b"GET" if client.feed_url.startswith("ws:") else b"\x16\x03")
    assert client.line.state is State.CONNECTING
    return client


async def upgrading(scene: Scene) -> Any:
    """The upgrade is never answered."""
    number = scene.exchange.accepted_count + 1
    scene.exchange.ignore_upgrades()
    client = scene.client(open_timeout=60)
    await within(scene.exchange.when_accepted(number))
    assert client.line.state is State.CONNECTING
    return client


async def open_(scene: Scene) -> Any:
    client, _ = await scene.opened()
    return client


async def frozen(scene: Scene) -> Any:
    """The other side reads no more."""
    client, connection = await scene.opened()
    connection.stall(pongs=False)
    return client


async def frozen_and_clogged(scene: Scene) -> Any:
    """... and so much of ours is on its way that the close frame cannot even be written."""
    client, connection = await scene.opened()
    connection.stall(pongs=False)
    for _ in range(32):
        client.line.protocol.sendMessage(b"x" * 1024 * 1024)
    return client


async def deaf(scene: Scene) -> Any:
    """The other side sends on, pongs too, and never answers a close frame."""
    client, connection = await scene.opened(ping_interval=0.1)
    connection.ignore_close()
    return client


async def flooded(scene: Scene) -> Any:
    """Data come as fast as we read."""
    client, _ = await scene.opened(scene.flood)
    await client.when_messages(100)
    return client


async def flooded_and_deaf(scene: Scene) -> Any:
    """Data come as fast as we read, before and after our close frame, which nobody answers."""
    client, connection = await scene.opened(scene.flood)
    connection.ignore_close()
    await client.when_messages(100)
    return client


async def flooded_then_frozen(scene: Scene) -> Any:
    client, connection = await scene.opened(scene.flood)
    await client.when_messages(100)
    connection.stall(pongs=False)
    return client


async def paused(scene: Scene) -> Any:
    """A callback takes for ever, and the line is paused because of it."""
    with logged() as log:
        client, _ = await scene.opened(scene.flood, kind=Endless, max_buffered=10)
        if not client.line.flow.paused:
            await log.when("The line is paused")
    return client


async def paused_and_frozen(scene: Scene) -> Any:
    client = await paused(scene)
    scene.ends[client].stall(pongs=False)
    return client


async def waiting(scene: Scene) -> Any:
    client = scene.client(f"ws://127.0.0.1:{refusing_port()}", initial_delay=60, max_delay=60)
    await client.when_closed(1)
    assert client.line.state is State.WAITING
    return client


async def closing(scene: Scene) -> Any:
    client = await frozen(scene)
    client.close()
    assert client.line.state is State.CLOSING
    return client


async def given_up(scene: Scene) -> Any:
    client = scene.client(f"ws://127.0.0.1:{refusing_port()}", auto_reconnect=False)
    await client.when_closed(1)
    return client


async def closed(scene: Scene) -> Any:
    client, _ = await scene.opened()
    await within(client.close())
    return client


class Endless(Watched):
    """Its ``on_message`` ends when it is cancelled, and not before."""

    def on_message(self, message: Any) -> Any:
        super().on_message(message)
        return Deferred()


STATES: list[Callable[[Scene], Awaitable[Any]]] = [
    *(idle, dialling, upgrading, open_, frozen, frozen_and_clogged, deaf, waiting, given_up, closed),
    *(flooded_then_frozen, paused, paused_and_frozen, flooded, flooded_and_deaf, closing, scheduled),
]
"""The last two do not last."""


async def seconds_to_close(client: Any) -> float:
    begin = the_reactor().seconds()
    await within(client.close())
    return the_reactor().seconds() - begin


@pytest.mark.parametrize(
    ("tls", "transport"),
    [
        (False, "twisted"),
        (True, "twisted"),
        pytest.param(True, "asyncio", marks=pytest.mark.asyncio_only),
    ],
)
async def test_close_takes_at_most_3_seconds_from_every_state(tls: bool, transport: str) -> None:
    """All at once, one client for each state; afterwards no callback comes."""
    exchange, flood, silent = SimulatedExchange(tls=tls), SimulatedExchange(tls=tls, speed=math.inf), RecordingServer()
    async with exchange, flood, listening(silent) as silent_port:
        scene = Scene(exchange, flood, silent, transport)
        scene.silent_url = f"{'wss' if tls else 'ws'}://127.0.0.1:{silent_port}"
        clients = {prepare.__name__: await prepare(scene) for prepare in STATES}
        took = await gatherResults([ensureDeferred(seconds_to_close(client)) for client in clients.values()])
        too_long = {name: seconds for name, seconds in zip(clients, took, strict=True) if seconds >= MOST_SECONDS}
        assert too_long == {}
        events = [list(client.events) for client in clients.values()]
        for name, client in clients.items():
            assert client.line.state is State.CLOSED, name
            assert client.counters.attempts == len(client.closes), name
    assert [list(client.events) for client in clients.values()] == events
