"""
Record the feed, byte for byte, in the file named as argument, a message a line, until Ctrl-C: a subclass of the wire.

The environment variable COPRA_TX_FEED_URL names another feed than the real one, such as that of `copra-tx simulate`.
"""

import asyncio
import os
import sys

from copra_tx.websocket import FEED_URL, Channel, Client, ClientProtocol


class RecordingProtocol(ClientProtocol):
    def onMessage(self, payload, isBinary):
        recording.write(payload + b"\n")
        super().onMessage(payload, isBinary)  # without it the client would not see the server's answers


class Recorder(Client):
    protocol = RecordingProtocol

    def on_message(self, message):
        print(message["type"], message.get("product_id", ""), recording.tell(), "bytes so far")


loop = asyncio.new_event_loop()
channels = [Channel("matches", ["BTC-USD", "ETH-USD"]), Channel("heartbeat", ["BTC-USD", "ETH-USD"])]

with open(sys.argv[1], "ab") as recording:
    recorder = Recorder(loop, channels, feed_url=os.environ.get("COPRA_TX_FEED_URL", FEED_URL))
    try:
        loop.run_forever()
    except KeyboardInterrupt:
        loop.run_until_complete(recorder.close())
    finally:
        loop.close()
