"""What a client adds to what must be: decoding, the callback, the fast path, each alone and in one process."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

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

    All take the same messages, in turn, in another order in each round.
    """
    payloads = list(islice(STREAMS["small"](Market()), MINUTE))
    in_bulk, alone = reads(payloads), list(map(frame, payloads))
    decode = msgspec.json.Decoder().decode
    on_message = Counting().on_message
    fast_path = open_fast_path(decode, on_message)
    client = _open_client()

    def decoding() -> None:
        for payload in payloads:
            decode(payload)

    def calling() -> None:
        for payload in payloads:
            on_message(decode(payload))

    works = {
        ("decoding", "bulk"): decoding,
        ("callback", "bulk"): calling,
        ("fast path", "bulk"): _feeding(fast_path, in_bulk),
        ("fast path", "alone"): _feeding(fast_path, alone),
        ("client", "bulk"): _feeding(client, in_bulk),
        ("client", "alone"): _feeding(client, alone),
    }
    costs: dict[tuple[str, str], list[float]] = {key: [] for key in works}
    order = list(works)
    for _ in range(rounds):
        random.shuffle(order)
        for key in order:
            began = time.process_time_ns()
            works[key]()
            costs[key].append((time.process_time_ns() - began) / 1e3 / len(payloads))
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


def _feeding(feed: Feed, chunks: Sequence[bytes]) -> Callable[[], None]:
    def work() -> None:
        for chunk in chunks:
            feed(chunk)

    return work


def _open_client() -> Feed:
    class Measured(Counting, Client):
        pass

    _, feed = open_client(Measured, [Channel(name, list(PRODUCTS)) for name in CHANNELS])
    return feed
