"""Pausing a line while somebody's buffer is full, and looking at it now and then."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from copra_tx.websocket.counters import Counters
from copra_tx.websocket.flow import PEEK_INTERVAL, FlowControl
from support.lines import MemoryTransport
from support.logs import logged


class Line:
    """A flow control and a transport, connected unless told otherwise."""

    def __init__(self, *, connected: bool = True) -> None:
        self.clock, self.counters = Clock(), Counters()
        self.transport = MemoryTransport(self.clock)
        self.flow = FlowControl(self.clock, self.counters)
        if connected:
            self.flow.connected(self.transport)

    def is_quiet(self) -> bool:
        self.clock.advance(0)
        return self.clock.getDelayedCalls() == []


def test_a_full_buffer_pauses_and_a_drained_one_resumes() -> None:
    line = Line()
    assert not line.flow.paused
    line.flow.full("callbacks", 10)
    assert line.flow.paused
    assert line.transport.paused
    line.flow.drained("callbacks")
    assert not line.flow.paused
    assert not line.transport.paused
    assert line.is_quiet()


def test_one_full_buffer_of_two_is_enough() -> None:
    line = Line()
    line.flow.full("callbacks", 10)
    line.flow.full("iteration", 10)
    line.flow.drained("callbacks")
    assert line.flow.paused
    assert line.transport.paused
    line.flow.drained("iteration")
    assert not line.transport.paused
    assert line.counters.pauses == 2


def test_a_buffer_is_full_once_however_often_it_says_so() -> None:
    line = Line()
    with logged() as log:
        for _ in range(3):
            line.flow.full("callbacks", 10)
    assert line.counters.pauses == 1
    assert log.lines("copra_tx") == ["The line is paused: 10 messages wait for callbacks"]
    assert len(line.clock.getDelayedCalls()) == 1
    line.flow.disconnected()


def test_what_was_not_full_cannot_be_drained() -> None:
    line = Line()
    line.transport.pauseProducing()  # by somebody else
    line.flow.drained("callbacks")
    assert line.transport.paused


def test_a_paused_line_is_read_once_in_a_while() -> None:
    """The end of the line, pings and close frames would go unnoticed otherwise."""
    line = Line()
    line.flow.full("callbacks", 10)
    for _ in range(3):
        line.clock.advance(PEEK_INTERVAL - 0.1)
        assert line.transport.paused
        line.clock.advance(0.2)
        assert not line.transport.paused
        assert line.flow.paused  # deadlines are still not to be trusted
        line.flow.full("callbacks", 10)  # something came in
        assert line.transport.paused
    line.flow.drained("callbacks")
    assert line.is_quiet()
    assert line.counters.pauses == 1


def test_drained_between_two_looks() -> None:
    line = Line()
    line.flow.full("callbacks", 10)
    line.clock.advance(PEEK_INTERVAL)
    line.flow.drained("callbacks")
    assert not line.transport.paused
    assert line.is_quiet()


def test_a_new_line_starts_paused_if_a_buffer_is_still_full() -> None:
    line = Line()
    line.flow.full("callbacks", 10)
    line.flow.disconnected()
    assert line.is_quiet()
    again = MemoryTransport(line.clock)
    line.flow.connected(again)
    assert again.paused
    line.flow.drained("callbacks")
    assert not again.paused
    assert line.is_quiet()


@pytest.mark.parametrize("connected_before", [True, False])
def test_without_a_line_nothing_is_paused(connected_before: bool) -> None:
    line = Line(connected=connected_before)
    line.flow.disconnected()
    line.flow.full("callbacks", 10)
    assert line.flow.paused
    assert not line.transport.paused
    line.flow.drained("callbacks")
    assert not line.flow.paused
    assert line.is_quiet()


def test_released_for_good() -> None:
    """Before a close handshake everything is read, and discarded."""
    line = Line()
    line.flow.full("callbacks", 10)
    line.flow.full("iteration", 10)
    line.flow.release()
    assert not line.flow.paused
    assert not line.transport.paused
    assert line.is_quiet()
