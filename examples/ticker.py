"""
Print the price at every trade of the products named as arguments, until Ctrl-C; the log goes to stderr.

The environment variable COPRA_TX_FEED_URL names another feed than the real one, such as that of `copra-tx simulate`.
"""

import asyncio
import logging
import os
import sys
from decimal import Decimal

from copra_tx.websocket import FEED_URL, Channel, Client


class Ticker(Client):
    def on_message(self, message):
        if message["type"] == "ticker":
            bid, ask = Decimal(message["best_bid"]), Decimal(message["best_ask"])
            print(f"{message['product_id']}  {message['price']:>10}  bid {bid}  ask {ask}  spread {ask - bid}")

    def on_close(self, was_clean, code, reason):
        print("no prices:", reason or "closed", file=sys.stderr)
        super().on_close(was_clean, code, reason)  # which reconnects


logging.basicConfig(level=logging.INFO)
loop = asyncio.new_event_loop()
channel = Channel("ticker", sys.argv[1:] or "BTC-USD")
ticker = Ticker(loop, channel, feed_url=os.environ.get("COPRA_TX_FEED_URL", FEED_URL))

try:
    loop.run_forever()
except KeyboardInterrupt:
    loop.run_until_complete(ticker.close())
finally:
    loop.close()
