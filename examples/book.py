"""
Keep a book of price levels, and print its top whenever the spread changes, but never from a book that may be wrong.

The environment variable COPRA_TX_FEED_URL names another feed than the real one, such as that of `copra-tx simulate`.
"""

import asyncio
import os
import sys

from copra_tx.book import BookState
from copra_tx.books import BookClient
from copra_tx.websocket import FEED_URL, Channel


class Top(BookClient):
    last = None

    def on_book(self, book):
        if book.state is not BookState.LIVE:
            top = f"{book.state.value} {book.reason}"
        elif book.best_bid and book.best_ask:
            (bid, bid_size), (ask, ask_size) = book.best_bid, book.best_ask
            top = f"{bid_size:>14} @ {bid} | {ask} @ {ask_size:<14} spread {ask - bid}"
        else:
            top = "one side is empty"
        if top != self.last:
            print(f"{book.product_id:<10} {top}".rstrip())
            self.last = top


async def main():
    url = os.environ.get("COPRA_TX_FEED_URL", FEED_URL)
    channel = Channel("level2_batch", sys.argv[1:] or ["BTC-USD"])
    async with Top(asyncio.get_running_loop(), channel, feed_url=url):
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
