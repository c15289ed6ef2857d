"""
What each channel tells of an order flow: the messages of ``full``, and those that are derived from them.

Source of the shapes: Coinbase docs, Exchange, "WebSocket Channels" and "Get product book" (read 2026-11), and frames of
2026 where they differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from . import derive
from .depth import Depth
from .matching import price_text, size_text, trimmed
from .minute import Key
from .orders import OrderFlow, Step
from .resting import SIDES, Order, Side

__all__ = ["Told", "level3_row", "public", "tell"]

_BATCH = 50_000  # microseconds for which ``level2_batch`` collects
_SECOND = 1_000_000
_TICKER_BATCH = 5 * _SECOND
_PRIVATE = ("user_id", "profile_id", "client_oid", "cancel_reason", "taker_fee_rate", "maker_fee_rate")


@dataclass(frozen=True, slots=True)
class Told:
    """
    One message of one period.

    Attributes:
        offset: When it is due, in seconds after the beginning of the period.
        type: Its ``type``; of a ``level3`` row, its first member.
        product_id: Its product; empty if it has none.
        keys: Whose subscribers get it.
        text: Its bytes, with ``%(minute)b``, ``%(sequence)d``, ``%(trade_id)d``, ``%(loop)06x`` and ``%(next)06x`` for
            what differs between repetitions.
        sequence: The sequence number in it, in the first repetition.
        trade_id: The trade id in it, in the first repetition.
        minute: The minute of its time, in the first repetition.
        effect: What it does to the book, in a message of ``full``.
        counts: Whether it is the one message of its sequence number that stands in ``full``.
    """

    offset: float
    type: str
    product_id: str
    keys: frozenset[Key]
    text: bytes
    sequence: int = 0
    trade_id: int = 0
    minute: str = ""
    effect: Order | None = None
    counts: bool = False


def public(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without what only the account itself gets to see."""
    return {name: value for name, value in message.items() if not name.endswith(_PRIVATE)}


def level3_row(message: dict[str, Any]) -> list[str]:
    """
    Return the ``level3`` row of a message of ``full``; all of its members are strings.

    What has no row of its own, and so would leave a hole in the sequence, is a ``noop``; a change without a price, too.
    """
    head = [message["type"], message["product_id"], str(message["sequence"])]
    match message:
        case {"type": "open"}:
            row = [message["order_id"], message["side"], message["price"], message["remaining_size"]]
        case {"type": "match"}:
            row = [message["maker_order_id"], message["taker_order_id"], message["price"], message["size"]]
        case {"type": "change", "new_price": price} | {"type": "change", "price": price}:
            row = [message["order_id"], price, message["new_size"]]
        case {"type": "done"}:
            row = [message["order_id"]]
        case _:
            head[0], row = "noop", []
    return [*head, *row, message["time"]]


def tell(flow: OrderFlow, began: datetime, period: int) -> Iterator[Told]:
    """
    Yield every message about one product in one period, in the order of the wire.

    Args:
        flow: Its orders; used up by this.
        began: When the period begins.
        period: Its length in microseconds.
    """
    yield from _Teller(flow, began, period).tell()


