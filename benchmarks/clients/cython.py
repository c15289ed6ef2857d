"""picows, the fastest WebSocket client for Python, written in Cython; with orjson."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.client import Task

from . import SUBSCRIBE

__all__ = ["listener", "websockets_layer"]


def listener(task: Task) -> None:
    """Run with picows' own interface."""
    loads, on_message, text = orjson.loads, task.counting().on_message, WSMsgType.TEXT

    class Listener(WSListener):  # type: ignore[misc]
        def on_ws_connected(self, transport: WSTransport) -> None:
            transport.send(text, SUBSCRIBE.encode())

        def on_ws_frame(self, _: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type == text:
                on_message(loads(frame.get_payload_as_bytes()))

    async def run() -> None:
        transport, _ = await ws_connect(Listener, task.url, **_tls(task, "ssl_context"))
        await transport.wait_disconnected()

    asyncio.run(run())


def websockets_layer(task: Task) -> None:
    """Run with the interface of ``websockets`` that picows offers; it inflates, which its own does not."""
    from picows.websockets.asyncio.client import connect

    loads, on_message = orjson.loads, task.counting().on_message

    async def run() -> None:
        options = {"max_size": None, "compression": "deflate" if task.deflate else None} | _tls(task, "ssl")
        # The sender answers no pings.
        async with connect(task.url, ping_interval=None, **options) as connection:
            await connection.send(SUBSCRIBE)
            receive = connection.recv
            while True:
                on_message(loads(await receive(decode=False)))

    asyncio.run(run())


def _tls(task: Task, name: str) -> dict[str, Any]:
    return {name: ssl.create_default_context(cafile=task.ca_file)} if task.url.startswith("wss") else {}
