"""``close()`` and callbacks that are coroutines of asyncio's: in tasks of the loop, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from copra_tx.simulator import SimulatedExchange
from copra_tx.websocket import State
from support.peers import the_reactor, within
from support.watched import Watched, watched

pytestmark = pytest.mark.asyncio_only


class Callbacks(Watched):
    """Its first ``on_message`` is a coroutine of a subclass'."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.begun: Deferred[None] = Deferred()
        super().__init__(*args, **kwargs)

    async def on_message(self, message: Any) -> None:
        self.events.append(("message", message))
        if not self.begun.called:
            self.begun.callback(None)
            await self.work()

    async def work(self) -> None:
        raise NotImplementedError


class ClosesItself(Callbacks):
    async def work(self) -> None:
        await asyncio.sleep(0)
        await self.close()
        self.happened("closed")


class ClosesInATask(Callbacks):
    """As users of CoPrA did, whose ``close`` was a coroutine."""

    async def work(self) -> None:
        self.task = asyncio.create_task(self.close())
        await self.task
        self.happened("closed")


class TakesForEver(Callbacks):
    async def work(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.events.append(("cancelled",))
            raise


class DoesNotWantToEnd(Callbacks):
    """It takes each cancellation for a reason to go on."""

    async def work(self) -> None:
        self.gate = asyncio.Event()
        while not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.events.append(("cancelled",))
        self.happened("ended")


async def closed(exchange: SimulatedExchange, kind: type[Callbacks]) -> tuple[Any, float]:
    """Return a client that was closed while its callback ran, and how long that took."""
    client = watched(exchange.url, kind=kind)
    await within(client.begun)
    begin = the_reactor().seconds()
    await within(client.close())
    return client, the_reactor().seconds() - begin


@pytest.mark.parametrize("kind", [ClosesItself, ClosesInATask])
async def test_a_callback_may_await_close(kind: type[Callbacks]) -> None:
    async with SimulatedExchange(speed=100) as exchange:
        client = watched(exchange.url, kind=kind)
        await client.when(lambda client: ("closed",) in client.events and client.closes)
        assert client.closes == [(True, 1000, "")]
        assert len(client.messages) == 1
        assert client.counters.callback_failures == 0


async def test_a_callback_that_takes_for_ever_is_cancelled() -> None:
    async with SimulatedExchange(speed=100) as exchange:
        client, seconds = await closed(exchange, TakesForEver)
        assert 1.9 < seconds < 3
        assert [event[0] for event in client.events] == ["open", "message", "cancelled", "close"]
        assert client.line.state is State.CLOSED


async def test_a_callback_that_does_not_want_to_end_is_left_to_itself() -> None:
    async with SimulatedExchange(speed=100) as exchange:
        client, seconds = await closed(exchange, DoesNotWantToEnd)
        assert seconds < 3
        assert client.closes == [(True, 1000, "")]
        assert client.line.state is State.CLOSED
        client.gate.set()
        await client.when(lambda client: ("ended",) in client.events)
