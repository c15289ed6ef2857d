"""Callbacks that take their time, iteration, and the buffers behind both."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from copra_tx.errors import ConnectionLostError, DialError
from copra_tx.websocket import Client, State
from support.world import Recorder, World, outcome


@pytest.fixture
def world() -> World:
    return World()


def ticks(*numbers: int) -> list[dict[str, Any]]:
    return [{"type": "ticker", "product_id": "BTC-USD", "n": n} for n in numbers]


class Slow(Recorder):
    """Its ``on_message`` takes until the test lets it go."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.gates: list[Deferred[None]] = []
        self.finished: list[int] = []
        super().__init__(*args, **kwargs)

    async def on_message(self, message: Any) -> None:
        self.events.append(("message", message))
        gate: Deferred[None] = Deferred()
        self.gates.append(gate)
        await gate
        self.finished.append(message["n"])


def test_coroutines_run_one_at_a_time_in_order(world: World) -> None:
    client = world.client(kind=Slow)
    server = world.open()
    server.say(*ticks(1, 2, 3))
    world.advance(0)
    assert len(client.gates) == 1
    for expected in ([1], [1, 2], [1, 2, 3]):
        client.gates[-1].callback(None)
        world.advance(0)
        assert client.finished == expected


def test_bookkeeping_is_done_at_receipt(world: World) -> None:
    client = world.client(kind=Slow)
    server = world.open()
    server.say(*ticks(1))
    world.advance(0)
    done = outcome(client.subscribe(client.channels["ticker"]))
    server.confirm()
    world.advance(0)
    assert done == [None]  # though on_message still runs


def test_a_coroutine_that_fails_is_told_and_the_next_runs(world: World, logged_errors: Any) -> None:
    class Failing(Recorder):
        async def on_message(self, message: Any) -> None:
            self.events.append(("message", message))
            raise RuntimeError("mine")

    client = world.client(kind=Failing)
    world.open().say(*ticks(1, 2))
    world.advance(0)
    assert len(client.messages) == 2
    assert client.counters.callback_failures == 2
    assert len(logged_errors.flush(RuntimeError)) == 2


def test_a_callback_may_return_a_deferred(world: World) -> None:
    waiting: list[Deferred[None]] = []

    class Deferring(Recorder):
        def on_message(self, message: Any) -> Any:
            super().on_message(message)
            waiting.append(Deferred())
            return waiting[-1]

    client = world.client(kind=Deferring)
    world.open().say(*ticks(1, 2))
    world.advance(0)
    assert len(client.messages) == 1
    waiting[0].callback(None)
    world.advance(0)
    assert len(client.messages) == 2
    waiting[1].callback(None)


def test_awaiting_close_inside_a_callback(world: World) -> None:
    class Closing(Recorder):
        async def on_message(self, message: Any) -> None:
            self.events.append(("message", message))
            await self.close()
            self.events.append(("closed",))

    client = world.client(kind=Closing)
    world.open().say(*ticks(1, 2))
    begin = world.reactor.seconds()
    world.advance(0)
    world.advance(0)
    assert client.events == [("open",), ("message", ticks(1)[0]), ("closed",), ("close", True, 1000, "")]
    assert world.reactor.seconds() == begin
    assert world.reactor.getDelayedCalls() == []


def test_awaiting_subscribe_inside_a_callback(world: World) -> None:
    from copra_tx.websocket import Channel

    class Subscribing(Recorder):
        async def on_message(self, message: Any) -> None:
            self.events.append(("message", message))
            if message["type"] == "ticker":
                await self.subscribe(Channel("matches", "BTC-USD"))
                self.events.append(("subscribed",))

    client = world.client(kind=Subscribing)
    server = world.open()
    server.confirm()
    server.say(*ticks(1))
    world.advance(0)
    server.confirm()
    world.advance(0)
    assert ("subscribed",) in client.events


def test_close_waits_for_a_callback_and_cancels_it_after_two_seconds(world: World) -> None:
    cancelled: list[bool] = []

    class Endless(Recorder):
        async def on_message(self, message: Any) -> None:
            self.events.append(("message", message))
            try:
                await Deferred()
            except CancelledError:
                cancelled.append(True)
                raise

    client = world.client(kind=Endless)
    world.open().say(*ticks(1, 2))
    world.advance(0)
    done = outcome(client.close())
    world.advance(0)
    assert done == []
    world.advance(1.9)
    assert done == []
    world.advance(0.2)
    assert done == [None]
    assert cancelled == [True]
    assert client.events[-1][0] == "close"
    assert len(client.messages) == 1
    assert world.reactor.getDelayedCalls() == []


def test_a_full_backlog_pauses_the_line_and_loses_nothing(world: World) -> None:
    client = world.client(kind=Slow, max_buffered=4)
    server = world.open()
    server.say(*ticks(*range(10)))
    world.advance(0)
    assert world.line.paused
    server.say(*ticks(*range(10, 14)))
    world.advance(0)
    for n in range(14):
        assert client.messages[-1]["n"] == n
        client.gates[-1].callback(None)
        world.advance(0)
    assert client.finished == list(range(14))
    assert not world.line.paused
    assert client.counters.pauses >= 1


