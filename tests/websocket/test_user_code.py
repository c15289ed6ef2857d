"""Rule 2, user code cannot hurt the line: every callback and every hook, whatever it raises, and when."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from copra_tx.websocket import Channel, Client, ClientProtocol, State
from support.logs import logged
from support.world import Recorder, World, asked, outcome, settle

TICK = {"type": "ticker", "product_id": "BTC-USD"}
SUBSCRIBED = [("subscribe", {"ticker": ["BTC-USD"]})]


class MineError(Exception):
    """What user code raises here."""


@pytest.fixture
def world() -> World:
    return World()


def raising(name: str, when: str, base: type = Recorder, *, slow: bool = False) -> Any:
    """Return a subclass whose ``name`` raises before or after it calls ``super()``."""

    def hook(self: Any, *args: Any) -> None:
        if when == "after":
            getattr(super(subclass, self), name)(*args)
        raise MineError(name)

    async def slow_hook(self: Any, *args: Any) -> None:
        gate: Deferred[None] = Deferred()
        clock = self.reactor
        clock.callLater(0, gate.callback, None)
        await gate
        hook(self, *args)

    subclass = type("Raising", (base,), {name: slow_hook if slow else hook})
    return subclass


def wire(protocol: type[ClientProtocol]) -> type[Recorder]:
    return type("Wired", (Recorder,), {"protocol": protocol})


def lose_and_reopen(world: World) -> Any:
    """Drop the line and accept the next dial, which must come within a second."""
    world.drop()
    settle(world)
    world.advance(1.1)
    settle(world)
    server = world.open()
    settle(world)
    return server


whens = pytest.mark.parametrize("when", ["before", "after"])
speeds = pytest.mark.parametrize("slow", [False, True], ids=["plain", "async"])


# -- callbacks of the client


@whens
@speeds
def test_an_on_open_that_raises_is_subscribed_all_the_same(
    world: World, logged_errors: Any, when: str, slow: bool
) -> None:
    """The venue drops a mute line after 5 s: a mistake of the user's is no decision against the subscription."""
    client = world.client(kind=raising("on_open", when, slow=slow))
    server = world.open()
    settle(world)
    assert asked(server) == SUBSCRIBED
    assert client.connected.is_set()
    assert [failure.type for failure in logged_errors.flush()] == [MineError]
    again = lose_and_reopen(world)
    assert asked(again) == SUBSCRIBED
    logged_errors.flush(MineError)


@whens
@speeds
def test_an_on_close_that_raises_is_reconnected_all_the_same(
    world: World, logged_errors: Any, when: str, slow: bool
) -> None:
    client = world.client(kind=raising("on_close", when, slow=slow), max_delay=1)
    world.open()
    for number in range(1, 4):
        assert asked(lose_and_reopen(world)) == SUBSCRIBED
        assert client.counters.callback_failures == number
        assert client.counters.connections == number + 1
    assert len(logged_errors.flush(MineError)) == 3


@whens
def test_an_on_close_that_raises_does_not_bring_what_was_not_wanted(
    world: World, logged_errors: Any, when: str
) -> None:
    client = world.client(kind=raising("on_close", when), auto_reconnect=False)
    world.open()
    world.drop()
    world.advance(60)
    assert client.line.state is State.IDLE
    client.add_as_task_to_loop()
    world.advance(0)
    world.open()
    closed = outcome(client.close())
    world.advance(0)
    world.advance(60)
    assert closed == [None]
    assert (client.line.state, len(world.reactor.dials)) == (State.CLOSED, 2)
    assert len(logged_errors.flush(MineError)) == 2


@speeds
def test_an_on_message_that_raises_gets_the_next(world: World, logged_errors: Any, slow: bool) -> None:
    client = world.client(kind=raising("on_message", "after", slow=slow))
    world.open().say(TICK, TICK, TICK)
    for _ in range(4):
        world.advance(0)
    assert client.messages == [TICK] * 3
    assert len(logged_errors.flush(MineError)) == 3
    assert client.connected.is_set()


@speeds
def test_an_on_error_that_raises_gets_the_next(world: World, logged_errors: Any, slow: bool) -> None:
    client = world.client(kind=raising("on_error", "after", slow=slow))
    world.open().say({"type": "error", "message": "a"}, {"type": "error", "message": "b", "reason": "c"}, TICK)
    for _ in range(4):
        world.advance(0)
    assert client.errors == [("a", ""), ("b", "c")]
    assert client.messages == [TICK]
    assert len(logged_errors.flush(MineError)) == 2


# -- hooks of the protocol


