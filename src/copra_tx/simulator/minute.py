"""
The recorded minute, completed: what the recording has, what is derived from it, and how it closes into a loop.

The minute ends with one ``l2update`` per product that brings the book back to where the minute began (the venue
never sends a snapshot nobody asked for), so repetitions of it join without a break.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from . import derive
from .depth import Depth
from .recording import Frame, load_recording

__all__ = ["PERIOD", "RECORDED_PRODUCTS", "Entry", "Key", "Minute", "Opening", "make_minute"]

PERIOD = 60.0
"""Length of the minute, in seconds."""

RECORDED_PRODUCTS = frozenset({"BTC-USD", "ETH-USD"})
"""The products of the recording. Others can be listed, but nothing trades there."""

Key = tuple[str, str]
"""A channel, as the venue names it, and a product id; the id is empty where a channel has no products."""

_CHANNELS = {
    "l2update": ("level2", "level2_50"),
    "match": ("matches",),
    "ticker": ("ticker",),
    "heartbeat": ("heartbeat",),
}
_BATCH = 5  # seconds between two messages of ``ticker_batch``, and between two of ``status``


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One message of the minute.

    Attributes:
        offset: When it is due, in seconds after the beginning of the minute.
        message: Its content in the first repetition, decoded.
        keys: Whose subscribers get it.
        text: Its bytes; where it has a ``time``, with ``%(minute)b``, ``%(sequence)d`` and ``%(trade_id)d`` for what
            differs between repetitions.
    """

    offset: float
    message: Mapping[str, Any]
    keys: frozenset[Key]
    text: bytes

    @property
    def type(self) -> str:
        """The message's ``type``."""
        return str(self.message["type"])

    @property
    def product_id(self) -> str:
        """The message's product; empty if it has none."""
        return str(self.message.get("product_id", ""))


@dataclass(frozen=True, slots=True)
class Opening:
    """
    Where the minute begins for one product.

    Attributes:
        depth: The book. Shared: copy it before changing it.
        snapshot: The recorded snapshot of that book.
        last_match: The latest trade before the minute; ``None`` if nothing trades.
        sequences: By how much the product's sequence grows in the minute.
        trades: How many trades the minute has.
    """

    depth: Depth
    snapshot: Entry
    last_match: Entry | None = None
    sequences: int = 0
    trades: int = 0


@dataclass(frozen=True, slots=True)
class Minute:
    """
    The completed minute.

    Attributes:
        openings: By product id.
        entries: All messages in the order in which they are due.
    """

    openings: Mapping[str, Opening]
    entries: Sequence[Entry]


def make_minute(products: Collection[str], delisted: Collection[str]) -> Minute:
    """
    Return the minute of these products.

    Args:
        products: Ids of the listed products. Those not recorded have an empty book, no trades, and heartbeats.
        delisted: Ids that are known but not traded any more; they only appear in ``status``.
    """
    frames = load_recording()
    began = min(_time(f.message) for f in frames if f.message["type"] == "l2update").replace(microsecond=0)
    recorded = [frame for frame in frames if frame.message.get("product_id") in products]
    openings = {product: _opening(product, recorded, began) for product in sorted(products)}
    entries = [
        *_replay(recorded, openings, began),
        *_heartbeats(openings, began),
        *_statuses(products, delisted),
        *_seam(recorded, openings, began),
    ]
    return Minute(openings, tuple(sorted(entries, key=lambda entry: entry.offset)))


def _opening(product: str, recorded: Iterable[Frame], began: datetime) -> Opening:
    frames = [frame for frame in recorded if frame.message["product_id"] == product]
    if not frames:
        return Opening(Depth(), _entry(0.0, derive.snapshot(product, Depth(), derive.timestamp(began))))
    [snapshot] = (frame for frame in frames if frame.message["type"] == "snapshot")
    [last_match] = (frame for frame in frames if frame.message["type"] == "last_match")
    sequences = [frame.message["sequence"] for frame in frames if "sequence" in frame.message]
    return Opening(
        depth=Depth(snapshot.message["bids"], snapshot.message["asks"]),
        snapshot=_entry(0.0, snapshot.message, raw=snapshot.raw),
        last_match=_entry(0.0, last_match.message, raw=last_match.raw),
        sequences=max(sequences) - last_match.message["sequence"],
        trades=sum(frame.message["type"] == "match" for frame in frames),
    )


