"""
Every transport that a client's connection may have, over TCP and over TLS, for tests that hold for each.

A ``Way`` makes endpoints; ``Line`` is a protocol that keeps what it is told and fires when a test waits for it.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.protocols.tls import BufferingTLSTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from copra_tx.bridge.transports import LoopEndpoint, asyncio_connect, fastnet_connect
from copra_tx.websocket import dialing
from copra_tx.websocket.dialing import TlsEndpoint
from copra_tx.websocket.tls import verifying_creator
from copra_tx.websocket.tls_reading import CollectingTls, DirectTls
from copra_tx.websocket.tls_stdlib import VerifyingTls
from support.peers import LOCAL, Giving, ServerTls, listening, the_reactor, within

HOST = "feed.example"


@dataclass(frozen=True)
class Way:
    """
    A kind of transport.

    Attributes:
        kind: Whose it is: ``"twisted"``, ``"asyncio"`` or ``"fastnet"``.
        tls: Whether with TLS.
        reading: How Twisted's transports read TLS.
    """

    kind: str
    tls: bool
    reading: type[BufferingTLSTransport] | None = None

    def __str__(self) -> str:
        return "-".join([self.kind, *(["tls"] if self.tls else []), *([self.reading.__name__] if self.reading else [])])

    @property
    def has_twisteds_tls(self) -> bool:
        """Whether TLS is Twisted's, on whatever transport."""
        return self.tls and self.kind != "fastnet"

    @property
    def aborted(self) -> type[BaseException]:
        """Why a connection was lost that our side has aborted. Twisted's TLS forgets who did it."""
        return ConnectionLost if self.has_twisteds_tls else ConnectionAborted

    def failed_with(self, kind: type[Exception]) -> type[BaseException]:
        """Return why a connection was lost whose protocol raised this: Twisted's TLS forgets it, the log has it."""
        return ConnectionLost if self.has_twisteds_tls else kind

    def endpoint(
        self,
        port: int,
        ca_file: str | None,
        host: str = HOST,
        over: IStreamClientEndpoint | None = None,
        connect: Callable[..., Any] | None = None,
    ) -> IStreamClientEndpoint:
        """
        Return an endpoint for a port of 127.0.0.1, over TLS for a host.

        It may stand on what another endpoint dials, and connect to the loop in another way.
        """
        tcp: IStreamClientEndpoint = HostnameEndpoint(the_reactor(), LOCAL, port) if over is None else over
        if self.kind == "fastnet":
            tls = VerifyingTls(host, ca_file) if self.tls else None
            return LoopEndpoint(tcp, the_reactor(), connect or fastnet_connect(), tls)
        if self.kind == "asyncio":
            tcp = LoopEndpoint(tcp, the_reactor(), connect or asyncio_connect)
        return TlsEndpoint(tcp, verifying_creator(host, ca_file), the_reactor()) if self.tls else tcp

    def mark(self) -> Any:
        """Return it as a parameter of a fixture."""
        marks = [] if self.kind == "twisted" else [pytest.mark.asyncio_only]
        return pytest.param(self, marks=marks, id=str(self))


PLAIN = [Way(kind, tls=False) for kind in ("twisted", "asyncio", "fastnet")]
LOOPS = [Way("asyncio", tls=False), Way("fastnet", tls=False), Way("fastnet", tls=True)]
"""Those whose transport is the loop's, up to the protocol."""
DIALLED = [*LOOPS, Way("asyncio", tls=True)]
"""All that the loop reads and writes."""
TLS = [
    *(Way("twisted", True, reading) for reading in (BufferingTLSTransport, CollectingTls, DirectTls)),
    *(Way(kind, True) for kind in ("asyncio", "fastnet")),
]


def each(ways: list[Way]) -> Any:
    """Return a mark that has a test run for some ways only."""
    return pytest.mark.parametrize("way", [way.mark() for way in ways], indirect=True)


@pytest.fixture
def reading_as(monkeypatch: pytest.MonkeyPatch) -> Callable[[Way], Way]:
    """Return what makes Twisted's TLS read as a way wants it."""

    def choose(way: Way) -> Way:
        if way.reading is not None:
            monkeypatch.setattr(dialing, "tls_transport", lambda: way.reading)
        return way

    return choose


