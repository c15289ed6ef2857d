"""CoPrA, unchanged."""

from __future__ import annotations

import asyncio
import os

from copra.websocket import Channel, Client

from benchmarks.client import Task

__all__ = ["asyncio_loop"]

PRODUCTS = ["BTC-USD", "ETH-USD"]


def asyncio_loop(task: Task) -> None:
    """Run as its documentation says; the certificate is verified, with an authority set from outside."""

    class Measured(task.counting, Client):  # type: ignore[misc,name-defined]  # one of two classes
        pass

    os.environ["SSL_CERT_FILE"] = task.ca_file  # OpenSSL's; CoPrA has no option for it
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    channels = [Channel(name, PRODUCTS) for name in ("heartbeat", "level2", "matches", "ticker")]
    Measured(loop, channels, feed_url=task.url)
    loop.run_forever()
