"""Whether channels fit a feed: its names, and how much one connection may hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from copra_tx.errors import ConfigurationError, TooManyProductsError
from copra_tx.feed.dialect import Dialect, merged

from .channel import Channel

__all__ = ["as_list", "check_room", "fitting"]


def as_list(channels: Channel | Iterable[Channel]) -> list[Channel]:
    """
    Return a channel, or several, as a list.

    Raises:
        ConfigurationError: If something is no channel.
    """
    listed = [channels] if isinstance(channels, Channel) else list(channels)
    for channel in listed:
        if not isinstance(channel, Channel):
            raise ConfigurationError(f"channels is a Channel or a list of them, not {channel!r}")
    return listed


def fitting(channels: Channel | Iterable[Channel], dialect: Dialect) -> list[Channel]:
    """
    Return channels as a list.

    Raises:
        ConfigurationError: If something is no channel, or none of the feed.
    """
    listed = as_list(channels)
    for channel in listed:
        dialect.check(channel)
    return listed


def check_room(wanted: Mapping[str, Channel], more: Iterable[Channel], dialect: Dialect, most: int) -> None:
    """
    Look whether one connection may hold what is wanted and more.

    Args:
        wanted: Channel name to what is wanted already.
        more: What is to be subscribed to besides.
        dialect: Of the feed.
        most: Products of a channel that has a limit.

    Raises:
        TooManyProductsError: If it may not.
    """
    for channel in merged(more):
        if dialect.channels[channel.name].most:
            whole = wanted[channel.name] + channel if channel.name in wanted else channel
            count = len({dialect.wire_id(channel.name, product) for product in whole.product_ids})
            if count > most:
                raise TooManyProductsError(channel.name, count, most)
