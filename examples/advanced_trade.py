"""
Print the trades of the products named as arguments, and news of their order books, until Ctrl-C; no API key is needed.

The environment variable COPRA_TX_FEED_URL names another feed than the real one: `copra-tx simulate --feed advanced`.
"""

import asyncio
import os
import sys

from copra_tx.websocket import ADVANCED_TRADE_URL, Channel, Client


class Market(Client):
    def on_message(self, message):
        for event in message["events"]:
            for trade in event.get("trades", ()):
                print(trade["time"], trade["product_id"], trade["side"], trade["size"], "at", trade["price"])
            if message["channel"] == "l2_data" and event["type"] == "snapshot":
                print(f"a fresh book of {event['product_id']} with {len(event['updates'])} levels")

    def on_gap(self, gap):
        print(gap)  # the client asks for fresh books by itself


loop = asyncio.new_event_loop()
products = sys.argv[1:] or "BTC-USD"
channels = [Channel("market_trades", products), Channel("level2", products)]
market = Market(loop, channels, os.environ.get("COPRA_TX_FEED_URL", ADVANCED_TRADE_URL), feed="advanced")

try:
    loop.run_forever()
except KeyboardInterrupt:
    loop.run_until_complete(market.close())
finally:
    loop.close()
