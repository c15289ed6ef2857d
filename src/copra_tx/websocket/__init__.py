"""The documented API: channels, the client, and the protocol it speaks on the wire."""

from __future__ import annotations

from copra_tx.feed.advanced_trade import ADVANCED_TRADE_URL, ADVANCED_TRADE_USER_URL
from copra_tx.feed.exchange import DIRECT_FEED_URL, FEED_URL, SANDBOX_DIRECT_FEED_URL, SANDBOX_FEED_URL

from .channel import Channel
from .client import Client
from .counters import Counters
from .decoding import LazyMessage
from .options import Options
from .protocol import ClientProtocol
from .state import State
from .status import Status

__all__ = [
    "ADVANCED_TRADE_URL",
    "ADVANCED_TRADE_USER_URL",
    "DIRECT_FEED_URL",
    "FEED_URL",
    "SANDBOX_DIRECT_FEED_URL",
    "SANDBOX_FEED_URL",
    "Channel",
    "Client",
    "ClientProtocol",
    "Counters",
    "LazyMessage",
    "Options",
    "State",
    "Status",
]
