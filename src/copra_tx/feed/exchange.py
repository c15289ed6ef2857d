"""
The Coinbase Exchange feed: its addresses, channels, requests, and what its messages mean.

Source of every statement about the venue, unless another is named: Coinbase docs, Exchange, "WebSocket
Overview", "WebSocket Channels", "WebSocket Authentication", "WebSocket Errors" (read 2026-11). What live
recordings of 2026 show beyond the documentation is marked "recorded".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from copra_tx.websocket.channel import Channel

    from .credentials import ExchangeCredentials

__all__ = [
    "ALL_PRODUCTS",
    "CHANNELS",
    "DIRECT_FEED_URL",
    "FEED_URL",
    "MESSAGE_TYPES",
    "REST_URL",
    "REST_URLS",
    "SANDBOX_DIRECT_FEED_URL",
    "SANDBOX_FEED_URL",
    "SANDBOX_REST_URL",
    "UNREADABLE_REQUEST",
    "ChannelRule",
    "error_words",
    "explaining_channels",
    "listed",
    "named_in",
    "request",
    "unknown_channel",
]

FEED_URL = "wss://ws-feed.exchange.coinbase.com"
"""Market data, production."""

SANDBOX_FEED_URL = "wss://ws-feed-public.sandbox.exchange.coinbase.com"
"""Market data, sandbox; it has its own keys and only some of the products."""

DIRECT_FEED_URL = "wss://ws-direct.exchange.coinbase.com"
"""Direct market data, production: every request must be signed."""

SANDBOX_DIRECT_FEED_URL = "wss://ws-direct.sandbox.exchange.coinbase.com"
"""Direct market data, sandbox."""

REST_URL = "https://api.exchange.coinbase.com"
"""REST, production."""

SANDBOX_REST_URL = "https://api-public.sandbox.exchange.coinbase.com"
"""REST, sandbox."""

REST_URLS: Mapping[str, str] = {
    FEED_URL: REST_URL,
    DIRECT_FEED_URL: REST_URL,
    SANDBOX_FEED_URL: SANDBOX_REST_URL,
    SANDBOX_DIRECT_FEED_URL: SANDBOX_REST_URL,
    "wss://ws-us.dma.prime.coinbase.com": "https://api-us.dma.prime.coinbase.com",
    "wss://ws-us-direct.dma.prime.coinbase.com": "https://api-us.dma.prime.coinbase.com",
    "wss://ws-us.dma.sandbox.prime.coinbase.com": "https://api-us.dma.sandbox.prime.coinbase.com",
    "wss://ws-us-direct.dma.sandbox.prime.coinbase.com": "https://api-us.dma.sandbox.prime.coinbase.com",
}
"""
The REST address that belongs to each address of the feed.

