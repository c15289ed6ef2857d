"""What a client costs with each kind of ``decode``, in one process and without a network."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec

from copra_tx.simulator.market import Market
from copra_tx.websocket import Channel, Client

from .corpus import PRODUCTS, STREAMS
from .figures import quiet
from .memory import Feed, open_client, reads
from .profiles import MINUTE

__all__ = ["Decoding", "measure_decodings"]

CHANNELS = ("heartbeat", "level2_batch", "matches", "ticker")


@dataclass(frozen=True, slots=True)
class Decoding:
    """
    One kind.

    Attributes:
        name: As it is passed.
        cost: Quiet CPU time per message in µs.
        ratio: In units of that of ``"dict"``; the median of the ratios of all rounds.
    """

    name: str
    cost: float
    ratio: float


class _Update(msgspec.Struct, gc=False):
    product_id: str
    changes: list[tuple[str, Decimal, Decimal]]
    time: str


class _Trade(msgspec.Struct, gc=False):
    product_id: str
    sequence: int
    price: Decimal
    side: str
    time: str
    trade_id: int


class _Heartbeat(msgspec.Struct, gc=False):
    product_id: str
    sequence: int
    time: str


_TYPES = {"l2update": _Update, "match": _Trade, "ticker": _Trade, "heartbeat": _Heartbeat}


class _Dicts(Client):
    def on_message(self, message: Any) -> None:
        if message["type"] == "none":
            raise AssertionError


class _Lazy(Client):
    def on_message(self, message: Any) -> None:
        if message.type == "none":
            raise AssertionError


class _Anything(Client):
    def on_message(self, message: Any) -> None:
        if message is None:
            raise AssertionError


def measure_decodings(rounds: int = 200) -> Sequence[Decoding]:
    """Feed clients with the same messages, in turn; each round in another order, and on where the last one ended."""
    stream = STREAMS["small"](Market())
    feeds = {
        "dict": _open(_Dicts, "dict"),
        "lazy, and only the type is looked at": _open(_Lazy, "lazy"),
        "types, with decimals": _open(_Anything, _TYPES),
        "None": _open(_Anything, None),
    }
    costs: dict[str, list[float]] = {name: [] for name in feeds}
    order = list(feeds)
    for _ in range(rounds):
        chunks = reads(islice(stream, MINUTE))
        random.shuffle(order)
        for name in order:
            feed = feeds[name]
            began = time.process_time_ns()
            for chunk in chunks:
                feed(chunk)
            costs[name].append((time.process_time_ns() - began) / 1e3 / MINUTE)
    return [
        Decoding(name, quiet(some), statistics.median(map(float.__truediv__, some, costs["dict"])))
        for name, some in costs.items()
    ]


def _open(client_class: type[Client], decode: object) -> Feed:
    channels = [Channel(name, list(PRODUCTS)) for name in CHANNELS]
    _, feed = open_client(client_class, channels, decode=decode)
    return feed
