"""Dialling with endpoints, for factories that know connectors only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trustme
from twisted.internet.address import HostnameAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    NoProtocol,
    NotConnectingError,
    UserError,
)
from twisted.internet.interfaces import IAddress, IConnector, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, ReconnectingClientFactory, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from copra_tx.errors import ProxyError
from copra_tx.websocket.dialing import EndpointConnector, TlsEndpoint, make_endpoint
from copra_tx.websocket.options import Options
from copra_tx.websocket.proxy import Proxy
from copra_tx.websocket.tls import verifying_creator
from support.peers import LOCAL, listening, the_reactor, within
from support.proxies import ProxyServer
from support.reactors import FakeReactor
from support.world import World, outcome

HOST, PORT = "feed.example", 443
DESTINATION = HostnameAddress(HOST.encode(), PORT)


class Recorded(Protocol):
    factory: Recording

    def connectionMade(self) -> None:
        self.factory.note("made")

    def dataReceived(self, data: bytes) -> None:
        self.factory.note(data.decode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.note("lost")


class Recording(ReconnectingClientFactory):
    """A factory as Twisted documents it; it keeps what it was told, and the connector's state then."""

    protocol = Recorded  # type: ignore[assignment]
    noisy = False

    def __init__(self) -> None:
        self.told: list[str] = []
        self.reasons: list[Failure] = []
        self.connector: Any = None
        self.then: Callable[[Any], None] = lambda connector: None

    def note(self, what: str) -> None:
        self.told.append(what)

    def startFactory(self) -> None:
        self.note("start")

    def stopFactory(self) -> None:
        self.note("stop")

    def startedConnecting(self, connector: Any) -> None:
        self.note(f"dialled: {connector.state}")

    def buildProtocol(self, addr: IAddress | None) -> Any:
        self.note("build")
        return super().buildProtocol(addr)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._ended("failed", connector, reason)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self._ended("gone", connector, reason)

    def _ended(self, what: str, connector: Any, reason: Failure) -> None:
        self.note(f"{what}: {connector.state}")
        self.reasons.append(reason)
        self.then(connector)

    def clear(self) -> list[str]:
        told, self.told = self.told, []
        return told


# What every connector does: Twisted's own is asked, too.


class Twisteds:
    """Twisted's own connector, as ``connectTCP`` gives it."""

    def __init__(self) -> None:
        self.reactor, self.factory = FakeReactor(), Recording()
        self.factory.clock = self.reactor

    def first(self) -> Any:
        return self.reactor.connectTCP(LOCAL, PORT, self.factory)


class Ours(Twisteds):
    """Our connector with an endpoint."""

    def first(self) -> Any:
        endpoint = TCP4ClientEndpoint(self.reactor, LOCAL, PORT)
        connector = EndpointConnector(endpoint, self.factory, DESTINATION)
        connector.connect()
        return connector


both = pytest.mark.parametrize("kind", [Twisteds, Ours])

DIALLED = ["start", "dialled: connecting"]


@both
def test_a_connection_from_its_beginning_to_its_end(kind: type[Twisteds]) -> None:
    world = kind()
    connector = world.first()
    assert world.factory.clear() == DIALLED
    assert connector.state == "connecting"
    line = world.reactor.accept()
    assert connector.state == "connected"
    line.receive(b"data")
    assert world.factory.clear() == ["build", "made", "data"]
    line.drop(ConnectionLost())
    assert connector.state == "disconnected"
    assert world.factory.clear() == ["lost", "gone: disconnected", "stop"]
    assert world.factory.reasons[0].check(ConnectionLost)
    assert world.reactor.getDelayedCalls() == []


@both
def test_an_attempt_that_fails(kind: type[Twisteds]) -> None:
    world = kind()
    connector = world.first()
    world.reactor.fail(ConnectionRefusedError())
    assert world.factory.clear() == [*DIALLED, "failed: disconnected", "stop"]
    assert world.factory.reasons[0].check(ConnectionRefusedError)
    assert connector.state == "disconnected"
    assert world.reactor.getDelayedCalls() == []