class _Teller:
    def __init__(self, flow: OrderFlow, began: datetime, period: int) -> None:
        self._flow, self._began, self._period = flow, began, period
        self._product_id = flow.engine.product_id
        names = ("level3", "matches", "level2", "level2_50", "ticker", "ticker_1000", "heartbeat")
        self._keys = {name: frozenset({(name, self._product_id)}) for name in names}
        self._orders_keys = frozenset({("full", self._product_id), ("user", self._product_id)})
        self._full_keys = frozenset({("full", self._product_id)})
        self._book = flow.opening.copy()
        self._depth = Depth(*([[price_text(p), size_text(s)] for p, s, _ in self._book.levels(side)] for side in SIDES))
        self._sequence, self._trade_id = flow.sequence, flow.trade_id
        self._collected: dict[tuple[Side, int], None] = {}
        self._collected_at = 0
        self._ticker: dict[str, Any] | None = None
        self._day = derive.DayStats.of_minute(trimmed(price_text(flow.middle)), ())
        self._due = {"heartbeat": 0, "level2_50": period, "ticker_1000": _TICKER_BATCH - _SECOND // 2}

    def tell(self) -> Iterator[Told]:
        for step in self._flow.steps():
            yield from self._tell_timed(step.offset)
            yield from self._tell_step(step)
        yield from self._tell_timed(self._period - 1)

    # -- what comes by the clock

    def _tell_timed(self, until: int) -> Iterator[Told]:
        """Yield what is due up to a moment, that included."""
        while (name := min(self._due, key=self._due.__getitem__)) and (due := self._due[name]) <= until:
            if name == "heartbeat":
                self._due[name] += _SECOND
                beat = derive.heartbeat(self._product_id, self._trade_id, self._sequence, self._moment(due))
                yield self._told(due, beat, self._keys[name])
            elif name == "level2_50":
                self._due[name] = self._period
                changes, self._collected = self._collected, {}
                update = derive.l2update(self._product_id, self._changes(changes), self._moment(self._collected_at))
                yield self._told(due, update, self._keys[name])
            else:
                self._due[name] += _TICKER_BATCH
                if self._ticker is not None:
                    yield self._told(due, self._ticker, self._keys[name])
                    self._ticker = None

    # -- what comes with an order

    def _tell_step(self, step: Step) -> Iterator[Told]:
        trade = None
        for event in step.events:
            message, own = event.message, "profile_id" in event.message
            self._sequence = message["sequence"]
            if message["type"] == "match":
                trade, self._trade_id = message, message["trade_id"]
            keys = self._orders_keys if own else self._full_keys
            yield self._told(step.offset, message, keys, effect=event.effect, counts=True)
            yield self._told(step.offset, level3_row(message), self._keys["level3"])
            if message["type"] == "match":
                yield self._told(step.offset, public(message), self._keys["matches"])
            if event.effect is not None:
                yield self._tell_change(step.offset, self._book.put(event.effect))
        if trade is not None:
            self._day = self._day.after(trade)
            self._ticker = derive.ticker(trade, self._depth, self._day)
            yield self._told(step.offset, self._ticker, self._keys["ticker"])

    def _tell_change(self, offset: int, levels: Iterable[tuple[Side, int]]) -> Told:
        """Return the ``l2update`` of one change of the book, and keep it for the batch."""
        if not self._collected:
            self._due["level2_50"] = min((offset // _BATCH + 1) * _BATCH, self._period - 1)
        self._collected.update(dict.fromkeys(levels))
        self._collected_at = offset
        changes = self._changes(levels)
        self._depth.apply(changes)
        update = derive.l2update(self._product_id, changes, self._moment(offset))
        return self._told(offset, update, self._keys["level2"])

    def _changes(self, levels: Iterable[tuple[Side, int]]) -> list[list[str]]:
        return [[side, price_text(price), size_text(self._book.total(side, price))] for side, price in levels]

    # -- how it is kept

    def _moment(self, offset: int) -> datetime:
        return self._began + timedelta(microseconds=offset)

    def _told(
        self,
        offset: int,
        message: Any,
        keys: frozenset[Key],
        *,
        effect: Order | None = None,
        counts: bool = False,
    ) -> Told:
        text = msgspec.json.encode(message)
        if isinstance(message, list):
            kind, sequence, trade_id, time = message[0], int(message[2]), 0, message[-1]
            text = text.replace(b'"%d"' % sequence, b'"%(sequence)d"')
        else:
            kind, sequence, time = message["type"], message.get("sequence", 0), message["time"]
            trade_id = message.get("trade_id", message.get("last_trade_id", 0))
            text = text.replace(b'"sequence":%d' % sequence, b'"sequence":%(sequence)d')
            text = text.replace(b'trade_id":%d' % trade_id, b'trade_id":%(trade_id)d')
        minute = time[:16]
        text = text.replace(b'"' + minute.encode(), b'"%(minute)b')
        return Told(offset / _SECOND, kind, self._product_id, keys, text, sequence, trade_id, minute, effect, counts)