Source: Coinbase docs, Exchange, "Systems & Operations" and "Sandbox" (read 2026-11); the last four are for clients of
Coinbase in the EU.
"""

ALL_PRODUCTS = "ALL"
"""What stands for every product where a channel may come without any; the documentation has it for ``rfq_matches``."""

UNREADABLE_REQUEST = "invalid (un)subscribe msg"
"""The one answer that is not JSON (recorded): the server could not read a request."""


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """
    What the venue says about one channel.

    Attributes:
        name: What we and the documentation call it.
        types: The ``type`` of every message it may bring.
        needs_products: Whether a subscription must name products.
        takes_accounts: Whether it names accounts instead.
        echo: Its name in the ``subscriptions`` answer, where that is another one (recorded).
    """

    name: str
    types: tuple[str, ...]
    needs_products: bool = True
    takes_accounts: bool = False
    echo: str = ""

    @property
    def needs_members(self) -> bool:
        """Whether a subscription must name what it is about; else naming nothing means everything."""
        return self.needs_products or self.takes_accounts


_ORDER_TYPES = ("received", "open", "done", "match", "change", "activate")

CHANNELS: Mapping[str, ChannelRule] = {
    rule.name: rule
    for rule in (
        ChannelRule("heartbeat", ("heartbeat",)),
        ChannelRule("status", ("status",), needs_products=False),
        ChannelRule("auctionfeed", ("auction",)),
        ChannelRule("matches", ("match", "last_match")),
        ChannelRule("rfq_matches", ("rfq_match",), needs_products=False),
        ChannelRule("ticker", ("ticker",)),
        ChannelRule("ticker_batch", ("ticker",), echo="ticker_1000"),
        ChannelRule("level2", ("snapshot", "l2update")),
        ChannelRule("level2_batch", ("snapshot", "l2update"), echo="level2_50"),
        ChannelRule("level3", ("level3",)),
        ChannelRule("full", _ORDER_TYPES),
        ChannelRule("user", _ORDER_TYPES),
        ChannelRule("balance", ("balance",), needs_products=False, takes_accounts=True),
    )
}
"""Every channel of the feed by its name."""

_BY_ECHO = {rule.echo: rule.name for rule in CHANNELS.values() if rule.echo}

_ADVANCED_TRADE_NAMES = {
    "heartbeats": "heartbeat",
    "market_trades": "matches",
    "l2_data": "level2",
    "candles": "",
    "futures_balance_summary": "",
}

MESSAGE_TYPES = frozenset(message_type for rule in CHANNELS.values() for message_type in rule.types)
"""Every ``type`` that a channel is known to bring."""

_EXPLAINING = {
    message_type: tuple(rule.name for rule in CHANNELS.values() if message_type in rule.types)
    for message_type in MESSAGE_TYPES
}


def explaining_channels(message_type: str) -> tuple[str, ...]:
    """Return the names of the channels that bring messages of a type; none for a type we do not know."""
    return _EXPLAINING.get(message_type, ())


def unknown_channel(name: str) -> str:
    """Say in words what to use instead of a channel name that this feed does not have."""
    wanted = name.lower()
    if wanted in _BY_ECHO:
        return f"{name!r} is how the venue's answers name the channel {_BY_ECHO[wanted]!r}: use that"
    if wanted in _ADVANCED_TRADE_NAMES:
        ours = _ADVANCED_TRADE_NAMES[wanted]
        instead = f"here it is {ours!r}" if ours else "the Exchange feed has nothing like it"
        return f"{name!r} is a channel of the Advanced Trade feed; {instead}"
    return f"there is no channel {name!r}; the channels are {', '.join(CHANNELS)}"


def request(
    kind: Literal["subscribe", "unsubscribe"],
    channels: Iterable[Channel],
    credentials: ExchangeCredentials | None,
    timestamp: str,
) -> bytes:
    """
    Return the bytes of one request. The same request always has the same bytes, but for its signature.

    Channels, products and accounts are sorted, and channels of one name are put together. Products and accounts
    that are not there are left out: the venue reads an empty list as the product ``""`` and refuses it (recorded).

    Args:
        kind: What to ask for.
        channels: What it is about; at least one.
        credentials: With these every request is signed; ``None`` sends it unsigned.
        timestamp: Seconds since the Unix epoch as text; used only when signing.
    """
    message: dict[str, object] = {
        "type": kind,
        "channels": [_wire(channel) for channel in merged(channels)],
    }
    if credentials is not None:
        message.update(credentials.sign(timestamp))
    return msgspec.json.encode(message)


def merged(channels: Iterable[Channel]) -> list[Channel]:
    """Return channels one for each name, in the order in which requests name them."""
    by_name: dict[str, Channel] = {}
    for channel in channels:
        by_name[channel.name] = by_name[channel.name] + channel if channel.name in by_name else channel
    return [by_name[name] for name in sorted(by_name)]


def _wire(channel: Channel) -> dict[str, object]:
    described: dict[str, object] = {"name": channel.name}
    if channel.product_ids:
        described["product_ids"] = sorted(channel.product_ids)
    if channel.account_ids:
        described["account_ids"] = sorted(channel.account_ids)
    return described


def listed(answer: Mapping[str, object]) -> dict[str, frozenset[str]]:
    """
    Read a ``subscriptions`` answer: everything the connection holds now.

    The venue's own names (``level2_50``) come back as ours. Whatever is not of the known shape is passed over,
    and so is a channel that needs products or accounts and is listed without any: it brings nothing.

    Returns:
        Channel name to products (for ``balance``: accounts); an empty set for a channel held without any.
    """
    held: dict[str, frozenset[str]] = {}
    channels = answer.get("channels")
    for entry in channels if isinstance(channels, list) else ():
        if isinstance(entry, Mapping) and isinstance(name := entry.get("name"), str):
            name = _BY_ECHO.get(name, name)
            members = (entry.get("product_ids"), entry.get("account_ids"))
            ids = {one for some in members if isinstance(some, list) for one in some if isinstance(one, str)}
            if name in CHANNELS and not CHANNELS[name].needs_members:
                if not ids.isdisjoint(("", ALL_PRODUCTS)):
                    ids.clear()
            elif not ids:
                continue
            held[name] = held.get(name, frozenset()) | ids
    return held


def error_words(message: Mapping[str, object]) -> tuple[str, str]:
    """
    Return ``(message, reason)`` of an ``error`` message as text; ``''`` for what the server does not give.

    Only ``type`` and ``message`` are promised.
    """
    return _text(message.get("message")), _text(message.get("reason"))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except RecursionError:
        return "(nested too deeply to be shown)"


def named_in(words: str, channel: Channel) -> frozenset[str] | None:
    """
    Tell what of a channel an error's words name.

    Returns:
        The products named, or all of the channel's members if its own name is; ``None`` if neither is named.
    """
    products = frozenset(one for one in channel.members if _mentions(words, one))
    if products:
        return products
    if _mentions(words, channel.name) or _mentions(words, CHANNELS[channel.name].echo):
        return channel.members
    return None


def _mentions(words: str, name: str) -> bool:
    return bool(name) and re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", words, re.IGNORECASE) is not None
