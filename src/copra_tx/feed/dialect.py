"""What the rest of the client must know of a feed: one value for each of Coinbase's two."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from copra_tx.errors import ConfigurationError

if TYPE_CHECKING:
    from copra_tx.websocket.channel import Channel

__all__ = ["ChannelRule", "Dialect", "Kind", "Signer", "error_words", "mentions", "merged"]

Kind = Literal["subscribe", "unsubscribe"]
"""What a request asks for."""


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """
    What the venue says about one channel.

    Attributes:
        name: What we and the documentation call it.
        types: The type of every message it may bring.
        needs_products: Whether a subscription must name products.
        takes_accounts: Whether it names accounts instead.
        echo: Its name in the ``subscriptions`` answer, where that is another one (recorded).
        takes_products: Whether it may name any.
        is_private: Whether only requests with a key are taken for it.
        is_echoed: Whether the answer says which products are held, or only that something is.
        most: How many products one connection may hold; 0 for any number.
        number: The member that grows by one with each message of a product; empty if there is none.
        is_quiet: Whether it may bring nothing for hours, from the beginning.
        shows_trades: Whether it brings something of each product that is traded, within seconds.
    """

    name: str
    types: tuple[str, ...]
    needs_products: bool = True
    takes_accounts: bool = False
    echo: str = ""
    takes_products: bool = True
    is_private: bool = False
    is_echoed: bool = True
    most: int = 0
    number: str = ""
    is_quiet: bool = False
    shows_trades: bool = False

    @property
    def needs_members(self) -> bool:
        """Whether a subscription must name what it is about; else naming nothing means everything."""
        return self.needs_products or self.takes_accounts


class Signer(Protocol):
    """An API key."""

    def sign(self, timestamp: str) -> Mapping[str, str]:
        """
        Return the fields that make a request a signed one; made anew for every request.

        Args:
            timestamp: Seconds since the Unix epoch as decimal text.
        """


def _never(_: str) -> bool:
    return False


@dataclass(frozen=True)
class Dialect:
    """
    One feed's language.

    Attributes:
        title: What texts call the feed.
        channels: Every channel of the feed by its name.
        type_key: The member of a message that says its type.
        has_rows: Whether a message may be a row: an array that begins with its type.
        is_numbered: Whether one counter numbers all messages of a connection.
        joins_channels: Whether one request may be about several channels.
        request: Makes the bytes of one request, signed if there is a signer.
        must_sign: Tells whether a request about these channels is to be signed, if there is a key.
        listed: Reads a ``subscriptions`` answer: channel name to the members held, none of them for a channel
            that is held without any.
        named_in: Tells what of a channel an error's words name; ``None`` if nothing.
        unknown_channel: Says in words what to use instead of a name that is no channel of the feed.
        wire_id: Returns by which name a product of a channel comes back, in data and answers.
        products_in: Returns the products that a message's parts are about; ``None`` for a part without any.
        silently: What is subscribed to on every connection without being asked for.
        heartbeat: The channel that brings something every second, for each product; empty if there is none.
        is_about_signature: Tells whether an error's words refuse a signature.
    """

    title: str
    channels: Mapping[str, ChannelRule]
    type_key: str
    has_rows: bool
    is_numbered: bool
    joins_channels: bool
    request: Callable[[Kind, Iterable[Channel], Signer | None, str], bytes]
    must_sign: Callable[[Iterable[Channel]], bool]
    listed: Callable[[Mapping[str, object]], dict[str, frozenset[str]]]
    named_in: Callable[[str, Channel], frozenset[str] | None]
    unknown_channel: Callable[[str], str]
    wire_id: Callable[[str, str], str]
    products_in: Callable[[Mapping[str, object]], Iterable[object]]
    silently: tuple[str, ...] = ()

    def check(self, channel: Channel) -> None:
        """
        Raise ``ConfigurationError`` if a channel does not fit the feed.

        That is a name that the feed does not have, or one that needs products here and was made without.
        """
        rule = self.channels.get(channel.name)
        if rule is None:
            raise ConfigurationError(self.unknown_channel(channel.name))
        if rule.needs_products and not channel.members:
            raise ConfigurationError(
                f"channel {channel.name!r} needs at least one product id on {self.title}, "
                f"for example Channel({channel.name!r}, 'BTC-USD')"
            )

    heartbeat: str = ""
    is_about_signature: Callable[[str], bool] = _never

    @functools.cached_property
    def message_types(self) -> frozenset[str]:
        """Every type that a channel is known to bring."""
        return frozenset(message_type for rule in self.channels.values() for message_type in rule.types)

    @functools.cached_property
    def _explaining(self) -> Mapping[str, tuple[str, ...]]:
        return {
            message_type: tuple(rule.name for rule in self.channels.values() if message_type in rule.types)
            for message_type in self.message_types
        }

    def explaining_channels(self, message_type: str) -> tuple[str, ...]:
        """Return the names of the channels that bring messages of a type; none for a type we do not know."""
        return self._explaining.get(message_type, ())


def merged(channels: Iterable[Channel]) -> list[Channel]:
    """Return channels one for each name, in the order in which requests name them."""
    by_name: dict[str, Channel] = {}
    for channel in channels:
        by_name[channel.name] = by_name[channel.name] + channel if channel.name in by_name else channel
    return [by_name[name] for name in sorted(by_name)]


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


def mentions(words: str, name: str) -> bool:
    """Tell whether an error's words have a name in them, as a word of its own."""
    return bool(name) and re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", words, re.IGNORECASE) is not None
