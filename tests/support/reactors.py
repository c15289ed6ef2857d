"""
A reactor in memory: a test owns the network and the time.

``FakeReactor`` takes the place of the reactor. It dials nobody: each attempt to connect, by ``connectTCP``,
``connectSSL`` or an endpoint, is a ``Dial`` in ``reactor.dials``, which the test accepts or fails::

    reactor = FakeReactor()
    HostnameEndpoint(reactor, "feed.example", 443).connect(factory)
    line = reactor.accept()  # the newest dial; what the factory built is connected now
    line.receive(b"HTTP/1.1 101 ...")  # from the peer
    assert line.value() == b"GET / ..."  # to the peer
    line.drop(ConnectionLost())  # the peer goes away
    reactor.advance(1.0)  # a second passes
    reactor.fail(ConnectionRefusedError())  # the next dial is refused

With a protocol on the other side, bytes travel whenever the clock moves, all of them, until both are quiet::

    line = reactor.accept(server=server_factory.buildProtocol(None))
    reactor.advance(0)

There is no TLS here: what ``connectSSL`` dials carries plain text, and ``dial.context_factory`` tells what it
was dialled with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.base import BaseConnector
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from txaio.tx import config as txaio_config

from support.lines import MemoryTransport, connect_in_memory, link
from support.resolvers import Resolver, address_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twisted.internet.interfaces import IProtocol
    from twisted.internet.protocol import ClientFactory

    from support.lines import Address

__all__ = ["Dial", "FakeReactor", "MemoryTransport", "connect_in_memory", "fake_reactor"]


class Dial(MemoryTransport):
    """
    One attempt to connect; once accepted, the transport of the line it led to.

    Attributes:
        host, port: What was dialled.
        context_factory: What ``connectSSL`` was given; ``None`` for ``connectTCP``.
        at: When, in the seconds of the reactor's clock.
        pending: Whether it was neither accepted nor failed yet.
    """

    def __init__(self, connector: _Connector, context_factory: object) -> None:
        super().__init__(connector.clock, peer=address_of(connector.host, connector.port))
        self.host, self.port, self.context_factory = connector.host, connector.port, context_factory
        self.at, self.pending = connector.clock.seconds(), True
        self._connector = connector

    def accept(self, server: IProtocol | None = None) -> None:
        """Connect what the factory builds; to ``server``, if given."""
        self.pending = False
        protocol = self._connector.buildProtocol(self.getPeer())
        if protocol is None:  # the factory changed its mind
            self.connect(Protocol())
            self.loseConnection()
        elif server is None:
            self.connect(protocol)
        else:
            link(self, protocol, MemoryTransport(self._clock, self.getPeer(), self.getHost()), server)

    def failIfNotConnected(self, error: BaseException) -> None:
        """End the attempt; Twisted's connectors call it for a time-out and for ``stopConnecting``."""
        if self.pending:
            self.pending = False
            self._connector.connectionFailed(Failure(error))

    def _lost(self, reason: Failure) -> None:
        super()._lost(reason)
        self._connector.connectionLost(reason)


class _Connector(BaseConnector):
    """Twisted's own connector: its time-out, its states and its calls of the factory, on our dials."""

    def __init__(
        self,
        reactor: FakeReactor,
        host: str,
        port: int,
        factory: ClientFactory[Any],
        timeout: float,
        context_factory: object = None,
    ) -> None:
        super().__init__(factory, timeout, cast("Any", reactor))
        self.clock, self.host, self.port = reactor, host, port
        self._context_factory = context_factory

    def _makeTransport(self) -> Any:
        dial = Dial(self, self._context_factory)
        self.clock.dials.append(dial)
        return dial

    def getDestination(self) -> Address:
        return address_of(self.host, self.port)


class FakeReactor(MemoryReactorClock):
    """
    A reactor whose network and time belong to the test.

    Args:
        running: Whether it runs from the start; if not, what waits for that is called by ``start()``.

    Attributes:
        dials: Every attempt to connect so far, oldest first.
        names: Host name to its addresses; an empty list is a name that does not resolve. Names that are not
            here are 127.0.0.1, and addresses are themselves.
    """

    def __init__(self, *, running: bool = True) -> None:
        super().__init__()
        self.running = self.hasRun = running
        self.dials: list[Dial] = []
        self.names: dict[str, list[str]] = {}
        self.nameResolver = Resolver(self._addresses)

    def _addresses(self, name: str) -> list[str]:
        literal = name if isIPAddress(name) or isIPv6Address(name) else "127.0.0.1"
        return self.names.get(name, [literal])

    def start(self) -> None:
        """Start running: call what waits for it."""
        self.running = self.hasRun = True
        waiting, self.whenRunningHooks = self.whenRunningHooks, []
        for function, args, kwargs in waiting:
            function(*args, **kwargs)

    def accept(self, index: int = -1, *, server: IProtocol | None = None) -> Dial:
        """
        Accept a pending dial; the protocol is connected when this returns.

        Args:
            index: Which of the pending ones, the newest by default.
            server: The protocol at the other end; without one the test plays the peer by ``Dial.receive``.
        """
        dial = self.pending_dials()[index]
        dial.accept(server)
        return dial

    def fail(self, reason: BaseException, index: int = -1) -> Dial:
        """
        Fail a pending dial, the newest by default.

        A ``HostnameEndpoint`` tells its caller only when it has no further address to try, 0.3 s after the
        first attempt: ``advance`` the clock by that.
        """
        dial = self.pending_dials()[index]
        dial.failIfNotConnected(reason)
        return dial

    def pending_dials(self) -> list[Dial]:
        """Return the dials that were neither accepted nor failed, oldest first."""
        return [dial for dial in self.dials if dial.pending]

    def forget(self) -> None:
        """Forget all dials, for tests that make thousands and watch the memory."""
        records: tuple[list[Any], ...] = (self.dials, self.connectors, self.tcpClients, self.sslClients)
        for record in records:
            record.clear()

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None
    ) -> _Connector:
        """Record a dial."""
        self.tcpClients.append((host, port, factory, cast("int", timeout), bindAddress))
        return self._dial(_Connector(self, host, port, factory, timeout))

    def connectSSL(
        self,
        host: str,
        port: int,
        factory: Any,
        contextFactory: object,
        timeout: float = 30,
        bindAddress: Any = None,
    ) -> _Connector:
        """Record a dial."""
        self.sslClients.append((host, port, factory, contextFactory, timeout, bindAddress))
        return self._dial(_Connector(self, host, port, factory, timeout, contextFactory))

    def _dial(self, connector: _Connector) -> _Connector:
        self.connectors.append(connector)
        connector.connect()
        return connector


@pytest.fixture(autouse=True)
def _txaio_loop() -> Iterator[None]:
    """Autobahn's timers run on one clock for the whole process; let no test inherit another one's."""
    before, txaio_config.loop = txaio_config.loop, None
    yield
    txaio_config.loop = before


@pytest.fixture
def fake_reactor(_txaio_loop: None) -> FakeReactor:
    """A running ``FakeReactor``, on which Autobahn's timers run too."""
    reactor = FakeReactor()
    txaio_config.loop = cast("Any", reactor)
    return reactor
