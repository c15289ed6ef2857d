"""
A connection of an asyncio loop, as the transport of a Twisted protocol.

A read that brings one message costs asyncio's transports about half of what it costs Twisted's, and aiofastnet's less
still. ``LoopTransport`` puts a Twisted protocol on either, and keeps what a protocol may expect of Twisted: what can be
called when, what is flushed and what is dropped, when ``connectionLost`` comes and with which reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    INegotiated,
    IProtocol,
    IPushProducer,
    ISystemHandle,
    ITCPTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .producing import Consumer
from .sockets import SocketOptions

__all__ = ["Connect", "LoopTransport", "ignore", "open_transports"]

BUFFER_SIZE = 65536
"""Bytes that wait to be written above which a producer is paused, as in Twisted's transports."""

Connect = Callable[..., Coroutine[Any, Any, object]]
"""``create_connection`` of a loop, or what does the same; the first argument is the loop."""

Address = IPv4Address | IPv6Address

_open: set[LoopTransport] = set()


def open_transports(loop: asyncio.AbstractEventLoop) -> list[LoopTransport]:
    """Return the transports on a loop whose ``connectionLost`` is still to come."""
    return [transport for transport in _open if transport.loop is loop]


@implementer(ITCPTransport, IPushProducer, IConsumer, ISystemHandle)
class LoopTransport(Consumer, SocketOptions, asyncio.Protocol):
    """
    One connection: a transport to a Twisted protocol, and a protocol to the loop's own transport.

    The Twisted protocol is connected as soon as TCP is; what it writes before the loop's transport is there, waits.
    What is read goes from the loop's transport straight to ``dataReceived``, which is looked up once.

    Args:
        reactor: The reactor of the loop.
        loop: The loop.
        sock: A connected socket; it is closed at the end.
        addresses: Of this end, and of the other one.
        protocol: The Twisted protocol.

    Attributes:
        connected: Whether ``connectionLost`` is still to come.
        disconnecting: Whether our side asked for the end.
        loop: The loop.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        addresses: tuple[Address, Address],
        protocol: IProtocol,
    ) -> None:
        self.connected, self.disconnecting, self.loop = True, False, loop
        self._reactor, self._sock, self._protocol = reactor, sock, protocol
        self._is_below_tls = INegotiated.providedBy(protocol)
        self._host, self._peer = addresses
        self._transport: Any = None  # the loop's; uvloop's and aiofastnet's are of classes of their own
        self._attaching: asyncio.Task[object] | None = None  # the loop itself keeps no strong reference
        self._unwritten: list[bytes] | None = []  # before that can write
        self._unread: list[bytes] = []  # before that reads, or since it did, if paused before
        self._is_paused = self._is_holding = self._is_ending = self._is_aborted = self._has_half_closed = False
        self._when_written: Callable[[], object] | None = None
        self._failure: Failure | None = None
        self._trigger: object = None
        self._ended: Callable[[], object] = lambda: None
        self._hear(protocol.dataReceived)

    def _hear(self, data_received: Callable[[bytes], object]) -> None:
        self.data_received = data_received  # type: ignore[method-assign,assignment]  # no call of ours for each read

    # -- from the beginning

    def begin(self, connect: Connect, ended: Callable[[], object]) -> None:
        """Connect the protocol, and hand the socket to the loop; ``ended`` is called after ``connectionLost``."""
        _open.add(self)
        self._ended = ended
        self._trigger = self._reactor.addSystemEventTrigger("during", "shutdown", self._reactor_stops)
        self._attaching = self.loop.create_task(self._attach(connect))
        self._attaching.add_done_callback(self._attached)
        self._guarded(self._protocol.makeConnection, self)
        if not self._is_aborted:
            self._hear(self._protocol.dataReceived)  # which may be another one now

    def received_before(self, data: bytes) -> None:
        """Take what was read from the socket before; TLS above this gets it now, whatever is paused above that."""
        if self._is_below_tls:
            self._guarded(self._protocol.dataReceived, data)
        else:
            self._unread.append(data)

    async def _attach(self, connect: Connect) -> None:
        await connect(self.loop, lambda: self, sock=self._sock)

    def _attached(self, attaching: asyncio.Task[object]) -> None:
        error = ConnectionAbortedError() if attaching.cancelled() else attaching.exception()
        if error is not None:
            self._sock.close()
            self._end(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the loop's transport."""
        self._transport = transport
        if self._is_paused or self._unread:
            self._is_holding = True
            self._hear(self._unread.append)
            self._transport.set_protocol(self)  # uvloop looks data_received up only then
        self._is_up()

    def _is_up(self) -> None:
        # Not now: uvloop and aiofastnet begin to read when this returns, whatever they were told before.
        self.loop.call_soon(self._begin_to_flow)

    def _begin_to_flow(self) -> None:
        if self._is_aborted or not self.connected:
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=BUFFER_SIZE, low=0)
        unwritten, self._unwritten = self._unwritten, None
        was_full, self._is_full = self._is_full, False
        if unwritten:
            self._transport.write(b"".join(unwritten))
        if was_full and not self._is_full:
            self.resume_writing()
        self._pause()
        if self._has_half_closed:
            self._end_writing()
        self._may_end()
        self._deliver_unread()

    # -- from the loop

    def eof_received(self) -> bool:
        """Tell the protocol that nothing more comes; returns whether it may still write."""
        half = IHalfCloseableProtocol(self._protocol, None)
        if half is not None and not self.disconnecting:
            self._guarded(half.readConnectionLost)
            return not self._is_aborted
        # As in Twisted what is unwritten is dropped; asyncio would wait until it is taken.
        self._transport.abort()
        return False

    def resume_writing(self) -> None:
        """Go on: all is written."""
        super().resume_writing()
        if self._when_written is not None:
            when_written, self._when_written = self._when_written, None
            self.loop.call_soon(self._guarded, when_written)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._end(exc)

    # -- to the end

    def _end(self, error: BaseException | None) -> None:
        if not self.connected:
            return
        reason = self._failure or self._reason(error)
        self.connected, self._is_ending = False, True
        self._hear(ignore)
        _open.discard(self)
        if self._trigger is not None:
            self._reactor.removeSystemEventTrigger(self._trigger)
        self._guarded(self._stop_producer)
        self._guarded(self._protocol.connectionLost, reason)
        self._ended()

    def _reason(self, error: BaseException | None) -> Failure:
        if self._is_aborted:
            return Failure(ConnectionAborted())
        if error is None:
            return Failure(ConnectionDone())
        if isinstance(error, OSError) and not _came_out_of(self._protocol.dataReceived, error):
            return Failure(ConnectionLost())
        return self._logged(Failure(error))

    def _logged(self, failure: Failure) -> Failure:
        self._log.failure("{protocol} failed; its connection ends", failure, protocol=self._protocol)
        return failure

    def _guarded(self, call: Callable[..., object], *arguments: object) -> None:
        try:
            call(*arguments)
        except Exception:  # noqa: BLE001  # whatever a protocol raises ends its connection, as in Twisted
            self._fail(self._logged(Failure()))

    def _fail(self, failure: Failure) -> None:
        self._failure = self._failure or failure
        self.abortConnection()

    def _reactor_stops(self) -> None:
        # Now, for protocol and peer, since the loop may not run again.
        self._trigger = None
        self._let_go()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._failure = self._failure or Failure(ConnectionLost())
        self._end(None)

    def loop_closed(self) -> None:
        """End: the loop will not run again."""
        self._failure = self._failure or Failure(ConnectionLost())
        self._end(None)
        self._sock.close()

    def _let_go(self) -> None:
        if self._unwritten is None:
            self._transport.abort()
        else:
            # Not by cancelling, which transports that are being made do not always survive: it looks like the end.
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RD)

    # -- ITransport

    def write(self, data: bytes) -> None:
        """Send, as soon as that is possible. Does nothing when the end has come, or was asked for."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"a transport takes bytes, not {type(data).__name__}")
        if not self.connected or self._has_half_closed or (self.disconnecting and self._producer is None):
            return
        if self._unwritten is not None:
            self._unwritten.append(bytes(data))
            if not self._is_full and sum(map(len, self._unwritten)) > BUFFER_SIZE:
                self.pause_writing()
        elif not self._transport.is_closing():
            self._transport.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send pieces."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """End the connection when everything is written and no producer is registered."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._may_end()

    def _may_end(self) -> None:
        is_awaited = self._producer is not None and not self._is_below_tls  # which has waited, if there was reason to
        if self.disconnecting and not is_awaited and self._unwritten is None and not self._is_ending:
            self._is_ending = True
            self._close()

    def _close(self) -> None:
        self._transport.close()

    def abortConnection(self) -> None:
        """End the connection now: nothing more is sent or delivered, and the other side sees a reset."""
        if not self.connected or self._is_aborted:
            return
        self.disconnecting = self._is_ending = self._is_aborted = self._has_half_closed = True
        self._hear(ignore)
        self._reset_when_closed()
        self._let_go()

    def getHost(self) -> Address:
        """Return the address of this end."""
        return self._host

    def getPeer(self) -> Address:
        """Return the address of the other end."""
        return self._peer

    def getHandle(self) -> Any:
        """Return the socket."""
        return self._sock

    def loseWriteConnection(self) -> None:
        """Send no more, and go on to receive."""
        if self.connected and not self._has_half_closed:
            self._has_half_closed = True
            if self._unwritten is None:
                self._end_writing()

    def _end_writing(self) -> None:
        self._transport.write_eof()
        half = IHalfCloseableProtocol(self._protocol, None)
        if half is not None:
            self._when_written = half.writeConnectionLost
            self._transport.set_write_buffer_limits(high=0)
            if not self._is_full:
                self.resume_writing()

    # -- IPushProducer

    def pauseProducing(self) -> None:
        """Read no more."""
        self._is_paused = True
        self._pause()

    def _pause(self) -> None:
        if self._is_paused and self._transport is not None and self.connected:
            self._transport.pause_reading()

    def resumeProducing(self) -> None:
        """Read again; what came meanwhile is delivered later than now."""
        if self._is_paused and self.connected:
            self._is_paused = False
            if self._transport is not None:
                self._transport.resume_reading()
                self.loop.call_soon(self._deliver_unread)

    def stopProducing(self) -> None:
        """End the connection, as ``loseConnection`` does."""
        self.loseConnection()

    def _deliver_unread(self) -> None:
        if self._is_paused or self._is_ending or not self._is_holding:
            return
        self._is_holding = False
        self._hear(self._protocol.dataReceived)
        self._transport.set_protocol(self)
        data = b"".join(self._unread)
        self._unread.clear()
        if data:
            self._guarded(self._protocol.dataReceived, data)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self._peer} {'connected' if self.connected else 'disconnected'}>"


def ignore(_: bytes) -> None:
    """Take what nobody is to get."""


def _came_out_of(call: Any, error: BaseException) -> bool:
    """Tell whether a call raised an exception: of an ``OSError`` the loops do not say whether it was the socket's."""
    code = getattr(getattr(call, "__func__", call), "__code__", None)
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code is code:
            return True
        traceback = traceback.tb_next
    return False
