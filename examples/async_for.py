"""
Take messages one by one with `async for`, and stop after ten trades.

The environment variable COPRA_TX_FEED_URL names another feed than the real one, such as that of `copra-tx simulate`.
"""

import asyncio
import os

from copra_tx.websocket import FEED_URL, Channel, Client


async def main():
    url = os.environ.get("COPRA_TX_FEED_URL", FEED_URL)
    trades = 0
    async with Client(asyncio.get_running_loop(), Channel("matches", "BTC-USD"), feed_url=url) as client:
        async for message in client:
            if message["type"] in ("match", "last_match"):
                print(message["time"], message["side"], message["size"], "at", message["price"])
                trades += 1
            if trades == 10:
                break


asyncio.run(main())
