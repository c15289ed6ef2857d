"""Clients without a network: opened in memory, and fed by hand."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from autobahn.twisted.websocket import WebSocketClientFactory
from twisted.internet.testing import MemoryReactorClock, StringTransport

from copra_tx.websocket import Channel, Client
from copra_tx.websocket.receiving import FastReceiving

from .frames import frame

__all__ = ["READ", "Feed", "open_client", "open_fast_path", "reads"]

READ = 64 * 1024
"""Bytes that Twisted reads at once."""

URL = "ws://localhost:1"

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3

Feed = Callable[[bytes], None]
"""Takes what a read brought."""


def open_client(client_class: type[Client], channels: Iterable[Channel], **options: Any) -> tuple[Client, Feed]:
    """
    Return a client that believes to have an open line, its channels confirmed, and what takes its reads.

    Its time stands still, so it never lets anybody else have a turn.
    """
    channels = list(channels)
    client = client_class(None, channels, URL, auto_connect=False, reactor=MemoryReactorClock(), **options)
    feed = _open(client)
    held = [{"name": channel.name, "product_ids": sorted(channel.product_ids)} for channel in channels]
    feed(frame(msgspec.json.encode({"type": "subscriptions", "channels": held})))
    return client, feed


def open_fast_path(decode: Callable[[bytes], Any], on_message: Callable[[Any], object]) -> Feed:
    """Return what takes the reads of the fast path alone, with nothing of a client behind it."""

    class Bare(FastReceiving):
        def _onOpen(self) -> None:
            self._begin_fast_receiving()

        def _take_payload(self, payload: bytes) -> bool:
            on_message(decode(payload))
            return True

        def _take_payloads(self, payloads: Iterable[bytes]) -> int:
            taken = 0
            for taken, payload in enumerate(payloads, 1):  # noqa: B007
                on_message(decode(payload))
            return taken

    factory = WebSocketClientFactory(URL)
    factory.protocol = Bare
    return _open(factory)


def reads(payloads: Iterable[bytes]) -> list[bytes]:
    """Return what reads of Twisted bring if the sender is ahead of them."""
    stream = b"".join(map(frame, payloads))
    return [stream[begin : begin + READ] for begin in range(0, len(stream), READ)]


class _Transport(StringTransport):
    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
        """Do nothing; Autobahn calls it."""

    def abortConnection(self) -> None:  # noqa: N802
        """Do nothing."""


def _open(factory: Any) -> Feed:
    protocol, transport = factory.buildProtocol(None), _Transport()
    protocol.makeConnection(transport)
    key = re.search(rb"Sec-WebSocket-Key: (\S+)", transport.value())
    assert key is not None
    accept = base64.b64encode(hashlib.sha1(key[1] + _MAGIC, usedforsecurity=False).digest())
    protocol.dataReceived(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    assert protocol.receives_fast
    feed: Feed = protocol.dataReceived
    return feed
