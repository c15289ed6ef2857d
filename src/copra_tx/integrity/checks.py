"""Which messages of a feed are numbered, and by which of their members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from copra_tx.feed.dialect import Dialect

from .beats import Beat
from .gaps import Gap
from .numbers import number_or_same
from .ranges import Ranges
from .sequences import Sequences

__all__ = ["Checks"]

_NOTHING: frozenset[str] = frozenset()


class Checks:
    """
    The numbers of everything that one client is subscribed to.

    Of ``full`` and ``level3`` each message has the next ``sequence`` of its product, of ``matches`` the next
    ``trade_id``. A message names no channel: where ``full`` brings the matches of a product, they are counted as
    messages of ``full``, and a second one from ``matches`` is nothing to be told.

    Args:
        dialect: Of the feed. One whose channels have no numbers of their own has nothing to be checked here.

    Attributes:
        tracked_types: The types whose messages are numbered now.
        track: Their member that has the number, and product to its last number.
        rows: Product to the last number of its rows of ``level3``.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._members = {rule.name: rule.number for rule in dialect.channels.values() if rule.number}
        self._types = {name: dialect.channels[name].types for name in self._members}
        self._sequences = {channel: Sequences(channel) for channel in self._members}
        self._tracked = dict.fromkeys(self._members, _NOTHING)
        # Product to the numbers that its heartbeats tell of, and whether these are of trades: what is confirmed.
        self._told: dict[str, list[tuple[Sequences, bool]]] = {}
        self._doubled = _NOTHING
        self.tracked_types = _NOTHING
        self.track: tuple[str, dict[str, list[int]]] = ("", {})
        self.rows = self._sequences["level3"].last if "level3" in self._sequences else {}

    @property
    def late(self) -> int:
        """Messages that came after they had been told missing."""
        return sum(sequences.late for sequences in self._sequences.values())

    @property
    def repeated(self) -> int:
        """Messages that had come already."""
        return sum(sequences.repeated for sequences in self._sequences.values())

    def subscribed(self, confirmed: Mapping[str, Iterable[str]], pending: Mapping[str, Iterable[str]]) -> None:
        """
        Take what is subscribed to; after each change.

        Args:
            confirmed: Channel to the products that the server confirmed.
            pending: Channel to the products that it may confirm, or bring messages of before it does.
        """
        if not self._members:
            return
        held = {channel: frozenset(confirmed.get(channel, ())) for channel in (*self._members, "user")}
        wanted = {channel: products | frozenset(pending.get(channel, ())) for channel, products in held.items()}
        full, matches, user = wanted["full"], wanted["matches"], wanted["user"]
        self._doubled = (full & matches) | (full & user) | (matches & user)
        # Messages of ``user`` look like those of ``full`` and are not all: while both may be it, none is counted.
        tracked = {channel: held[channel] | (wanted[channel] - user) for channel in self._members}
        tracked["matches"] -= tracked["full"]
        self._tracked = tracked
        self._told.clear()
        for channel, member in self._members.items():
            for product_id in held[channel] & tracked[channel]:
                self._told.setdefault(product_id, []).append((self._sequences[channel], member == "trade_id"))
        for channel, sequences in self._sequences.items():
            sequences.keep(matches - tracked["full"] if channel == "matches" else wanted[channel])
        # Where both are, a match may be one of ``full``: those of other products are looked at one by one.
        channel = "full" if tracked["full"] else "matches"
        self.track = (self._members[channel], self._sequences[channel].last)
        types = (self._types[one] for one in ("full", "matches") if tracked[one])
        self.tracked_types = _NOTHING.union(*types)

    def is_doubled(self, product_id: str) -> bool:
        """Tell whether a message of the product may be a second one, from another channel than the numbered one."""
        return product_id in self._doubled

    def still_missing(self, gap: Gap) -> Ranges:
        """Return the numbers of a gap, told by this, that have not come since."""
        return self._sequences[gap.channel].still_missing(gap)

    def filled(self, gap: Gap, left: Ranges) -> None:
        """Take note that all but what is left of a gap was had from elsewhere: in a message, it would be repeated."""
        self._sequences[gap.channel].filled(gap, left)

    def connection_lost(self) -> None:
        """Go on with the next connection."""
        for sequences in self._sequences.values():
            sequences.connection_lost()

    def observe(self, message_type: str, product_id: object, sequence: object, trade_id: object) -> Sequence[Gap]:
        """
        Take one message.

        Args:
            message_type: Its type; ``level3`` for a row.
            product_id: Its member of this name; anything if there is none.
            sequence: Likewise.
            trade_id: Likewise.

        Returns:
            What it shows to be missing, or to have come after all.
        """
        if not isinstance(product_id, str):
            return ()
        channels = [
            one for one in self._members if message_type in self._types[one] and product_id in self._tracked[one]
        ]
        if not channels:
            return ()
        (channel,) = channels
        number = _number(trade_id if self._members[channel] == "trade_id" else sequence)
        if number is None:
            return ()
        may_repeat = message_type == "last_match" or product_id in self._doubled
        return self._sequences[channel].observe(product_id, number, may_repeat=may_repeat)

    def beat(self, product_id: str, until: float) -> Beat | None:
        """
        Return what takes the product's next heartbeats at a small price, until it is time to look at one closely.

        ``None`` if they tell of more than one channel. No longer to be used after ``subscribed``.
        """
        match self._told.get(product_id, ()):
            case ():
                return Beat(until, product_id, "", {}, {})
            case [(sequences, by_trade)]:
                member = "last_trade_id" if by_trade else "sequence"
                return Beat(until, product_id, member, sequences.told, sequences.last)
        return None

    def heartbeat(self, product_id: object, sequence: object, last_trade_id: object) -> Sequence[Gap]:
        """
        Take a heartbeat: how far the product is.

        Returns:
            What was not seen although the heartbeat before this one told of it.
        """
        gaps: list[Gap] = []
        if not isinstance(product_id, str):
            return gaps
        for sequences, by_trade in self._told.get(product_id, ()):
            number = _number(last_trade_id if by_trade else sequence)
            if number is not None:
                gaps += sequences.announced(product_id, number)
        return gaps


def _number(value: object) -> int | None:
    number = number_or_same(value)
    return number if type(number) is int else None