@both
@pytest.mark.parametrize("how", ["stopConnecting", "disconnect"])
def test_an_attempt_that_is_stopped(kind: type[Twisteds], how: str) -> None:
    world = kind()
    connector = world.first()
    getattr(connector, how)()
    assert world.factory.clear() == [*DIALLED, "failed: disconnected", "stop"]
    assert world.factory.reasons[0].check(UserError)
    assert world.reactor.pending_dials() == []
    assert world.reactor.getDelayedCalls() == []
    connector.connect()
    world.reactor.accept()
    assert world.factory.clear() == [*DIALLED, "build", "made"]


@both
def test_a_connection_that_is_ended(kind: type[Twisteds]) -> None:
    world = kind()
    connector = world.first()
    world.reactor.accept()
    connector.disconnect()
    world.reactor.advance(0)
    assert world.factory.clear()[-3:] == ["lost", "gone: disconnected", "stop"]
    assert world.factory.reasons[0].check(ConnectionDone)
    connector.disconnect()  # there is nothing any more


@both
def test_what_is_not_allowed(kind: type[Twisteds]) -> None:
    world = kind()
    connector = world.first()
    with pytest.raises(RuntimeError):
        connector.connect()
    line = world.reactor.accept()
    with pytest.raises(RuntimeError):
        connector.connect()
    with pytest.raises(NotConnectingError):
        connector.stopConnecting()
    line.drop()
    with pytest.raises(NotConnectingError):
        connector.stopConnecting()
    assert len(world.reactor.dials) == 1


@both
@pytest.mark.parametrize("failing", [True, False])
def test_a_factory_that_dials_again_at_once_is_not_stopped(kind: type[Twisteds], failing: bool) -> None:
    world = kind()
    world.factory.then = lambda connector: connector.connect()
    connector = world.first()
    if failing:
        world.reactor.fail(ConnectionRefusedError())
        assert world.factory.clear() == [*DIALLED, "failed: disconnected", "dialled: connecting"]
    else:
        world.reactor.accept().drop()
        assert world.factory.clear()[-2:] == ["gone: disconnected", "dialled: connecting"]
    assert connector.state == "connecting"
    world.reactor.accept()
    assert world.factory.clear() == ["build", "made"]


@both
def test_a_factory_that_stops_the_attempt_when_told_of_it(kind: type[Twisteds]) -> None:
    world = kind()
    world.factory.startedConnecting = lambda connector: connector.stopConnecting()  # type: ignore[method-assign]
    connector = world.first()
    assert world.factory.clear() == ["start", "failed: disconnected", "stop"]
    assert connector.state == "disconnected"
    assert world.reactor.pending_dials() == []
    assert world.reactor.getDelayedCalls() == []


@both
def test_twisteds_own_reconnection(kind: type[Twisteds]) -> None:
    world = kind()
    world.factory.then = world.factory.retry
    world.first()
    world.reactor.fail(ConnectionRefusedError())
    world.reactor.advance(10)
    world.reactor.accept().drop()
    world.reactor.advance(30)
    assert len(world.reactor.dials) == 3
    world.reactor.fail(ConnectionRefusedError())
    world.factory.stopTrying()
    world.reactor.advance(60)
    assert len(world.reactor.dials) == 3
    assert world.reactor.getDelayedCalls() == []


@both
def test_it_is_a_connector(kind: type[Twisteds]) -> None:
    connector = kind().first()
    assert verifyObject(IConnector, connector)
    assert IAddress.providedBy(connector.getDestination())


# What only ours can meet.


def test_a_factory_that_wants_no_protocol_is_told_of_a_failure() -> None:
    world = Ours()
    world.factory.buildProtocol = lambda addr: None  # type: ignore[method-assign]
    connector = world.first()
    line = world.reactor.accept()
    assert world.factory.clear() == [*DIALLED, "failed: disconnected", "stop"]
    assert world.factory.reasons[0].check(NoProtocol)
    assert connector.state == "disconnected"
    world.reactor.advance(0)
    assert not line.connected


def test_a_factory_that_cannot_build_is_told_so() -> None:
    def buildProtocol(addr: IAddress | None) -> None:
        raise ZeroDivisionError

    world = Ours()
    world.factory.buildProtocol = buildProtocol  # type: ignore[method-assign]
    world.first()
    world.reactor.accept()
    assert world.factory.reasons[0].check(ZeroDivisionError)
    world.reactor.advance(0)


