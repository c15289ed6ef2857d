"""What is below copra-tx: transports that parse nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from benchmarks.client import Task
from benchmarks.frames import MARK_TYPE

from . import SUBSCRIBE

__all__ = ["asyncio_protocol", "twisted_protocol"]


class _Watch:
    """Looks for marks at the end of what is read, where they are when each read brings one message."""

    def __init__(self, task: Task, write: Callable[[bytes], None]) -> None:
        self._counting, self._write = task.counting(), write
        self._is_upgraded = False
        target = urlsplit(task.url)
        key = base64.b64encode(os.urandom(16)).decode()
        write(
            f"GET {target.path}?{target.query} HTTP/1.1\r\nHost: {target.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def received(self, data: bytes) -> None:
        if not self._is_upgraded:
            if data.endswith(b"\r\n\r\n"):
                self._is_upgraded = True
                payload = SUBSCRIBE.encode()
                self._write(bytes((0x81, 0xFE)) + len(payload).to_bytes(2, "big") + bytes(4) + payload)
        elif MARK_TYPE.encode() in data[:40]:
            mark: dict[str, Any] = json.loads(data[data.index(b"{") :])
            self._counting.on_message(mark)
        else:
            self._counting.counted += 1


def asyncio_protocol(task: Task) -> None:
    """Receive as asyncio does, and parse nothing."""

    class Bare(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.data_received = _Watch(task, transport.write).received  # type: ignore[attr-defined,method-assign]

    async def run() -> None:
        target = urlsplit(task.url)
        assert target.hostname is not None
        assert target.port is not None
        context = ssl.create_default_context(cafile=task.ca_file) if target.scheme == "wss" else None
        await asyncio.get_running_loop().create_connection(Bare, target.hostname, target.port, ssl=context)
        await asyncio.Event().wait()

    asyncio.run(run())


def twisted_protocol(task: Task) -> None:
    """Receive as Twisted on asyncio's reactor does, and parse nothing."""
    from twisted.internet import asyncioreactor

    asyncioreactor.install()
    from twisted.internet import endpoints, reactor
    from twisted.internet.protocol import Factory, Protocol
    from twisted.internet.ssl import Certificate, optionsForClientTLS

    class Bare(Protocol):
        def connectionMade(self) -> None:
            assert self.transport is not None
            self.dataReceived = _Watch(task, self.transport.write).received  # type: ignore[method-assign]

    target = urlsplit(task.url)
    assert target.hostname is not None
    assert target.port is not None
    endpoint: Any = endpoints.HostnameEndpoint(reactor, target.hostname, target.port)
    if target.scheme == "wss":
        with open(task.ca_file, "rb") as file:
            authority = Certificate.loadPEM(file.read())
        endpoint = endpoints.wrapClientTLS(optionsForClientTLS(target.hostname, trustRoot=authority), endpoint)
    endpoint.connect(Factory.forProtocol(Bare))
    reactor.run()
