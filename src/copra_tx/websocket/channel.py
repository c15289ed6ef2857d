"""A channel of a feed and the products it is wanted for."""

from __future__ import annotations

from collections.abc import Iterable

from copra_tx.errors import ConfigurationError
from copra_tx.feed import both, exchange

__all__ = ["Channel"]


class Channel:
    """
    One channel and the products (or accounts) it is about. A value: immutable, hashable, comparable.

    ``+`` and ``-`` work on the products and need the same channel name on both sides, else ``TypeError``. An
    empty difference is ``None``. Everything less some products is still everything: the venue has no way to ask
    for that. Channels of different names are simply not equal.

    Args:
        name: A channel of one of the two feeds, in any case. The Exchange feed has ``heartbeat``, ``status``,
            ``auctionfeed``, ``matches``, ``rfq_matches``, ``ticker``, ``ticker_batch``, ``level2``, ``level2_batch``,
            ``level3``, ``full``, ``user``, ``balance``; the Advanced Trade feed ``heartbeats``, ``candles``,
            ``status``, ``ticker``, ``ticker_batch``, ``level2``, ``market_trades``, ``user``,
            ``futures_balance_summary``. Whether the client's feed has it, the client looks when it gets it.
        product_ids: One product id or a list of them, for example ``"BTC-USD"``. Only ``status`` (of the Exchange
            feed) and ``rfq_matches`` may come without, or with ``"ALL"``: they are then about everything, and so is
            ``user`` with ``"ALL"`` (of the Advanced Trade feed). ``heartbeats`` and ``futures_balance_summary`` take
            none.
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
        rules = both.rules_of(name.lower())
        if not rules:
            raise ConfigurationError(both.unknown_channel(name))
        rule = rules[0]
        products = _ids("product_ids", product_ids)
        accounts = _ids("account_ids", account_ids)
        if rule.takes_accounts:
            if products or not accounts:
                raise ConfigurationError(
                    f"channel {rule.name!r} takes accounts, not products: Channel({rule.name!r}, account_ids=['...'])"
                )
        elif accounts:
            raise ConfigurationError(f"channel {rule.name!r} takes product_ids; account_ids go with 'balance'")
        elif exchange.ALL_PRODUCTS in products and not all(one.needs_products for one in rules):
            products = frozenset()
        elif products and not rule.takes_products:
            raise ConfigurationError(f"channel {rule.name!r} takes no products: Channel({rule.name!r})")
        elif not products and rule.needs_products:
            everything = "" if all(one.needs_products for one in rules) else ", or 'ALL' on the Advanced Trade feed"
            raise ConfigurationError(
                f"channel {rule.name!r} needs at least one product id, for example Channel({rule.name!r}, 'BTC-USD')"
                f"{everything}"
            )
        self._set(rule.name, products, accounts)

    def _set(self, name: str, product_ids: frozenset[str], account_ids: frozenset[str]) -> None:
        for attribute, value in (("name", name), ("product_ids", product_ids), ("account_ids", account_ids)):
            object.__setattr__(self, attribute, value)

    @property
    def members(self) -> frozenset[str]:
        """What the channel is about: its products or accounts; empty means everything."""
        return self.product_ids or self.account_ids

    def with_members(self, members: Iterable[str]) -> Channel:
        """Return the same channel about other products (for ``balance``: accounts)."""
        ids, rules = frozenset(members), both.rules_of(self.name)
        if not ids and all(rule.needs_members for rule in rules):
            return Channel(self.name)  # which says what is missing
        takes_accounts = rules[0].takes_accounts
        return _rebuild(self.name, () if takes_accounts else ids, ids if takes_accounts else ())

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


def _rebuild(name: str, product_ids: Iterable[str], account_ids: Iterable[str]) -> Channel:
    # What was checked at birth; and "everything", which some names may only be about when told so.
    channel = object.__new__(Channel)
    channel._set(name, frozenset(product_ids), frozenset(account_ids))
    return channel
