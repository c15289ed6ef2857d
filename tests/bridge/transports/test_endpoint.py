"""How connections are dialled that become the loop's: with all of Twisted's ways, and nothing left of any attempt."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import HostnameAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionDone,
    DNSLookupError,
    NoProtocol,
    UserError,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from copra_tx.bridge.transports import open_transports
from copra_tx.errors import DialError, HostNotFoundError, LineError, TlsError
from copra_tx.websocket.causes import describe
from copra_tx.websocket.dialing import EndpointConnector
from copra_tx.websocket.proxy import Proxy, TunnelEndpoint
from support.peers import (
    LOCAL,
    Giving,
    ServerTls,
    every_name_is_local,
    listening,
    refusing_port,
    the_reactor,
    within,
)
from support.proxies import ESTABLISHED, ProxyServer
from support.transports import DIALLED, HOST, LOOPS, Line, Server, Way, each, turns

pytestmark = pytest.mark.asyncio_only


@pytest.fixture(params=[way.mark() for way in DIALLED])
def way(request: pytest.FixtureRequest) -> Way:
    """Each kind of transport that the loop reads and writes."""
    return request.param  # type: ignore[no-any-return]


def of_the_loop(near: Line, way: Way) -> Any:
    """Return the loop's transport: the protocol's own, or what TLS stands on."""
    return near.transport.transport if way.has_twisteds_tls else near.transport


class Counting(ClientFactory):
    """Counts how often it was started and stopped; gives out one protocol, or none."""

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self.given, self.told = protocol, []  # type: ignore[var-annotated]

    def startFactory(self) -> None:
        self.told.append("start")

    def stopFactory(self) -> None:
        self.told.append("stop")

    def buildProtocol(self, addr: object) -> Any:
        return self.given


def test_it_is_an_endpoint(way: Way) -> None:
    assert verifyObject(IStreamClientEndpoint, way.endpoint(1, None))


async def test_its_factory_is_started_and_stopped(way: Way, ca_file: str, certificate: Any) -> None:
    near, server = Line(), Server()
    factory = Counting(near)
    async with listening(server, ServerTls(certificate) if way.tls else None) as port:
        assert [await within(way.endpoint(port, ca_file).connect(factory))] == [near]
        far = await server.first()
        assert factory.told == ["start"]
        near.transport.loseConnection()
        await near.end()
        await far.end()
    assert factory.told == ["start", "stop"]


# Twisted's TLS wants one in any case; an EndpointConnector raises this itself.
@each(LOOPS)
async def test_a_factory_that_wants_no_connection(way: Way) -> None:
    server, factory = Server(), Counting(None)
    async with listening(server) as port:
        with pytest.raises(NoProtocol):
            await within(way.endpoint(port, None).connect(factory))
        await (await server.first()).end()
    assert factory.told == ["start", "stop"]


async def why_not(way: Way, host: str, port: int) -> LineError:
    over = HostnameEndpoint(the_reactor(), host, port, attemptDelay=0.01)
    with pytest.raises(Exception) as caught:  # noqa: PT011  # of any class; its description is the subject
        await within(way.endpoint(port, None, host, over).connect(Giving(Line())))
    return describe(Failure(caught.value), host, port)


async def test_nobody_listens(way: Way) -> None:
    port = refusing_port()
    found = await why_not(way, LOCAL, port)
    assert isinstance(found, DialError)
    assert str(found) == f"no connection to {LOCAL}:{port}: connection refused"


async def test_no_such_name(way: Way) -> None:
    async with every_name_is_local():
        assert isinstance(await why_not(way, "no-such-host.invalid", 443), HostNotFoundError)


# Stopped, at each stage.

STOPPED = (CancelledError, ConnectingCancelledError, DNSLookupError)
"""What Twisted's dial fails with when it is cancelled; before it has an address it says that it found none."""


async def test_cancelled_while_dialling(way: Way) -> None:
    server = Server()
    async with listening(server) as port:
        attempt = way.endpoint(port, None).connect(Giving(Line()))
        attempt.cancel()
        with pytest.raises(STOPPED):
            await within(attempt)
        await turns()
    assert server.lines == []


async def test_cancelled_while_a_name_is_looked_up(way: Way) -> None:
    attempt = way.endpoint(1, None, HOST, HostnameEndpoint(the_reactor(), "localhost", 1)).connect(Giving(Line()))
    attempt.cancel()
    with pytest.raises(STOPPED):
        await within(attempt)