@whens
def test_an_onopen_that_raises_is_subscribed_all_the_same(world: World, logged_errors: Any, when: str) -> None:
    client = world.client(kind=wire(raising("onOpen", when, ClientProtocol)))
    server = world.open()
    settle(world)
    assert client.events == [("open",)]
    assert asked(server) == SUBSCRIBED
    server.say(TICK)
    world.advance(0)
    assert client.messages == [TICK]
    assert len(logged_errors.flush(MineError)) == 1


@whens
def test_an_onclose_that_raises_is_told_and_reconnected_all_the_same(
    world: World, logged_errors: Any, when: str
) -> None:
    client = world.client(kind=wire(raising("onClose", when, ClientProtocol)))
    server = world.open()
    server.sendCloseFrame(1001, b"going away")
    settle(world)
    assert client.closes == [(True, 1001, "going away")]
    world.advance(1.1)
    assert asked(world.open()) == SUBSCRIBED
    assert len(logged_errors.flush(MineError)) == 1


def test_an_onmessage_that_raises_gets_the_next(world: World, logged_errors: Any) -> None:
    client = world.client(kind=wire(raising("onMessage", "after", ClientProtocol)))
    world.open().say(TICK, TICK)
    world.advance(0)
    assert client.messages == [TICK] * 2
    assert len(logged_errors.flush(MineError)) == 2


@pytest.mark.parametrize("hook", ["onConnect", "onConnecting"])
def test_a_hook_of_autobahns_that_raises_costs_this_attempt_only(world: World, logged_errors: Any, hook: str) -> None:
    """These two may refuse a connection by raising, says Autobahn; it is told, and tried again."""
    client = world.client(kind=wire(raising(hook, "before", ClientProtocol)))
    world.open()
    settle(world)
    assert len(client.closes) == 1
    assert client.closes[0][:2] == (False, 1006)
    logged_errors.flush(MineError)
    world.advance(1.1)
    assert len(world.reactor.pending_dials()) == 1


@pytest.mark.parametrize("hook", ["onOpen", "onClose"])
def test_a_hook_without_super_keeps_its_callback_away(world: World, hook: str) -> None:
    """As documented; when that leaves a line without a subscription, the log says so."""
    silent = type("Silent", (ClientProtocol,), {hook: lambda self, *args: None})
    with logged() as log:
        client = world.client(kind=wire(silent))
        server = world.open()
        settle(world)
    world.drop()
    expected = {"onOpen": ["close"], "onClose": ["open"]}
    assert [event[0] for event in client.events] == expected[hook]
    warnings = [line for line in log.lines("copra_tx") if "nothing is subscribed" in line]
    if hook == "onOpen":
        assert server.requests == []
        assert len(warnings) == 1
        assert warnings[0].endswith("Silent.onOpen must call super().onOpen()")
    else:
        assert warnings == []
        world.advance(60)
        assert world.reactor.pending_dials() == []


def test_a_hook_without_super_may_speak_for_itself(world: World) -> None:
    class OwnWay(ClientProtocol):
        def onOpen(self) -> None:
            self.sendMessage(b'{"type": "subscribe", "channels": []}')

    with logged() as log:
        world.client(kind=wire(OwnWay))
        world.open()
        settle(world)
    assert "nothing is subscribed" not in "\n".join(log.lines())


# -- what is no error passes


def interrupted_in(name: str, kind: type[BaseException]) -> Any:
    def hook(self: Any, *args: Any) -> None:
        if not self.interrupted:
            self.interrupted = True
            raise kind
        getattr(super(subclass, self), name)(*args)

    subclass = type("Interrupted", (Recorder,), {name: hook, "interrupted": False})
    return subclass


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("name", ["on_open", "on_message", "on_error", "on_close"])
def test_ctrl_c_passes_and_the_client_can_be_closed(
    world: World, logged_errors: Any, kind: type[BaseException], name: str
) -> None:
    """But for ``on_open``, which Autobahn calls within a Deferred: Twisted tells that one."""
    client = world.client(kind=interrupted_in(name, kind))

    def live() -> None:
        server = world.open()
        settle(world)
        server.say(TICK, {"type": "error", "message": "a"})
        settle(world)
        world.drop()

    if name == "on_open":
        live()
        assert len(logged_errors.flush(kind)) == 1
    else:
        with pytest.raises(kind):
            live()
    assert client.interrupted
    assert client.counters.callback_failures == 0
    closed = outcome(client.close())
    for _ in range(4):
        world.advance(1)
    assert closed == [None]
    assert client.line.state is State.CLOSED
    assert world.reactor.getDelayedCalls() == []


