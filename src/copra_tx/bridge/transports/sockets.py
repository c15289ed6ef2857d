"""Sockets: taken over from Twisted, and their options as Twisted's transports have them."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

__all__ = ["SocketOptions", "take_socket"]


def take_socket(transport: Any) -> socket.socket:
    """
    Return the socket of one of Twisted's TCP transports, which is left without.

    To be called when its protocol is connected, or gets data; ``connectionLost`` of that is called.
    """
    transport.stopReading()
    transport.stopWriting()
    old: socket.socket = transport.getHandle()
    family, kind, protocol = old.family, old.type, old.proto
    taken = socket.socket(family, kind, protocol, fileno=old.detach())
    taken.setblocking(False)
    transport.connectionLost(Failure(ConnectionDone()))
    return taken


class SocketOptions:
    """The options that ``ITCPTransport`` gives access to."""

    _sock: socket.socket

    def getTcpNoDelay(self) -> bool:
        """Return whether small pieces are sent at once."""
        return bool(self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Send small pieces at once, or gather them. The loops' transports send them at once, unless told otherwise."""
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        """Return whether the system asks now and then if the other side is still there."""
        return bool(self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Have the system ask now and then if the other side is still there."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)

    def _reset_when_closed(self) -> None:
        with contextlib.suppress(OSError):  # it is closed already
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
