"""The WebSocket handshake of the sender, and the one frame it waits for."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from .wire import Wire

__all__ = ["Request", "accept", "await_frame"]

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class Request(NamedTuple):
    """What a client asks for, in the URL it connects to."""

    profile: str
    query: dict[str, int]
    buffered: bytes


def accept(wire: Wire, deflating: Collection[str]) -> Request:
    """
    Answer the upgrade request of a client.

    Args:
        wire: The connection.
        deflating: The profiles that are compressed.

    Raises:
        ConnectionError: If the client goes away, or does not offer the compression it should.
    """
    head = b""
    while b"\r\n\r\n" not in head:
        head += _receive(wire)
    head, _, buffered = head.partition(b"\r\n\r\n")
    request_line, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    url = urlsplit(request_line.split()[1])
    query = {name: int(values[-1]) for name, values in parse_qs(url.query).items()}
    digest = hashlib.sha1(headers["sec-websocket-key"].encode() + _MAGIC, usedforsecurity=False).digest()
    answer = [
        *("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"),
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
    ]
    profile = url.path.strip("/")
    if profile in deflating:
        if "permessage-deflate" not in headers.get("sec-websocket-extensions", ""):
            raise ConnectionError("the client does not offer to inflate")
        answer.append("Sec-WebSocket-Extensions: permessage-deflate")
    wire.send("\r\n".join((*answer, "", "")).encode())
    return Request(profile, query, buffered)


def await_frame(wire: Wire, buffered: bytes) -> None:
    """Wait for the client's first data frame, its subscription; return when it is complete."""
    while True:
        while (size := _frame_size(buffered)) is None or len(buffered) < size:
            buffered += _receive(wire)
        if buffered[0] & 0x0F in (1, 2):
            return
        buffered = buffered[size:]


def _frame_size(data: bytes) -> int | None:
    """Return how long the masked frame is that begins here; ``None`` if its header is not complete."""
    if len(data) < 2:
        return None
    length = data[1] & 0x7F
    extended = {126: 2, 127: 8}.get(length, 0)
    if len(data) < 2 + extended:
        return None
    return 2 + extended + 4 + (int.from_bytes(data[2 : 2 + extended], "big") if extended else length)


def _receive(wire: Wire) -> bytes:
    data = wire.receive()
    if not data:
        raise ConnectionError("the client has gone")
    return data
