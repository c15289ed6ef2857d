"""Each fault on demand does what its name says, to one line or to every line."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from support.exchange import Hall, PlainClient
from support.reactors import FakeReactor

BTC, ETH = "BTC-USD", "ETH-USD"
NO_CLOSE_FRAME = (False, 1006)


class Floor(Hall):
    """A hall with one client that gets the heartbeats of one product, or what it is told."""

    def __init__(self, reactor: FakeReactor, channel: str = "heartbeat", **arguments: Any) -> None:
        super().__init__(reactor, **arguments)
        self.reactor = reactor
        self.client = self.connect()
        self.client.ask("subscribe", channel, BTC)
        self.pass_time(0.5)

    def heartbeats(self) -> list[str]:
        """Return the seconds of the heartbeats that arrived."""
        return [message["time"][17:19] for message in self.client.messages if message["type"] == "heartbeat"]

    def end(self, client: PlainClient | None = None) -> tuple[bool, int] | None:
        """Return how the line ended; ``None`` while it stands."""
        self.reactor.advance(0)
        end = (client or self.client).end
        return None if end is None else end[:2]


# -- ends


def test_drop(fake_reactor: FakeReactor) -> None:
    """Nothing that was not yet on its way arrives."""
    floor = Floor(fake_reactor)
    before = list(floor.client.frames)
    floor.connection.send({"type": "late"})
    floor.connection.drop()
    floor.connection.send({"type": "later"})
    assert floor.end() == NO_CLOSE_FRAME
    assert floor.client.frames == [*before, b'{"type":"late"}']  # the memory's wire takes what is written at once
    assert floor.lines[0].aborted
    assert floor.exchange.connections == ()


def test_hang_up(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.connection.send({"type": "last"})
    floor.connection.hang_up()
    floor.connection.send({"type": "too late"})
    assert floor.end() == NO_CLOSE_FRAME
    assert floor.client.types()[-1] == "last"
    assert not floor.lines[0].aborted


def test_hang_up_on_a_client_that_does_not_read(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor, close_timeout=3.0)
    floor.lines[0].frozen = True
    floor.connection.hang_up()
    fake_reactor.advance(2.9)
    assert floor.lines[0].connected
    fake_reactor.advance(0.1)
    assert floor.end() == NO_CLOSE_FRAME


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "going away"), (1012, ""), (4999, "é" * 61)])
def test_close(fake_reactor: FakeReactor, code: int, reason: str) -> None:
    floor = Floor(fake_reactor)
    floor.connection.close(code, reason)
    fake_reactor.advance(0)
    assert floor.client.end == (True, code, reason or None)


@pytest.mark.parametrize("code", [0, 999, 1005, 1006, 1015, 2999, 65535])
def test_close_with_a_code_that_is_reserved(fake_reactor: FakeReactor, code: int) -> None:
    """What the client makes of it is the client's; it got the number."""
    floor = Floor(fake_reactor)
    floor.lines[0].clear()
    floor.connection.close(code)
    assert floor.lines[0].value() == b"\x88\x02" + code.to_bytes(2, "big")
    fake_reactor.advance(2.0)
    assert floor.end() is not None


def test_close_without_an_answer(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor, close_timeout=3.0)
    floor.client.transport.pauseProducing()
    floor.connection.close(1001)
    floor.connection.close(1002)  # there is only one close frame
    fake_reactor.advance(2.9)
    assert floor.lines[0].connected
    fake_reactor.advance(0.1)
    assert floor.end() is not None
    assert floor.lines[0].aborted


def test_ignore_close(fake_reactor: FakeReactor) -> None:
    """The market goes on as if nothing had been said."""
    floor = Floor(fake_reactor)
    floor.connection.ignore_close()
    floor.client.sendClose(1000)
    floor.pass_time(30.0)
    assert floor.end() is None
    assert len(floor.exchange.connections) == 1
    assert len(floor.heartbeats()) == 30
    floor.exchange.stopService()
    assert floor.end() == NO_CLOSE_FRAME


