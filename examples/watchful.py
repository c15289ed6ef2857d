"""
Say how it stands with the products named as arguments, and what was lost, until Ctrl-C.

The environment variable COPRA_TX_FEED_URL names another feed than the real one, such as that of `copra-tx simulate`.
"""

import asyncio
import os
import sys

from copra_tx.websocket import FEED_URL, Channel, Client


class Watchful(Client):
    def on_message(self, message):
        pass

    def on_status(self, status):
        print(status.state.value, "and ready" if status.is_ready else "", *status.confirmed.values())

    def on_gap(self, gap):
        print(gap)

    def on_stall(self, what, seconds):
        print(f"no {what} for {seconds:g} s")


loop = asyncio.new_event_loop()
channel = Channel("matches", sys.argv[1:] or "BTC-USD")
client = Watchful(loop, channel, feed_url=os.environ.get("COPRA_TX_FEED_URL", FEED_URL), heartbeat_timeout=2)

try:
    loop.run_forever()
except KeyboardInterrupt:
    loop.run_until_complete(client.close())
finally:
    loop.close()
