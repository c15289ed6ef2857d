"""The two feeds side by side: which one an address stands for, and the channel names of both."""

from __future__ import annotations

from urllib.parse import urlsplit

from . import advanced_trade, exchange
from .dialect import ChannelRule, Dialect

__all__ = ["FEEDS", "dialect_at", "dialect_of", "rules_of", "unknown_channel"]

FEEDS = ("auto", "exchange", "advanced")
"""What a feed can be given as; ``"auto"`` goes by the host."""


def dialect_of(host: str, feed: str) -> Dialect:
    """
    Return the language that is spoken at an address.

    Args:
        host: Its host; one that we do not know speaks as Exchange does.
        feed: One of ``FEEDS``.
    """
    is_coinbase = host.endswith(".coinbase.com")
    if feed == "advanced" or (feed == "auto" and is_coinbase and host.startswith("advanced-trade-ws")):
        of_the_user = is_coinbase and host.startswith("advanced-trade-ws-user")
        return advanced_trade.USER_DIALECT if of_the_user else advanced_trade.DIALECT
    return exchange.DIALECT


def dialect_at(url: str, feed: str) -> Dialect:
    """
    Return the language that is spoken at a feed's URL.

    Args:
        url: It; empty for that of the default feed. One that cannot be used is for the client to refuse.
        feed: One of ``FEEDS``.
    """
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    return dialect_of(host or "", feed)


def rules_of(name: str) -> list[ChannelRule]:
    """Return what each feed that has a channel of this name, in lower case, says about it; Exchange's first."""
    return [
        dialect.channels[name] for dialect in (exchange.DIALECT, advanced_trade.DIALECT) if name in dialect.channels
    ]


def unknown_channel(name: str) -> str:
    """Say in words what to use instead of a name that neither feed has."""
    if name.lower() == "l2_data":
        return f"{name!r} is how messages of the Advanced Trade feed name the channel 'level2': use that"
    words = exchange.unknown_channel(name)
    if words.startswith("there is no"):
        words += f"; on the Advanced Trade feed they are {', '.join(advanced_trade.CHANNELS)}"
    return words