def _replay(recorded: Sequence[Frame], openings: Mapping[str, Opening], began: datetime) -> Iterator[Entry]:
    """Yield the recorded messages in the order received, and the tickers, each cascade of trades folded into one."""
    trades = [frame.message for frame in recorded if frame.message["type"] == "match"]
    days = {
        product: derive.DayStats.of_minute(
            opening.last_match.message["price"], [trade for trade in trades if trade["product_id"] == product]
        )
        for product, opening in openings.items()
        if opening.last_match is not None
    }
    cascades = _ends_of_cascades(trades)
    depths = {product: opening.depth.copy() for product, opening in openings.items()}
    offset, batch_due = 0.0, _BATCH - 0.5
    unbatched: dict[str, Entry] = {}
    for frame in recorded:
        message = frame.message
        kind, product = message["type"], message["product_id"]
        if kind not in _CHANNELS:
            continue  # part of the opening
        # The order received is not quite that of the times; the order is what a client must see.
        offset = max(offset, (_time(message) - began).total_seconds())
        while offset > batch_due:
            yield from _ticker_batch(unbatched, batch_due)
            batch_due += _BATCH
        yield _entry(offset, message, [(channel, product) for channel in _CHANNELS[kind]], raw=frame.raw)
        if kind == "l2update":
            depths[product].apply(message["changes"])
        elif kind == "match" and (product, message["trade_id"]) in cascades:
            ticker = derive.ticker(message, depths[product], days[product])
            unbatched[product] = _entry(offset, ticker, [("ticker", product)])
            yield unbatched[product]


def _ends_of_cascades(trades: Iterable[Mapping[str, Any]]) -> set[tuple[str, int]]:
    """Return product and trade id of each trade after which another taker came: one order's trades are one cascade."""
    last: dict[str, Mapping[str, Any]] = {}
    ends = set()
    for trade in trades:
        before = last.get(trade["product_id"])
        if before is not None and before["taker_order_id"] != trade["taker_order_id"]:
            ends.add((before["product_id"], before["trade_id"]))
        last[trade["product_id"]] = trade
    return ends | {(trade["product_id"], trade["trade_id"]) for trade in last.values()}


def _ticker_batch(unbatched: dict[str, Entry], offset: float) -> Iterator[Entry]:
    for product in sorted(unbatched):
        ticker = unbatched.pop(product)
        yield Entry(offset, ticker.message, frozenset({("ticker_1000", product)}), ticker.text)


def _heartbeats(openings: Mapping[str, Opening], began: datetime) -> Iterator[Entry]:
    """Yield the heartbeats that were not recorded: of the first second, and all of products that were not."""
    for product, opening in openings.items():
        last = opening.last_match
        trade_id, sequence = (last.message["trade_id"], last.message["sequence"]) if last else (0, 0)
        for second in range(1 if last else int(PERIOD)):
            moment = began + timedelta(seconds=second)
            yield _entry(float(second), derive.heartbeat(product, trade_id, sequence, moment), [("heartbeat", product)])


def _statuses(products: Collection[str], delisted: Collection[str]) -> Iterator[Entry]:
    message = derive.status(products, delisted)
    for second in range(0, int(PERIOD), _BATCH):
        yield _entry(second + _BATCH / 2, message, [("status", "")])


def _seam(recorded: Iterable[Frame], openings: Mapping[str, Opening], began: datetime) -> Iterator[Entry]:
    offset = PERIOD - 0.025  # after everything recorded
    for product, opening in openings.items():
        depth = opening.depth.copy()
        for frame in recorded:
            if frame.message["type"] == "l2update" and frame.message["product_id"] == product:
                depth.apply(frame.message["changes"])
        if changes := depth.changes_to(opening.depth):
            message = derive.l2update(product, changes, began + timedelta(seconds=offset))
            yield _entry(offset, message, [(channel, product) for channel in _CHANNELS["l2update"]])


def _entry(offset: float, message: Mapping[str, Any], keys: Iterable[Key] = (), raw: bytes | None = None) -> Entry:
    text = raw or msgspec.json.encode(message)
    if "time" in message:  # up to the minute: seconds are the same in every repetition
        text = text.replace(b"%", b"%%")
        text = text.replace(b'"time":"' + message["time"][:16].encode(), b'"time":"%(minute)b')
    if "sequence" in message:
        text = text.replace(b'"sequence":%d' % message["sequence"], b'"sequence":%(sequence)d')
    for name in ("trade_id", "last_trade_id"):
        if name in message:
            text = text.replace(b'"%b":%d' % (name.encode(), message[name]), b'"%b":%%(trade_id)d' % name.encode())
    return Entry(offset, message, frozenset(keys), text)


def _time(message: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(message["time"])
