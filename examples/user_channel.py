"""
Print what happens to your own orders, until Ctrl-C. It needs an API key of Coinbase Exchange, in the environment:
COPRA_TX_KEY, COPRA_TX_SECRET and COPRA_TX_PASSPHRASE.

The environment variable COPRA_TX_FEED_URL names another feed than the real one, such as that of `copra-tx simulate`.
"""

import asyncio
import os

from copra_tx.websocket import FEED_URL, Channel, Client


class Orders(Client):
    def on_message(self, message):
        if message["type"] == "subscriptions":
            print("listening to", ", ".join(self.channels["user"].product_ids))
        else:
            print(message["time"], message["product_id"], message["type"], message.get("order_id", ""))


loop = asyncio.new_event_loop()
orders = Orders(
    loop,
    Channel("user", "BTC-USD"),
    feed_url=os.environ.get("COPRA_TX_FEED_URL", FEED_URL),
    auth=True,
    key=os.environ["COPRA_TX_KEY"],
    secret=os.environ["COPRA_TX_SECRET"],
    passphrase=os.environ["COPRA_TX_PASSPHRASE"],
)

try:
    loop.run_forever()
except KeyboardInterrupt:
    loop.run_until_complete(orders.close())
finally:
    loop.close()