async def test_cancelled_while_a_proxy_is_silent(way: Way) -> None:
    proxy = ProxyServer(answer=b"")
    async with listening(proxy) as port:
        attempt = way.endpoint(443, None, HOST, tunnel(port)).connect(Giving(Line()))
        await proxy.when_asked()
        attempt.cancel()
        with pytest.raises(CancelledError):
            await within(attempt)
        await within(proxy.connections[0].lost)


async def test_stopped_by_its_connector_at_any_stage(way: Way, ca_file: str) -> None:
    """A server that answers nothing: over TLS the handshake hangs, without it is connected."""
    for number in range(6):
        near, server = Line(), Server()
        factory = Reporting(near)
        async with listening(server) as port:
            connector = EndpointConnector(way.endpoint(port, ca_file), factory, HostnameAddress(HOST.encode(), port))
            connector.connect()
            await turns(number)
            connector.disconnect()
            [reason] = await within(factory.ended)
            assert reason.check(UserError, way.aborted, ConnectionDone)
            for far in server.lines:
                await far.end()
            await turns(3)
        assert connector.state == "disconnected"
        assert near.told in ([], ["made", "lost"])


class Reporting(Giving):
    """Fires ``ended`` with the reason for which an attempt, or its connection, ended."""

    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol)
        self.ended: Deferred[Any] = Deferred()

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        self.ended.callback([reason])

    def clientConnectionLost(self, connector: Any, reason: Any) -> None:
        self.ended.callback([reason])


# Through a proxy.


def tunnel(proxy_port: int) -> TunnelEndpoint:
    return TunnelEndpoint(HostnameEndpoint(the_reactor(), LOCAL, proxy_port), Proxy(LOCAL, proxy_port), HOST, 443)


@pytest.mark.parametrize("paused", [False, True])
async def test_what_a_proxy_sends_with_its_answer_is_the_servers(way: Way, ca_file: str, paused: bool) -> None:
    proxy = ProxyServer(answer=ESTABLISHED + b"the first words")
    near = Line(made=lambda line: line.transport.pauseProducing() if paused else None)
    async with listening(proxy) as port:
        await within(way.endpoint(443, ca_file, HOST, tunnel(port)).connect(Giving(near)))
        if way.tls:
            await near.end()
            assert near.reason is not None
            error = describe(near.reason, HOST, 443)
            assert isinstance(error, TlsError)
            assert "seems not to speak TLS" in str(error)
        else:
            if paused:
                await turns()
                assert near.heard == b""
                near.transport.resumeProducing()
            await near.when_heard(b"the first words")
            near.transport.abortConnection()
            await near.end()
        await within(proxy.connections[0].lost)


# What the loop itself does to it.


async def test_a_loop_that_cannot_take_the_socket(way: Way, logged_errors: Any) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("no more transports")

    near, server = Line(), Server()
    async with listening(server) as port:
        await within(way.endpoint(port, None, connect=refuse).connect(Giving(near)))
        assert await near.end() is way.failed_with(RuntimeError)
        await (await server.first()).end()
    assert logged_errors.flush(RuntimeError)


async def test_a_loop_that_cancels_all_tasks(way: Way, ca_file: str) -> None:
    """As ``asyncio.run`` does at its end."""
    near, server = Line(), Server()
    async with listening(server) as port:
        await within(way.endpoint(port, ca_file).connect(Giving(near)))
        [line] = open_transports(the_reactor()._asyncioEventloop)
        assert line is of_the_loop(near, way)
        assert line._attaching is not None
        await turns(3)
        line._attaching.cancel()
        if not way.tls or way.has_twisteds_tls:  # the task is done: Twisted's TLS begins after it
            near.transport.abortConnection()
        await near.end()
        await (await server.first()).end()
    assert open_transports(the_reactor()._asyncioEventloop) == []


async def test_its_repr_tells_where_and_how(way: Way) -> None:
    near, server = Line(), Server()
    async with listening(server) as port:
        await within(way.endpoint(port, None).connect(Giving(near)))
        line = of_the_loop(near, way)
        assert f"{port}" in repr(line)
        assert repr(line).endswith(" connected>")
        near.transport.abortConnection()
        await near.end()
        assert repr(line).endswith(" disconnected>")
        await (await server.first()).end()
