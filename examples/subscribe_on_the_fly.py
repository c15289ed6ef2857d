"""
Change what is subscribed to while messages come in, and look at what the server says to it.

The environment variable COPRA_TX_FEED_URL names another feed than the real one, such as that of `copra-tx simulate`.
"""

import asyncio
import os

from copra_tx.errors import SubscriptionRefusedError
from copra_tx.websocket import FEED_URL, Channel, Client


class Trades(Client):
    def on_message(self, message):
        if message["type"] == "match":
            print(message["product_id"], message["size"], "at", message["price"])


async def main():
    url = os.environ.get("COPRA_TX_FEED_URL", FEED_URL)
    async with Trades(asyncio.get_running_loop(), Channel("matches", "BTC-USD"), feed_url=url) as trades:
        await trades.subscribe([Channel("matches", "ETH-USD"), Channel("heartbeat", "ETH-USD")])
        print("both:", *trades.channels.values())
        await asyncio.sleep(1)

        await trades.unsubscribe(Channel("matches", "BTC-USD"))
        print("one:", *trades.channels.values())
        await asyncio.sleep(1)

        try:
            await trades.subscribe(Channel("matches", "NO-SUCH"))
        except SubscriptionRefusedError as error:
            print("refused:", error)


asyncio.run(main())
