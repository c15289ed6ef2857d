"""
The Coinbase Exchange feed: its addresses, channels, requests, and what its messages mean.

Source of every statement about the venue, unless another is named: Coinbase docs, Exchange, "WebSocket
Overview", "WebSocket Channels", "WebSocket Authentication", "WebSocket Errors" (read 2026-11). What live
recordings of 2026 show beyond the documentation is marked "recorded".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from .dialect import ChannelRule, Dialect, Kind, Signer, mentions, merged

if TYPE_CHECKING:
    from copra_tx.websocket.channel import Channel

__all__ = [
    "ALL_PRODUCTS",
    "CHANNELS",
    "DIALECT",
    "DIRECT_FEED_URL",
    "FEED_URL",
    "REST_URL",
    "REST_URLS",
    "SANDBOX_DIRECT_FEED_URL",
    "SANDBOX_FEED_URL",
    "SANDBOX_REST_URL",
    "UNREADABLE_REQUEST",
    "is_about_signature",
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


_ORDER_TYPES = ("received", "open", "done", "match", "change", "activate")

CHANNELS: Mapping[str, ChannelRule] = {
    rule.name: rule
    for rule in (
        ChannelRule("heartbeat", ("heartbeat",)),
        ChannelRule("status", ("status",), needs_products=False, is_quiet=True),
        ChannelRule("auctionfeed", ("auction",), is_quiet=True),
        ChannelRule("matches", ("match", "last_match"), number="trade_id", shows_trades=True),
        ChannelRule("rfq_matches", ("rfq_match",), needs_products=False, is_quiet=True),
        ChannelRule("ticker", ("ticker",), shows_trades=True),
        ChannelRule("ticker_batch", ("ticker",), echo="ticker_1000", shows_trades=True),
        ChannelRule("level2", ("snapshot", "l2update"), shows_trades=True),
        ChannelRule("level2_batch", ("snapshot", "l2update"), echo="level2_50", shows_trades=True),
        ChannelRule("level3", ("level3",), number="sequence", shows_trades=True),
        ChannelRule("full", _ORDER_TYPES, number="sequence", shows_trades=True),
        ChannelRule("user", _ORDER_TYPES, is_quiet=True),
        ChannelRule(
            "balance", ("balance",), needs_products=False, takes_accounts=True, takes_products=False, is_quiet=True
        ),
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
    kind: Kind,
    channels: Iterable[Channel],
    credentials: Signer | None,
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


def is_about_signature(words: str) -> bool:
    """
    Tell whether an error's words refuse a signature: ``request timestamp expired``, ``could not be authenticated``.

    Source: answers quoted in public, of 2017 to 2026; the docs have no wording.
    """
    return re.search("authenticat|signature|timestamp", words, re.IGNORECASE) is not None


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


def named_in(words: str, channel: Channel) -> frozenset[str] | None:
    """
    Tell what of a channel an error's words name.

    Returns:
        The products named, or all of the channel's members if its own name is; ``None`` if neither is named.
    """
    products = frozenset(one for one in channel.members if mentions(words, one))
    if products:
        return products
    if mentions(words, channel.name) or mentions(words, CHANNELS[channel.name].echo):
        return channel.members
    return None


def _must_sign(_: Iterable[Channel]) -> bool:
    return True


def _as_it_is(_: str, product_id: str) -> str:
    return product_id


def _products_in(message: Mapping[str, object]) -> tuple[object]:
    return (message.get("product_id"),)


DIALECT = Dialect(
    title="the Exchange feed",
    channels=CHANNELS,
    type_key="type",
    has_rows=True,
    is_numbered=False,
    joins_channels=True,
    request=request,
    must_sign=_must_sign,
    listed=listed,
    named_in=named_in,
    unknown_channel=unknown_channel,
    wire_id=_as_it_is,
    products_in=_products_in,
    heartbeat="heartbeat",
    is_about_signature=is_about_signature,
)
"""The Exchange feed."""
