"""
Lose a line over and over in a reactor in memory, and tell what that leaves.

``soak.py SCENARIO FIRST LAST``, with ``tests`` on the path, prints one line of JSON: how many blocks of memory
Python's allocator has, and how many bytes the process has, after FIRST and after LAST rounds. It is a program of its
own because a test runner keeps what a test leaves: pytest-twisted has every failure hold the frames it came through.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.logger import globalLogBeginner

from copra_tx.websocket import Channel, Client
from support.world import World, outcome

ETH = Channel("ticker", "ETH-USD")
TICK = {"type": "ticker", "product_id": "BTC-USD"}


class Quiet(Client):
    """Its ``on_message`` does nothing; the others do what is documented."""

    def on_message(self, message: Any) -> Any:
        """Do nothing."""


class Failing(Client):
    """Every callback fails; the documented part of it was done before."""

    def on_open(self) -> None:
        super().on_open()
        raise RuntimeError("on_open")

    def on_message(self, message: Any) -> None:
        raise RuntimeError("on_message")

    def on_error(self, message: str, reason: str = "") -> None:
        raise RuntimeError("on_error")

    def on_close(self, was_clean: bool, code: int, reason: str) -> None:
        super().on_close(was_clean, code, reason)
        raise RuntimeError("on_close")


class Asynchronous(Client):
    """Every callback is a coroutine that waits for the reactor's next turn."""

    async def on_open(self) -> None:
        super().on_open()
        await self._turn()

    async def on_message(self, message: Any) -> None:
        await self._turn()

    async def on_error(self, message: str, reason: str = "") -> None:
        await self._turn()

    async def on_close(self, was_clean: bool, code: int, reason: str) -> None:
        await self._turn()
        super().on_close(was_clean, code, reason)

    def _turn(self) -> Deferred[None]:
        turn: Deferred[None] = Deferred()
        self.reactor.callLater(0, turn.callback, None)
        return turn


class Leaking(Quiet):
    """It keeps something of every connection, so that a measurement can be measured."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.kept: list[object] = []
        super().__init__(*args, **kwargs)

    def on_close(self, was_clean: bool, code: int, reason: str) -> None:
        super().on_close(was_clean, code, reason)
        self.kept.append([code])


def drop(world: World, client: Client, number: int) -> None:
    """A line that lives for a while, with messages, an error and requests of all kinds, and then is dropped."""
    server = world.open()
    server.confirm()
    done = outcome(client.subscribe(ETH))
    outcome(client.renew(client.channels["ticker"]))
    server.say(TICK, {"type": "error", "message": "no"}, TICK)
    server.sendMessage(b"not JSON")
    world.advance(0)
    for _ in range(3):
        server.confirm()
        world.advance(0)
    assert done == [None], done
    outcome(client.unsubscribe(ETH))
    world.advance(11)
    (world.drop if number % 2 else server.sendClose)()
    world.advance(0)


def refuse(world: World, client: Client, number: int) -> None:
    """An upgrade that is refused."""
    world.refuse_upgrades(503)
    world.open()


def fail(world: World, client: Client, number: int) -> None:
    """A dial that fails."""
    world.reactor.fail(ConnectionRefusedError())
    world.advance(0.4)


def close_and_join(world: World, client: Client, number: int) -> None:
    """A line that we close, and open again."""
    server = world.open()
    server.confirm()
    world.advance(0)
    closed = outcome(client.close())
    world.advance(0)
    world.advance(0)
    assert closed == [None], closed
    client.add_as_task_to_loop()


def too_late(world: World, client: Client, number: int) -> None:
    """An upgrade that is never answered."""
    world.reactor.accept()
    world.advance(10.1)


SCENARIOS: dict[str, tuple[type[Client], Callable[[World, Client, int], None]]] = {
    "drops": (Quiet, drop),
    "drops, failing callbacks": (Failing, drop),
    "drops, asynchronous callbacks": (Asynchronous, drop),
    "refused upgrades": (Quiet, refuse),
    "refused upgrades, failing callbacks": (Failing, refuse),
    "refused upgrades, asynchronous callbacks": (Asynchronous, refuse),
    "failed dials": (Quiet, fail),
    "silent servers": (Quiet, too_late),
    "closes": (Quiet, close_and_join),
    "a leak": (Leaking, refuse),
}


def main(scenario: str, first: int, last: int) -> dict[str, Any]:
    """Run a scenario; see the module."""
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    kind, play = SCENARIOS[scenario]
    world = World()
    client = world.client(kind=kind)
    measured: list[tuple[int, int]] = []
    for number in range(1, last + 1):
        play(world, client, number)
        while not world.reactor.pending_dials():
            world.advance(0.5)
        forget(world)
        if number in (first, last):
            gc.collect()
            measured.append((sys.getallocatedblocks(), resident_bytes()))
    attempts = client.counters.attempts
    closed = outcome(client.close())
    world.advance(0)
    return {
        "attempts": attempts,
        "blocks": [blocks for blocks, _ in measured],
        "bytes": [size for _, size in measured],
        "closed": closed,
        "delayed calls": len(world.reactor.getDelayedCalls()),
        "connected": sum(dial.connected for dial in world.reactor.dials),
    }


def forget(world: World) -> None:
    """Forget what the world keeps of rounds that are over."""
    pending = world.reactor.pending_dials()
    assert not [dial for dial in world.reactor.dials if dial.connected]
    world.reactor.forget()
    world.reactor.dials += pending
    world.servers.clear()


def resident_bytes() -> int:
    """Return how much memory the process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