def test_a_cancelled_callback_of_the_users_own_doing_is_a_failure(world: World, logged_errors: Any) -> None:
    class Cancelled(Recorder):
        async def on_message(self, message: Any) -> None:
            self.events.append(("message", message))
            waiting: Deferred[None] = Deferred()
            self.reactor.callLater(0, waiting.cancel)
            await waiting

    client = world.client(kind=Cancelled)
    world.open().say(TICK, TICK)
    for _ in range(4):
        world.advance(0)
    assert client.messages == [TICK] * 2
    assert len(logged_errors.flush(CancelledError)) == 2


# -- close() within user code


def closing_in(name: str) -> type[Client]:
    def hook(self: Any, *args: Any) -> None:
        self.closed = outcome(self.close())
        getattr(super(subclass, self), name)(*args)

    subclass = type("Closing", (Recorder,), {name: hook})
    return subclass


@pytest.mark.parametrize("name", ["on_open", "on_message", "on_error", "on_close"])
def test_close_in_any_callback_is_the_end(world: World, name: str) -> None:
    client = world.client(kind=closing_in(name))
    server = world.open()
    settle(world)
    if name != "on_open":
        server.say(*[{"type": "error", "message": "a"} if name == "on_error" else TICK] * 3)
        settle(world)
    if name == "on_close":
        world.drop()
    kinds = [event[0] for event in client.events]
    assert client.closed == [None]
    assert kinds.count(name.removeprefix("on_")) == 1
    assert kinds[-1] == "close"
    world.advance(60)
    assert len(world.reactor.dials) == 1
    assert world.reactor.getDelayedCalls() == []


@pytest.mark.parametrize("whom", ["connected", "disconnected"])
def test_close_by_who_waits_for_an_event(world: World, whom: str) -> None:
    """Events fire before the callbacks: no ``on_open`` comes when one that waited has closed the client."""
    client = world.client()
    if whom == "connected":
        client.connected.when_set().addCallback(lambda _: client.close())
        server = world.open()
        settle(world)
        assert client.events == [("close", True, 1000, "")]
        assert server.requests == []
    else:
        world.open()
        client.disconnected.when_set().addCallback(lambda _: client.close())
        world.drop()
        assert [event[0] for event in client.events] == ["open", "close"]
    world.advance(60)
    assert len(world.reactor.dials) == 1
    assert world.reactor.getDelayedCalls() == []


def test_what_waits_at_close_is_not_delivered_but_on_close(world: World) -> None:
    gate: Deferred[None] = Deferred()

    class Slow(Recorder):
        def on_message(self, message: Any) -> Any:
            super().on_message(message)
            return gate

    client = world.client(kind=Slow)
    server = world.open()
    server.say(TICK, TICK, {"type": "error", "message": "a"})
    settle(world)
    closed = outcome(client.close())
    settle(world)
    assert closed == []
    gate.callback(None)
    settle(world)
    assert closed == [None]
    assert client.events == [("open",), ("message", TICK), ("close", True, 1000, "")]


@pytest.mark.parametrize("name", ["on_open", "on_error", "on_close"])
def test_callbacks_that_never_end_hold_nothing_up(world: World, name: str) -> None:
    """Each of them: ``close()`` cancels it after 2 s, and what is behind it soon after."""
    endless = type("Endless", (Recorder,), {name: lambda self, *args: Deferred()})
    client = world.client(Channel("ticker", "BTC-USD"), kind=endless)
    server = world.open()
    server.say({"type": "error", "message": "a"}, TICK)
    settle(world)
    closed = outcome(client.close())
    world.advance(0)
    for _ in range(30):
        world.advance(0.1)
    assert closed == [None]
    assert world.reactor.getDelayedCalls() == []


@pytest.mark.parametrize("after", [0, 2], ids=["at first", "after plain ones"])
def test_awaiting_close_in_what_a_plain_callback_starts_never_deadlocks(world: World, after: int) -> None:
    """``return ensureDeferred(...)`` in an ``on_message`` that mostly returns nothing."""

    class Sometimes(Recorder):
        def on_message(self, message: Any) -> Any:
            super().on_message(message)
            return ensureDeferred(self.ends()) if len(self.messages) > after else None

        async def ends(self) -> None:
            turn: Deferred[None] = Deferred()
            self.reactor.callLater(0, turn.callback, None)
            await turn
            await self.close()
            self.events.append(("closed",))

    client = world.client(kind=Sometimes)
    world.open().say(*[TICK] * (after + 3))
    settle(world)
    assert len(client.messages) == after + 1
    assert ("closed",) in client.events
    assert client.events[-1][0] == "close"
    assert world.reactor.getDelayedCalls() == []
