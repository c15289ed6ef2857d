"""Connecting, losing, waiting; dials of a caller's own."""

from __future__ import annotations

import itertools

import pytest
from twisted.internet.error import ConnectionLost, ConnectionRefusedError, DNSLookupError

from copra_tx.websocket import Channel, State
from support.world import Recorder, World, outcome

TICK = {"type": "ticker", "product_id": "BTC-USD"}


@pytest.fixture
def world() -> World:
    return World()


def idle(world: World) -> None:
    assert world.reactor.getDelayedCalls() == []


def next_dial(world: World, most: float = 40.0) -> float:
    """Let time pass until there is another dial; return how long that took."""
    dials, begin = len(world.reactor.dials), world.reactor.seconds()
    while len(world.reactor.dials) == dials:
        assert world.reactor.seconds() - begin < most, "no dial"
        world.advance(0.05)
    return world.reactor.seconds() - begin


def test_a_lost_line_is_made_again_with_what_is_wanted_now(world: World) -> None:
    client = world.client(Channel("ticker", ["BTC-USD", "ETH-USD"]))
    first = world.open()
    first.confirm()
    world.advance(0)
    client.subscribe(Channel("matches", "BTC-USD"))
    client.unsubscribe(Channel("ticker", "ETH-USD"))
    world.reactor.dials[-1].drop(ConnectionLost())
    [(was_clean, code, reason)] = client.closes
    assert (was_clean, code) == (False, 1006)
    assert reason
    assert client.disconnected.is_set()
    assert 0.4 < next_dial(world) < 1.2
    second = world.open()
    assert second.requests == [
        {
            "type": "subscribe",
            "channels": [
                {"name": "matches", "product_ids": ["BTC-USD"]},
                {"name": "ticker", "product_ids": ["BTC-USD"]},
            ],
        }
    ]


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000])
def test_every_close_of_the_server_is_retried(world: World, code: int) -> None:
    client = world.client()
    server = world.open()
    server.sendCloseFrame(code, b"deprecated hostname")
    world.advance(0)
    assert client.closes == [(True, code, "deprecated hostname")]
    next_dial(world)


def test_a_close_frame_without_code(world: World) -> None:
    client = world.client()
    world.open().sendClose()
    world.advance(0)
    assert client.closes == [(True, 1005, "")]


def test_a_server_that_closes_and_stays_is_left(world: World) -> None:
    client = world.client()
    server = world.open()
    server.dropConnection = lambda abort=False: None
    server.sendClose(1000, "bye")
    world.advance(0)
    assert client.closes == []
    world.advance(2.1)
    assert client.closes == [(False, 1000, "bye")]


def test_without_auto_reconnect_it_stays_away(world: World) -> None:
    client = world.client(auto_reconnect=False)
    world.open()
    world.drop()
    assert len(client.closes) == 1
    idle(world)
    assert client.line.state is State.IDLE
    client.add_as_task_to_loop()
    world.advance(0)
    world.open()
    assert client.connected.is_set()


def test_an_on_close_without_super_gives_the_reconnection_up(world: World) -> None:
    class Once(Recorder):
        def on_close(self, was_clean: bool, code: int, reason: str) -> None:
            self.events.append(("close", was_clean, code, reason))

    client = world.client(kind=Once)
    world.open()
    world.drop()
    assert len(client.closes) == 1
    idle(world)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (ConnectionRefusedError(), "no connection to 127.0.0.1:8080"),
        (DNSLookupError("x"), "not found"),
    ],
)
def test_a_dial_that_fails_is_told_once_and_retried(world: World, failure: Exception, words: str) -> None:
    client = world.client()
    world.reactor.fail(failure)
    world.advance(0.4)
    [(was_clean, code, reason)] = client.closes
    assert (was_clean, code) == (False, 1006)
    assert words in reason
    next_dial(world)


def test_a_refused_upgrade_is_told_with_its_status(world: World) -> None:
    client = world.client()
    world.refuse_upgrades(503)
    world.open()
    [(was_clean, code, reason)] = client.closes
    assert (was_clean, code) == (False, 1006)
    assert "503" in reason


