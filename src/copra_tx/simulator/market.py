"""
The simulated exchange's market: the recorded minute as an endless, deterministic sequence of timed messages.

A *position* counts messages from the beginning; position 0 is the first message of the first repetition. In every
further repetition (*loop*) times, sequences and trade ids are carried on.

Nothing here has a clock or a network: whoever sends the messages decides when.
"""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from . import derive
from .depth import Depth, Level
from .minute import PERIOD, RECORDED_PRODUCTS, Entry, Key, make_minute
from .resting import Side

__all__ = ["LEVEL3_SCHEMA", "Market", "RecordedBook", "minute_text"]

# Source: Coinbase docs, Exchange, "WebSocket Channels", Level 3 (read 2026-11); sent once per subscribe.
LEVEL3_SCHEMA = (
    b'{"type":"level3","schema":{'
    b'"change":["type","product_id","sequence","order_id","price","size","time"],'
    b'"done":["type","product_id","sequence","order_id","time"],'
    b'"match":["type","product_id","sequence","maker_order_id","taker_order_id","price","size","time"],'
    b'"noop":["type","product_id","sequence","time"],'
    b'"open":["type","product_id","sequence","order_id","side","price","size","time"]}}'
)
"""What a subscriber of ``level3`` gets first."""


@dataclass(frozen=True, slots=True)
class RecordedBook:
    """
    One product's book at one moment.

    Attributes:
        sequence: The latest number that was recorded by then.
        trade_id: The latest trade by then.
        time: When that was.
        bids, asks: The levels, best first.
    """

    sequence: int
    trade_id: int
    time: datetime
    bids: Sequence[Level]
    asks: Sequence[Level]

    def levels(self, side: Side) -> list[tuple[str, str, int]]:
        """Return price, size and number of orders of each level of a side; the number was not recorded: always 1."""
        return [(price, size, 1) for price, size in (self.bids if side == "buy" else self.asks)]

    def orders(self, side: Side) -> None:
        """Return ``None``: single orders were not recorded."""


