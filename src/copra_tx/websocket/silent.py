"""The heartbeats that nobody asked for: held for every product, so that silence can be told from a quiet market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from copra_tx.feed.dialect import Dialect

from .channel import Channel

__all__ = ["SilentHeartbeats"]

_NOTHING: frozenset[str] = frozenset()


class SilentHeartbeats:
    """
    What to subscribe to, beside what is wanted.

    Each product is asked for once on a connection: whether the server grants it is nobody's business.

    Args:
        dialect: Of the feed; one whose heartbeats are not those of products has none here.
        is_on: Whether there are any.

    Attributes:
        asked: The products that were asked for on this connection.
    """

    def __init__(self, dialect: Dialect, *, is_on: bool) -> None:
        rule = dialect.channels.get(dialect.heartbeat)
        self._name = dialect.heartbeat
        self._is_on = is_on and rule is not None and rule.needs_products
        self._with_products = {name for name, one in dialect.channels.items() if one.needs_products} - {self._name}
        self._unwanted = self._renewing = _NOTHING
        self.asked = _NOTHING

    def connected(self) -> None:
        """Begin a connection."""
        self.asked = self._unwanted = self._renewing = _NOTHING

    def unwanted(self, channels: Iterable[Channel]) -> None:
        """Take note of what was unsubscribed from: who does not want the heartbeats of a product gets none."""
        for channel in channels:
            if channel.name == self._name:
                self._unwanted |= channel.product_ids
                self.asked -= channel.product_ids

    def wanted(self, channels: Iterable[Channel]) -> None:
        """Take note of what was subscribed to."""
        for channel in channels:
            if channel.name == self._name:
                self._unwanted -= channel.product_ids

    def renew(self, product_ids: frozenset[str]) -> None:
        """Have these products, as far as they were asked for, unsubscribed from and subscribed to again."""
        self._renewing |= product_ids & self.asked

    def sent(self, channels: Iterable[Channel], *, leaving: bool) -> None:
        """Take note of a request."""
        for channel in channels:
            self.asked = self.asked - channel.product_ids if leaving else self.asked | channel.product_ids
            self._renewing -= channel.product_ids

    def missing(self, wanted: Mapping[str, Channel], held: Mapping[str, frozenset[str]]) -> list[Channel]:
        """
        Return what to subscribe to.

        Args:
            wanted: Channel name to what is wanted of it.
            held: Channel name to what the server holds.
        """
        return self._channel(self._due(wanted, held) - held.get(self._name, _NOTHING) - self.asked)

    def surplus(self, wanted: Mapping[str, Channel], held: Mapping[str, frozenset[str]]) -> list[Channel]:
        """Return what to unsubscribe from: it is to be renewed, or nothing else of its product is held any more."""
        due = (self._due(wanted, held) - self._renewing) | self._asked_for(wanted)
        return self._channel((self.asked & held.get(self._name, _NOTHING)) - due)

    def hides(self, product_id: object, wanted: Mapping[str, Channel]) -> bool:
        """Tell whether a heartbeat is not to be delivered."""
        return product_id in self.asked and product_id not in self._asked_for(wanted)

    def _due(self, wanted: Mapping[str, Channel], held: Mapping[str, frozenset[str]]) -> frozenset[str]:
        if not self._is_on:
            return _NOTHING
        products = [held[name] & wanted[name].product_ids for name in held.keys() & wanted.keys() & self._with_products]
        return _NOTHING.union(*products) - self._asked_for(wanted) - self._unwanted

    def _asked_for(self, wanted: Mapping[str, Channel]) -> frozenset[str]:
        return wanted[self._name].product_ids if self._name in wanted else _NOTHING

    def _channel(self, products: frozenset[str]) -> list[Channel]:
        return [Channel(self._name, products)] if products else []
