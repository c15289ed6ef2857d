"""Producers, on every transport."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

from support.peers import the_reactor
from support.transports import LOOPS, TLS, Connect, Way, each, freeze, still, turns

CHUNK = bytes(64 * 1024)


@implementer(IPushProducer)
class Pushing:
    """Writes chunk after chunk, one in each turn, until it is paused; of ``total`` chunks at most."""

    def __init__(self, transport: Any, total: int = 200) -> None:
        self.told: list[str] = []
        self.written = 0
        self._transport, self._total, self._paused = transport, total, False

    def begin(self) -> None:
        self._transport.registerProducer(self, True)
        self._go_on()

    def _go_on(self) -> None:
        while not self._paused and self.written < self._total:
            self.written += 1
            self._transport.write(CHUNK)
        if self.written == self._total and "all" not in self.told:
            self.told.append("all")
            self._transport.unregisterProducer()

    def pauseProducing(self) -> None:
        self.told.append("pause")
        self._paused = True

    def resumeProducing(self) -> None:
        self.told.append("resume")
        self._paused = False
        # Not within the call: Twisted's TLS would lose count.
        the_reactor().callLater(0, self._go_on)

    def stopProducing(self) -> None:
        self.told.append("stop")
        self._paused = True


async def test_a_producer_is_paused_until_the_other_side_takes_what_it_wrote(connect: Connect) -> None:
    async with connect() as (near, far):
        freeze(far)
        producer = Pushing(near.transport)
        producer.begin()
        assert await still(lambda: producer.written) < 200
        assert producer.told[-1] == "pause"
        far.transport.resumeProducing()
        await far.when(lambda: far.octets == 200 * len(CHUNK))
        assert producer.told[-1] == "all"
        assert "resume" in producer.told


# Twisted's own pauses it at its first write.
@each(LOOPS)
async def test_a_producer_waits_that_comes_while_much_is_unwritten(connect: Connect) -> None:
    async with connect() as (near, far):
        freeze(far)
        near.transport.write(CHUNK * 100)
        await turns()
        producer = Pushing(near.transport)
        near.transport.registerProducer(producer, True)
        assert producer.told == ["pause"]
        far.transport.resumeProducing()
        await far.when(lambda: far.octets == 300 * len(CHUNK))
        assert producer.told[-1] == "all"


# As ITransport.loseConnection says. Twisted's own ends at once; its TLS, on whatever, loses what is written meanwhile.
@each(LOOPS)
async def test_the_end_waits_for_the_producer(connect: Connect) -> None:
    async with connect() as (near, far):
        producer = Pushing(near.transport)
        near.transport.registerProducer(producer, True)
        near.transport.loseConnection()
        await turns()
        assert "lost" not in near.told
        near.transport.write(b"still ")
        near.transport.write(b"written")
        near.transport.unregisterProducer()
        assert await near.end() is ConnectionDone
        await far.when_told("lost")
    assert far.heard == b"still written"
    assert producer.told == []


async def test_an_abort_does_not_wait_for_the_producer(connect: Connect, way: Way) -> None:
    async with connect() as (near, _):
        producer = Pushing(near.transport)
        near.transport.registerProducer(producer, True)
        near.transport.abortConnection()
        assert await near.end() is way.aborted
    assert producer.told == ["stop"]


async def test_the_end_by_the_other_side_stops_the_producer(connect: Connect) -> None:
    async with connect() as (near, far):
        producer = Pushing(near.transport)
        near.transport.registerProducer(producer, True)
        far.transport.abortConnection()
        await near.end()
    assert producer.told == ["stop"]


@each(TLS)
async def test_the_end_by_notice_does_not_wait_for_the_producer(connect: Connect) -> None:
    """Though the other side leaves TCP as it is."""
    async with connect() as (near, far):
        producer = Pushing(near.transport)
        near.transport.registerProducer(producer, True)
        far.transport.transport.pauseProducing()
        far.transport._shutdownTLS()
        assert await near.end() is ConnectionDone
    assert producer.told == ["stop"]


async def test_there_is_one_producer_at_a_time(connect: Connect) -> None:
    async with connect() as (near, far):
        near.transport.registerProducer(Pushing(near.transport), True)
        with pytest.raises(RuntimeError):
            near.transport.registerProducer(Pushing(near.transport), True)
        near.transport.unregisterProducer()
        near.transport.registerProducer(Pushing(near.transport), True)
        near.transport.unregisterProducer()
        near.transport.unregisterProducer()
        near.transport.write(b"connected")
        await far.when_heard(b"connected")


async def test_a_producer_that_comes_too_late_is_stopped(connect: Connect) -> None:
    async with connect() as (near, _):
        near.transport.abortConnection()
        await near.end()
        producer = Pushing(near.transport)
        near.transport.registerProducer(producer, True)
    assert producer.told == ["stop"]


@implementer(IPullProducer)
class Pulled:
    """Writes a chunk when it is asked to, ``total`` times."""

    def __init__(self, transport: Any, total: int = 100) -> None:
        self.left, self.stopped = total, False
        self._transport = transport

    def resumeProducing(self) -> None:
        self.left -= 1
        self._transport.write(CHUNK)
        if not self.left:
            self._transport.unregisterProducer()

    def stopProducing(self) -> None:
        self.stopped = True


async def test_a_pull_producer_is_asked_until_it_unregisters(connect: Connect) -> None:
    async with connect() as (near, far):
        producer = Pulled(near.transport)
        near.transport.registerProducer(producer, False)
        await far.when(lambda: far.octets == 100 * len(CHUNK))
        await turns(5)
        assert producer.left == 0
        assert far.octets == 100 * len(CHUNK)
    assert not producer.stopped


async def test_a_pull_producer_is_not_asked_while_the_other_side_is_frozen(connect: Connect) -> None:
    async with connect() as (near, far):
        freeze(far)
        producer = Pulled(near.transport, 1000)
        near.transport.registerProducer(producer, False)
        asked = await still(lambda: 1000 - producer.left)
        assert 0 < asked < 1000
        near.transport.abortConnection()
        await near.end()
        await turns(5)
        assert producer.left == 1000 - asked
    assert producer.stopped
