"""The tunnel through a proxy, in memory and over sockets."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, NoProtocol

from copra_tx.errors import DialError, HostNotFoundError, LineError, ProxyError
from copra_tx.websocket.proxy import Proxy, TunnelEndpoint
from support.lines import MemoryTransport
from support.peers import LOCAL, Caller, Giving, RecordingServer, listening, refusing_port, the_reactor, within
from support.proxies import ESTABLISHED, ProxyServer
from support.reactors import FakeReactor

HOST = "feed.example"
SECRET = "s3cr3t"


# The tunnel, in memory.


class Tunnel:
    """A dial through a proxy whose part the test plays."""

    def __init__(self, factory: Any = None, names: dict[str, list[str]] | None = None) -> None:
        self.reactor = FakeReactor()
        self.reactor.names |= names or {}
        self.caller = Caller(HOST)
        endpoint = TunnelEndpoint(
            HostnameEndpoint(self.reactor, "proxy.example", 3128), Proxy("proxy.example", 3128, "me", SECRET), HOST, 80
        )
        self.dial = endpoint.connect(factory or Giving(self.caller))
        self.results: list[Any] = []
        self.dial.addBoth(self.results.append)

    def accept(self) -> MemoryTransport:
        return self.reactor.accept()

    def idle(self) -> None:
        self.reactor.advance(0)
        assert self.reactor.getDelayedCalls() == []
        assert not any(dial.connected or dial.pending for dial in self.reactor.dials)


def test_what_follows_the_header_is_handed_on() -> None:
    tunnel = Tunnel()
    line = tunnel.accept()
    line.receive(ESTABLISHED + b"early")
    assert tunnel.results == [tunnel.caller]
    assert tunnel.caller.transport is line
    assert tunnel.caller.heard == b"early"
    line.receive(b" late")
    assert tunnel.caller.heard == b"early late"
    line.drop(ConnectionLost())
    assert "lost" in str(tunnel.caller.ended.result)
    tunnel.idle()


def test_nothing_is_said_to_the_server_before_the_tunnel_is_open() -> None:
    tunnel = Tunnel()
    line = tunnel.accept()
    assert line.clear().startswith(b"CONNECT feed.example:80 ")
    line.receive(ESTABLISHED[:-1])
    assert tunnel.results == []
    line.receive(ESTABLISHED[-1:])
    assert tunnel.results == [tunnel.caller]
    assert line.value() == b""
    line.drop()
    tunnel.idle()


@pytest.mark.parametrize("reason", [None, ConnectionLost()])
def test_a_proxy_that_goes_away(reason: BaseException | None) -> None:
    tunnel = Tunnel()
    line = tunnel.accept()
    line.receive(b"HTTP/1.1 200 OK\r\n")
    line.drop(reason)
    [failure] = tunnel.results
    assert failure.check(ProxyError)
    assert failure.value.status is None
    assert "before it had answered" in str(failure.value)
    tunnel.idle()


def test_a_refusal_ends_the_connection() -> None:
    tunnel = Tunnel()
    line = tunnel.accept()
    line.receive(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    line.receive(b"more of it")
    assert line.aborted
    [failure] = tunnel.results
    assert failure.check(ProxyError)
    tunnel.idle()


def test_cancelling_while_the_proxy_is_dialled() -> None:
    tunnel = Tunnel()
    tunnel.dial.cancel()
    assert len(tunnel.results) == 1
    tunnel.idle()


def test_cancelling_while_the_proxy_is_silent() -> None:
    tunnel = Tunnel()
    line = tunnel.accept()
    tunnel.dial.cancel()
    [failure] = tunnel.results
    assert failure.check(CancelledError)
    assert line.aborted
    tunnel.idle()
    assert not tunnel.caller.verdict.called


def test_a_factory_that_changed_its_mind() -> None:
    tunnel = Tunnel(Giving(None))
    line = tunnel.accept()
    line.receive(ESTABLISHED)
    [failure] = tunnel.results
    assert failure.check(NoProtocol)
    assert line.aborted
    tunnel.idle()


def test_a_proxy_that_is_not_there_is_told_as_the_proxy() -> None:
    tunnel = Tunnel()
    tunnel.reactor.fail(ConnectionRefusedError())
    tunnel.reactor.advance(0.4)
    [failure] = tunnel.results
    assert failure.check(DialError)
    assert "proxy.example:3128" in str(failure.value)
    assert "it is the proxy's address" in str(failure.value)
    tunnel.idle()


def test_a_proxy_without_address_is_told_as_the_proxy() -> None:
    tunnel = Tunnel(names={"proxy.example": []})
    [failure] = tunnel.results
    assert failure.check(HostNotFoundError)
    assert "'proxy.example' not found: it is the proxy's" in str(failure.value)
    tunnel.idle()


def test_any_other_reason_is_told_in_its_own_words() -> None:
    endpoint = HostnameEndpoint(FakeReactor(), "a" * 64, 3128)
    results: list[Any] = []
    TunnelEndpoint(endpoint, Proxy("proxy.example", 3128), HOST, 80).connect(Giving(None)).addErrback(results.append)
    [failure] = results
    assert failure.check(LineError)
    assert "invalid hostname" in str(failure.value)


# The tunnel, over sockets.


async def dial(proxy: Proxy, port: int) -> Caller:
    caller = Caller(HOST)
    endpoint = TunnelEndpoint(HostnameEndpoint(the_reactor(), proxy.host, proxy.port), proxy, HOST, port)
    assert await within(endpoint.connect(Giving(caller))) is caller
    return caller


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_through_a_proxy_with_a_password(before: bytes) -> None:
    server, proxy = RecordingServer(b"welcome"), ProxyServer(login="me:pw", before=before)
    async with listening(server) as port, listening(proxy) as proxy_port:
        caller = await dial(Proxy.parse(f"http://me:pw@{LOCAL}:{proxy_port}"), port)
        caller.transport.write(b"hello")
        await server.when_received(b"hello")
        await caller.drop()
        await within(server.peers[0].lost)
    assert caller.heard == b"welcome"
    [request] = proxy.requests
    assert request.startswith(f"CONNECT {HOST}:{port} HTTP/1.1\r\n".encode())


async def refused(server: ProxyServer, url: str = "http://{}:{}", port: int = 443) -> LineError:
    """Dial through this proxy, which does not let us; return why."""
    async with listening(server) as proxy_port:
        with pytest.raises(LineError) as caught:
            await dial(Proxy.parse(url.format(LOCAL, proxy_port)), port)
        for connection in server.connections:
            await within(connection.lost)
    return caught.value


@pytest.mark.parametrize("url", ["http://{}:{}", "http://me:wrong@{}:{}", "http://me@{}:{}"])
async def test_a_wrong_password(url: str) -> None:
    error = await refused(ProxyServer(login="me:pw"), url)
    assert isinstance(error, ProxyError)
    assert error.status == 407
    assert "check the user and password" in str(error)
    assert "wrong" not in str(error)


@pytest.mark.parametrize(
    ("answer", "status"),
    [(b"HTTP/1.1 403 Forbidden\r\n\r\n", 403), (b"what?\r\n", None), (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 99999, None)],
)
async def test_a_proxy_that_does_not_want(answer: bytes, status: int | None) -> None:
    error = await refused(ProxyServer(answer=answer))
    assert isinstance(error, ProxyError)
    assert error.status == status


async def test_a_proxy_that_hangs_up() -> None:
    proxy = ProxyServer(answer=b"HTTP/1.1 ")
    proxy.hang_up = True
    error = await refused(proxy)
    assert isinstance(error, ProxyError)
    assert "it ended the connection before it had answered" in str(error)


async def test_a_server_that_the_proxy_cannot_reach() -> None:
    error = await refused(ProxyServer(), port=refusing_port())
    assert isinstance(error, ProxyError)
    assert error.status == 502


async def test_no_proxy_at_all() -> None:
    with pytest.raises(DialError, match="it is the proxy's address"):
        await dial(Proxy(LOCAL, refusing_port()), 443)


async def test_a_silent_proxy_is_left_when_cancelled() -> None:
    server = ProxyServer(answer=b"")
    async with listening(server) as proxy_port:
        endpoint = HostnameEndpoint(the_reactor(), LOCAL, proxy_port)
        attempt = TunnelEndpoint(endpoint, Proxy(LOCAL, proxy_port), HOST, 443).connect(Giving(Caller(HOST)))
        await server.when_asked()
        attempt.cancel()
        with pytest.raises(CancelledError):
            await attempt
        await within(server.connections[0].lost)