def test_a_close_of_the_client_is_answered_in_bounded_time(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.lines[0].frozen = True
    floor.client.sendClose(1000)
    fake_reactor.advance(0)
    fake_reactor.advance(1.9)
    assert floor.lines[0].connected
    fake_reactor.advance(0.1)
    assert not floor.lines[0].connected


# -- silences


def test_stall_with_pongs(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.pass_time(1.0)
    floor.connection.stall()
    floor.client.sendPing(b"there?")
    floor.client.ask("subscribe", "heartbeat", ETH)
    floor.connection.send({"type": "mine"})
    floor.pass_time(20.0)
    assert (floor.heartbeats(), floor.client.pongs) == (["18"], [b"there?"])
    assert floor.client.types()[-1] == "heartbeat"
    floor.connection.resume()
    fake_reactor.advance(0)
    assert [kind for kind in floor.client.types() if kind != "heartbeat"] == ["subscriptions", "mine", "subscriptions"]
    assert sorted(set(floor.heartbeats())) == [f"{second}" for second in range(18, 39)]


def test_what_was_held_back_is_sent_once(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    for _ in range(2):
        floor.connection.stall()
        floor.connection.send({"type": "mine"})
        floor.connection.resume()
        fake_reactor.advance(0)
    assert floor.client.types() == ["subscriptions", "mine", "mine"]


def test_a_close_is_answered_during_a_stall_with_pongs(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.connection.stall()
    floor.client.sendClose(1000)
    fake_reactor.advance(0)
    assert floor.end() == (True, 1000)


def test_stall_altogether(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.connection.stall(pongs=False)
    floor.client.sendPing(b"there?")
    floor.client.sendClose(1000)
    floor.pass_time(60.0)
    assert (floor.heartbeats(), floor.client.pongs, floor.end()) == ([], [], None)
    floor.connection.resume()
    fake_reactor.advance(0)
    assert floor.client.pongs == [b"there?"]
    assert floor.end() is not None


@pytest.mark.parametrize("pongs", [True, False])
def test_nobody_is_too_slow_during_a_stall(fake_reactor: FakeReactor, pongs: bool) -> None:
    floor = Floor(fake_reactor)
    floor.lines[0].producer.pauseProducing()
    fake_reactor.advance(9.0)
    floor.connection.stall(pongs=pongs)
    fake_reactor.advance(60.0)
    floor.connection.resume()
    fake_reactor.advance(9.9)
    assert floor.end() is None
    fake_reactor.advance(0.2)
    assert floor.client.types()[-1] == "error"


# -- messages


def test_skip(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.connection.skip("heartbeat", ETH)  # none comes
    floor.connection.skip("heartbeat", count=2)
    floor.connection.skip("heartbeat", BTC)
    floor.connection.skip("ticker", BTC, count=0)
    floor.pass_time(6.0)
    assert floor.heartbeats() == ["21", "22", "23"]


def test_skip_any_and_for_ever(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.connection.skip()
    floor.client.ask("subscribe", "ticker", BTC)  # of which the answer is lost
    floor.client.ask("subscribe", "ticker", BTC)
    fake_reactor.advance(0)
    assert floor.client.types() == ["subscriptions", "subscriptions"]
    floor.connection.skip("heartbeat", count=math.inf)
    floor.pass_time(59.0)
    assert floor.heartbeats() == []
    assert floor.client.end is None


def test_repeat(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.connection.repeat("heartbeat", BTC, count=2)
    floor.pass_time(3.0)
    assert floor.heartbeats() == ["18", "18", "19", "19", "20"]


def test_snapshots_can_be_skipped_and_repeated(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.connection.repeat("snapshot")
    floor.client.ask("subscribe", "level2_batch", ETH)
    fake_reactor.advance(0)
    assert floor.client.types() == ["subscriptions", "subscriptions", "snapshot", "snapshot"]


def test_send(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.connection.skip("received", BTC)
    floor.connection.send({"type": "received", "product_id": BTC, "sequence": 5})
    floor.connection.send({"type": "received", "product_id": BTC, "sequence": 6})
    floor.connection.send(["open", BTC, "7"])
    fake_reactor.advance(0)
    assert floor.client.messages[-2:] == [{"type": "received", "product_id": BTC, "sequence": 6}, ["open", BTC, "7"]]


@pytest.mark.parametrize("payload", ["not JSON", "{}", "", b"\x00\x01"])
@pytest.mark.parametrize("binary", [False, True])
def test_send_garbage(fake_reactor: FakeReactor, payload: bytes | str, binary: bool) -> None:
    floor = Floor(fake_reactor)
    floor.connection.send_garbage(payload, binary=binary)
    fake_reactor.advance(0)
    assert floor.client.frames[-1] == (payload if isinstance(payload, bytes) else payload.encode())
    assert floor.client.binary[-1] is binary
    assert floor.end() is None


def test_send_garbage_that_is_not_even_text(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.connection.send_garbage(b"\xff\xfe")
    fake_reactor.advance(0)
    assert floor.end() is not None
    assert floor.client.wasNotCleanReason is not None


def test_send_octets(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.connection.send_octets(b"\xff\xff\xff")  # reserved bits and opcode
    fake_reactor.advance(0)
    assert floor.end() is not None


@pytest.mark.parametrize("mebibytes", [0.001, 8, 8.5])
def test_send_snapshot(fake_reactor: FakeReactor, mebibytes: float) -> None:
    floor = Floor(fake_reactor)
    floor.connection.send_snapshot(mebibytes, ETH)
    fake_reactor.advance(0)
    size = int(mebibytes * 1024 * 1024)
    assert len(floor.client.frames[-1]) == size
    message = json.loads(floor.client.frames[-1])
    assert (message["type"], message["product_id"]) == ("snapshot", ETH)


def test_a_snapshot_is_one_frame(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.lines[0].clear()
    floor.connection.send_snapshot(1)
    header = b"\x81\x7f" + (1024 * 1024).to_bytes(8, "big")  # final, text, 64 bits of length
    assert floor.lines[0].value().startswith(header)
    assert len(floor.lines[0].value()) == len(header) + 1024 * 1024


# -- every line at once


@pytest.mark.parametrize(
    ("fault", "arguments", "seen"),
    [
        ("drop", [], lambda client: client.end[1] == 1006),
        ("hang_up", [], lambda client: client.end[1] == 1006),
        ("close", [4000, "bye"], lambda client: client.end == (True, 4000, "bye")),
        ("send", [{"type": "mine"}], lambda client: client.types()[-1] == "mine"),
        ("send_garbage", ["?"], lambda client: client.frames[-1] == b"?"),
        ("send_octets", [b"\xff\xff"], lambda client: client.end is not None),
        ("send_snapshot", [0.01, ETH], lambda client: len(client.frames[-1]) == 10485),
    ],
)
def test_every_line_at_once(fake_reactor: FakeReactor, fault: str, arguments: list[Any], seen: Any) -> None:
    hall = Hall(fake_reactor)
    clients = [hall.connect(), hall.connect()]
    getattr(hall.exchange, fault)(*arguments)
    fake_reactor.advance(0)
    assert [seen(client) for client in clients] == [True, True]


def test_every_line_at_once_over_time(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.exchange.skip("heartbeat", BTC)
    floor.exchange.repeat("heartbeat", BTC)
    floor.pass_time(2.0)
    assert floor.heartbeats() == ["19", "19"]
    floor.exchange.stall(pongs=False)
    floor.client.sendPing(b"there?")
    floor.pass_time(2.0)
    assert (floor.heartbeats(), floor.client.pongs) == (["19", "19"], [])
    floor.exchange.resume()
    fake_reactor.advance(0)
    assert (floor.heartbeats(), floor.client.pongs) == (["19", "19", "20", "21"], [b"there?"])
    floor.exchange.reorder("heartbeat", BTC)
    floor.pass_time(2.0)
    assert floor.heartbeats()[-2:] == ["23", "22"]
    floor.client.ask("subscribe", "level2_batch", BTC)
    floor.exchange.drift(BTC)
    floor.pass_time(1.0)
    updates = [message for message in floor.client.messages if message["type"] == "l2update"]
    assert [update["changes"][-1][1] for update in updates].count("0.01") == 1
    floor.exchange.ignore_close()
    floor.client.sendClose(1000)
    fake_reactor.advance(10.0)
    assert floor.end() is None
