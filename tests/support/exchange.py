"""
Clients of the simulated exchange that are nothing of ours: plain Autobahn, on sockets or in memory.

On sockets::

    client = await dial(exchange.url)
    client.ask("subscribe", "ticker", "BTC-USD")
    message = await client.next()
    was_clean, code, reason = await client.ended

In memory, where the test owns the time::

    hall = Hall(fake_reactor, speed=2.0)
    client = hall.connect()
    client.ask("subscribe", "ticker", "BTC-USD")
    hall.pass_time(5.0)
    assert client.messages[0]["type"] == "subscriptions"
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.protocol import Protocol

from copra_tx.simulator import SimulatedExchange
from support.lines import MemoryTransport, connect_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

    from copra_tx.simulator import Connection
    from support.reactors import FakeReactor

__all__ = ["Hall", "PlainClient", "RawClient", "dial", "dial_raw"]


class PlainClient(WebSocketClientProtocol):  # type: ignore[misc]
    """
    A WebSocket client that keeps everything it gets.

    Attributes:
        frames: The payloads received, oldest first.
        binary: Which of them came in binary frames.
        pongs: Payloads of the pongs received.
        opened: Fires with the client when the upgrade is done; fails if it is refused.
        ended: Fires with ``(was_clean, code, reason)`` when the line is gone.
        end: The same, once it is gone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[bytes] = []
        self.binary: list[bool] = []
        self.pongs: list[bytes] = []
        self.opened: Deferred[PlainClient] = Deferred()
        self.ended: Deferred[tuple[bool, int, str]] = Deferred()
        self.end: tuple[bool, int, str] | None = None
        self._taken = 0
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    @property
    def messages(self) -> list[Any]:
        """Everything received, decoded."""
        return [json.loads(frame) for frame in self.frames]

    def types(self) -> list[str]:
        """Return the types of everything received."""
        return [message["type"] for message in self.messages]

    def ask(self, kind: str, channel: str, *products: str, **fields: Any) -> None:
        """Send a request for one channel."""
        item: dict[str, Any] = {"name": channel}
        if products:
            item["product_ids"] = list(products)
        self.send({"type": kind, "channels": [item], **fields})

    def send(self, request: object) -> None:
        """Send anything, as JSON."""
        self.sendMessage(json.dumps(request).encode())

    async def next(self, *types: str) -> Any:
        """Return the next message not yet taken, or the next of these types; leave out those before it."""
        while True:
            await self.until(lambda: len(self.frames) > self._taken)
            message = json.loads(self.frames[self._taken])
            self._taken += 1
            if not types or message["type"] in types:
                return message

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition is true; it is looked at whenever something comes."""
        if not condition():
            waiter: Deferred[None] = Deferred()
            self._waiting.append((condition, waiter))
            await waiter

    def onOpen(self) -> None:
        self.opened.callback(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.frames.append(payload)
        self.binary.append(isBinary)
        self._look()

    def onPong(self, payload: bytes) -> None:
        self.pongs.append(payload)
        self._look()

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        self.end = (wasClean, code, reason)
        if not self.opened.called:
            self.opened.errback(ConnectionError(reason))
        self.ended.callback(self.end)

    def _look(self) -> None:
        for condition, waiter in tuple(self._waiting):
            if condition():
                self._waiting.remove((condition, waiter))
                waiter.callback(None)


def _factory(url: str, reactor: Any, options: dict[str, Any]) -> WebSocketClientFactory:
    factory = WebSocketClientFactory(url, reactor=reactor)
    factory.protocol, factory.noisy = PlainClient, False
    # No timers of Autobahn's: they come in buckets, and stay for a while.
    factory.setProtocolOptions(
        **{"openHandshakeTimeout": 0, "closeHandshakeTimeout": 0, "serverConnectionDropTimeout": 0} | options
    )
    return factory


async def dial(
    url: str, *, tls: IOpenSSLClientConnectionCreator | None = None, wait: bool = True, **options: Any
) -> PlainClient:
    """
    Connect to a simulated exchange.

    Args:
        url: Its URL.
        tls: How to make the TLS connection of a wss URL.
        wait: Whether to wait for the upgrade; without it the client is returned when TCP is connected.
        options: Further protocol options of Autobahn's.
    """
    from twisted.internet import reactor

    factory = _factory(url, reactor, options)
    endpoint: Any = HostnameEndpoint(reactor, factory.host, factory.port)
    if tls is not None:
        endpoint = wrapClientTLS(tls, endpoint)
    client: PlainClient = await endpoint.connect(factory)
    if wait:
        await client.opened
    return client


class RawClient(Protocol):
    """
    A TCP client without a protocol.

    Attributes:
        got: All bytes received.
        ended: Fires with the reason when the line is gone.
    """

    def __init__(self) -> None:
        self.got = b""
        self.ended: Deferred[BaseException] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.got += data

    def connectionLost(self, reason: Any = None) -> None:
        self.ended.callback(reason.value)


async def dial_raw(url: str) -> RawClient:
    """Connect to a simulated exchange by TCP."""
    from twisted.internet import reactor
    from twisted.internet.endpoints import connectProtocol

    host, port = url.rpartition("/")[2].split(":")
    client: RawClient = await connectProtocol(TCP4ClientEndpoint(reactor, host, int(port)), RawClient())
    return client


class Hall:
    """
    A simulated exchange in memory, and its clients.

    Args:
        reactor: Whose time and network it uses.
        arguments: Those of ``SimulatedExchange``.

    Attributes:
        exchange: It.
        lines: The server's end of each line, oldest first.
    """

    def __init__(self, reactor: FakeReactor, **arguments: Any) -> None:
        self.exchange = SimulatedExchange(reactor, port=8080, **arguments)
        self.exchange.startService()
        self.lines: list[MemoryTransport] = []
        self._reactor = reactor

    def connect(self, *, upgraded: bool = True, **options: Any) -> PlainClient:
        """Connect a client; unless told otherwise, up to and with the upgrade."""
        client: PlainClient = _factory(self.exchange.url, self._reactor, options).buildProtocol(None)
        _, line = connect_in_memory(client, self.server(), self._reactor)
        self.lines.append(line)
        if upgraded:
            self._reactor.advance(0)
        return client

    def let_in(self) -> None:
        """Connect everybody who dials: clients of the feed, and those of REST."""
        for dial in self._reactor.pending_dials():
            dial.accept(self.server())
            assert dial.peer is not None
            self.lines.append(dial.peer)

    def server(self) -> Any:
        """Return the exchange's protocol for one more line."""
        factory: Any = self._reactor.tcpServers[-1][1]
        return factory.buildProtocol(None)

    @property
    def connection(self) -> Connection:
        """The exchange's newest live connection."""
        return self.exchange.connections[-1]

    def pass_time(self, seconds: float, step: float = 1 / 16) -> None:
        """Let time pass, in steps: what is due within one goes out together, and whoever dials is let in."""
        for _ in range(round(seconds / step)):
            self.let_in()
            self._reactor.advance(step)
