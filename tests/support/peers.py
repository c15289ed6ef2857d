"""
Servers and callers on 127.0.0.1, over TCP or TLS, that keep what they receive.

``RecordingServer`` answers nothing by itself; a test asserts on ``server.received``. ``Caller`` is the other side: a
protocol that does with TLS what ours does, and fires ``verdict`` with what came of it.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IListeningPort,
    IOpenSSLContextFactory,
    IProtocolFactory,
    ITCPTransport,
)
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from copra_tx.errors import LineError
from copra_tx.websocket.causes import describe
from copra_tx.websocket.tls import check_verified
from support.resolvers import Resolver

if TYPE_CHECKING:
    from trustme import LeafCert

LOCAL = "127.0.0.1"

T = TypeVar("T")


def the_reactor() -> Any:
    """Return the reactor that drives the tests."""
    from twisted.internet import reactor

    return reactor


def within(deferred: Deferred[T], seconds: float = 10.0) -> Deferred[T]:
    """Fail a wait that hangs, long after it should be over."""
    return deferred.addTimeout(seconds, the_reactor())


def refusing_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as unused:
        unused.bind((LOCAL, 0))
        return cast("int", unused.getsockname()[1])


@implementer(IOpenSSLContextFactory)
class ServerTls:
    """What ``listenSSL`` needs to show a certificate of trustme, with its chain."""

    def __init__(self, certificate: LeafCert) -> None:
        self.context = SSL.Context(SSL.TLS_SERVER_METHOD)
        certificate.configure_cert(self.context)

    def getContext(self) -> SSL.Context:
        return self.context


@asynccontextmanager
async def listening(factory: IProtocolFactory, tls: IOpenSSLContextFactory | None = None) -> AsyncIterator[int]:
    """Listen on a free port of 127.0.0.1, whose number this yields, until the block ends."""
    port: IListeningPort
    if tls is None:
        port = the_reactor().listenTCP(0, factory, interface=LOCAL)
    else:
        port = the_reactor().listenSSL(0, factory, tls, interface=LOCAL)
    try:
        yield cast("IPv4Address", port.getHost()).port
    finally:
        await cast("Deferred[None]", port.stopListening())


class Peer(Protocol):
    """A server's end of one connection; it keeps what it receives and says nothing by itself."""

    factory: RecordingServer
    transport: ITCPTransport

    def __init__(self) -> None:
        self.received = bytearray()
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.factory.peers.append(self)
        if self.factory.greeting:
            self.transport.write(self.factory.greeting)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.factory.heard()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(None)


class RecordingServer(Factory):
    """
    Makes a ``Peer`` for every connection.

    Attributes:
        peers: Those so far, oldest first.
        greeting: What each of them says at once.
    """

    noisy = False
    protocol = Peer  # type: ignore[assignment]  # Twisted wants a callable

    def __init__(self, greeting: bytes = b"") -> None:
        self.greeting = greeting
        self.peers: list[Peer] = []
        self._waiting: list[tuple[bytes, Deferred[None]]] = []

    @property
    def received(self) -> bytes:
        """All that was received, on any connection."""
        return b"".join(bytes(peer.received) for peer in self.peers)

    def when_received(self, data: bytes) -> Deferred[None]:
        """Fire when this was received."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((data, waiting))
        self.heard()
        return within(waiting)

    def heard(self) -> None:
        """Look who waits for what is there now."""
        _tell(self._waiting, self.received)


def _tell(waiting: list[tuple[bytes, Deferred[None]]], received: bytes | bytearray) -> None:
    for entry in waiting[:]:
        if entry[0] in received:
            waiting.remove(entry)
            entry[1].callback(None)


@implementer(IHandshakeListener)
class Caller(Protocol):
    """
    A client protocol that verifies its line, and then says ``hello``.

    Attributes:
        host: Whom it wants to talk to.
        verdict: Fires with ``None`` when the line is verified, else with the reason.
        made: Fires when there is a transport.
        ended: Fires when the connection is gone.
        heard: What it received.
    """

    transport: ITCPTransport

    def __init__(self, host: str) -> None:
        self.host = host
        self.verdict: Deferred[LineError | None] = Deferred()
        self.made: Deferred[None] = Deferred()
        self.ended: Deferred[LineError] = Deferred()
        self.heard = bytearray()
        self._waiting: list[tuple[bytes, Deferred[None]]] = []

    def connectionMade(self) -> None:
        self.made.callback(None)

    def handshakeCompleted(self) -> None:
        error = check_verified(self.transport, self.host)
        if error is None:
            self.transport.write(b"hello")
        else:
            self.transport.abortConnection()
        self.verdict.callback(error)

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        _tell(self._waiting, self.heard)

    def when_heard(self, data: bytes) -> Deferred[None]:
        """Fire when this was received."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((data, waiting))
        _tell(self._waiting, self.heard)
        return within(waiting)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        error = describe(reason, self.host, 443)
        if not self.verdict.called:
            self.verdict.callback(error)
        self.ended.callback(error)

    def drop(self) -> Deferred[LineError]:
        """End the connection; fires when it is gone."""
        self.transport.abortConnection()
        return within(self.ended)


async def verdict_of(caller: Caller, server: RecordingServer) -> LineError | None:
    """Wait for what a caller has to say of the one peer it reached, and for the end of both."""
    error = await within(caller.verdict)
    if error is None:
        await server.when_received(b"hello")
        await caller.drop()
    else:
        await within(caller.ended)
    [peer] = server.peers
    await within(peer.lost)
    return error


class Giving(ClientFactory):
    """A factory that gives out one protocol, made by the test."""

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self.given = protocol

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return self.given


@asynccontextmanager
async def every_name_is_local() -> AsyncIterator[None]:
    """Let every host name but ``*.invalid`` resolve to 127.0.0.1, without a look-up, until the block ends."""
    hosts = lambda name: [] if name.endswith(".invalid") else [LOCAL]  # noqa: E731  # RFC 6761: never resolves
    before = the_reactor().installNameResolver(Resolver(hosts))
    try:
        yield
    finally:
        the_reactor().installNameResolver(before)
