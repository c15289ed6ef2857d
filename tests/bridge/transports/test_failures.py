"""What comes of a protocol's own exceptions, on every transport: the connection ends, and the log says why."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionDone

from support.transports import TLS, Connect, Line, Way, each, turns


class BrokenError(Exception):
    """What a protocol raises; the loops keep silent about an ``OSError``."""


def broken(kind: type[Exception]) -> Any:
    def fail(_: Line) -> None:
        raise kind("broken")

    return fail


kinds = pytest.mark.parametrize("kind", [BrokenError, ConnectionResetError], ids=lambda kind: kind.__name__)


@kinds
async def test_data_received_fails(connect: Connect, way: Way, kind: type[Exception], logged_errors: Any) -> None:
    near = Line(data=broken(kind))
    async with connect(near) as (_, far):
        far.transport.write(b"data")
        assert await near.end() is way.failed_with(kind)
        await far.when_told("lost")
        await turns(3)
        assert logged_errors.flush(kind)
    assert near.reads == [b"data"]
    assert near.told.count("lost") == 1


@kinds
async def test_data_received_fails_with_what_was_sent_during_a_pause(
    connect: Connect, way: Way, kind: type[Exception], logged_errors: Any
) -> None:
    near = Line(made=lambda line: line.transport.pauseProducing(), data=broken(kind))
    async with connect(near, ready=False) as (_, far):
        far.transport.write(b"data")
        await turns()
        near.transport.resumeProducing()
        assert await near.end() is way.failed_with(kind)
        await turns(3)
        assert logged_errors.flush(kind)


@each(TLS)
async def test_handshake_completed_fails(connect: Connect, way: Way, logged_errors: Any) -> None:
    near = Line(secured=broken(BrokenError), made=lambda line: line.transport.write(b"nobody hears"))
    async with connect(near, ready=False) as (_, far):
        assert await near.end() is way.failed_with(BrokenError)
        await far.when_told("lost")
        await turns(3)
        assert far.heard == b""
        # To asyncio it is its data_received that failed, which it tells itself.
        assert len(logged_errors.flush(BrokenError)) == (2 if way.kind == "asyncio" else 1)


async def test_connection_lost_fails(connect: Connect, logged_errors: Any) -> None:
    near = Line(lost=broken(BrokenError))
    async with connect(near) as (_, far):
        far.transport.loseConnection()
        assert await near.end() is ConnectionDone
        await turns(3)
        assert len(logged_errors.flush(BrokenError)) == 1
