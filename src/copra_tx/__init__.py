"""
The Coinbase market-data feed as a Twisted citizen.

``Channel``, ``Client`` and ``ClientProtocol`` are the callback API known from CoPrA; ``FeedService`` is the
same as a Twisted service. The names are looked up on first use, so that importing the package stays cheap and
installs no reactor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .service import FeedService
    from .websocket import FEED_URL, SANDBOX_FEED_URL, Channel, Client, ClientProtocol

__version__ = "0.1.0.dev0"

__all__ = ["FEED_URL", "SANDBOX_FEED_URL", "Channel", "Client", "ClientProtocol", "FeedService", "__version__"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(".service" if name == "FeedService" else ".websocket", __name__), name)
