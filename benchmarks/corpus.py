"""The messages: the recorded minute that ships with copra-tx, repeated as the simulated exchange repeats it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import msgspec

from copra_tx.simulator.market import Market
from copra_tx.simulator.minute import PERIOD

__all__ = ["CHANNELS", "PRODUCTS", "SNAPSHOT_BYTES", "STREAMS"]

PRODUCTS = ("BTC-USD", "ETH-USD")

CHANNELS = ("heartbeat", "level2_50", "matches", "ticker")
"""What the minute was recorded from, by the names of the wire; ``ticker`` is derived from ``matches``."""

SMALL = 1000  # bytes

SNAPSHOT_BYTES = 1_400_000

_KEYS = frozenset(itertools.product(CHANNELS, PRODUCTS))


def _small(market: Market) -> Iterator[bytes]:
    return (message for message in _all(market) if len(message) <= SMALL)


def _tick(market: Market) -> Iterator[bytes]:
    """Yield what has a price and a sequence."""
    return (text for position, text in _positions(market) if market.entry(position).type in ("ticker", "match"))


def _mix(market: Market) -> Iterator[bytes]:
    """Yield the minute as a new connection gets it, snapshots and latest trades first, and that again and again."""
    entries = market.due(math.nextafter(PERIOD, 0))
    for begin in itertools.count(step=entries):
        yield from (market.snapshot(product, begin) for product in PRODUCTS)
        yield from filter(None, (market.last_match(product, begin) for product in PRODUCTS))
        yield from (text for _, text in _positions(market, begin, begin + entries))


def _snap(market: Market) -> Iterator[bytes]:
    """Yield one snapshot again and again: the book of BTC-USD, and as much of that of ETH-USD as makes up the size."""
    whole, more = (msgspec.json.decode(market.snapshot(product, 0)) for product in PRODUCTS)
    levels = more["bids"] + more["asks"]
    level = len(msgspec.json.encode(levels)) / len(levels)
    lacking = SNAPSHOT_BYTES - len(msgspec.json.encode(whole))
    whole["bids"] += levels[: round(lacking / level)]
    return itertools.repeat(msgspec.json.encode(whole))


def _all(market: Market) -> Iterator[bytes]:
    return (text for _, text in _positions(market))


def _positions(market: Market, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    for position in itertools.count(begin) if end is None else range(begin, end):
        if market.entry(position).keys & _KEYS:
            yield position, market.message(position)


STREAMS: dict[str, Callable[[Market], Iterator[bytes]]] = {"small": _small, "tick": _tick, "mix": _mix, "snap": _snap}
"""The endless streams by name."""
