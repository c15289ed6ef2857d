"""
Serve the latest prices on a TCP port: `python twisted_service.py 8007`, then `nc localhost 8007`. The environment
variable COPRA_TX_FEED_URL names another feed than the real one, such as that of `copra-tx simulate`.
"""

import os
import sys

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import MultiService
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol

from copra_tx import FEED_URL, Channel, Client, FeedService

prices = {}


class Latest(Client):
    def on_message(self, message):
        if message["type"] == "ticker":
            prices[message["product_id"]] = message["price"]


class Answer(Protocol):
    def connectionMade(self):
        self.transport.write("".join(f"{name} {price}\n" for name, price in prices.items()).encode())
        self.transport.loseConnection()


feed_url = os.environ.get("COPRA_TX_FEED_URL", FEED_URL)
feed = FeedService(Channel("ticker", ["BTC-USD", "ETH-USD"]), Latest, feed_url=feed_url)
reactor = feed.client.reactor  # asyncio's, since none was installed before
endpoint = TCP4ServerEndpoint(reactor, int(sys.argv[1]), interface="127.0.0.1")
services = MultiService()
feed.setServiceParent(services)
StreamServerEndpointService(endpoint, Factory.forProtocol(Answer)).setServiceParent(services)
services.startService()
reactor.addSystemEventTrigger("before", "shutdown", services.stopService)
reactor.run()
