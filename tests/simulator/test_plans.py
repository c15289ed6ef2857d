"""What is planned for lines still to come happens to them: each fault as often as it says, then no more."""

from __future__ import annotations

import math
from typing import Any

import pytest

from copra_tx.simulator import Connection
from support.exchange import Hall, PlainClient
from support.lines import MemoryTransport
from support.reactors import FakeReactor
from support.strictness import LoggedErrors

BTC = "BTC-USD"
NO_CLOSE_FRAME = (False, 1006)


def _dials(hall: Hall, reactor: FakeReactor, count: int) -> list[PlainClient]:
    clients = []
    for _ in range(count):
        client = hall.connect()
        client.opened.addErrback(lambda _: None)
        if client.end is None:
            client.ask("subscribe", "heartbeat", BTC)
            reactor.advance(0)
        clients.append(client)
    return clients


@pytest.mark.parametrize(
    ("retry_after", "header"), [(None, None), (7, "7"), (1.5, "1.5"), ("Wed, 21 Oct 2026 07:28:00 GMT",) * 2]
)
def test_refuse_upgrades(fake_reactor: FakeReactor, retry_after: Any, header: str | None) -> None:
    hall = Hall(fake_reactor)
    hall.exchange.refuse_upgrades(2, status=429, reason="Too Many Requests", retry_after=retry_after)
    first, second, third = _dials(hall, fake_reactor, 3)
    for refused in (first, second):
        assert refused.end is not None
        assert refused.http_status_line == "HTTP/1.1 429 Too Many Requests"
        assert refused.http_headers.get("retry-after") == header
        assert refused.http_headers["content-length"] == "0"
    assert third.end is None
    assert (hall.exchange.accepted_count, hall.exchange.opened_count) == (3, 1)


def test_ignore_upgrades(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor, silence_limit=30.0)
    hall.exchange.ignore_upgrades()
    ignored, taken = hall.connect(), hall.connect()
    ignored.transport.write(b"hello?")
    fake_reactor.advance(29.0)
    assert (ignored.opened.called, taken.opened.called) == (False, True)
    assert (hall.exchange.accepted_count, hall.exchange.opened_count) == (2, 1)
    assert hall.exchange.stopService().called is False
    fake_reactor.advance(0)
    assert ignored.end is not None
    ignored.opened.addErrback(lambda _: None)


def test_an_upgrade_may_come_in_pieces(fake_reactor: FakeReactor) -> None:
    """A plan for the next upgrade is for all of it."""
    hall = Hall(fake_reactor)
    hall.exchange.refuse_upgrades(1)
    line = MemoryTransport(fake_reactor)
    line.connect(hall.server())
    line.receive(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    line.receive(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    assert line.value().startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    fake_reactor.advance(0)
    assert hall.exchange.opened_count == 0


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"\xff\r\n\r\n"])
def test_what_is_no_upgrade_is_refused(fake_reactor: FakeReactor, request_: bytes) -> None:
    hall = Hall(fake_reactor)
    line = MemoryTransport(fake_reactor)
    line.connect(hall.server())
    line.receive(request_)
    assert line.value().startswith(b"HTTP/1.1 4")
    fake_reactor.advance(0)
    assert not line.connected
    assert fake_reactor.getDelayedCalls() == []


def test_drop_on_accept(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    hall.exchange.drop_on_accept(2)
    clients = _dials(hall, fake_reactor, 3)
    assert [client.end is None for client in clients] == [False, False, True]
    assert [client.opened.called for client in clients] == [True, True, True]
    assert hall.lines[0].value() == b""
    assert hall.exchange.opened_count == 1


@pytest.mark.parametrize(
    ("plan", "types"), [("stall_on_open", []), ("stall_on_subscribe", ["subscriptions", "snapshot"])]
)
def test_lines_that_live_and_say_nothing(fake_reactor: FakeReactor, plan: str, types: list[str]) -> None:
    hall = Hall(fake_reactor)
    getattr(hall.exchange, plan)()
    clients = [hall.connect(), hall.connect()]
    for client in clients:
        client.ask("subscribe", "level2_batch", BTC)
    clients[0].sendPing(b"there?")
    hall.pass_time(20.0)
    assert clients[0].types() == types
    assert clients[0].pongs == [b"there?"]
    assert len(clients[1].frames) > 100
    hall.exchange.resume()
    hall.pass_time(1.0)
    assert clients[0].types()[:3] == ["subscriptions", "snapshot", "l2update"]


def test_drop_on_open(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    hall.exchange.drop_on_open()
    dropped, kept = _dials(hall, fake_reactor, 2)
    assert (dropped.state, dropped.frames) == (dropped.STATE_CLOSED, [])
    assert dropped.end is not None
    assert dropped.end[:2] == NO_CLOSE_FRAME
    assert kept.end is None
    assert (hall.exchange.accepted_count, hall.exchange.opened_count) == (2, 2)


@pytest.mark.parametrize("speed", [1.0, math.inf])
def test_drop_on_subscribe(fake_reactor: FakeReactor, speed: float) -> None:
    hall = Hall(fake_reactor, speed=speed)
    hall.exchange.drop_on_subscribe()
    [dropped] = _dials(hall, fake_reactor, 1)
    assert dropped.types() == ["subscriptions"]
    assert dropped.end is not None
    assert dropped.end[:2] == NO_CLOSE_FRAME


def test_plans_queue_up_and_are_forgotten(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    hall.exchange.refuse_upgrades(1, status=500)
    hall.exchange.refuse_upgrades(0, status=501)
    hall.exchange.refuse_upgrades(math.inf, status=503)
    lines = [client.http_status_line.split()[1] for client in _dials(hall, fake_reactor, 4)]
    assert lines == ["500", "503", "503", "503"]
    hall.exchange.drop_on_accept(math.inf)
    hall.exchange.behave()
    assert _dials(hall, fake_reactor, 1)[0].end is None


def test_anything_can_be_done_at_a_moment(fake_reactor: FakeReactor) -> None:
    hall = Hall(fake_reactor)
    hall.exchange.at("opened", Connection.ignore_close, count=2)
    hall.exchange.at("subscribed", lambda connection: connection.skip("heartbeat"))
    first, second, third = _dials(hall, fake_reactor, 3)
    for client in (first, second, third):
        client.sendClose(1000)
    hall.pass_time(1.5)
    assert [client.end is None for client in (first, second, third)] == [True, True, False]
    assert [client.types().count("heartbeat") for client in (first, second)] == [0, 1]


def test_a_plan_that_fails_is_logged_and_harms_nobody(fake_reactor: FakeReactor, logged_errors: LoggedErrors) -> None:
    hall = Hall(fake_reactor)
    hall.exchange.at("opened", lambda connection: 1 / 0)
    [client] = _dials(hall, fake_reactor, 1)
    assert client.types() == ["subscriptions"]
    [failure] = logged_errors.flush(ZeroDivisionError)
    assert failure.type is ZeroDivisionError
