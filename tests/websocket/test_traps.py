"""
Traps of the libraries below us: one test for each that has none elsewhere.

Elsewhere: TLS that nobody verified and names that are wrong (``test_wss``, ``test_tls``), proxies (``test_wss``,
``test_tunnel``), exceptions in callbacks and hooks (``test_user_code``), names that collide and imports that install a
reactor (``test_layout``), messages after our close frame (``test_close``, ``test_close_in_time``), loops without a
started reactor (``tests/bridge``), the order of ``--reactor`` (``test_twistd``), port 0 (``tests/simulator``).
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.internet.task import Clock, deferLater
from txaio.tx import config as txaio_config

from copra_tx.simulator import SimulatedExchange
from copra_tx.websocket import Client, State, flow
from copra_tx.websocket.backoff import jittered
from copra_tx.websocket.pacing import Pacer
from support.logs import logged
from support.peers import the_reactor, within
from support.watched import Watched, watched
from support.world import BTC, URL, Recorder, World, outcome, settle

TICK = {"type": "ticker", "product_id": "BTC-USD"}


@pytest.fixture
def world() -> World:
    return World()


# -- Autobahn's defaults


def test_what_autobahn_leaves_off_is_set(world: World) -> None:
    """No auto-ping, no size limit, no compression offered, 1 s close time-out, ``noisy``: each has its own value."""
    client = world.client()
    dial = world.reactor.accept()
    world.advance(0)
    protocol = client.line.protocol
    assert client.noisy is False
    assert protocol.maxMessagePayloadSize == protocol.maxFramePayloadSize == 64 * 1024 * 1024
    assert protocol.tcpNoDelay
    assert protocol.utf8validateIncoming
    assert protocol.failByDrop
    # Timers of our own take the place of these.
    assert client.options.ping_interval == 20
    assert client.options.close_timeout == 2
    for timeout in ("openHandshakeTimeout", "closeHandshakeTimeout", "serverConnectionDropTimeout", "autoPingInterval"):
        assert not getattr(protocol, timeout), timeout
    assert b"permessage-deflate" not in dial.value()


def test_compression_is_offered_on_request(world: World) -> None:
    world.client(compression=True)
    dial = world.reactor.accept()
    world.advance(0)
    assert b"Sec-WebSocket-Extensions: permessage-deflate" in dial.value()


async def test_compression_is_used_when_the_server_takes_it() -> None:
    async with SimulatedExchange(compression=True, speed=50) as exchange:
        client = watched(exchange.url, compression=True)
        await client.when_messages(20)
        assert client.line.protocol.websocket_extensions_in_use
        assert client.counters.unusable == {}
        await within(client.close())


def test_nobody_but_us_writes_lines_about_each_connection(world: World) -> None:
    """``noisy`` factories log that they start and stop, at each attempt."""
    with logged() as log:
        client = world.client()
        world.open()
        world.drop()
        outcome(client.close())
    assert [event for event in log.events if "Starting factory" in str(event) or "Stopping factory" in str(event)] == []


def test_its_timers_are_not_used_whatever_loop_they_run_on(world: World) -> None:
    """They run on ``txaio.config.loop``, by default the global reactor, in steps: nothing of ours may need them."""
    txaio_config.loop = stray = Clock()
    client = world.client(ping_interval=5, pong_timeout=2)
    server = world.open()
    server.confirm()
    for _ in range(12):
        world.advance(1)
    world.drop()
    world.advance(2)
    world.reactor.accept()  # the upgrade is never answered
    world.advance(11)
    world.advance(4)
    world.open()
    outcome(client.close())
    world.advance(3)
    assert client.counters.attempts == 3
    assert stray.getDelayedCalls() == []


def test_bad_utf8_ends_the_line_and_bad_json_does_not(world: World) -> None:
    """Validation stays on: both look alike to a decoder of JSON, RFC 6455 tells them apart (1007)."""
    client = world.client()
    server = world.open()
    server.sendMessage(b'{"type": ')
    world.advance(0)
    assert client.connected.is_set()
    assert client.counters.unusable == {"not JSON": 1}
    server.sendMessage(b'{"type": "\xff"}')
    world.advance(0)
    [(was_clean, code, reason)] = client.closes
    assert (was_clean, code) == (False, 1006)
    assert "UTF-8" in reason


def test_a_violation_ends_the_line_and_says_which(world: World) -> None:
    client = world.client()
    world.open()
    world.line.receive(b"\xf1\x00")
    world.advance(0)
    [(was_clean, code, reason)] = client.closes
    assert (was_clean, code) == (False, 1006)
    assert "RSV" in reason
    world.advance(1.1)
    assert len(world.reactor.pending_dials()) == 1


def test_a_refused_upgrade_closes_what_never_opened(world: World) -> None:
    """Autobahn calls ``onClose`` without ``onOpen``: the state decides, and nothing else has happened."""
    client = world.client()
    world.refuse_upgrades(503)
    world.open()
    assert [event[0] for event in client.events] == ["close"]
    assert not client.connected.is_set()
    assert client.disconnected.is_set()
    assert client.counters.connections == 0
    assert client.line.state is State.WAITING


def test_its_own_proxy_is_not_used(world: World) -> None:
    """``factory.proxy`` knows no passwords and makes a TLS context of its own."""
    client = world.client(proxy="http://user:password@127.0.0.1:3128")
    assert client.proxy is None
    dial = world.reactor.accept()
    assert (dial.host, dial.port) == ("127.0.0.1", 3128)


# -- Twisted's ReconnectingClientFactory


def test_reset_delay_does_not_undo_stop_trying(world: World) -> None:
    """Twisted's does: a client that is told to stop while it connects would reconnect for ever."""
    client = world.client(stable_after=1)
    client.stopTrying()
    server = world.open()
    server.confirm()
    for _ in range(3):
        world.advance(1)  # the line is healthy, which resets the delay
    client.resetDelay()
    assert client.connected.is_set()
    world.drop()
    world.advance(60)
    assert len(world.reactor.dials) == 1
    assert client.line.state is State.IDLE


