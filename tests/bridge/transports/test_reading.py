"""What every transport delivers, when it is paused, and how it tells of an end that comes from the other side."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.protocols.tls import BufferingTLSTransport

from support.transports import PLAIN, TLS, Connect, HalfLine, Line, Way, each, freeze, turns

MUCH = bytes(range(256)) * 4 * 1024
"""1 MiB."""


# The end that comes from the other side.


async def test_the_other_side_ends(connect: Connect) -> None:
    async with connect() as (near, far):
        far.transport.write(MUCH)
        far.transport.loseConnection()
        assert await near.end() is ConnectionDone
        assert near.heard == MUCH
        assert await far.end() is ConnectionDone


async def test_the_other_side_aborts(connect: Connect) -> None:
    async with connect() as (near, far):
        far.transport.abortConnection()
        assert await near.end() is ConnectionLost


async def test_the_other_side_ends_though_it_does_not_take_what_we_write(connect: Connect) -> None:
    async with connect() as (near, far):
        freeze(far)
        near.transport.write(MUCH * 4)
        far.transport.abortConnection()
        await near.end()
        assert near.told.count("lost") == 1


async def test_an_answer_in_connection_lost_is_dropped(connect: Connect) -> None:
    near = Line(lost=lambda line: (line.transport.write(b"?"), line.transport.loseConnection()))
    async with connect(near) as (_, far):
        far.transport.loseConnection()
        assert await near.end() is ConnectionDone
    assert far.heard == b""


# Nothing is delivered that nobody wants.


async def test_nothing_is_delivered_after_an_abort(connect: Connect, way: Way) -> None:
    near = Line(data=lambda line: line.transport.abortConnection())
    async with connect(near) as (_, far):
        far.transport.write(MUCH)
        assert await near.end() is way.aborted
        await turns()
    assert len(near.reads) == 1


async def test_an_end_asked_for_within_a_read(connect: Connect) -> None:
    near = Line(data=lambda line: (line.transport.write(b"bye"), line.transport.loseConnection()))
    async with connect(near) as (_, far):
        far.transport.write(b"go")
        assert await near.end() is ConnectionDone
        await far.end()
    assert far.heard == b"bye"


async def test_an_end_asked_for_while_much_arrives(connect: Connect) -> None:
    """What still comes may be delivered or not; it does not make the end an unclean one."""
    near = Line(data=lambda line: line.transport.loseConnection())
    async with connect(near) as (_, far):
        for _ in range(64):
            far.transport.write(MUCH[: 16 * 1024])
        far.transport.loseConnection()
        assert await near.end() is ConnectionDone


# Pausing.


async def test_a_pause(connect: Connect) -> None:
    async with connect() as (near, far):
        near.transport.pauseProducing()
        near.transport.pauseProducing()
        far.transport.write(b"one,")
        await turns()
        assert near.heard == b""
        near.transport.write(b"writing goes on")
        await far.when_heard(b"writing goes on")
        far.transport.write(b"two,")
        near.transport.resumeProducing()
        near.transport.resumeProducing()
        assert near.heard == b""
        far.transport.write(b"three")
        await near.when_heard(b"three")
    assert near.heard == b"one,two,three"


# Twisted's own TLS delivers what a read has brought, record by record, whatever was asked meanwhile.
@each([way for way in [*PLAIN, *TLS] if way.reading is not BufferingTLSTransport])
async def test_a_pause_within_a_read(connect: Connect) -> None:
    near = Line(data=lambda line: line.transport.pauseProducing())
    async with connect(near) as (_, far):
        far.transport.write(MUCH)
        await near.when(lambda: bool(near.reads))
        await turns()
        assert len(near.reads) == 1
        while near.octets < len(MUCH):
            reads = len(near.reads)
            near.transport.resumeProducing()
            await near.when(lambda reads=reads: len(near.reads) > reads)  # type: ignore[misc]
            await turns(5)
            assert len(near.reads) == reads + 1
    assert near.heard == MUCH


async def test_a_pause_from_the_beginning(connect: Connect) -> None:
    near = Line(made=lambda line: line.transport.pauseProducing())
    far_end = Line(made=lambda line: line.transport.write(b"one,"))
    async with connect(near, lambda: far_end, ready=False) as (_, far):
        await turns()
        assert near.heard == b""
        far.transport.write(b"two,")
        await turns()
        near.transport.resumeProducing()
        far.transport.write(b"three")
        await near.when_heard(b"three")
    assert near.heard == b"one,two,three"


async def test_a_pause_from_the_beginning_that_ends_at_once(connect: Connect) -> None:
    def pause_and_resume(line: Line) -> None:
        line.transport.pauseProducing()
        line.transport.resumeProducing()

    near = Line(made=pause_and_resume)
    async with connect(near) as (_, far):
        far.transport.write(b"heard")
        await near.when_heard(b"heard")


async def test_a_pause_again_before_anything_was_delivered(connect: Connect) -> None:
    async with connect() as (near, far):
        near.transport.pauseProducing()
        far.transport.write(b"later")
        await turns()
        near.transport.resumeProducing()
        near.transport.pauseProducing()
        await turns()
        assert near.heard == b""
        near.transport.resumeProducing()
        await near.when_heard(b"later")


async def test_an_end_while_paused(connect: Connect) -> None:
    """All that was sent is delivered before the end, once it is wanted."""
    async with connect() as (near, far):
        near.transport.pauseProducing()
        far.transport.write(b"the last words")
        far.transport.loseConnection()
        await turns()
        assert "lost" not in near.told
        near.transport.resumeProducing()
        assert await near.end() is ConnectionDone
        assert near.heard == b"the last words"


async def test_an_abort_while_paused(connect: Connect, way: Way) -> None:
    async with connect() as (near, far):
        near.transport.pauseProducing()
        far.transport.write(b"nobody hears")
        await turns(5)
        near.transport.abortConnection()
        assert await near.end() is way.aborted
        near.transport.resumeProducing()
        await turns(5)
    assert near.heard == b""


async def test_an_end_while_paused_and_asked_for_by_us(connect: Connect, way: Way) -> None:
    async with connect() as (near, far):
        near.transport.pauseProducing()
        near.transport.write(b"bye")
        near.transport.loseConnection()
        await far.when_heard(b"bye")
        near.transport.resumeProducing()
        assert await near.end() is ConnectionDone


# Half a connection, which TLS does not know.


@each(PLAIN)
async def test_the_other_side_ends_its_half(connect: Connect) -> None:
    near = HalfLine()
    async with connect(near, HalfLine) as (_, far):
        far.transport.loseWriteConnection()
        await near.when_told("read lost")
        assert "lost" not in near.told
        near.transport.write(b"I can still write")
        await far.when_heard(b"I can still write")
        near.transport.loseConnection()
        assert await near.end() is ConnectionDone


@each(PLAIN)
async def test_we_end_our_half(connect: Connect) -> None:
    near = HalfLine()
    async with connect(near, HalfLine) as (_, far):
        near.transport.write(b"my last words")
        near.transport.loseWriteConnection()
        near.transport.loseWriteConnection()
        await far.when_told("read lost")
        await near.when_told("write lost")
        near.transport.write(b"nobody hears")
        assert far.heard == b"my last words"
        far.transport.write(b"I can still hear")
        await near.when_heard(b"I can still hear")
        near.transport.loseConnection()
        assert await near.end() is ConnectionDone
    assert near.told.count("write lost") == 1


@each(PLAIN)
async def test_our_half_ends_when_all_is_written(connect: Connect) -> None:
    near = HalfLine()
    async with connect(near, HalfLine) as (_, far):
        freeze(far)
        near.transport.write(MUCH * 4)
        near.transport.loseWriteConnection()
        await turns()
        assert "write lost" not in near.told
        far.transport.resumeProducing()
        await far.when_told("read lost")
        await near.when_told("write lost")
        assert far.heard == MUCH * 4


@each(PLAIN)
async def test_our_half_ends_for_a_protocol_that_is_not_told(connect: Connect) -> None:
    async with connect(None, HalfLine) as (near, far):
        near.transport.write(b"all")
        await far.when_heard(b"all")
        near.transport.loseWriteConnection()
        await far.when_told("read lost")
        far.transport.write(b"I can still hear")
        await near.when_heard(b"I can still hear")


@each(PLAIN)
async def test_our_half_ends_as_soon_as_there_is_a_connection(connect: Connect) -> None:
    near = HalfLine(made=lambda line: (line.transport.write(b"all"), line.transport.loseWriteConnection()))
    async with connect(near, HalfLine) as (_, far):
        await far.when_told("read lost")
        assert far.heard == b"all"
        await near.when_told("write lost")
