"""Whether the other end of a local connection has read what was sent to it; told by Linux."""

from __future__ import annotations

import socket
import time
from pathlib import Path

__all__ = ["wait_until_read"]

PAUSE = 0.0005  # seconds

_TABLE = Path("/proc/net/tcp")


def wait_until_read(connection: socket.socket) -> None:
    """
    Return when nothing that was sent is unread, or the other end is gone.

    So each message is read by itself, however slow the reader is.
    """
    ours, theirs = connection.getsockname()[1], connection.getpeername()[1]
    while _unread(theirs, ours):
        time.sleep(PAUSE)


def _unread(port: int, remote_port: int) -> int:
    """Return how many bytes wait in the socket with this port whose other end has that one (proc_net_tcp.txt)."""
    for line in _TABLE.read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if int(local.partition(":")[2], 16) == port and int(remote.partition(":")[2], 16) == remote_port:
            return int(queues.partition(":")[2], 16)
    return 0
