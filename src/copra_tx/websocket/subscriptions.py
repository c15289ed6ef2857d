"""What is wanted, what the server holds for us, and the difference between the two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from copra_tx.feed.exchange import explaining_channels, sorted_by_name

from .channel import Channel

__all__ = ["Subscriptions", "split"]


class Subscriptions:
    """
    The ledger of one client.

    *Wanted* outlives every connection. The others are about the present one: *held* is what the server last
    said it holds, *refused* what it did not confirm (not asked for again before the next connection), and
    *unwanted* what was unsubscribed from, so that nothing is taken away that somebody else subscribed to.
    """

    def __init__(self, channels: Iterable[Channel] = ()) -> None:
        self._wanted: dict[str, Channel] = {}
        self._held: dict[str, frozenset[str]] = {}
        self._refused: dict[str, Channel] = {}
        self._unwanted: dict[str, Channel] = {}
        self._accepted: dict[str, frozenset[str] | None] = {}
        self.want(channels)

    @property
    def wanted(self) -> Mapping[str, Channel]:
        """Channel name to what is wanted of it now; a live read-only view."""
        return MappingProxyType(self._wanted)

    @property
    def held(self) -> Mapping[str, frozenset[str]]:
        """Channel name to what the server said it holds; a live read-only view."""
        return MappingProxyType(self._held)

    def want(self, channels: Iterable[Channel]) -> None:
        """Add to what is wanted. What was refused on this connection is given another chance."""
        for channel in channels:
            self._add(self._wanted, channel)
            self._drop(self._refused, channel)
            self._drop(self._unwanted, channel)
        self._accepted.clear()

    def unwant(self, channels: Iterable[Channel]) -> None:
        """Take away from what is wanted; what was not wanted is passed over."""
        for channel in channels:
            self._drop(self._wanted, channel)
            self._drop(self._refused, channel)
            self._add(self._unwanted, channel)
        self._accepted.clear()

    def connected(self) -> None:
        """Begin a connection: the server holds nothing for it and has refused nothing on it."""
        self._held = {}
        self._refused.clear()
        self._unwanted.clear()

    def answered(self, listing: Mapping[str, frozenset[str]]) -> None:
        """Take what the server says the connection holds; it lists everything each time."""
        self._held = dict(listing)
        for name, members in listing.items():
            refused = self._refused.get(name)
            if refused is not None:
                self._drop(self._refused, refused.with_members(members) if members else refused)

    def refuse(self, channels: Iterable[Channel]) -> None:
        """Note what the server did not confirm."""
        for channel in channels:
            self._add(self._refused, channel)

    def stop_unsubscribing(self, channels: Iterable[Channel]) -> None:
        """Let go of what the server would not take away, until it is unsubscribed from again."""
        for channel in channels:
            self._drop(self._unwanted, channel)

    def holds_any(self, channel: Channel) -> bool:
        """Tell whether the server holds anything of a channel."""
        held = self._held.get(channel.name)
        return held is not None and (not held or not channel.members or not held.isdisjoint(channel.members))

    def unconfirmed(self, channels: Iterable[Channel]) -> list[Channel]:
        """Return what of ``channels`` the server does not hold."""
        beyond = (self._beyond_held(channel) for channel in channels)
        return [channel for channel in beyond if channel is not None]

    def still_wanted(self, channels: Iterable[Channel]) -> list[Channel]:
        """Return what of ``channels`` is still wanted."""
        return [common for channel in channels if (common := self._common(self._wanted, channel)) is not None]

    def refused_of(self, channels: Iterable[Channel]) -> list[Channel]:
        """Return what of ``channels`` was refused on this connection."""
        return [
            common for channel in channels if (common := self._common(self._refused, channel)) is not None
        ]

    def missing(self) -> list[Channel]:
        """Return what to subscribe to now: wanted, not held, not refused."""
        missing = []
        for channel in self.unconfirmed(sorted_by_name(self._wanted.values())):
            refused = self._refused.get(channel.name)
            rest = channel if refused is None else channel - refused
            if rest is not None:
                missing.append(rest)
        return missing

    def surplus(self) -> list[Channel]:
        """Return what to unsubscribe from now: unwanted, and held all the same."""
        surplus = []
        for channel in sorted_by_name(self._unwanted.values()):
            if self.holds_any(channel):
                members = channel.members & self._held[channel.name]
                surplus.append(channel.with_members(members) if members else channel)
        return surplus

    def accepts(self, message_type: str, product_id: object) -> bool:
        """
        Tell whether a wanted channel explains a message.

        A type names no channel: ``match`` comes from ``matches``, ``full`` and ``user``. Only what no wanted
        channel of that product explains is refused; a message without product passes while one of its channels
        is wanted, and a type we do not know always passes, since the venue adds some at any time.
        """
        try:
            products = self._accepted[message_type]
        except KeyError:
            products = self._accepted[message_type] = self._products_of(message_type)
        if products is None:
            return True
        if isinstance(product_id, str):
            return product_id in products
        return bool(products)

    def _products_of(self, message_type: str) -> frozenset[str] | None:
        names = explaining_channels(message_type)
        if not names:
            return None
        products: frozenset[str] = frozenset()
        for channel in (self._wanted[name] for name in names if name in self._wanted):
            if not channel.product_ids:
                return None
            products |= channel.product_ids
        return products

    def _beyond_held(self, channel: Channel) -> Channel | None:
        held = self._held.get(channel.name)
        if held is None:
            return channel
        if not channel.members or not held:
            # Held without products means everything; wanted without products, the server may list whichever.
            return None
        rest = channel.members - held
        return channel.with_members(rest) if rest else None

    @staticmethod
    def _add(ledger: dict[str, Channel], channel: Channel) -> None:
        before = ledger.get(channel.name)
        ledger[channel.name] = channel if before is None else before + channel

    @staticmethod
    def _drop(ledger: dict[str, Channel], channel: Channel) -> None:
        before = ledger.get(channel.name)
        if before is not None:
            rest = before - channel
            if rest is None:
                del ledger[channel.name]
            else:
                ledger[channel.name] = rest

    @staticmethod
    def _common(ledger: Mapping[str, Channel], channel: Channel) -> Channel | None:
        other = ledger.get(channel.name)
        if other is None:
            return None
        if not channel.members or not other.members:
            return channel if channel.members else other
        members = channel.members & other.members
        return channel.with_members(members) if members else None


def split(channels: Iterable[Channel], most: int) -> Iterator[list[Channel]]:
    """
    Cut a list of channels into requests of at most ``most`` products or accounts each.

    The venue drops a client whose message is too big and advises to split. Source: Coinbase docs, Exchange,
    "WebSocket Best Practices" and "WebSocket Errors" (read 2026-11).
    """
    part: list[Channel] = []
    room = most
    for channel in channels:
        members = sorted(channel.members)
        if not members:
            part.append(channel)
            continue
        while members:
            if room == 0:
                yield part
                part, room = [], most
            taken, members = members[:room], members[room:]
            part.append(channel.with_members(taken))
            room -= len(taken)
    if part:
        yield part
