"""
The Advanced Trade feed: its addresses, channels, requests, and what its messages mean.

Source of every statement about the venue, unless another is named: Coinbase docs, Advanced Trade, "WebSocket
Overview", "WebSocket Channels", "WebSocket Endpoints" and the AsyncAPI file (copies of 2026-06 to 2026-08). What users
of the live feed saw beyond the documentation is marked "seen".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from .dialect import ChannelRule, Dialect, Kind, Signer, mentions, merged

if TYPE_CHECKING:
    from copra_tx.websocket.channel import Channel

__all__ = [
    "ADVANCED_TRADE_URL",
    "ADVANCED_TRADE_USER_URL",
    "CHANNELS",
    "DIALECT",
    "MOST_LEVEL2_PRODUCTS",
    "USER_DIALECT",
    "explained",
    "listed",
    "named_in",
    "products_in",
    "request",
    "unknown_channel",
    "wire_id",
]

ADVANCED_TRADE_URL = "wss://advanced-trade-ws.coinbase.com"
"""Market data and, as a fall-back, the user's own."""

ADVANCED_TRADE_USER_URL = "wss://advanced-trade-ws-user.coinbase.com"
"""The user's own data: ``user``, ``futures_balance_summary`` and ``heartbeats`` only."""

MOST_LEVEL2_PRODUCTS = 30
"""Seen by several users in 2026, and not documented: one more is refused; what was unsubscribed from does not count."""

CHANNELS: Mapping[str, ChannelRule] = {
    rule.name: rule
    for rule in (
        ChannelRule("heartbeats", ("heartbeats",), needs_products=False, takes_products=False, is_echoed=False),
        ChannelRule("candles", ("candles",)),
        ChannelRule("status", ("status",), is_quiet=True),
        ChannelRule("ticker", ("ticker",)),
        ChannelRule("ticker_batch", ("ticker_batch",)),
        ChannelRule("level2", ("l2_data",), most=MOST_LEVEL2_PRODUCTS),
        ChannelRule("market_trades", ("market_trades",)),
        ChannelRule("user", ("user",), needs_products=False, is_private=True, is_echoed=False, is_quiet=True),
        ChannelRule(
            "futures_balance_summary",
            ("futures_balance_summary",),
            needs_products=False,
            takes_products=False,
            is_private=True,
            is_echoed=False,
            is_quiet=True,
        ),
    )
}
"""Every channel of the feed by its name."""

_EXCHANGE_NAMES = {
    "heartbeat": "heartbeats",
    "matches": "market_trades",
    "level2_batch": "level2",
    **dict.fromkeys(("auctionfeed", "rfq_matches", "level3", "full", "balance"), ""),
}
_OF_THE_USER = ("heartbeats", "user", "futures_balance_summary")
_HELD_AS_ITSELF = frozenset({"USDT-USDC", "EURC-USDC"})
_LISTS = ("tickers", "trades", "candles", "orders", "products")  # the parts of an event, by channel


def unknown_channel(name: str) -> str:
    """Say in words what to use instead of a channel name that this feed does not have."""
    if name.lower() in _EXCHANGE_NAMES:
        ours = _EXCHANGE_NAMES[name.lower()]
        instead = f"here it is {ours!r}" if ours else "the Advanced Trade feed has nothing like it"
        return f"{name!r} is a channel of the Exchange feed; {instead}"
    return f"there is no channel {name!r}; the channels are {', '.join(CHANNELS)}"


def request(kind: Kind, channels: Iterable[Channel], credentials: Signer | None, timestamp: str) -> bytes:
    """
    Return the bytes of one request, about one channel. The same request always has the same bytes, but for its token.

    Args:
        kind: What to ask for.
        channels: Channels of one name.
        credentials: With these the request carries a new token; ``None`` sends it without.
        timestamp: Seconds since the Unix epoch as text; used only when signing.
    """
    [channel] = merged(channels)
    message: dict[str, object] = {"type": kind, "channel": channel.name}
    if channel.product_ids:
        message["product_ids"] = sorted(channel.product_ids)
    if credentials is not None:
        message.update(credentials.sign(timestamp))
    return msgspec.json.encode(message)


