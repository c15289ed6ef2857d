"""
Print a heartbeat a second, until Ctrl-C.

The environment variable COPRA_TX_FEED_URL names another feed than the real one, such as that of `copra-tx simulate`.
"""

import asyncio
import os

from copra_tx.websocket import FEED_URL, Channel, Client

loop = asyncio.new_event_loop()
client = Client(loop, Channel("heartbeat", "BTC-USD"), feed_url=os.environ.get("COPRA_TX_FEED_URL", FEED_URL))

try:
    loop.run_forever()
except KeyboardInterrupt:
    loop.run_until_complete(client.close())
finally:
    loop.close()
