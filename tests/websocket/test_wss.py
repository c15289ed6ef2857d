"""
The client over TLS, through proxies, and against servers that are not who they should be.

Real sockets on 127.0.0.1; every name resolves to it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
from autobahn.twisted.websocket import WebSocketServerFactory, connectWS
from twisted.internet.address import HostnameAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    ClientContextFactory,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.internet.task import deferLater
from twisted.protocols.tls import BufferingTLSTransport

from copra_tx.websocket import Channel, Client, dialing, transports
from copra_tx.websocket.dialing import EndpointConnector, make_endpoint
from copra_tx.websocket.options import Options
from copra_tx.websocket.pacing import Pacer
from copra_tx.websocket.proxy import Proxy
from copra_tx.websocket.tls_reading import CollectingTls, DirectTls
from support.peers import (
    LOCAL,
    Caller,
    Giving,
    RecordingServer,
    ServerTls,
    every_name_is_local,
    listening,
    refusing_port,
    the_reactor,
    within,
)
from support.proxies import ProxyServer
from support.world import FeedServer, Recorder

HOST = "feed.example"
DESTINATION = HostnameAddress(HOST.encode(), 443)
TICKER = Channel("ticker", "BTC-USD")
TICK = {"type": "ticker", "product_id": "BTC-USD", "price": "1.00"}


WAYS = [
    *(BufferingTLSTransport, CollectingTls, DirectTls),
    *(pytest.param(transport, marks=pytest.mark.asyncio_only) for transport in ("asyncio", "fastnet")),
]


@pytest.fixture(params=WAYS, autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Whichever transport an installation has, and whichever way it reads TLS, everything here holds."""
    if isinstance(request.param, str):
        monkeypatch.setattr(transports, "AUTOMATIC", (request.param,))
    else:
        monkeypatch.setattr(transports, "AUTOMATIC", ("twisted",))
        monkeypatch.setattr(dialing, "tls_transport", lambda: request.param)
    return request.param


class Feed(FeedServer):
    """Says one message to whoever subscribes."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        super().onMessage(payload, isBinary)
        self.confirm()
        self.say(TICK)


def feed() -> Any:
    factory = WebSocketServerFactory(reactor=the_reactor())
    factory.protocol, factory.refuse_with, factory.noisy = Feed, None, False
    factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
    return factory


class Watched(Recorder):
    """A client that tells when its first message, or its first end, has come."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.first_tick: Deferred[None] = Deferred()
        self.first_close: Deferred[tuple[bool, int, str]] = Deferred()
        super().__init__(*args, **kwargs)

    def on_message(self, message: Any) -> None:
        super().on_message(message)
        if message == TICK and not self.first_tick.called:
            self.first_tick.callback(None)

    def on_close(self, was_clean: bool, code: int, reason: str) -> None:
        super().on_close(was_clean, code, reason)
        if not self.first_close.called:
            self.first_close.callback((was_clean, code, reason))


@asynccontextmanager
async def client_of(url: str, **options: Any) -> AsyncIterator[Watched]:
    """A client on the reactor of the tests; closed when the block ends."""
    async with every_name_is_local():
        client = Watched(None, TICKER, url, pacer=Pacer(the_reactor(), rate=1000, burst=1000), **options)
        try:
            yield client
        finally:
            await within(client.close())


# Endpoints and the connector.


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("secure", [False, True])
async def test_a_line_as_the_client_gets_it(authority: trustme.CA, ca_file: str, proxied: bool, secure: bool) -> None:
    """The connector hands on what came over TCP or TLS, through a proxy or not, and the transport does its work."""
    server, proxy_server = RecordingServer(), ProxyServer()
    tls = ServerTls(authority.issue_cert(HOST)) if secure else None
    caller = Caller(HOST)
    async with (
        every_name_is_local(),
        listening(server, tls) as port,
        listening(proxy_server) as proxy_port,
    ):
        options = Options(ca_file=ca_file, proxy=Proxy("proxy.example", proxy_port) if proxied else None)
        endpoint = make_endpoint(the_reactor(), HOST, port, secure, options)
        connector = EndpointConnector(endpoint, Giving(caller), DESTINATION)
        connector.connect()
        if secure:
            assert await within(caller.verdict) is None
        else:
            await within(caller.made)
            caller.transport.write(b"hello")
        await server.when_received(b"hello")
        assert connector.state == "connected"
        await pauses(caller, server)
        caller.transport.abortConnection()
        await within(caller.ended)
        await within(server.peers[0].lost)
    assert connector.state == "disconnected"
    assert len(proxy_server.requests) == proxied
    assert b"hello" not in b"".join(proxy_server.requests)


