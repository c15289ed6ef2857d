"""What every transport does with what is written, and with the end of the connection that our side asks for."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport
from twisted.protocols.tls import BufferingTLSTransport
from zope.interface.verify import verifyObject

from support.transports import PLAIN, Connect, Line, Way, each, freeze, turns

MUCH = bytes(range(256)) * 4 * 4096
"""4 MiB: more than fits into the buffers of two sockets."""


async def test_a_connection(connect: Connect, way: Way) -> None:
    async with connect() as (near, far):
        assert near.told == ["made", "secured"] if way.tls else ["made"]
        near.transport.write(b"to the far end")
        await far.when_heard(b"to the far end")
        far.transport.write(b"and back")
        await near.when_heard(b"and back")
        near.transport.loseConnection()
        assert await near.end() is ConnectionDone
        assert await far.end() is ConnectionDone
    assert near.told[-1] == "lost"
    assert near.told.count("lost") == 1


async def test_its_interfaces_and_addresses(connect: Connect) -> None:
    async with connect() as (near, far):
        for interface in (ITCPTransport, IPushProducer, IConsumer):
            assert verifyObject(interface, near.transport)
        assert isinstance(near.transport.getHost(), IPv4Address)
        assert near.transport.getHost() == far.transport.getPeer()
        assert near.transport.getPeer() == far.transport.getHost()
        assert near.transport.connected
        assert not near.transport.disconnecting
        near.transport.abortConnection()
        await near.end()
        assert not near.transport.connected


async def test_socket_options(connect: Connect) -> None:
    async with connect() as (near, _):
        for enabled in (True, False, True):
            near.transport.setTcpNoDelay(enabled)
            assert near.transport.getTcpNoDelay() is enabled
            near.transport.setTcpKeepAlive(enabled)
            assert near.transport.getTcpKeepAlive() is enabled


async def test_pieces_and_what_is_no_bytes(connect: Connect) -> None:
    async with connect() as (near, far):
        near.transport.write(b"")
        near.transport.writeSequence([b"a", b"", b"b"])
        near.transport.writeSequence([])
        with pytest.raises(TypeError):
            near.transport.write("text")
        near.transport.write(b"c")
        await far.when_heard(b"abc")
        assert far.heard == b"abc"


async def test_much_both_ways(connect: Connect) -> None:
    async with connect() as (near, far):
        near.transport.write(MUCH)
        far.transport.write(MUCH)
        await near.when(lambda: near.octets == len(MUCH))
        await far.when(lambda: far.octets == len(MUCH))
        assert near.heard == far.heard == MUCH


# Written before the connection is ready, in connectionMade.


async def test_what_is_written_early_arrives_in_order(connect: Connect) -> None:
    def write(line: Line) -> None:
        line.transport.write(b"one,")
        line.transport.writeSequence([b"two,", b"three,"])

    near = Line(made=write, secured=lambda line: line.transport.write(b"four,"))
    async with connect(near, ready=False) as (_, far):
        near.transport.write(b"")
        await far.when_heard(b"one,two,three,")
        near.transport.write(b"five")
        await far.when_heard(b"five")
    assert far.heard.replace(b"four,", b"") == b"one,two,three,five"


async def test_the_end_right_after_an_early_write(connect: Connect) -> None:
    def write_and_end(line: Line) -> None:
        line.transport.write(b"this first")
        line.transport.loseConnection()
        assert "lost" not in line.told

    near = Line(made=write_and_end)
    async with connect(near, ready=False) as (_, far):
        assert await far.end() is ConnectionDone
        assert await near.end() is ConnectionDone
    assert far.heard == b"this first"


async def test_the_end_at_once(connect: Connect, way: Way) -> None:
    near = Line(made=lambda line: line.transport.loseConnection())
    async with connect(near, ready=False) as (_, far):
        assert await near.end() is (way.aborted if way.tls else ConnectionDone)
        await far.end()
    assert far.heard == b""


async def test_an_abort_at_once(connect: Connect, way: Way) -> None:
    near = Line(made=lambda line: line.transport.abortConnection())
    async with connect(near, ready=False) as (_, far):
        assert await near.end() is way.aborted
        assert await far.end() is ConnectionLost
    assert near.told == ["made", "lost"]


# The end.


async def test_all_is_flushed_before_the_end(connect: Connect) -> None:
    async with connect() as (near, far):
        near.transport.write(MUCH)
        near.transport.loseConnection()
        assert near.transport.disconnecting
        assert "lost" not in near.told
        near.transport.loseConnection()
        assert await near.end() is ConnectionDone
        await far.end()
    assert far.heard == MUCH


async def test_an_abort_is_a_reset_and_drops_what_is_unwritten(connect: Connect, way: Way) -> None:
    async with connect() as (near, far):
        freeze(far)
        near.transport.write(MUCH)
        near.transport.abortConnection()
        assert "lost" not in near.told
        near.transport.write(b"more")
        near.transport.abortConnection()
        near.transport.loseConnection()
        assert await near.end() is way.aborted
        far.transport.resumeProducing()
        assert await far.end() is ConnectionLost
    assert far.octets < len(MUCH)
    assert near.told.count("lost") == 1


# With TLS that is TCP's end to Twisted, without notice.
@each(PLAIN)
async def test_to_stop_producing_is_to_end(connect: Connect) -> None:
    async with connect() as (near, far):
        near.transport.write(b"all")
        near.transport.stopProducing()
        assert await near.end() is ConnectionDone
        await far.end()
    assert far.heard == b"all"


async def test_a_frozen_peer_holds_up_the_end_but_no_abort(connect: Connect, way: Way) -> None:
    async with connect() as (near, far):
        freeze(far)
        near.transport.write(MUCH)
        near.transport.loseConnection()
        await turns()
        assert "lost" not in near.told
        near.transport.abortConnection()
        assert await near.end() is way.aborted


async def test_calls_after_the_end(connect: Connect, way: Way) -> None:
    async with connect() as (near, _):
        near.transport.abortConnection()
        await near.end()
        transport = near.transport
        for _ in range(10):
            transport.write(b"nobody hears")
        transport.writeSequence([b"nobody", b"hears"])
        transport.loseConnection()
        await turns(3)
        if way.reading is not BufferingTLSTransport:  # Twisted's raises an AttributeError
            transport.abortConnection()
        transport.pauseProducing()
        transport.resumeProducing()
        transport.unregisterProducer()
        await turns(3)
    assert near.told.count("lost") == 1


async def test_calls_while_the_end_is_near(connect: Connect) -> None:
    """Between a reset and ``connectionLost`` a protocol knows nothing of it."""
    async with connect() as (near, far):
        far.transport.abortConnection()
        await far.end()
        for _ in range(10):
            near.transport.write(b"nobody hears")
        assert await near.end() is ConnectionLost
