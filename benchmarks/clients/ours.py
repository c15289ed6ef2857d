"""copra-tx, through its documented callback, on each of its transports."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.client import Task
from copra_tx.websocket import Channel, Client

__all__ = ["asyncio_transport", "automatic", "fastnet_transport", "twisted_transport"]

PRODUCTS = ["BTC-USD", "ETH-USD"]


def automatic(task: Task) -> None:
    """Run as the documentation says: a subclass of ``Client``, on the loop of asyncio."""
    _run(task, "auto")


def twisted_transport(task: Task) -> None:
    """Run on Twisted's transports."""
    _run(task, "twisted")


def asyncio_transport(task: Task) -> None:
    """Run on those of asyncio."""
    _run(task, "asyncio")


def fastnet_transport(task: Task) -> None:
    """Run on those of aiofastnet, which the extra ``fast`` brings."""
    _run(task, "fastnet")


def _run(task: Task, transport: str) -> None:
    class Measured(task.counting, Client):  # type: ignore[misc,name-defined]  # one of two classes
        pass

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    options: dict[str, Any] = {"ca_file": task.ca_file} if task.url.startswith("wss") else {}
    channels = [Channel(name, PRODUCTS) for name in ("heartbeat", "level2_batch", "matches", "ticker")]
    Measured(loop, channels, feed_url=task.url, compression=task.deflate, transport=transport, **options)
    loop.run_forever()