def storm(world: World, seconds: float, each: object) -> list[float]:
    """Give every dial of the next seconds the same fate; return when they came."""
    times: list[float] = []
    end = world.reactor.seconds() + seconds
    while world.reactor.seconds() < end:
        if world.reactor.pending_dials():
            times.append(world.reactor.seconds())
            each()
        world.advance(0.05)
    return times


def growing(times: list[float]) -> bool:
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    return all(later >= earlier - 0.2 for earlier, later in itertools.pairwise(waits))


def test_refused_upgrades_are_no_storm(world: World) -> None:
    world.client()
    world.refuse_upgrades(503)
    times = storm(world, 30, world.open)
    assert 4 <= len(times) <= 10
    assert growing(times)


def test_accept_and_drop_is_no_storm(world: World) -> None:
    world.client()

    def drop_at_once() -> None:
        world.open()
        world.drop()

    times = storm(world, 30, drop_at_once)
    assert 4 <= len(times) <= 10
    assert growing(times)


def test_answer_and_drop_is_no_storm(world: World) -> None:
    world.client()

    def answer_and_drop() -> None:
        world.open().confirm()
        world.advance(0)
        world.drop()

    times = storm(world, 30, answer_and_drop)
    assert 4 <= len(times) <= 10
    assert growing(times)


def test_too_large_a_message_is_no_storm_and_names_the_setting(world: World) -> None:
    client = world.client(max_message_bytes=1000)

    def too_much() -> None:
        world.open().sendMessage(b"x" * 1001)
        world.advance(0)

    times = storm(world, 30, too_much)
    assert 4 <= len(times) <= 10
    assert growing(times)
    was_clean, code, reason = client.closes[0]
    assert (was_clean, code) == (False, 1006)
    assert "1001 bytes" in reason
    assert "max_message_bytes=1000" in reason


def test_a_healthy_line_resets_the_backoff(world: World) -> None:
    client = world.client()
    world.refuse_upgrades(503)
    storm(world, 20, world.open)
    world._factory.refuse_with = None
    assert client.delay > 8
    next_dial(world)
    world.open().confirm()
    world.advance(0)
    world.advance(9.9)
    assert client.delay > 8
    world.advance(0.2)
    assert client.delay == 1
    world.drop()
    assert next_dial(world) < 1.2


def test_no_wait_exceeds_the_cap(world: World) -> None:
    world.client(max_delay=3)
    world.refuse_upgrades(503)
    times = storm(world, 120, world.open)
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(waits) <= 3.1


def test_a_subclass_may_set_the_waits_as_in_twisted(world: World) -> None:
    class Patient(Recorder):
        initialDelay = 8.0
        maxDelay = 20
        jitter = 0

    world.client(kind=Patient)
    world.refuse_upgrades(503)
    times = storm(world, 70, world.open)
    waits = [round(later - earlier, 1) for earlier, later in itertools.pairwise(times)]
    assert waits[:3] == pytest.approx([8, 16, 20], abs=0.15)
    client = world.client(kind=Patient, initial_delay=2)
    assert (client.delay, client.maxDelay) == (2, 20)