def test_a_paused_line_is_not_dropped_for_silence_and_is_looked_at(world: World) -> None:
    client = world.client(kind=Slow, max_buffered=2, ping_interval=20, pong_timeout=10)
    server = world.open()
    server.say(*ticks(*range(5)))
    world.advance(0)
    assert world.line.paused
    for _ in range(120):
        world.advance(1)
    assert client.closes == []
    world.line.peer.abortConnection()
    world.advance(6)
    assert not client.connected.is_set()  # the end of the line is noticed all the same
    for gate in client.gates:
        gate.callback(None)
    outcome(client.close())
    world.advance(5)


def test_close_on_a_paused_line(world: World) -> None:
    client = world.client(kind=Slow, max_buffered=2)
    server = world.open()
    server.say(*ticks(*range(50)))
    world.advance(0)
    client.gates[0].callback(None)
    done = outcome(client.close())
    world.advance(0)
    world.advance(2.1)
    assert done == [None]
    assert len(client.messages) <= 2


# -- async with, async for


def collect(client: Client, into: list[Any], most: int | None = None) -> Deferred[None]:
    async def run() -> None:
        async for message in client:
            into.append(message)
            if len(into) == most:
                break

    return ensureDeferred(run())


def test_iteration_over_reconnections_until_close(world: World) -> None:
    client = world.client()
    got: list[Any] = []
    done = outcome(collect(client, got))
    world.open().say(*ticks(1, 2))
    world.advance(0)
    world.drop()
    while not world.reactor.pending_dials():
        world.advance(0.1)
    world.open().say(*ticks(3))
    world.advance(0)
    assert got == ticks(1, 2, 3)
    assert client.messages == ticks(1, 2, 3)  # callbacks still fire
    outcome(client.close())
    world.advance(0)
    assert done == [None]


def test_iteration_raises_when_the_line_is_lost_for_good(world: World) -> None:
    client = world.client(auto_reconnect=False)
    got: list[Any] = []
    done = outcome(collect(client, got))
    world.open().say(*ticks(1))
    world.advance(0)
    world.servers[-1].sendCloseFrame(1001, b"going away")
    world.advance(0)
    assert got == ticks(1)
    [failure] = done
    error = failure.value
    assert isinstance(error, ConnectionLostError)
    assert (error.was_clean, error.code, error.reason) == (True, 1001, "going away")


def test_nothing_is_lost_between_two_loops(world: World) -> None:
    client = world.client()
    got: list[Any] = []
    outcome(collect(client, got, most=1))
    world.open().say(*ticks(1, 2, 3))
    world.advance(0)
    assert got == ticks(1)
    outcome(collect(client, got, most=3))
    assert got == ticks(1, 2, 3)


def test_iteration_pauses_the_line_when_nobody_takes(world: World) -> None:
    client = world.client(max_buffered=4)
    got: list[Any] = []
    outcome(collect(client, got, most=1))
    server = world.open()
    server.say(*ticks(*range(20)))
    world.advance(0)
    assert world.line.paused
    server.say(*ticks(*range(20, 30)))
    world.advance(0)
    outcome(collect(client, got, most=30))
    world.advance(0)
    world.advance(0)
    assert got == ticks(*range(30))
    assert not world.line.paused


def test_the_default_on_message_does_not_print_while_iterated(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    client = world.client(kind=Client)
    got: list[Any] = []
    outcome(collect(client, got))
    world.open().say(*ticks(1))
    world.advance(0)
    assert got == ticks(1)
    assert capsys.readouterr().out == ""


def test_async_with_waits_for_the_line_and_closes_it(world: World) -> None:
    client = world.client(auto_connect=False)
    steps: list[str] = []

    async def run() -> None:
        async with client as same:
            assert same is client
            steps.append("open")
            await gate
        steps.append("closed")

    gate: Deferred[None] = Deferred()
    done = outcome(ensureDeferred(run()))
    world.advance(0)
    assert steps == []
    world.open()
    assert steps == ["open"]
    gate.callback(None)
    world.advance(0)
    assert steps == ["open", "closed"]
    assert done == [None]


def test_async_with_that_is_cancelled_leaves_no_client_behind(world: World) -> None:
    client = world.client(auto_connect=False)

    async def run() -> None:
        async with client:
            raise AssertionError("not reached")

    running = ensureDeferred(run())
    done = outcome(running)
    world.advance(0)
    assert client.line.state is State.CONNECTING
    running.cancel()
    world.advance(5)
    assert done[0].check(CancelledError)
    assert client.line.state is State.CLOSED
    assert world.reactor.getDelayedCalls() == []


def test_async_with_raises_when_there_will_be_no_line(world: World) -> None:
    from twisted.internet.error import ConnectionRefusedError

    client = world.client(auto_connect=False, auto_reconnect=False)

    async def run() -> None:
        async with client:
            raise AssertionError("not reached")

    done = outcome(ensureDeferred(run()))
    world.advance(0)
    world.reactor.fail(ConnectionRefusedError())
    world.advance(0.4)
    [failure] = done
    assert isinstance(failure.value, DialError)
