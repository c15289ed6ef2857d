"""The sender's end of a connection: plain, or over TLS with everything encrypted before the first byte is sent."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from .lockstep import wait_until_read

__all__ = ["PlainWire", "TlsWire", "Wire"]

RECORD = 16 * 1024  # bytes: the most that a TLS record holds
WRITE = 256 * 1024
READ = 64 * 1024

_Result = TypeVar("_Result")


class Wire(Protocol):
    """What the sender needs of a connection."""

    def receive(self) -> bytes:
        """Return what has come in; wait for it. Nothing at the end."""

    def send(self, data: bytes | bytearray) -> None:
        """Send at once, in a write of its own."""

    def stream(self, frames: Sequence[bytes], *, record_per_frame: bool) -> None:
        """Send frames as fast as they are taken."""

    def wait_until_read(self) -> None:
        """Return when the other end has read everything."""


class PlainWire:
    """A connection without TLS."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def receive(self) -> bytes:
        """Return what has come in; wait for it."""
        return self._connection.recv(READ)

    def send(self, data: bytes | bytearray) -> None:
        """Send at once, in a write of its own."""
        self._connection.sendall(data)

    def stream(self, frames: Sequence[bytes], *, record_per_frame: bool) -> None:
        """Send frames as fast as they are taken."""
        assert not record_per_frame
        _send_all(self._connection, b"".join(frames))

    def wait_until_read(self) -> None:
        """Return when the other end has read everything."""
        wait_until_read(self._connection)


class TlsWire:
    """
    A connection over TLS, through buffers in memory.

    The standard library's sockets would encrypt while they send, and the receiver would wait for it.
    """

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        self._connection = connection
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._waiting(self._tls.do_handshake)

    def receive(self) -> bytes:
        """Return what has come in; wait for it."""
        return self._waiting(lambda: self._tls.read(READ))

    def send(self, data: bytes | bytearray) -> None:
        """Send at once, in a record and a write of its own."""
        self._tls.write(data)
        self._flush()

    def stream(self, frames: Sequence[bytes], *, record_per_frame: bool) -> None:
        """Encrypt frames, and then send them as fast as they are taken."""
        if record_per_frame:
            for frame in frames:
                self._tls.write(frame)
        else:
            whole = memoryview(b"".join(frames))
            for begin in range(0, len(whole), RECORD):
                self._tls.write(whole[begin : begin + RECORD])
        _send_all(self._connection, self._out.read())

    def wait_until_read(self) -> None:
        """Return when the other end has read everything."""
        wait_until_read(self._connection)

    def _waiting(self, call: Callable[[], _Result]) -> _Result:
        while True:
            try:
                result = call()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._connection.recv(READ)
                if not data:
                    raise ConnectionError("the client has gone") from None
                self._in.write(data)
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self._out.pending:
            self._connection.sendall(self._out.read())


def _send_all(connection: socket.socket, data: bytes) -> None:
    whole = memoryview(data)
    for begin in range(0, len(whole), WRITE):
        connection.sendall(whole[begin : begin + WRITE])
