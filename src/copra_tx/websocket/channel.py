"""A channel of a feed and the products it is wanted for."""

from __future__ import annotations

from collections.abc import Iterable

from copra_tx.errors import ConfigurationError
from copra_tx.feed import exchange

__all__ = ["Channel"]


class Channel:
    """
    One channel and the products (or accounts) it is about. A value: immutable, hashable, comparable.

    ``+`` and ``-`` work on the products and need the same channel name on both sides, else ``TypeError``. An
    empty difference is ``None``. Everything less some products is still everything: the venue has no way to ask
    for that. Channels of different names are simply not equal.

    Args:
        name: A channel of the Exchange feed, in any case: ``heartbeat``, ``status``, ``auctionfeed``,
            ``matches``, ``rfq_matches``, ``ticker``, ``ticker_batch``, ``level2``, ``level2_batch``, ``level3``,
            ``full``, ``user``, ``balance``.
        product_ids: One product id or a list of them, for example ``"BTC-USD"``. Only ``status`` and
            ``rfq_matches`` may come without, or with ``"ALL"``: they are then about everything.
        account_ids: One account id or a list of them; for ``balance``, which takes no products.

    Raises:
        ConfigurationError: (a ``ValueError``) If the name is unknown, products are missing or something is not
            a string. The text says what would be right.
    """

    __slots__ = ("account_ids", "name", "product_ids")

    name: str
    product_ids: frozenset[str]
    account_ids: frozenset[str]

    def __init__(
        self, name: str, product_ids: str | Iterable[str] = (), *, account_ids: str | Iterable[str] = ()
    ) -> None:
        if not isinstance(name, str):
            raise ConfigurationError(f"a channel's name is a string, not {name!r}")
        rule = exchange.CHANNELS.get(name.lower())
        if rule is None:
            raise ConfigurationError(exchange.unknown_channel(name))
        products = _ids("product_ids", product_ids)
        accounts = _ids("account_ids", account_ids)
        if rule.takes_accounts:
            if products or not accounts:
                raise ConfigurationError(
                    f"channel {rule.name!r} takes accounts, not products: Channel({rule.name!r}, account_ids=['...'])"
                )
        elif accounts:
            raise ConfigurationError(f"channel {rule.name!r} takes product_ids; account_ids go with 'balance'")
        elif not rule.needs_products:
            products = frozenset() if exchange.ALL_PRODUCTS in products else products
        elif not products:
            raise ConfigurationError(
                f"channel {rule.name!r} needs at least one product id, for example Channel({rule.name!r}, 'BTC-USD')"
            )
        for attribute, value in (("name", rule.name), ("product_ids", products), ("account_ids", accounts)):
            object.__setattr__(self, attribute, value)

    @property
    def members(self) -> frozenset[str]:
        """What the channel is about: its products or accounts; empty means everything."""
        return self.product_ids or self.account_ids

    def with_members(self, members: Iterable[str]) -> Channel:
        """Return the same channel about other products (for ``balance``: accounts)."""
        if exchange.CHANNELS[self.name].takes_accounts:
            return Channel(self.name, account_ids=members)
        return Channel(self.name, members)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Channel cannot be changed; make another one (tried to set {name!r})")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Channel cannot be changed; make another one (tried to delete {name!r})")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.name, sorted(self.product_ids), sorted(self.account_ids))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Channel):
            return NotImplemented
        return (self.name, self.members) == (other.name, other.members)

    def __hash__(self) -> int:
        return hash((self.name, self.members))

    def __add__(self, other: Channel) -> Channel:
        """Return the channel with both sides' products; everything if one side is about everything."""
        if not isinstance(other, Channel):
            return NotImplemented
        self._same_name(other, "added")
        return self.with_members(self.members | other.members if self.members and other.members else ())

    def __sub__(self, other: Channel) -> Channel | None:
        """Return what is left without the other side's products; ``None`` if nothing is."""
        if not isinstance(other, Channel):
            return NotImplemented
        self._same_name(other, "subtracted")
        if not other.members:
            return None
        if not self.members:
            return self
        rest = self.members - other.members
        return self.with_members(rest) if rest else None

    def __repr__(self) -> str:
        about = f", {sorted(self.product_ids)!r}" if self.product_ids else ""
        if self.account_ids:
            about += f", account_ids={sorted(self.account_ids)!r}"
        return f"Channel({self.name!r}{about})"

    def _same_name(self, other: Channel, what: str) -> None:
        if self.name != other.name:
            raise TypeError(f"only channels of the same name can be {what}, not {self.name!r} and {other.name!r}")


def _ids(argument: str, value: object) -> frozenset[str]:
    if isinstance(value, str):
        value = [value] if value else []
    elif isinstance(value, bytes) or not isinstance(value, Iterable):
        raise ConfigurationError(f"{argument} is a string or a list of strings, not {value!r}")
    ids = list(value)
    for one in ids:
        if not isinstance(one, str):
            raise ConfigurationError(f"{argument} holds strings, not {one!r}")
        if not one or one != one.strip():
            raise ConfigurationError(f"{one!r} in {argument} is no id; ids look like 'BTC-USD'")
    return frozenset(ids)


def _rebuild(name: str, product_ids: list[str], account_ids: list[str]) -> Channel:
    return Channel(name, product_ids, account_ids=account_ids)