def test_a_protocol_that_fails_in_the_end_does_not_hide_it() -> None:
    def connectionLost(reason: Failure) -> None:
        raise ZeroDivisionError

    world = Ours()
    connector = world.first()
    line = world.reactor.accept()
    line.protocol._wrappedProtocol._protocol.connectionLost = connectionLost
    with pytest.raises(ZeroDivisionError):
        line.drop()
    assert world.factory.clear()[-2:] == ["gone: disconnected", "stop"]
    assert connector.state == "disconnected"


@implementer(IStreamClientEndpoint)
class Deaf:
    """An endpoint that does not listen to ``cancel``, as some do not."""

    def __init__(self) -> None:
        self.factory: Any = None
        self.dial: Deferred[Any] = Deferred(lambda deferred: None)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        self.factory = protocolFactory
        return self.dial


def test_what_comes_of_a_stopped_attempt_is_not_wanted() -> None:
    factory, endpoint = Recording(), Deaf()
    connector = EndpointConnector(endpoint, factory, DESTINATION)
    connector.connect()
    connector.stopConnecting()
    assert factory.clear() == [*DIALLED, "failed: disconnected", "stop"]
    with pytest.raises(NoProtocol):
        endpoint.factory.buildProtocol(None)
    assert factory.clear() == []


@implementer(IStreamClientEndpoint)
class Broken:
    """An endpoint that raises where it should return a failed Deferred."""

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        raise ZeroDivisionError


def test_an_endpoint_that_raises_has_failed() -> None:
    factory = Recording()
    EndpointConnector(Broken(), factory, DESTINATION).connect()
    assert factory.told == [*DIALLED, "failed: disconnected", "stop"]
    assert factory.reasons[0].check(ZeroDivisionError)


def test_an_endpoint_cannot_give_a_client_a_second_line() -> None:
    world = World()
    client = world.client()
    world.open()
    results = outcome(TCP4ClientEndpoint(world.reactor, LOCAL, PORT).connect(client))
    second = world.reactor.accept()
    world.advance(0)
    assert results[0].check(NoProtocol)
    assert not second.connected
    assert client.events == [("open",)]
    assert world.reactor.dials[0].connected
    outcome(client.close())
    world.advance(0)


def test_its_repr_tells_where_and_how() -> None:
    connector = Ours().first()
    assert repr(connector).startswith("<EndpointConnector ")
    assert HOST in repr(connector)
    assert "connecting" in repr(connector)


async def test_small_writes_over_tls_wait_on_the_reactor_that_dialled(authority: trustme.CA, ca_file: str) -> None:
    """Twisted gathers them with a timer, by default on the global reactor, which may be another one."""
    reactor = FakeReactor()
    endpoint = TlsEndpoint(TCP4ClientEndpoint(reactor, LOCAL, PORT), verifying_creator(HOST, ca_file), reactor)
    factory = Recording()
    EndpointConnector(endpoint, factory, DESTINATION).connect()
    line = reactor.accept()
    line.protocol._wrappedProtocol.write(b"small")
    assert reactor.getDelayedCalls() != []
    line.drop()


# Through a proxy.


async def test_a_refusing_proxy_fails_the_attempt() -> None:
    server = ProxyServer(answer=b"HTTP/1.1 403 Forbidden\r\n\r\n")
    factory = Recording()
    ended: Deferred[None] = Deferred()
    factory.then = lambda connector: ended.callback(None)
    async with listening(server) as proxy_port:
        endpoint = make_endpoint(the_reactor(), HOST, 443, False, Options(proxy=Proxy(LOCAL, proxy_port)))
        EndpointConnector(endpoint, factory, DESTINATION).connect()
        await within(ended)
        await within(server.connections[0].lost)
    assert factory.told == [*DIALLED, "failed: disconnected", "stop"]
    assert factory.reasons[0].check(ProxyError)


async def test_stopping_while_the_proxy_is_silent() -> None:
    server, factory = ProxyServer(answer=b""), Recording()
    async with listening(server) as proxy_port:
        endpoint = make_endpoint(the_reactor(), HOST, 443, True, Options(proxy=Proxy(LOCAL, proxy_port)))
        connector = EndpointConnector(endpoint, factory, DESTINATION)
        connector.connect()
        await server.when_asked()
        assert connector.state == "connecting"
        connector.stopConnecting()
        assert factory.told == [*DIALLED, "failed: disconnected", "stop"]
        await within(server.connections[0].lost)
