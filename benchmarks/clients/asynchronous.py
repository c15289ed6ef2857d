"""The websockets library on asyncio, with orjson."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import orjson
from websockets.asyncio.client import connect

from benchmarks.client import Task

from . import SUBSCRIBE

__all__ = ["orjson_bytes"]


def orjson_bytes(task: Task) -> None:
    """Run the fastest way that its documentation has."""
    loads, on_message = orjson.loads, task.counting().on_message
    options: dict[str, Any] = {
        "max_size": None,
        "compression": "deflate" if task.deflate else None,
        "ping_interval": None,  # the sender answers no pings
    }
    if task.url.startswith("wss"):
        options["ssl"] = ssl.create_default_context(cafile=task.ca_file)

    async def run() -> None:
        async with connect(task.url, **options) as connection:
            await connection.send(SUBSCRIBE)
            while True:
                on_message(loads(await connection.recv(decode=False)))

    asyncio.run(run())