def _must_sign(channels: Iterable[Channel]) -> bool:
    return any(CHANNELS[channel.name].is_private for channel in channels)


def wire_id(channel_name: str, product_id: str) -> str:
    """
    Return by which name a product comes back.

    The server turns a subscription for ``XLM-USDC`` into one for ``XLM-USD``: data and answers carry that name. Only
    ``user`` knows the others, and two products are there under their own names.
    """
    if channel_name != "user" and product_id.endswith("-USDC") and product_id not in _HELD_AS_ITSELF:
        return product_id.removesuffix("C")
    return product_id


def listed(answer: Mapping[str, object]) -> dict[str, frozenset[str]]:
    """
    Read a ``subscriptions`` answer: everything the connection holds now.

    Whatever is not of the known shape is passed over, and so is a channel that is listed without any product.

    Returns:
        Channel name to products, by their names on the wire; an empty set for a channel of which the answer does not
        tell more than that it is held: ``user``, for instance, is listed with the id of the user.
    """
    held: dict[str, frozenset[str]] = {}
    for event in _events(answer):
        subscriptions = event.get("subscriptions")
        for name, ids in subscriptions.items() if isinstance(subscriptions, Mapping) else ():
            if isinstance(ids, list) and ids:
                is_echoed = name not in CHANNELS or CHANNELS[name].is_echoed
                held[name] = frozenset(one for one in ids if isinstance(one, str)) if is_echoed else frozenset()
    return held


def products_in(message: Mapping[str, object]) -> Iterator[object]:
    """Yield the product of each event, or of each of its parts; ``None`` for one that is about none."""
    for event in _events(message):
        if "product_id" in event:  # of level2, whose parts are thousands of levels
            yield event["product_id"]
            continue
        parts = next((event[name] for name in _LISTS if name in event), None)
        if not isinstance(parts, list) or not parts:
            yield None
            continue
        for part in parts:
            yield part.get("product_id", part.get("id")) if isinstance(part, Mapping) else None


def _events(message: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    events = message.get("events")
    for event in events if isinstance(events, list) else ():
        if isinstance(event, Mapping):
            yield event


def named_in(words: str, channel: Channel) -> frozenset[str] | None:
    """
    Tell what of a channel an error's words name.

    Returns:
        All of the channel's members if its name is, or what the server calls it; ``None`` if not.
    """
    if mentions(words, channel.name) or (channel.name == "level2" and mentions(words, "L2")):
        return channel.members
    return None


def explained(words: str) -> str:
    """Return what an error may mean besides what it says; ``''`` where it speaks for itself (seen)."""
    if mentions(words, "authentication failure"):
        return (
            "the key is missing, wrong or out of date, or the clock is; the server also says so of a channel that it "
            "does not know"
        )
    return ""


DIALECT = Dialect(
    title="the Advanced Trade feed",
    channels=CHANNELS,
    type_key="channel",
    has_rows=False,
    is_numbered=True,
    joins_channels=False,
    request=request,
    must_sign=_must_sign,
    listed=listed,
    named_in=named_in,
    unknown_channel=unknown_channel,
    wire_id=wire_id,
    products_in=products_in,
    silently=("heartbeats",),
    heartbeat="heartbeats",
)
"""The Advanced Trade feed."""


def _not_of_the_user(name: str) -> str:
    if name in CHANNELS:
        return (
            f"the address for the user's own data has no channel {name!r}, only {', '.join(_OF_THE_USER)}; "
            f"market data are at {ADVANCED_TRADE_URL}"
        )
    return unknown_channel(name)


USER_DIALECT = dataclasses.replace(
    DIALECT,
    title="the Advanced Trade feed's address for the user's own data",
    channels={name: CHANNELS[name] for name in _OF_THE_USER},
    unknown_channel=_not_of_the_user,
)
"""The Advanced Trade feed at its address for the user's own data."""
