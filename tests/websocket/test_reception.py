"""Many messages in one read: order, turns of the loop, and what callbacks may do meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from copra_tx.websocket import Channel
from copra_tx.websocket.delivery import SLICE
from copra_tx.websocket.reception import CHUNK
from support.world import BTC, Recorder, World, outcome


@pytest.fixture
def world() -> World:
    return World()


def ticks(count: int, begin: int = 0) -> bytes:
    """Return as many frames, one after the other."""
    texts = [b'{"type":"ticker","product_id":"BTC-USD","n":%d}' % n for n in range(begin, begin + count)]
    return b"".join(bytes((0x81, len(text))) + text for text in texts)


def numbers(client: Recorder) -> list[int]:
    return [message["n"] for message in client.messages]


class Working(Recorder):
    """Each message takes it a millisecond."""

    stopwatch: Any = None

    def on_message(self, message: Any) -> None:
        super().on_message(message)
        if self.stopwatch is not None:
            self.stopwatch.rightNow += 0.001


def test_callbacks_leave_the_loop_its_turns(world: World) -> None:
    client = world.client(kind=Working)
    world.open()
    client.stopwatch = world.reactor
    late: list[float] = []
    for turn in range(20):
        due = world.reactor.seconds()
        world.reactor.callLater(0, lambda due=due: late.append(world.reactor.seconds() - due))
        world.line.receive(ticks(100, turn * 100))
        world.advance(0)
    most = SLICE + (CHUNK + 1) * 0.001
    assert max(late) <= 2 * most <= 0.1
    while world.reactor.getDelayedCalls() and len(client.messages) < 2000:
        world.advance(0)
    assert numbers(client) == list(range(2000))
    assert client.counters.messages == 2000


def test_the_read_in_hand_is_bounded_by_time_not_by_number(world: World) -> None:
    client = world.client(kind=Working)
    world.open()
    world.line.receive(ticks(1000))
    assert len(client.messages) == 1000  # quick callbacks: all at once
    client.stopwatch = world.reactor
    begin = world.reactor.seconds()
    world.line.receive(ticks(1000, 1000))
    assert world.reactor.seconds() - begin < 0.05
    outcome(client.close())
    world.advance(5)


def test_after_a_turn_that_was_used_up_the_straight_way_is_found_again(world: World) -> None:
    client = world.client(kind=Working)
    world.open()
    world.line.receive(ticks(2))
    client.stopwatch = world.reactor
    world.line.receive(ticks(500, 2))  # more than one turn's work
    client.stopwatch = None
    assert world.line.paused  # the queue would never be empty again under a feed that is ahead
    world.line.receive(ticks(500, 502))
    world.advance(0)
    world.advance(0)
    assert not world.line.paused
    assert numbers(client) == list(range(1002))
    assert client.counters.pauses == 0
    assert client._Client__delivery.is_straight("on_message")


def test_closing_in_a_turn_that_was_used_up_lets_the_next_line_read(world: World) -> None:
    client = world.client(kind=Working)
    world.open()
    client.stopwatch = world.reactor
    world.line.receive(ticks(500))
    done = outcome(client.close())
    world.advance(0)
    world.advance(0)
    assert done == [None]
    client.add_as_task_to_loop()
    world.advance(0)
    world.open()
    assert not world.line.paused


def test_what_a_callback_causes_comes_before_the_next_message(world: World) -> None:
    class Asking(Recorder):
        def on_message(self, message: Any) -> None:
            super().on_message(message)
            if message["n"] == 1:
                self._Client__delivery.deliver("on_error", self.on_error, "caused by 1")

    client = world.client(kind=Asking)
    world.open()
    world.line.receive(ticks(4))
    assert [event[0] for event in client.events] == ["open", "message", "message", "error", "message", "message"]


def test_a_callback_that_becomes_slow_half_way(world: World) -> None:
    from twisted.internet.defer import Deferred

    gates: list[Deferred[None]] = []

    class Turning(Recorder):
        def on_message(self, message: Any) -> Any:
            super().on_message(message)
            if message["n"] == 5:
                gates.append(Deferred())
                return gates[-1]
            return None

    client = world.client(kind=Turning)
    world.open()
    world.line.receive(ticks(10))
    world.line.receive(ticks(10, 10))
    assert numbers(client) == list(range(6))
    gates[0].callback(None)
    world.advance(0)
    assert numbers(client) == list(range(20))
    world.line.receive(ticks(5, 20))
    assert numbers(client) == list(range(25))


def test_other_answers_among_the_data(world: World) -> None:
    client = world.client()
    server = world.open()
    world.line.receive(ticks(3))
    server.hold(ticker=["BTC-USD"])
    world.advance(0)
    world.line.receive(ticks(3, 3) + bytes((0x81, 30)) + b'{"type":"error","message":"x"}' + ticks(3, 6))
    assert [event[0] for event in client.events] == [
        *("open", "message", "message", "message", "message", "message", "message", "message", "error"),
        *("message", "message", "message"),
    ]
    assert client.counters.messages == 10


def test_unsubscribing_in_a_callback_stops_the_rest_of_the_read(world: World) -> None:
    class Leaving(Recorder):
        def on_message(self, message: Any) -> None:
            super().on_message(message)
            if message.get("n") == 2:
                self.unsubscribe(BTC)

    client = world.client([BTC, Channel("matches", "BTC-USD")], kind=Leaving)
    world.open()
    world.line.receive(ticks(10))
    assert numbers(client) == [0, 1, 2]
    assert client.counters.unwanted == 7


def test_ctrl_c_in_a_callback_passes_and_the_client_can_be_closed(world: World) -> None:
    class Interrupted(Recorder):
        def on_message(self, message: Any) -> None:
            super().on_message(message)
            if message["n"] in (0, 3):
                raise KeyboardInterrupt

    client = world.client(kind=Interrupted)
    world.open()
    for begin in (0, 1):  # the first is called the careful way, the second the fast one
        with pytest.raises(KeyboardInterrupt):
            world.line.receive(ticks(4, begin))
    done = outcome(client.close())
    world.advance(0)
    assert done == [None]
    assert client.closes == [(True, 1000, "")]


def test_iteration_gets_them_too(world: World) -> None:
    client = world.client()
    client.__aiter__()
    world.open()
    world.line.receive(ticks(50))
    assert len(client._Client__buffer) == 50
    assert numbers(client) == list(range(50))


def test_iteration_that_begins_in_a_callback_gets_the_rest_of_the_read(world: World) -> None:
    class Beginning(Recorder):
        def on_message(self, message: Any) -> None:
            super().on_message(message)
            if message["n"] == 2:
                self.__aiter__()

    client = world.client(kind=Beginning)
    world.open()
    world.line.receive(ticks(2))
    world.line.receive(ticks(50, 2))
    assert [message["n"] for message in client._Client__buffer._messages] == list(range(3, 52))
    assert numbers(client) == list(range(52))
