"""Whether a message costs the same however many products, and messages so far, there are; and the memory."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from copra_tx.websocket import Channel, Client

from .figures import quiet
from .frames import frame
from .memory import Feed, open_client
from .stopwatch import Counting

__all__ = ["Flatness", "measure_flatness"]

CHANNELS = ("ticker", "matches", "level2_batch")

_TEXT = (
    '{{"type":"ticker","sequence":{0},"product_id":"P{1:07}-USD","price":"63509.77","open_24h":"63507.67",'
    '"volume_24h":"12.59648600","low_24h":"63452.61","high_24h":"63510.00","volume_30d":"377.89458000",'
    '"best_bid":"63509.76","best_bid_size":"0.12596486","best_ask":"63509.77","best_ask_size":"0.01353795",'
    '"side":"buy","time":"2026-07-07T22:58:17.000000Z","trade_id":{0},"last_size":"0.00120000"}}'
)
_BATCH = 200  # messages of a read
_SEGMENT = 25  # reads between two looks at the clock


@dataclass(frozen=True, slots=True)
class Flatness:
    """
    What was found.

    Attributes:
        by_products: Quiet CPU time per message in µs, by how many products are subscribed to in each of three
            channels.
        looked_up: The same after a product was unsubscribed, so that each message is looked up among them.
        by_messages: The same of the last messages, by how many there were before.
        blocks: Python's allocated blocks of memory, by messages so far.
        rss_kb: Resident memory in kB, by messages so far; where the system tells.
    """

    by_products: dict[int, float]
    looked_up: dict[int, float]
    by_messages: dict[int, float]
    blocks: dict[int, int]
    rss_kb: dict[int, int]


def measure_flatness(products: Sequence[int], messages: Sequence[int], sample: int = 100_000) -> Flatness:
    """
    Measure in one process, without a network.

    Args:
        products: How many products to subscribe to.
        messages: After how many messages to look.
        sample: Messages of each measurement.
    """
    # Memory first, before there is anything that might be given back.
    feed, some = _open(products[0], looks_up=True), _reads(products[0], sample)
    by_messages, blocks, rss_kb = {}, {}, {}
    done = 0
    for count in messages:
        while done < count:
            for read in some[: -(-(count - done) // _BATCH)]:
                feed(read)
                done += _BATCH
        gc.collect()
        blocks[count], rss_kb[count] = sys.getallocatedblocks(), _rss_kb()
        by_messages[count] = quiet(_take(feed, some))
        done += len(some) * _BATCH

    # All take reads made in the same way, as many: caches are as cold for few products as for many.
    feeds = {(count, looks_up): _open(count, looks_up=looks_up) for count in products for looks_up in (False, True)}
    texts = {count: _reads(count, sample) for count in products}
    costs: dict[tuple[int, bool], list[float]] = {key: [] for key in feeds}
    for _ in range(5):
        for (count, looks_up), feed in feeds.items():
            costs[count, looks_up] += _take(feed, texts[count])
    by_products, looked_up = (
        {count: quiet(costs[count, looks_up]) for count in products} for looks_up in (False, True)
    )
    return Flatness(by_products, looked_up, by_messages, blocks, rss_kb)


def _open(products: int, *, looks_up: bool) -> Feed:
    class Measured(Counting, Client):
        pass

    ids = [f"P{number:07}-USD" for number in range(products)]
    client, feed = open_client(Measured, [Channel(name, [*ids, "ODD-USD"]) for name in CHANNELS])
    if looks_up:
        client.unsubscribe(Channel("ticker", "ODD-USD"))
    return feed


def _reads(products: int, messages: int) -> list[bytes]:
    stride = max(1, products // messages) * 7919  # prime: every product is visited, in no order of theirs
    texts = (_TEXT.format(1_000_000 + number, number * stride % products).encode() for number in range(messages))
    frames = map(frame, texts)
    return list(_joined(frames))


def _joined(frames: Iterator[bytes]) -> Iterator[bytes]:
    while batch := [one for _, one in zip(range(_BATCH), frames, strict=False)]:
        yield b"".join(batch)


def _take(feed: Feed, some: Sequence[bytes]) -> list[float]:
    costs = []
    for begin in range(0, len(some), _SEGMENT):
        part = some[begin : begin + _SEGMENT]
        began = time.process_time_ns()
        for read in part:
            feed(read)
        costs.append((time.process_time_ns() - began) / 1e3 / (len(part) * _BATCH))
    return costs


def _rss_kb() -> int:
    statm = Path("/proc/self/statm")  # Linux
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024 if statm.exists() else 0
