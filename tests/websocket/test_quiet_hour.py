"""A market in which nothing happens is no feed that has stopped; and a feed that has stopped is found out in time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from copra_tx.integrity.gaps import Gap
from copra_tx.websocket import Channel
from support.keepers import BTC, BookRecorder, Venue
from support.reactors import FakeReactor

HOUR = 3600.0
QUIET = {"seed": 1, "order_rate": 0.002, "market_minutes": 180, "book_depth": 10}
"""One trade in the first hour, after 1151 s."""

ADVANCED: dict[str, Any] = {"feed": "advanced", "auth": False}
TRADES, LEVELS = Channel("matches", BTC), Channel("level2", BTC)


class Told(BookRecorder):
    """Keeps gaps and stalls, and the types of its messages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.kinds: Counter[str] = Counter()
        super().__init__(*args, **kwargs)

    def on_message(self, message: Any) -> None:
        super().on_message(message)
        self.kinds[message.get("type") or message["channel"]] += 1

    def on_gap(self, gap: Gap) -> None:
        self.told.append(("gap", gap))

    def on_stall(self, what: str, seconds: float) -> None:
        self.told.append(("stall", what, seconds))


def _disturbances(client: Any) -> list[tuple[Any, ...]]:
    return [told for told in client.told if told[0] in ("gap", "stall", "error", "close")]


@pytest.mark.parametrize("heartbeats", [True, False])
@pytest.mark.parametrize(
    ("channels", "kinds"),
    [
        pytest.param(["user"], {"subscriptions"}, id="user"),
        pytest.param(["user", "heartbeat"], {"subscriptions", "heartbeat"}, id="user with heartbeats"),
        pytest.param(["matches"], {"subscriptions", "last_match", "match"}, id="one trade"),
        pytest.param(["status"], {"subscriptions", "status"}, id="status"),
    ],
)
def test_a_quiet_hour_is_no_stall(
    fake_reactor: FakeReactor, channels: list[str], kinds: set[str], heartbeats: bool
) -> None:
    venue = Venue(fake_reactor, **QUIET)
    wanted = [Channel(name) if name == "status" else Channel(name, BTC) for name in channels]
    client = venue.client(wanted, kind=Told, heartbeats=heartbeats)
    venue.pass_time(HOUR, step=0.5)
    assert _disturbances(client) == []
    orders = {"received", "open", "done", "match"}  # the account's own are told to ``user``
    assert client.kinds.keys() - orders == kinds - orders
    assert client.kinds["match"] == 1 or "matches" not in channels
    assert client.status.is_ready
    assert client.counters.connections == 1
    assert len(venue.exchange.connections) == 1
    venue.end()


@pytest.mark.parametrize(("channels", "options"), [(TRADES, {}), ([TRADES, LEVELS], {}), (LEVELS, ADVANCED)])
def test_a_stall_with_pongs_answered_is_told_after_five_seconds(
    fake_reactor: FakeReactor, channels: Any, options: dict[str, Any]
) -> None:
    venue = Venue(fake_reactor, seed=1, feed=options.get("feed", "exchange"))
    client = venue.client(channels, kind=Told, ping_interval=2.0, **options)
    venue.pass_time(10.0)
    line = venue.lines[0]
    venue.exchange.stall(pongs=True)
    written = len(line.value())
    venue.pass_time(3.75)
    assert _disturbances(client) == []
    assert b"\x8a" in line.value()[written:]  # a pong
    venue.pass_time(2.5)
    assert client.heard("stall") == [("heartbeat", 5.0)]
    assert len(client.heard("close")) == 1
    venue.pass_time(10.0)
    assert client.status.is_ready
    venue.end()


@pytest.mark.parametrize("options", [{}, ADVANCED])
def test_a_connection_that_never_sends_a_message_is_left_after_ten_seconds(
    fake_reactor: FakeReactor, options: dict[str, Any]
) -> None:
    venue = Venue(fake_reactor, seed=1, feed=options.get("feed", "exchange"))
    venue.exchange.stall_on_open()
    client = venue.client(LEVELS, kind=Told, ping_interval=2.0, **options)
    venue.pass_time(9.5)
    assert client.heard("stall") == client.heard("close") == []
    venue.pass_time(1.5)
    assert client.heard("stall") == [("first answer", 10.0)]
    assert len(client.heard("close")) == 1
    venue.pass_time(10.0)
    assert client.status.is_ready
    venue.end()