class PlainLine(Protocol):
    """
    One end of a connection.

    Attributes:
        told: What it was told, in order: ``"made"``, ``"lost"``.
        heard: What it received.
        reads: The same, read by read.
        octets: How much that is.
        then: Called for what it is told and for each read, by name: ``{"made": call}``, also with ``"data"``.
        reason: Why it was lost.
    """

    transport: Any

    def __init__(self, **then: Callable[[Any], object]) -> None:
        self.told: list[str] = []
        self.reads: list[bytes] = []
        self.octets = 0
        self.then = then
        self.reason: Failure | None = None
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    @property
    def heard(self) -> bytes:
        return b"".join(self.reads)

    def connectionMade(self) -> None:
        self._note("made")

    def dataReceived(self, data: bytes) -> None:
        self.reads.append(data)
        self.octets += len(data)
        self._do("data")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason
        self._note("lost")

    def _note(self, what: str) -> None:
        self.told.append(what)
        self._do(what)

    def _do(self, what: str) -> None:
        try:
            self.then.get(what, lambda _: None)(self)
        finally:
            self._look()

    def _look(self) -> None:
        for entry in [entry for entry in self._waiting if entry[0]()]:
            self._waiting.remove(entry)
            entry[1].callback(None)

    def when(self, condition: Callable[[], bool]) -> Deferred[None]:
        """Fire when a condition on what it was told, or received, is true."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((condition, waiting))
        self._look()
        return within(waiting)

    def when_told(self, what: str) -> Deferred[None]:
        """Fire when it was told something."""
        return self.when(lambda: what in self.told)

    def when_heard(self, data: bytes) -> Deferred[None]:
        """Fire when it received something."""
        return self.when(lambda: data in self.heard)

    async def end(self) -> type[BaseException]:
        """Wait for the end; returns the kind of its reason."""
        await self.when_told("lost")
        assert self.reason is not None
        assert self.reason.value is not None
        return type(self.reason.value)


@implementer(IHandshakeListener)
class Line(PlainLine):
    """A line that is also told ``"secured"`` when its TLS is up."""

    def handshakeCompleted(self) -> None:
        self._note("secured")


@implementer(IHalfCloseableProtocol)
class HalfLine(PlainLine):
    """A line that is also told ``"read lost"`` and ``"write lost"``: when one direction ends, the other goes on."""

    def readConnectionLost(self) -> None:
        self._note("read lost")

    def writeConnectionLost(self) -> None:
        self._note("write lost")


async def turns(number: int = 20) -> None:
    """Let the reactor turn, for what must not happen in any of these turns."""
    for _ in range(number):
        await deferLater(the_reactor(), 0)


class Server(Factory):
    """The far ends, all Twisted's, each with the protocol that ``make`` returns."""

    noisy = False

    def __init__(self, make: Callable[[], PlainLine] = Line) -> None:
        self._make = make
        self.lines: list[PlainLine] = []
        self._waiting: list[Deferred[None]] = []

    def buildProtocol(self, addr: object) -> PlainLine:
        line = self._make()
        self.lines.append(line)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)
        return line

    async def first(self) -> PlainLine:
        """Return the first far end, once there is one."""
        if not self.lines:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await within(waiting)
        await self.lines[0].when_told("made")
        return self.lines[0]


def freeze(line: PlainLine) -> None:
    """Have a far end take nothing more; the system takes little in its place."""
    line.transport.pauseProducing()
    tcp = getattr(line.transport, "transport", line.transport)
    tcp.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)


async def still(number: Callable[[], int]) -> int:
    """Let the reactor turn until a number does not grow any more; returns it."""
    before = -1
    while number() != before:
        before = number()
        await turns()
    return before


Connect = Callable[..., AbstractAsyncContextManager[tuple[PlainLine, PlainLine]]]


def connecting(way: Way, certificate: Any, ca_file: str) -> Connect:
    """Return a function that connects two lines: ``async with connect() as (near, far)``."""

    @asynccontextmanager
    async def connect(
        near: PlainLine | None = None, make_far: Callable[[], PlainLine] = Line, *, ready: bool = True
    ) -> AsyncIterator[tuple[PlainLine, PlainLine]]:
        """Connect, and wait until both ends can be used, TLS included, if they are to be ``ready``."""
        near, server = near or Line(), Server(make_far)
        async with listening(server, ServerTls(certificate) if way.tls else None) as port:
            await within(way.endpoint(port, ca_file).connect(Giving(near)))
            far = await server.first()
            if ready:
                await near.when_told("secured" if way.tls else "made")
                await far.when_told("secured" if way.tls else "made")
            try:
                yield near, far
            finally:
                for line in (near, far):
                    if "lost" not in line.told:
                        line.transport.abortConnection()
                        await line.when_told("lost")

    return connect
