"""The least that there is to do: decode and call back, with the messages in memory."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Callable
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.client import Task
from benchmarks.frames import MARK, final_mark, frame

from . import SUBSCRIBE

__all__ = ["msgspec_dict", "orjson_dict"]

PERIOD = 2_600
"""Messages that are repeated: a minute, as all clients get them; more would not stay in the caches of a small CPU."""


def msgspec_dict(task: Task) -> None:
    """Decode with msgspec."""
    import msgspec

    _run(task, msgspec.json.Decoder().decode)


def orjson_dict(task: Task) -> None:
    """Decode with orjson."""
    import orjson

    _run(task, orjson.loads)


def _run(task: Task, decode: Callable[[bytes], Any]) -> None:
    query = parse_qs(urlsplit(task.url).query)
    messages, segment = (int(query[name][0]) for name in ("messages", "segment"))
    payloads = _fetch(task.url, min(messages, PERIOD))
    on_message = task.counting().on_message
    for begin in range(0, messages, segment):
        on_message(decode(MARK))
        left = min(segment, messages - begin)
        while left:
            for payload in islice(payloads, left):
                on_message(decode(payload))
            left -= min(left, len(payloads))
    on_message(decode(final_mark()))


def _fetch(url: str, count: int) -> list[bytes]:
    """Return the first messages that the sender sends."""
    target = urlsplit(url)
    assert target.hostname is not None
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET {target.path}?messages={count} HTTP/1.1\r\nHost: {target.netloc}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    with socket.create_connection((target.hostname, target.port)) as connection:
        stream = connection.makefile("rb")
        connection.sendall(request.encode())
        while stream.readline().strip():
            pass
        connection.sendall(_masked(SUBSCRIBE.encode()))
        received = [_payload(stream) for _ in range(count + 2)]  # the answer and the first mark come before
    return received[2:]


def _payload(stream: Any) -> bytes:
    length = stream.read(2)[1]
    if length > 125:
        length = int.from_bytes(stream.read(2 if length == 126 else 8), "big")
    payload: bytes = stream.read(length)
    return payload


def _masked(payload: bytes) -> bytes:
    header = frame(payload)[: -len(payload)]
    return bytes((header[0], header[1] | 0x80)) + header[2:] + bytes(4) + payload