@pytest.mark.parametrize("when", ["scheduled", "waiting"])
def test_stop_trying_ends_a_wait(world: World, when: str) -> None:
    client = world.client(auto_connect=when == "waiting")
    if when == "waiting":
        world.open()
        world.drop()
    else:
        client.add_as_task_to_loop()
    waiting = outcome(ensureDeferred(client.__anext__()))
    client.stopTrying()
    world.advance(60)
    assert client.line.state is State.IDLE
    assert len(world.reactor.dials) == (when == "waiting")
    assert len(waiting) == 1  # whoever waits is told
    assert world.reactor.getDelayedCalls() == []


def test_retry_does_nothing_once_stopped(world: World) -> None:
    class Insisting(Recorder):
        def on_close(self, was_clean: bool, code: int, reason: str) -> None:
            super().on_close(was_clean, code, reason)
            self.retry()

    client = world.client(kind=Insisting)
    world.open()
    client.stopTrying()
    world.drop()
    world.advance(60)
    assert len(world.reactor.dials) == 1
    assert client.line.state is State.IDLE


def test_the_first_wait_is_the_initial_one(world: World) -> None:
    """Twisted's reads ``delay``, a class attribute, whatever ``initialDelay`` is; it differs between its releases."""
    assert ReconnectingClientFactory.delay != 7
    client = world.client(initial_delay=7, max_delay=8)
    client.jitter = 0
    world.open()
    world.drop()
    world.advance(6.9)
    assert world.reactor.pending_dials() == []
    world.advance(0.2)
    assert len(world.reactor.pending_dials()) == 1


