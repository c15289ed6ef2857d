"""
Two feeds in one application. Run it with `twistd --nodaemon --python copra_tx.tac`; the trades are in its log.

Making the first FeedService takes asyncio's reactor, unless --reactor named another one. The environment variable
COPRA_TX_FEED_URL names another feed than the real one, such as that of `copra-tx simulate`.
"""

import os

from twisted.application.service import Application
from twisted.logger import Logger

from copra_tx import FEED_URL, Channel, Client, FeedService


log = Logger(namespace="market")


class Trades(Client):
    def on_message(self, message):
        if message["type"] == "match":
            log.info("{product_id} {size} at {price}", **message)


class Beats(Client):
    def on_message(self, message):
        if message["type"] == "heartbeat":
            log.info("{product_id} is at {sequence}", **message)


application = Application("copra-tx")
feed_url = os.environ.get("COPRA_TX_FEED_URL", FEED_URL)
for channel, client in (Channel("matches", "BTC-USD"), Trades), (Channel("heartbeat", "ETH-USD"), Beats):
    FeedService(channel, client, feed_url=feed_url, name=channel.name).setServiceParent(application)
