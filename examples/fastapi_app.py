"""
Serve the latest prices over HTTP: `uvicorn fastapi_app:app`, then open http://127.0.0.1:8000/prices/BTC-USD.

The environment variable COPRA_TX_FEED_URL names another feed than the real one, such as that of `copra-tx simulate`.
"""

import os
from contextlib import asynccontextmanager

from fastapi import FastAPI

from copra_tx.websocket import FEED_URL, Channel, Client

prices = {}


class Ticker(Client):
    def on_message(self, message):
        if message["type"] == "ticker":
            prices[message["product_id"]] = message["price"]

    def on_close(self, was_clean, code, reason):
        prices.clear()  # no price is better than an old one
        super().on_close(was_clean, code, reason)


@asynccontextmanager
async def lifespan(_):
    channel = Channel("ticker", ["BTC-USD", "ETH-USD"])
    ticker = Ticker(None, channel, feed_url=os.environ.get("COPRA_TX_FEED_URL", FEED_URL))  # on the running loop
    yield
    await ticker.close()


app = FastAPI(lifespan=lifespan)


@app.get("/prices/{product_id}")
async def price(product_id: str):
    return {"product_id": product_id, "price": prices.get(product_id)}
