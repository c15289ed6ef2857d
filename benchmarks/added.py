"""What a client adds to what must be: decoding, the callback, the fast path, each alone and in one process."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import msgspec

from copra_tx.simulator.market import Market
from copra_tx.websocket import Channel, Client

from .corpus import PRODUCTS, STREAMS
from .figures import quiet
from .frames import frame
from .memory import Feed, open_client, open_fast_path, reads
from .profiles import MINUTE
from .stopwatch import Counting

__all__ = ["Layer", "measure_layers"]

CHANNELS = ("heartbeat", "level2_batch", "matches", "ticker")


@dataclass(frozen=True, slots=True)
class Layer:
    """
    What has been done with a message up to here.

    Attributes:
        name: Decoding, the callback, the fast path, the client.
        in_bulk: Quiet CPU time per message in µs, when each read brings as much as it can.
        alone: The same when each read brings one message.
        added_in_bulk: What this layer adds to the one before; the median of the differences of all rounds.
        added_alone: The same when each read brings one message.
    """

    name: str
    in_bulk: float
    alone: float
    added_in_bulk: float
    added_alone: float


def measure_layers(rounds: int = 200) -> Sequence[Layer]:
    """
    Return the cost of each layer, from the innermost one; the one before the last is the fast path without a client.

    All take the same messages, in turn, in another order in each round; the next round goes on where the one before
    ended.
    """
    stream = STREAMS["small"](Market())
    decode = msgspec.json.Decoder().decode
    on_message = Counting().on_message
    feeds = {
        "fast path": (open_fast_path(decode, on_message), open_fast_path(decode, on_message)),
        "client": (_open_client(), _open_client()),
    }
    costs: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        payloads = list(islice(stream, MINUTE))
        in_bulk, alone = reads(payloads), list(map(frame, payloads))
        works = [
            (("decoding", "bulk"), partial(_take, decode, payloads)),
            (("callback", "bulk"), partial(_call, decode, on_message, payloads)),
        ]
        for name, (many, one) in feeds.items():
            works += [((name, "bulk"), partial(_take, many, in_bulk)), ((name, "alone"), partial(_take, one, alone))]
        random.shuffle(works)
        for key, work in works:
            began = time.process_time_ns()
            work()
            costs.setdefault(key, []).append((time.process_time_ns() - began) / 1e3 / MINUTE)
    for name in ("decoding", "callback"):  # which know nothing of reads
        costs[name, "alone"] = costs[name, "bulk"]
    layers, before = [], ""
    for name in ("decoding", "callback", "fast path", "client"):
        added = {how: _difference(costs[name, how], costs.get((before, how))) for how in ("bulk", "alone")}
        layers.append(
            Layer(name, quiet(costs[name, "bulk"]), quiet(costs[name, "alone"]), added["bulk"], added["alone"])
        )
        before = name
    return layers


def _difference(costs: Sequence[float], before: Sequence[float] | None) -> float:
    if before is None:
        return quiet(costs)
    return statistics.median(one - other for one, other in zip(costs, before, strict=True))


def _take(feed: Callable[[bytes], object], pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        feed(piece)


def _call(decode: Callable[[bytes], Any], on_message: Callable[[Any], object], payloads: Sequence[bytes]) -> None:
    for payload in payloads:
        on_message(decode(payload))


def _open_client() -> Feed:
    class Measured(Counting, Client):
        pass

    _, feed = open_client(Measured, [Channel(name, list(PRODUCTS)) for name in CHANNELS])
    return feed
