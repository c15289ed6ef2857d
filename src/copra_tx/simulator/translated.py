"""A market as the Advanced Trade feed tells it: the same messages at the same positions, in the other language."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count, islice, takewhile
from typing import TYPE_CHECKING, Any

import msgspec

from . import derive
from .envelopes import envelope, events_of, futures_balance, heartbeat, trades

if TYPE_CHECKING:
    from .minute import Key
    from .replay import Entry, Played

__all__ = ["CHANNELS", "TranslatedMarket"]

CHANNELS = {"level2": "level2", "matches": "market_trades", "ticker": "ticker", "ticker_1000": "ticker_batch"}
"""The venue's channels of the Exchange feed that are told on the Advanced Trade feed, one product a message."""

_ON_WIRE = {"level2": "l2_data"}  # where data do not name the channel as one subscribes to it
_TOLD_FROM = {ours: theirs for theirs, ours in CHANNELS.items()}
_COLLECTED = 0.25  # seconds whose trades of a product are one update, as the docs say
_RECENT = 50  # trades of a product in a snapshot, at most
_LOOKED_BACK = 3_000  # messages among which these are looked for: some 14 KB, as seen
_FIRST_HEARTBEAT = 139_651  # a counter that begins anywhere: it is the age of the server's process


@dataclass(frozen=True, slots=True)
class _Told:
    type: str
    product_id: str
    keys: frozenset[Key]
    channel: str


class TranslatedMarket:
    """
    A market told in the language of the Advanced Trade feed; the frames have no numbers yet.

    The counter of ``heartbeats`` follows the heartbeats of one product. ``candles``, ``user`` (but for an empty
    snapshot) and ``futures_balance_summary`` (likewise) stay silent: of these nothing was recorded.

    Args:
        market: The market.
        products: Ids of the listed products.
        began: When it began, for what has no time of its own.
        client_id: Whether frames have a ``client_id``.
    """

    def __init__(self, market: Played, products: Collection[str], began: datetime, *, client_id: bool) -> None:
        self._market, self._products, self._began, self._client_id = market, sorted(products), began, client_id
        self._told: dict[tuple[str, str, frozenset[Key]], _Told] = {}
        one_by_one = {(CHANNELS[channel], product) for channel, product in market.keys if channel in CHANNELS}
        self.keys = frozenset({*one_by_one, ("heartbeats", ""), *(("status", product) for product in products)})

    def due(self, seconds: float) -> int:
        """Return the position of the first message that is not yet due ``seconds`` after the beginning."""
        return self._market.due(seconds)

    def due_at(self, position: int) -> float:
        """Return when the message at ``position`` is due, in seconds after the beginning."""
        return self._market.due_at(position)

    def entry(self, position: int) -> _Told:
        """Return what stands at ``position``; nobody gets what the feed does not tell."""
        entry = self._market.entry(position)
        known = (entry.type, entry.product_id, entry.keys)
        if known not in self._told:
            self._told[known] = self._translate(entry)
        told = self._told[known]
        if told.channel == "market_trades" and self._is_followed(position, told):
            return replace(told, keys=frozenset())  # the one that follows brings it
        return told

    def _translate(self, entry: Entry) -> _Told:
        if entry.type == "heartbeat":
            is_first = self._products[:1] == [entry.product_id]
            return _Told("heartbeats", "", frozenset({("heartbeats", "")} if is_first else ()), "heartbeats")
        if entry.type == "status":
            return _Told("status", "", frozenset(("status", product) for product in self._products), "status")
        keys = frozenset((CHANNELS[channel], product) for channel, product in entry.keys if channel in CHANNELS)
        channel = next((channel for channel, _ in keys), "")
        return _Told(_ON_WIRE.get(channel, channel), entry.product_id, keys, channel)

    def message(self, position: int) -> bytes:
        """Return the message at ``position``, in the bytes of the wire."""
        told, time = self.entry(position), self._time(position)
        if told.channel == "heartbeats":
            counter = _FIRST_HEARTBEAT + int(self.due_at(position))
            return self._frame(told.type, time, [heartbeat(time, counter)])
        if told.channel == "market_trades":
            collected = list(self._trades_before(position + 1, told.product_id, self._collected_since(position)))
            return self._frame(told.type, collected[0]["time"], [trades("update", collected)])
        message = msgspec.json.decode(self._market.message(position))
        return self._frame(told.type, message.get("time", time), events_of(told.channel, message))

    def greeting(self, key: Key, position: int) -> tuple[str, bytes] | None:
        """
        Return what a new subscriber gets before the message at ``position``.

        Returns:
            Type and bytes of the snapshot of ``level2``, ``market_trades``, ``status``, ``user`` or
            ``futures_balance_summary``; ``None`` for every other channel.
        """
        channel, product = key
        if channel == "user":
            event = {"type": "snapshot", "orders": [], "positions": {}}
            return "user", self._frame("user", self._time(position), [event])
        if channel == "futures_balance_summary":
            return channel, self._frame(channel, self._time(position), [futures_balance()])
        source = ("status", "") if channel == "status" else (_TOLD_FROM.get(channel, ""), product)
        greeting = self._market.greeting(source, position)
        if greeting is None:
            return None
        message: dict[str, Any] = msgspec.json.decode(greeting[1])
        if channel == "market_trades":
            recent = islice(self._trades_before(position, product, max(0, position - _LOOKED_BACK)), _RECENT)
            event = trades("snapshot", list(recent) or [message])
            return channel, self._frame(channel, self._time(position), [event])
        if channel == "status":
            message["products"] = [one for one in message["products"] if one["id"] == product]
        kind = _ON_WIRE.get(channel, channel)
        return kind, self._frame(kind, message.get("time", self._time(position)), events_of(channel, message))

    def _is_trade(self, position: int, product_id: str) -> bool:
        return ("matches", product_id) in self._market.entry(position).keys

    def _is_followed(self, position: int, told: _Told) -> bool:
        """Tell whether another trade of the product is collected with the one at ``position``."""
        end = (self.due_at(position) // _COLLECTED + 1) * _COLLECTED
        following = takewhile(lambda later: self.due_at(later) < end, count(position + 1))
        return any(self._is_trade(later, told.product_id) for later in following)

    def _collected_since(self, position: int) -> int:
        begin = self.due_at(position) // _COLLECTED * _COLLECTED
        return min(takewhile(lambda earlier: self.due_at(earlier) >= begin, range(position, -1, -1)))

    def _trades_before(self, end: int, product_id: str, begin: int) -> Iterator[dict[str, Any]]:
        """Yield the trades of a product from one position up to another, newest first, as the venue lists them."""
        positions = (one for one in range(end - 1, begin - 1, -1) if self._is_trade(one, product_id))
        return (msgspec.json.decode(self._market.message(one)) for one in positions)

    def _time(self, position: int) -> str:
        return derive.timestamp(self._began + timedelta(seconds=self.due_at(position)))

    def _frame(self, channel: str, time: str, events: list[dict[str, Any]]) -> bytes:
        return envelope(channel, time, events, client_id=self._client_id)
