"""
Programs written for CoPrA, in the style of those that it publishes, run with another import and another feed.

They are kept as they were. Nothing else is changed but the import and, since the old hosts are gone, ``feed_url``.
"""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest

from copra_tx.simulator import TEST_KEY, SimulatedExchange
from support.processes import process

# The programs choose their reactor themselves.
pytestmark = [pytest.mark.asyncio_only, pytest.mark.simulated_exchange(speed=10)]

HEARTBEAT = """
import asyncio

from copra.websocket import Channel, Client

loop = asyncio.get_event_loop()

ws = Client(loop, [Channel('heartbeat', 'BTC-USD')])

try:
    loop.run_forever()
except KeyboardInterrupt:
    loop.run_until_complete(ws.close())
    loop.close()
"""

USER = f"""
import asyncio

from copra.websocket import Channel, Client

KEY = {TEST_KEY.key!r}
SECRET = {TEST_KEY.secret!r}
PASSPHRASE = {TEST_KEY.passphrase!r}

loop = asyncio.get_event_loop()
channel = Channel('user', 'ETH-USD')
ws = Client(loop, channel, auth=True, key=KEY, secret=SECRET, passphrase=PASSPHRASE)

try:
    loop.run_forever()
except KeyboardInterrupt:
    loop.run_until_complete(ws.close())
    loop.close()
"""

TICKER = """
import asyncio
from datetime import datetime
import sys

from copra.websocket import Channel, Client

class Ticker(Client):

    def on_message(self, message):
        if message['type'] == 'ticker' and 'time' in message:
            when = datetime.strptime(message['time'], '%Y-%m-%dT%H:%M:%S.%fZ')
            spread = float(message['best_ask']) - float(message['best_bid'])
            print('{} ${:.2f} {: >5} {:.8f} spread ${:.2f} {:%H:%M:%S}'.format(
                message['product_id'], float(message['price']), message['side'],
                float(message['last_size']), spread, when))

product_id = sys.argv[1]
loop = asyncio.get_event_loop()
ticker = Ticker(loop, Channel('ticker', product_id))

try:
    loop.run_forever()
except KeyboardInterrupt:
    loop.run_until_complete(ticker.close())
    loop.close()
"""

EVERYTHING = """
import asyncio
import logging
import sys

from copra.websocket import Channel, Client

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format='%(message)s')

class Everything(Client):

    def on_open(self):
        super().on_open()
        print('opened', self.connected.is_set(), self.disconnected.is_set(), self.closing)

    def on_message(self, message):
        if message['type'] == 'heartbeat' and message['product_id'] == 'LTC-USD':
            self.unsubscribe(Channel('heartbeat', 'LTC-USD'))
            self.subscribe(Channel('ticker', 'NO-SUCH'))

    def on_error(self, message, reason):
        super().on_error(message, reason)
        print('error', message, reason)
        self.loop.create_task(self.close())

    def on_close(self, was_clean, code, reason):
        super().on_close(was_clean, code, reason)
        print('closed', was_clean, code, sorted(self.channels))

async def later():
    await ws.connected.wait()
    ws.subscribe(Channel('heartbeat', 'LTC-USD'))
    await ws.disconnected.wait()
    await ws.close()

loop = asyncio.get_event_loop()
ws = Everything(loop, Channel('heartbeat', 'BTC-USD'), auto_connect=False, name='mine')
ws.unsubscribe(Channel('heartbeat', 'BTC-USD'))
ws.subscribe(Channel('matches', 'BTC-USD'))
ws.add_as_task_to_loop()
loop.run_until_complete(later())
loop.close()
"""


def moved(program: str, exchange: SimulatedExchange, file: Path) -> Path:
    """Save a program with nothing changed but the import and the feed."""
    program, imports = re.subn("(?m)^from copra.websocket import", "from copra_tx.websocket import", program)
    client = r"(?m)^(ws|ticker) = (\w+)\(loop, (.*)\)$"
    program, clients = re.subn(client, rf"\1 = \2(loop, \3, feed_url={exchange.url!r})", program)
    assert (imports, clients) == (1, 1)
    file.write_text(program, "utf-8")
    return file


@pytest.mark.parametrize(
    ("program", "arguments", "expected"),
    [
        pytest.param(HEARTBEAT, [], "'type': 'heartbeat'", id="heartbeat"),
        pytest.param(USER, [], "{'name': 'user', 'product_ids': ['ETH-USD']", id="user"),
        pytest.param(TICKER, ["ETH-USD"], "ETH-USD $1", id="ticker"),
    ],
)
async def test_published_examples(
    program: str, arguments: list[str], expected: str, simulated_exchange: SimulatedExchange, tmp_path: Path
) -> None:
    file = moved(program, simulated_exchange, tmp_path / "example.py")
    async with process(sys.executable, "-u", file, *arguments) as running:
        await running.wrote(expected)
        running.signal(signal.SIGINT)
        assert await running.ended() == 0
    assert "Traceback" not in running.errors


@pytest.mark.simulated_exchange(speed=10, products=["BTC-USD", "LTC-USD"])
async def test_everything_that_is_documented(simulated_exchange: SimulatedExchange, tmp_path: Path) -> None:
    file = moved(EVERYTHING, simulated_exchange, tmp_path / "example.py")
    async with process(sys.executable, "-u", file) as running:
        assert await running.ended() == 0
    url = simulated_exchange.url
    assert running.text.splitlines() == [
        f"mine connected to {url}",
        "opened True False False",
        "mine: Failed to subscribe. NO-SUCH is not a valid product",
        "error Failed to subscribe NO-SUCH is not a valid product",
        f"mine connection to {url} closed. ",
        "closed True 1000 ['matches', 'ticker']",
    ]
