"""What is wanted, what the server holds for us, and the difference between the two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from copra_tx.feed import exchange
from copra_tx.feed.dialect import Dialect, Kind, merged

from .channel import Channel
from .silent import SilentHeartbeats

__all__ = ["Subscriptions", "split"]


class Subscriptions:
    """
    The ledger of one client.

    *Wanted* outlives every connection, and so does what is subscribed to *silently*: needed, but not delivered unless
    it is wanted, too. The others are about the present one: *held* is what the server last
    said it holds, *refused* what it did not confirm (not asked for again before the next connection), and
    *unwanted* what was unsubscribed from, so that nothing is taken away that somebody else subscribed to.

    To bring the server to what is wanted: take away the ``surplus()`` first, then ask for what is ``missing()``,
    one request at a time. After each answer say so with ``answered()``, and tell what it did not bring about with
    ``refuse()`` and ``stop_unsubscribing()``.

    Of a channel that may be about everything, some products are not part of everything: the one cannot be made of
    the other without asking.

    Args:
        channels: What is wanted at first.
        dialect: Of the feed.
        silently: Whether heartbeats are subscribed to, too, unseen by the user.

    The venue may have another name for a product: then what it holds and sends under that name counts.

    Attributes:
        silent: Those heartbeats. What is ``missing()`` and ``surplus()`` is without them.
        is_selective: Whether anything was unwanted on this connection, so that what arrives must be looked at with
            ``accepts``: a server sends nothing that it was not asked for.
        silent_types: Types of messages that only what is subscribed to silently brings.
        plain_types: Types of messages that are wanted, whatever they are about, and tell nothing of the line:
            all but heartbeats.
    """

    def __init__(
        self, channels: Iterable[Channel] = (), dialect: Dialect = exchange.DIALECT, *, silently: bool = True
    ) -> None:
        self._dialect = dialect
        self._silently = {name: Channel(name) for name in (dialect.silently if silently else ())}
        self._asked: dict[str, Channel] = {}
        self.silent_types: frozenset[str] = frozenset()
        self.plain_types: frozenset[str] = frozenset()
        self.silent = SilentHeartbeats(dialect, is_on=silently)
        self._wanted: dict[str, Channel] = {}
        self._held: dict[str, frozenset[str]] = {}
        self._refused: dict[str, Channel] = {}
        self._unwanted: dict[str, Channel] = {}
        self.is_selective = False
        # What was asked for by its id on this connection. That the server holds it says nothing of "everything".
        self._by_id: dict[str, frozenset[str]] = {}
        # Message type to the products it may be about; a type that may be about any is not in it.
        self._explained: dict[str, frozenset[str]] = {}
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
        channels = list(channels)
        self.silent.wanted(channels)
        for channel in channels:
            self._add(self._wanted, channel)
            self._drop(self._unwanted, channel)
            if self._wanted[channel.name].members:
                self._drop(self._refused, channel)
                self._by_id[channel.name] = self._by_id.get(channel.name, frozenset()) | channel.members
            else:
                self._refused.pop(channel.name, None)
        self._explain()

    def unwant(self, channels: Iterable[Channel]) -> None:
        """
        Take away from what is wanted; what was not wanted is passed over.

        So are some products of a channel that is wanted for everything: it stays so.
        """
        channels = list(channels)
        self.silent.unwanted(channels)
        for channel in channels:
            self._drop(self._wanted, channel)
            self._drop(self._refused, channel)
            if channel.name not in self._wanted or self._wanted[channel.name].members:
                self._add(self._unwanted, channel)
                self.is_selective = True
        self._explain()

    def connected(self) -> None:
        """Begin a connection: the server holds nothing for it and has refused nothing on it."""
        self._held.clear()
        self._refused.clear()
        self._unwanted.clear()
        self._asked.clear()
        self.silent.connected()
        self.is_selective = False
        self._know_plain()
        self._by_id = {name: channel.members for name, channel in self._wanted.items()}

    def asked(self, kind: Kind, channels: Iterable[Channel]) -> None:
        """Take note of a request: of some channels the answer will not tell which products are held."""
        for channel in channels:
            (self._add if kind == "subscribe" else self._drop)(self._asked, channel)

    def answered(self, listing: Mapping[str, frozenset[str]]) -> None:
        """Take what the server says the connection holds; it lists everything each time."""
        self._held.clear()
        self._held.update(listing)
        for name in listing.keys() & self._asked.keys():
            if not self._dialect.channels[name].is_echoed:
                self._held[name] = self._asked[name].members
        self._refused = {channel.name: channel for channel in self.unconfirmed(self._refused.values())}

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
        return held is not None and (not held or not channel.members or not held.isdisjoint(self._on_wire(channel)))

    def unconfirmed(self, channels: Iterable[Channel]) -> list[Channel]:
        """Return what of ``channels`` the server does not hold."""
        beyond = (self._beyond_held(channel) for channel in channels)
        return [channel for channel in beyond if channel is not None]

    def still_wanted(self, channels: Iterable[Channel]) -> list[Channel]:
        """Return what of ``channels`` is still wanted, or needed all the same."""
        needed = self._silently | self._wanted
        return [common for channel in channels if (common := self._common(needed, channel)) is not None]

    def refused_of(self, channels: Iterable[Channel]) -> list[Channel]:
        """Return what of ``channels`` was refused on this connection."""
        return [common for channel in channels if (common := self._common(self._refused, channel)) is not None]

    def confirmed(self) -> list[Channel]:
        """Return what is wanted and held."""
        confirmed = []
        for channel in self._wanted.values():
            beyond = self._beyond_held(channel)
            rest = channel if beyond is None else channel - beyond
            if rest is not None and beyond != channel:
                confirmed.append(rest)
        return confirmed

    def refused(self) -> list[Channel]:
        """Return what is wanted and was refused on this connection."""
        return self.refused_of(self._wanted.values())

    def missing(self) -> list[Channel]:
        """Return what to subscribe to now: needed, not held, not refused."""
        missing = []
        for channel in self.unconfirmed(merged((self._silently | self._wanted).values())):
            refused = self._refused.get(channel.name)
            rest = channel if refused is None else channel - refused
            if rest is not None:
                missing.append(rest)
        return missing

    def surplus(self) -> list[Channel]:
        """Return what to unsubscribe from now: unwanted, and held all the same."""
        surplus = []
        for channel in merged(self._unwanted.values()):
            if not self.holds_any(channel) or channel.name in self._silently:
                continue
            if channel.name not in self._wanted and not self._dialect.channels[channel.name].is_echoed:
                surplus.append(channel.with_members(()))
                continue
            held, kept = self._held[channel.name], self._on_wire(self._wanted.get(channel.name))
            members = {one for one in channel.members if self._wire_id(channel, one) in held - kept}
            if members or not channel.members or not held:
                surplus.append(channel.with_members(members) if members else channel)
        return surplus

    def accepts(self, message_type: str, product_id: object) -> bool:
        """
        Tell whether a wanted channel explains a message.

        A type names no channel: ``match`` comes from ``matches``, ``full`` and ``user``. Only what no wanted
        channel of that product explains is refused; a message without product passes while one of its channels
        is wanted, and a type we do not know always passes, since the venue adds some at any time.
        """
        products = self._explained.get(message_type)
        if products is None:
            return True
        return product_id in products if isinstance(product_id, str) else bool(products)

    def _explain(self) -> None:
        self._explained.clear()
        for message_type in self._dialect.message_types:
            names = self._dialect.explaining_channels(message_type)
            wanted = [self._wanted[name] for name in names if name in self._wanted]
            if all(channel.product_ids for channel in wanted):
                explained = (channel.product_ids | self._on_wire(channel) for channel in wanted)
                self._explained[message_type] = frozenset().union(*explained)
        silent = [self._dialect.channels[name].types for name in self._silently if name not in self._wanted]
        self.silent_types = frozenset().union(*silent)
        self._know_plain()

    def _know_plain(self) -> None:
        watched = self.silent_types | {self._dialect.heartbeat}
        self.plain_types = frozenset() if self.is_selective else self._dialect.message_types - watched

    def _beyond_held(self, channel: Channel) -> Channel | None:
        held = self._held.get(channel.name)
        if held is None:
            return channel
        if not held:
            return None  # held without products: everything
        if not channel.members:
            # For everything, the server may list whichever products.
            return channel if held <= self._by_id.get(channel.name, frozenset()) else None
        rest = {one for one in channel.members if self._wire_id(channel, one) not in held}
        return channel.with_members(rest) if rest else None

    def _wire_id(self, channel: Channel, member: str) -> str:
        return self._dialect.wire_id(channel.name, member)

    def _on_wire(self, channel: Channel | None) -> frozenset[str]:
        return frozenset() if channel is None else frozenset(self._wire_id(channel, one) for one in channel.members)

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


def split(channels: Iterable[Channel], most: int, *, joining: bool = True) -> Iterator[list[Channel]]:
    """
    Cut a list of channels into requests of at most ``most`` products or accounts each.

    Args:
        channels: The list.
        most: Products or accounts of one request.
        joining: Whether one request may be about several channels.

    The venue drops a client whose message is too big and advises to split. Source: Coinbase docs, Exchange,
    "WebSocket Best Practices" and "WebSocket Errors" (read 2026-11).
    """
    part: list[Channel] = []
    room = most
    for channel in channels:
        if part and not joining:
            yield part
            part, room = [], most
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