@pytest.mark.parametrize(
    "headers",
    [b"Retry-After: 25", b"Date: Tue, 24 Nov 2026 10:00:00 GMT\r\nRetry-After: Tue, 24 Nov 2026 10:00:25 GMT"],
)
def test_retry_after_is_honoured(world: World, headers: bytes) -> None:
    client = world.client()
    dial = world.reactor.accept()
    world.advance(0)
    dial.receive(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n" + headers + b"\r\n\r\n")
    world.advance(0)
    assert "429" in client.closes[0][2]
    assert "25 s" in client.closes[0][2]
    assert 24.9 < next_dial(world) < 25.2


@pytest.mark.parametrize(
    "value",
    [b"", b"soon", b"-5", b"nan", b"1e9", b"Tue, 24 Nov 2026 10:00:25 GMT", b"Tue, 24 Nov 99999999999 10:00:25 GMT"],
)
def test_a_retry_after_of_no_use_leaves_the_backoff(world: World, value: bytes) -> None:
    client = world.client()
    dial = world.reactor.accept()
    world.advance(0)
    dial.receive(b"HTTP/1.1 503 Unavailable\r\nRetry-After: " + value + b"\r\n\r\n")
    world.advance(0)
    assert "503" in client.closes[0][2]
    assert next_dial(world) < 1.2


@pytest.mark.parametrize(
    "answer",
    [
        b"\xff\xfe\r\n\r\n",
        b"\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 " + b"4" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nnonsense\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"x" * 70_000,
    ],
)
def test_any_answer_to_the_upgrade_is_survived(world: World, answer: bytes) -> None:
    client = world.client()
    dial = world.reactor.accept()
    world.advance(0)
    dial.receive(answer)
    world.advance(0)
    [(was_clean, code, reason)] = client.closes
    assert (was_clean, code) == (False, 1006)
    assert "upgrade" in reason
    next_dial(world)


def test_an_attempt_that_takes_too_long_is_ended(world: World) -> None:
    client = world.client(open_timeout=4)
    world.reactor.accept()
    world.advance(3.9)
    assert client.closes == []
    world.advance(0.2)
    assert "not open after 4 s" in client.closes[0][2]


def test_a_dial_that_takes_too_long_is_ended(world: World) -> None:
    client = world.client(open_timeout=4)
    world.advance(4.5)
    assert len(client.closes) == 1
    assert world.reactor.pending_dials() == []


def test_a_silent_line_is_pinged_and_dropped(world: World) -> None:
    client = world.client(ping_interval=20, pong_timeout=10)
    server = world.open()
    server.confirm()
    world.advance(0)
    server.sendPong = lambda payload=None: None
    for _ in range(31):
        world.advance(1)
    assert "ping" in client.closes[0][2]


def test_a_line_that_answers_pings_is_kept(world: World) -> None:
    client = world.client()
    world.open().confirm()
    for _ in range(300):
        world.advance(1)
    assert client.closes == []


# -- a caller's own dial


def test_a_callers_dial_takes_the_place_of_the_pending_one() -> None:
    world = World(running=False)
    client = world.client()
    world.reactor.connectTCP(client.host, client.port, client)
    world.reactor.start()
    world.advance(0)
    assert len(world.reactor.dials) == 1
    world.open()
    assert client.connected.is_set()
    world.drop()
    next_dial(world)
    world.advance(1)
    assert len(world.reactor.dials) == 2


def test_a_callers_dial_takes_the_place_of_one_under_way(world: World) -> None:
    client = world.client()
    world.reactor.connectTCP(client.host, client.port, client)
    world.advance(0)
    assert len(world.reactor.pending_dials()) == 1
    world.open().confirm()
    assert client.events == [("open",)]
    world.advance(30)
    assert client.closes == []


def test_a_second_dial_is_stopped(world: World) -> None:
    client = world.client()
    world.open()
    world.reactor.connectTCP(client.host, client.port, client)
    world.advance(0)
    assert world.reactor.pending_dials() == []
    assert client.connected.is_set()
    assert client.closes == []


def test_stop_trying_is_twisteds(world: World) -> None:
    client = world.client()
    world.open()
    client.stopTrying()
    assert client.connected.is_set()
    client.resetDelay()
    world.drop()
    idle(world)


def drops(world: World, client: Recorder, times: int) -> None:
    for _ in range(times):
        world.open().confirm()
        world.advance(11)
        world.drop()
        next_dial(world)
        client.events.clear()
        world.reactor.dials[:-1] = []
        world.servers.clear()


def test_many_drops_leave_nothing(world: World) -> None:
    client = world.client()
    drops(world, client, 500)
    assert client.counters.connections == 500
    outcome(client.close())
    world.advance(1)
    idle(world)
