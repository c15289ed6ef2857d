"""Pings, and what counts as an answer to them."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from copra_tx.websocket.keepalive import Keepalive


class Line:
    """A line on which the test moves the bytes; ``suspended`` as when it is paused."""

    def __init__(self, interval: float = 20, timeout: float = 10) -> None:
        self.clock = Clock()
        self.pings: list[float] = []
        self.octets = 0
        self.suspended = False
        self.dead_at: list[float] = []
        self.keepalive = Keepalive(
            self.clock,
            interval,
            timeout,
            octets_received=lambda: self.octets,
            suspended=lambda: self.suspended,
            dead=lambda: self.dead_at.append(self.clock.seconds()),
        )
        self.keepalive.start(self)

    def sendPing(self, payload: bytes | None = None) -> None:
        assert payload is not None
        assert len(payload) <= 125  # RFC 6455, section 5.5
        self.pings.append(self.clock.seconds())

    def pass_time(self, seconds: int, *, octets_each_second: int = 0) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            self.octets += octets_each_second


def test_a_line_on_which_something_comes_lives() -> None:
    line = Line()
    line.pass_time(100, octets_each_second=1)
    assert line.pings == [20, 40, 60, 80, 100]
    assert line.dead_at == []


def test_any_byte_is_an_answer() -> None:
    """A pong may stand behind megabytes of data."""
    line = Line()
    line.pass_time(29)
    line.octets += 1
    line.pass_time(71)
    assert line.dead_at == [50]


def test_a_silent_line_is_dead_after_the_timeout_and_is_told_so_once() -> None:
    line = Line()
    line.octets = 1000  # all before the ping
    line.pass_time(200)
    assert line.pings == [20]
    assert line.dead_at == [30]
    line.keepalive.stop()
    assert line.clock.getDelayedCalls() == []


def test_without_an_interval_there_are_no_pings() -> None:
    line = Line(interval=0)
    assert line.clock.getDelayedCalls() == []
    line.keepalive.stop()
    assert (line.pings, line.dead_at) == ([], [])


def test_a_timeout_longer_than_the_interval() -> None:
    """The next ping waits for the outcome of the one before."""
    line = Line(interval=5, timeout=12)
    line.pass_time(50, octets_each_second=1)
    assert line.pings == [5, 17, 29, 41]
    assert line.dead_at == []


@pytest.mark.parametrize("after", [0, 10, 25])
def test_stopping_leaves_no_timer(after: int) -> None:
    line = Line()
    line.pass_time(after)
    line.keepalive.stop()
    line.keepalive.stop()
    assert line.clock.getDelayedCalls() == []


def test_it_can_be_started_again() -> None:
    line = Line()
    line.pass_time(25)
    line.keepalive.stop()
    line.keepalive.start(line)
    line.pass_time(20, octets_each_second=1)
    assert line.pings == [20, 45]


def test_a_paused_line_is_not_dead() -> None:
    line = Line()
    line.suspended = True
    line.pass_time(300)
    assert line.dead_at == []
    assert len(line.pings) == 15


def test_a_line_that_was_paused_when_the_ping_went_out_gets_another_chance() -> None:
    """What was read last may have come long before: resumed just before the answer is due, a line is not dead."""
    line = Line()
    line.suspended = True
    line.pass_time(29)
    line.suspended = False
    line.pass_time(2)
    assert line.dead_at == []
    line.pass_time(18)
    assert line.dead_at == []
    line.pass_time(2)
    assert line.dead_at == [50]


def test_a_line_paused_after_the_ping_is_not_dead() -> None:
    line = Line()
    line.pass_time(25)
    line.suspended = True
    line.pass_time(10)
    assert line.dead_at == []
    line.suspended = False
    line.pass_time(16)
    assert line.dead_at == [50]
