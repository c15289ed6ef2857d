"""The reactor in memory behaves as a real one where our tests rely on it."""

from __future__ import annotations

from typing import Any

import pytest
from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
    UserError,
)
from twisted.internet.protocol import Factory, Protocol, ReconnectingClientFactory
from twisted.python.failure import Failure

from support.reactors import FakeReactor, connect_in_memory


class Recorder(Protocol):
    """Keeps what happened to it."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: type[BaseException] | None = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure) -> None:
        self.lost = reason.type


class Persistent(ReconnectingClientFactory):
    """Keeps why its dials failed."""

    protocol = Recorder
    noisy = False
    jitter = 0.0
    initialDelay = delay = 1.0

    def __init__(self, reactor: FakeReactor) -> None:
        self.clock = reactor
        self.failures: list[type[BaseException]] = []

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        self.failures.append(reason.type)
        super().clientConnectionFailed(connector, reason)


@pytest.mark.parametrize(("name", "address"), [("10.1.2.3", "10.1.2.3"), ("feed.example", "127.0.0.1"), ("::1", "::1")])
def test_endpoint_dials_names_and_literals(name: str, address: str) -> None:
    """A HostnameEndpoint resolves at once and gets what the test accepts."""
    reactor = FakeReactor()
    connected: list[Any] = []
    endpoint = HostnameEndpoint(reactor, name, 443)
    endpoint.connect(Factory.forProtocol(Recorder)).addCallback(connected.append)
    dial = reactor.accept()
    assert (dial.host, dial.port) == (address, 443)
    dial.receive(b"hello")
    assert [protocol.data for protocol in connected] == [b"hello"]
    assert not reactor.getDelayedCalls()


def test_endpoint_with_an_unknown_name_fails() -> None:
    reactor = FakeReactor()
    reactor.names["nowhere.example"] = []
    failures: list[Failure] = []
    HostnameEndpoint(reactor, "nowhere.example", 443).connect(Factory()).addErrback(failures.append)
    assert [failure.type for failure in failures] == [DNSLookupError]


def test_endpoint_tells_a_failed_dial_after_its_attempt_delay() -> None:
    reactor = FakeReactor()
    failures: list[Failure] = []
    HostnameEndpoint(reactor, "feed.example", 443).connect(Factory()).addErrback(failures.append)
    reactor.fail(ConnectionRefusedError())
    reactor.advance(0.3)
    assert [failure.type for failure in failures] == [ConnectionRefusedError]
    assert not reactor.getDelayedCalls()


def test_a_dial_times_out_on_the_clock() -> None:
    reactor = FakeReactor()
    factory = Persistent(reactor)
    reactor.connectTCP("feed.example", 443, factory, timeout=5)
    reactor.advance(5)
    assert factory.failures == [TimeoutError]


def test_a_connector_dials_again() -> None:
    """ReconnectingClientFactory calls ``connect`` of the connector, which is a new dial."""
    reactor = FakeReactor()
    factory = Persistent(reactor)
    reactor.connectTCP("feed.example", 443, factory)
    reactor.fail(ConnectionRefusedError())
    reactor.advance(factory.delay)
    reactor.accept().drop(ConnectionLost())
    reactor.advance(factory.delay)
    assert len(reactor.dials) == 3
    assert len(reactor.pending_dials()) == 1
    reactor.forget()
    assert reactor.dials == reactor.tcpClients == []


def test_stop_connecting_fails_the_dial() -> None:
    reactor = FakeReactor()
    factory = Persistent(reactor)
    factory.maxRetries = 0
    connector = reactor.connectSSL("feed.example", 443, factory, "context")
    assert reactor.dials[0].context_factory == "context"
    connector.stopConnecting()
    assert factory.failures == [UserError]
    assert reactor.pending_dials() == []


def test_waiting_calls_run_at_the_start() -> None:
    reactor = FakeReactor(running=False)
    started: Deferred[None] = Deferred()
    reactor.callWhenRunning(started.callback, None)
    assert not started.called
    reactor.start()
    assert started.called


def test_bytes_travel_when_the_clock_moves() -> None:
    clock, client, server = FakeReactor(), Recorder(), Recorder()
    ours, theirs = connect_in_memory(client, server, clock)
    ours.write(b"a")
    theirs.writeSequence([b"b", b"c"])
    assert (client.data, server.data) == (b"", b"")
    clock.advance(0)
    assert (client.data, server.data) == (b"bc", b"a")
    assert (ours.clear(), ours.value()) == (b"a", b"")


def test_a_close_comes_after_the_data() -> None:
    clock, client, server = FakeReactor(), Recorder(), Recorder()
    ours, _ = connect_in_memory(client, server, clock)
    ours.write(b"last words")
    ours.loseConnection()
    ours.write(b"too late")
    assert client.lost is None
    clock.advance(0)
    assert (server.data, client.lost, server.lost) == (b"last words", ConnectionDone, ConnectionDone)


def test_an_abort_tells_both_ends() -> None:
    clock, client, server = FakeReactor(), Recorder(), Recorder()
    ours, _ = connect_in_memory(client, server, clock)
    ours.abortConnection()
    clock.advance(0)
    assert (client.lost, server.lost) == (ConnectionAborted, ConnectionLost)


def test_a_frozen_peer_yields_to_an_abort_only() -> None:
    clock, client, server = FakeReactor(), Recorder(), Recorder()
    ours, _ = connect_in_memory(client, server, clock)
    ours.frozen = True
    ours.write(b"never read")
    ours.loseConnection()
    clock.advance(3600)
    assert (server.data, client.lost) == (b"", None)
    ours.abortConnection()
    clock.advance(0)
    assert client.lost is ConnectionAborted


def test_a_paused_end_gets_its_data_when_resumed() -> None:
    clock, client, server = FakeReactor(), Recorder(), Recorder()
    ours, theirs = connect_in_memory(client, server, clock)
    ours.pauseProducing()
    theirs.write(b"waits")
    clock.advance(0)
    assert client.data == b""
    ours.resumeProducing()
    clock.advance(0)
    assert client.data == b"waits"


def test_a_whole_websocket_conversation(fake_reactor: FakeReactor) -> None:
    """Upgrade, one message each way, close handshake: all within one turn of the clock each."""
    heard: list[tuple[str, object]] = []

    class Asker(WebSocketClientProtocol):
        def onOpen(self) -> None:
            self.sendMessage(b"ping")

        def onMessage(self, payload: bytes, isBinary: bool) -> None:
            heard.append(("client", payload))
            self.sendClose(1000)

        def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
            heard.append(("closed", code))

    class Answerer(WebSocketServerProtocol):
        def onMessage(self, payload: bytes, isBinary: bool) -> None:
            heard.append(("server", payload))
            self.sendMessage(b"pong")

    factory = WebSocketClientFactory("ws://feed.example:443", reactor=fake_reactor)
    factory.protocol, factory.noisy = Asker, False
    servers = WebSocketServerFactory("ws://feed.example:443", reactor=fake_reactor)
    servers.protocol = Answerer
    fake_reactor.connectTCP("feed.example", 443, factory)
    fake_reactor.accept(server=servers.buildProtocol(None))
    fake_reactor.advance(0)
    assert heard == [("server", b"ping"), ("client", b"pong"), ("closed", 1000)]