async def pauses(caller: Caller, server: RecordingServer) -> None:
    """While paused nothing arrives; what was sent meanwhile does so afterwards."""
    caller.transport.pauseProducing()
    server.peers[0].transport.write(b"in between")
    for _ in range(20):
        await deferLater(the_reactor(), 0)
    assert caller.heard == b""
    caller.transport.resumeProducing()
    await caller.when_heard(b"in between")


# The client.


async def test_wss(authority: trustme.CA, ca_file: str) -> None:
    async with (
        listening(feed(), ServerTls(authority.issue_cert(HOST))) as port,
        client_of(f"wss://{HOST}:{port}", ca_file=ca_file) as client,
    ):
        await within(client.first_tick)
        assert client.connected.is_set()
    assert client.closes == [(True, 1000, "")]


async def test_wss_to_an_address(authority: trustme.CA, ca_file: str) -> None:
    async with (
        listening(feed(), ServerTls(authority.issue_cert(LOCAL))) as port,
        client_of(f"wss://{LOCAL}:{port}", ca_file=ca_file) as client,
    ):
        await within(client.first_tick)


@pytest.mark.parametrize("secure", [False, True])
async def test_through_a_proxy_with_a_password(authority: trustme.CA, ca_file: str, secure: bool) -> None:
    proxy = ProxyServer(login="me:s3cr3t")
    tls = ServerTls(authority.issue_cert(HOST)) if secure else None
    async with listening(feed(), tls) as port, listening(proxy) as proxy_port:
        url = f"{'wss' if secure else 'ws'}://{HOST}:{port}"
        proxy_url = f"http://me:s3cr3t@proxy.example:{proxy_port}"
        async with client_of(url, ca_file=ca_file if secure else None, proxy=proxy_url) as client:
            await within(client.first_tick)
            assert "s3cr3t" not in repr(vars(client))
        await within(proxy.connections[0].lost)
    [request] = proxy.requests
    assert request.startswith(f"CONNECT {HOST}:{port} HTTP/1.1\r\n".encode())
    assert client.closes == [(True, 1000, "")]


async def first_close(url: str, **options: Any) -> str:
    """Return the reason for which the first attempt of a client ended, without a close frame."""
    async with client_of(url, **options) as client:
        was_clean, code, reason = await within(client.first_close)
        assert (was_clean, code) == (False, 1006)
        assert ("open",) not in client.events
        return reason


@pytest.mark.parametrize("proxied", [False, True])
async def test_a_server_that_is_somebody_else(
    authority: trustme.CA, foreign: trustme.CA, ca_file: str, proxied: bool, way: Any
) -> None:
    """It gets nothing of the upgrade, and ``on_close`` the reason."""
    its_names = [] if way == "fastnet" else ["'other.example'"]  # aiofastnet keeps no refused certificate
    cases = [
        (authority.issue_cert("other.example"), ["host name mismatch", *its_names, f"'{HOST}'"]),
        (foreign.issue_cert(HOST), ["unable to get local issuer certificate", "ca_file="]),
    ]
    for certificate, told in cases:
        server, proxy = RecordingServer(), ProxyServer()
        async with listening(server, ServerTls(certificate)) as port, listening(proxy) as proxy_port:
            through = {"proxy": f"http://{LOCAL}:{proxy_port}"} if proxied else {}
            reason = await first_close(f"wss://{HOST}:{port}", ca_file=ca_file, **through)
            for peer in server.peers:
                await within(peer.lost)
            assert server.peers
        assert server.received == b""
        for words in told:
            assert words in reason
        assert len(proxy.requests) == len(server.peers) * proxied


async def test_a_proxy_that_refuses() -> None:
    proxy = ProxyServer(login="me:pw")
    async with listening(proxy) as proxy_port:
        reason = await first_close(f"wss://{HOST}", proxy=f"http://me:s3cr3t@{LOCAL}:{proxy_port}")
        for connection in proxy.connections:
            await within(connection.lost)
    assert f"proxy {LOCAL}:{proxy_port} answered 407" in reason
    assert "s3cr3t" not in reason