def test_the_cap_is_30_s_and_holds_after_jitter(world: World) -> None:
    """Twisted's is an hour, and jitter is added to it."""
    client = world.client()
    assert (client.initialDelay, client.maxDelay) == (1.0, 30.0)
    assert max(jittered(30, client.jitter, 30, draw / 100) for draw in range(101)) == 30
    assert min(jittered(30, client.jitter, 30, draw / 100) for draw in range(101)) == 15


def test_max_retries_is_twisteds(world: World) -> None:
    class Modest(Recorder):
        maxRetries = 2

    client = world.client(kind=Modest, max_delay=1)
    world.refuse_upgrades(503)
    for _ in range(5):
        if world.reactor.pending_dials():
            world.open()
        world.advance(1.1)
    assert len(client.closes) == 3
    assert client.line.state is State.IDLE
    assert world.reactor.getDelayedCalls() == []


# -- a transport that is paused


class Slow(Watched):
    """Its ``on_message`` takes until the test lets it go."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.gates: list[Deferred[None]] = []
        super().__init__(*args, **kwargs)

    def on_message(self, message: Any) -> Any:
        super().on_message(message)
        self.gates.append(Deferred())
        return self.gates[-1]


def test_a_paused_line_is_pinged_and_not_dropped(world: World) -> None:
    client = world.client(kind=Slow, max_buffered=1, ping_interval=5, pong_timeout=2)
    server = world.open()
    server.say(*[TICK] * 5)
    settle(world)
    assert client.line.flow.paused
    for _ in range(60):
        world.advance(1)
    assert client.connected.is_set()
    assert client.closes == []
    outcome(client.close())
    for _ in range(4):
        world.advance(1)


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
async def test_a_paused_line_whose_peer_aborts_is_noticed(tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from a paused socket, so nothing tells of its end: it is looked at now and then."""
    monkeypatch.setattr(flow, "PEEK_INTERVAL", 0.2)  # instead of 5 s
    async with SimulatedExchange(tls=tls, speed=1000) as exchange:
        trust = {"ca_file": exchange.ca_file} if tls else {}
        with logged() as log:
            client = watched(exchange.url, kind=Slow, max_buffered=2, **trust)
            await log.when("The line is paused")
        exchange.drop()
        await within(client.disconnected.when_set())
        await deferLater(the_reactor(), 0)  # the event comes first
        assert client.closes == []  # behind the callback that still runs
        closed = client.close()
        client.gates[-1].callback(None)
        await within(closed)
        assert len(client.closes) == 1


# -- whose reactor it is


def test_nobody_elses_reactor_is_stopped(world: World) -> None:
    clients = [world.client() for _ in range(2)]
    for client in clients:
        outcome(client.close())
    world.advance(10)
    assert world.reactor.running
    assert not world.reactor.hasStopped


def test_a_client_alone_makes_the_reactor_neither_run_nor_stop() -> None:
    program = """
        from twisted.internet import reactor
        from copra_tx.websocket import Channel, Client

        class Once(Client):
            def on_close(self, was_clean, code, reason):
                closed = self.close()
                reactor.callLater(0.2, print, "still running", reactor.running)
                reactor.callLater(0.4, reactor.stop)

        Once(None, Channel("ticker", "BTC-USD"), "ws://127.0.0.1:1")
        assert not reactor.running
        reactor.run()
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("still running True\n", 0)


def test_waits_of_two_clients_differ(world: World) -> None:
    """Jitter: a venue that drops all at once is not dialled by all at once."""
    pacer = Pacer(world.reactor, 1000, 1000)
    clients = [Client(None, BTC, URL, reactor=world.reactor, pacer=pacer) for _ in range(8)]
    world.advance(0)
    assert len(world.reactor.pending_dials()) == 8
    for _ in range(len(world.reactor.pending_dials())):
        world.reactor.fail(ConnectionError())
    world.advance(0.4)
    waits = [call.getTime() for call in world.reactor.getDelayedCalls()]
    assert len(waits) == len(clients) == 8
    assert all(later != earlier for earlier, later in itertools.pairwise(sorted(waits)))
    assert all(0.4 <= wait <= 1.4 for wait in waits)