class Market:
    """
    The market of the given products.

    Args:
        products: Ids of the listed products. Those not recorded have an empty book, no trades, and heartbeats.
        delisted: Ids that are known but not traded any more; they only appear in ``status``.
    """

    def __init__(self, products: Collection[str] = RECORDED_PRODUCTS, delisted: Collection[str] = ()) -> None:
        self.products, self.delisted = frozenset(products), frozenset(delisted)
        minute = make_minute(self.products, self.delisted)
        self._openings, self._entries = minute.openings, minute.entries
        self._offsets = [entry.offset for entry in self._entries]
        self._updates, self._matches = self._indices("l2update"), self._indices("match")
        self._numbered: dict[str, list[int]] = {}
        for index, entry in enumerate(self._entries):
            if "sequence" in entry.message:
                self._numbered.setdefault(entry.product_id, []).append(index)
        self._began = datetime.fromisoformat(min(entry.message["time"] for entry in self._entries if entry.product_id))
        self._depths: dict[str, tuple[int, Depth]] = {}  # the book after so many updates, as last asked for
        self._status = msgspec.json.encode(derive.status(self.products, self.delisted))
        self.keys = frozenset(key for entry in self._entries for key in entry.keys)
        """Every channel and product that ever gets a message, in each repetition at least one."""

    def due(self, seconds: float) -> int:
        """Return the position of the first message that is not yet due ``seconds`` after the beginning."""
        loop, rest = divmod(seconds, PERIOD)
        return int(loop) * len(self._entries) + bisect_right(self._offsets, rest)

    def due_at(self, position: int) -> float:
        """Return when the message at ``position`` is due, in seconds after the beginning."""
        loop, index = divmod(position, len(self._entries))
        return loop * PERIOD + self._offsets[index]

    def entry(self, position: int) -> Entry:
        """Return what stands at ``position``, as it is in the first repetition."""
        return self._entries[position % len(self._entries)]

    def message(self, position: int) -> bytes:
        """Return the message at ``position``, in the bytes of the wire."""
        loop, index = divmod(position, len(self._entries))
        return self._fill(self._entries[index], loop)

    def greeting(self, key: Key, position: int) -> tuple[str, bytes] | None:
        """
        Return what a new subscriber gets before the message at ``position``.

        Returns:
            Type and bytes of the ``snapshot`` of a level 2 channel, of the ``last_match`` of ``matches``, of
            ``status`` or of the schema of ``level3``; ``None`` for every other channel.
        """
        match key:
            case "level2" | "level2_50", product_id:
                return "snapshot", self.snapshot(product_id, position)
            case "matches", product_id:
                last = self.last_match(product_id, position)
                return None if last is None else ("last_match", last)
            case "status", _:
                return "status", self._status
            case "level3", _:
                return "level3", LEVEL3_SCHEMA
        return None

    def snapshot(self, product_id: str, position: int) -> bytes:
        """Return the whole book of a product as the messages before ``position`` left it."""
        loop, index = divmod(position, len(self._entries))
        opening, updates = self._openings[product_id], self._updates.get(product_id, [])
        wanted = bisect_left(updates, index)
        if not wanted:
            return self._fill(opening.snapshot, loop)
        newest = msgspec.json.decode(self._fill(self._entries[updates[wanted - 1]], loop))
        return msgspec.json.encode(derive.snapshot(product_id, self._depth(product_id, wanted), newest["time"]))

    def book(self, product_id: str, position: int) -> RecordedBook:
        """Return the book of a product as the messages before ``position`` left it, as REST has it."""
        loop, index = divmod(position, len(self._entries))
        opening = self._openings[product_id]
        depth = self._depth(product_id, bisect_left(self._updates.get(product_id, []), index))
        last, numbered = opening.last_match, self._numbered.get(product_id, [])
        newest = self._entries[numbered[at - 1]] if (at := bisect_left(numbered, index)) else last
        trades = bisect_left(self._matches.get(product_id, []), index)
        return RecordedBook(
            sequence=(newest.message["sequence"] if newest else 0) + loop * opening.sequences,
            trade_id=(last.message["trade_id"] if last else 0) + loop * opening.trades + trades,
            time=self._began + timedelta(seconds=self.due_at(position)),
            bids=tuple(depth.bids),
            asks=tuple(depth.asks),
        )

    def trade(self, product_id: str, trade_id: int) -> bytes | None:
        """Return a trade as a ``match``, whenever it is made; ``None`` for one that is older than the recording."""
        last = self._openings[product_id].last_match
        if last is None or trade_id < last.message["trade_id"]:
            return None
        if trade_id == last.message["trade_id"]:
            return self._fill(last, 0).replace(b'"last_match"', b'"match"', 1)
        matches = self._matches[product_id]
        loop, number = divmod(trade_id - last.message["trade_id"] - 1, len(matches))
        return self._fill(self._entries[matches[number]], loop)

    def _depth(self, product_id: str, wanted: int) -> Depth:
        """Return the book after so many updates of one repetition; not to be changed."""
        opening, updates = self._openings[product_id], self._updates.get(product_id, [])
        done, depth = self._depths.get(product_id, (len(updates) + 1, opening.depth))
        if done > wanted:  # the book at hand is ahead of the one asked for
            done, depth = 0, opening.depth.copy()
        for update in updates[done:wanted]:
            depth.apply(self._entries[update].message["changes"])
        self._depths[product_id] = wanted, depth
        return depth

    def last_match(self, product_id: str, position: int) -> bytes | None:
        """Return the latest trade before ``position`` as a ``last_match``; ``None`` where nothing trades."""
        loop, index = divmod(position, len(self._entries))
        opening = self._openings[product_id].last_match
        if opening is None:
            return None
        matches = self._matches[product_id]
        done = bisect_left(matches, index)
        if done:
            entry = self._entries[matches[done - 1]]
        elif loop:
            loop, entry = loop - 1, self._entries[matches[-1]]
        else:
            entry = opening
        return self._fill(entry, loop).replace(b'"type":"match"', b'"type":"last_match"', 1)

    def _indices(self, kind: str) -> dict[str, list[int]]:
        indices: dict[str, list[int]] = {}
        for index, entry in enumerate(self._entries):
            if entry.type == kind:
                indices.setdefault(entry.product_id, []).append(index)
        return indices

    def _fill(self, entry: Entry, loop: int) -> bytes:
        message = entry.message
        if "time" not in message:  # status
            return entry.text
        opening = self._openings[message["product_id"]]
        trade_id = message.get("trade_id", message.get("last_trade_id", 0))
        return entry.text % {
            b"minute": minute_text(message["time"][:16], loop),
            b"sequence": message.get("sequence", 0) + loop * opening.sequences,
            b"trade_id": trade_id + loop * opening.trades,
        }


@functools.lru_cache(maxsize=64)
def minute_text(minute: str, later: int) -> bytes:
    """Return the minute of a time, ``later`` minutes later, as it stands in messages."""
    moment = datetime.fromisoformat(minute) + timedelta(minutes=later)
    return moment.strftime("%Y-%m-%dT%H:%M").encode()