async def test_a_proxy_that_says_nothing() -> None:
    proxy = ProxyServer(answer=b"")
    async with listening(proxy) as proxy_port:
        reason = await first_close(f"wss://{HOST}", proxy=f"http://{LOCAL}:{proxy_port}", open_timeout=0.2)
        for connection in proxy.connections:
            await within(connection.lost)
    assert "not open after 0.2 s" in reason


async def test_closing_while_the_proxy_says_nothing() -> None:
    proxy = ProxyServer(answer=b"")
    async with listening(proxy) as proxy_port:
        async with client_of(f"wss://{HOST}", proxy=f"http://{LOCAL}:{proxy_port}") as client:
            await proxy.when_asked()
        [(was_clean, code, reason)] = client.closes
        await within(proxy.connections[0].lost)
    assert (was_clean, code) == (False, 1006)
    assert "closed by us while connecting" in reason


async def test_no_such_host_and_nobody_there() -> None:
    assert "host name 'feed.invalid' not found" in await first_close("wss://feed.invalid")
    port = refusing_port()
    assert f"no connection to {HOST}:{port}: connection refused" in await first_close(f"wss://{HOST}:{port}")


async def test_a_server_that_speaks_no_tls() -> None:
    async with listening(RecordingServer(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert "seems not to speak TLS" in await first_close(f"wss://{HOST}:{port}")


async def test_a_server_that_ends_the_line_within_the_tls_handshake() -> None:
    server = RecordingServer()
    async with listening(server) as port, client_of(f"wss://{HOST}:{port}") as client:
        await server.when_received(b"\x16\x03\x01")
        server.peers[0].transport.loseConnection()
        _, _, reason = await within(client.first_close)
    assert reason == "the connection ended before the upgrade was answered"


# Dials of the caller's own.


@asynccontextmanager
async def dialled_by_the_caller(
    server: IProtocolFactory, certificate: trustme.LeafCert, how: Any, context: Any
) -> AsyncIterator[Watched]:
    async with (
        listening(server, ServerTls(certificate)) as port,
        client_of(f"wss://{LOCAL}:{port}", auto_connect=False, auto_reconnect=False) as client,
    ):
        how(client, port, context)
        yield client


def by_connect_ssl(client: Client, port: int, context: Any) -> None:
    the_reactor().connectSSL(LOCAL, port, client, context)


def by_connect_ws(client: Client, port: int, context: Any) -> None:
    connectWS(client, context)


def lax_contexts(authority: trustme.CA) -> dict[str, Any]:
    root = trustRootFromCertificates([Certificate.loadPEM(authority.cert_pem.bytes())])
    return {
        "nobody verified it": ClientContextFactory(),
        "does not ask for that": CertificateOptions(),
        "not for '127.0.0.1'": optionsForClientTLS("other.example", trustRoot=root),
    }


@pytest.mark.parametrize("how", [by_connect_ssl, by_connect_ws])
async def test_a_callers_lax_dial_is_aborted_before_a_byte_is_sent(authority: trustme.CA, how: Any) -> None:
    contexts = lax_contexts(authority)
    if how is by_connect_ws:
        contexts["dial with optionsForClientTLS"] = None  # Autobahn makes one that verifies nothing
    for words, context in contexts.items():
        server = RecordingServer()
        async with dialled_by_the_caller(server, authority.issue_cert("other.example"), how, context) as client:
            was_clean, code, reason = await within(client.first_close)
            await within(server.peers[0].lost)
        assert (was_clean, code) == (False, 1006)
        assert words in reason
        assert server.received == b""
        assert len(client.closes) == 1


@pytest.mark.parametrize("how", [by_connect_ssl, by_connect_ws])
async def test_a_callers_verifying_dial_is_used(authority: trustme.CA, how: Any) -> None:
    root = trustRootFromCertificates([Certificate.loadPEM(authority.cert_pem.bytes())])
    context = optionsForClientTLS(LOCAL, trustRoot=root)
    async with dialled_by_the_caller(feed(), authority.issue_cert(LOCAL), how, context) as client:
        await within(client.first_tick)


async def test_a_callers_dial_without_tls_is_aborted_before_a_byte_is_sent() -> None:
    server = RecordingServer()
    async with (
        listening(server) as port,
        client_of(f"wss://{LOCAL}:{port}", auto_connect=False, auto_reconnect=False) as client,
    ):
        the_reactor().connectTCP(LOCAL, port, client)
        was_clean, code, reason = await within(client.first_close)
        await within(server.peers[0].lost)
    assert (was_clean, code) == (False, 1006)
    assert "wss needs TLS" in reason
    assert server.received == b""
