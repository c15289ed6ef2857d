"""What books cost, beside a plain dict and sortedcontainers, in one process and without a network."""

from __future__ import annotations

import gc
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from importlib import import_module
from typing import Any

import msgspec

from copra_tx.book import Level2Book, Level3Book
from copra_tx.simulator.recording import load_recording

from .figures import quiet

__all__ = ["BookCost", "measure_books"]

ORDERS = 108_000
"""Orders of a whole book of BTC-USD (seen 2026-07)."""

MESSAGES = 50_000

TOP = 10
REPEATED = 200


@dataclass(frozen=True, slots=True)
class BookCost:
    """
    One thing that books do, or one who does it.

    Attributes:
        name: What, and by whom.
        cost: Quiet CPU time, or memory, in its unit.
        unit: The unit.
        ratio: In units of what ours takes, where there are others; the median of the ratios of all rounds.
    """

    name: str
    cost: float
    unit: str
    ratio: float | None


def measure_books(rounds: int = 7) -> Sequence[BookCost]:
    """Measure in turn, in another order in each round."""
    costs: dict[str, list[float]] = {}
    minute = _Minute(*_recorded(), costs)
    body, messages = _orders()
    works = _works(minute) | {"orders": lambda: _level3(body, messages, costs)}
    gc.freeze()
    order = list(works)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            works[name]()
    gc.unfreeze()
    costs["level 2: memory of a level"] = [_memory(minute.snapshots["BTC-USD"])]
    ours = costs["level 2: a change"]
    return [
        BookCost(
            name,
            quiet(some),
            _UNITS.get(name, "µs"),
            statistics.median(map(float.__truediv__, some, ours)) if name.startswith("level 2: a change") else None,
        )
        for name, some in costs.items()
    ]


_UNITS = {
    "level 2: a snapshot of 42,390 levels": "ms",
    "level 2: its longest slice": "ms",
    "level 2: memory of a level": "bytes",
    f"level 3: load of {ORDERS:,} orders": "ms",
    "level 3: its longest slice": "ms",
}


def _recorded() -> tuple[dict[str, Any], list[Any], int]:
    messages = [msgspec.json.decode(frame.raw) for frame in load_recording()]
    snapshots = {message["product_id"]: message for message in messages if message["type"] == "snapshot"}
    updates = [message for message in messages if message["type"] == "l2update"]
    return snapshots, updates, sum(len(update["changes"]) for update in updates)


@dataclass(frozen=True, slots=True)
class _Minute:
    """The recorded minute, and where what it costs is noted."""

    snapshots: dict[str, Any]
    updates: list[Any]
    changes: int
    costs: dict[str, list[float]]

    def ours(self) -> None:
        books = {product: Level2Book(product) for product in self.snapshots}
        for product, book in books.items():
            whole, longest = _slices(book.apply_in_slices(self.snapshots[product]))
            if product == "BTC-USD":
                self._note("level 2: a snapshot of 42,390 levels", whole / 1e3)
                self._note("level 2: its longest slice", longest / 1e3)
        began = time.process_time_ns()
        for message in self.updates:
            books[message["product_id"]].apply(message)
        self._note("level 2: a change", _since(began) / self.changes)
        began = time.process_time_ns()
        for _ in range(REPEATED):
            books["BTC-USD"].bids(TOP)
        self._note(f"level 2: the best {TOP}", _since(began) / REPEATED)

    def others(self, name: str, mapping: Callable[[Any], Any], number: Callable[[str], Any]) -> None:
        books = {
            product: {
                side: mapping((number(price), number(size)) for price, size in snapshot[rows])
                for side, rows in (("buy", "bids"), ("sell", "asks"))
            }
            for product, snapshot in self.snapshots.items()
        }
        began = time.process_time_ns()
        for message in self.updates:
            book = books[message["product_id"]]
            for side, price, size in message["changes"]:
                if float(size):
                    book[side][number(price)] = number(size)
                else:
                    book[side].pop(number(price), None)
        self._note(f"level 2: a change, {name}", _since(began) / self.changes)

    def _note(self, name: str, cost: float) -> None:
        self.costs.setdefault(name, []).append(cost)


def _works(minute: _Minute) -> dict[str, Callable[[], None]]:
    works: dict[str, Callable[[], None]] = {
        "ours": minute.ours,
        "text": partial(minute.others, "dict of texts, in no order", dict, str),
        "decimals": partial(minute.others, "dict of decimals, in no order", dict, Decimal),
    }
    try:
        sorted_dict = import_module("sortedcontainers").SortedDict
    except ImportError:
        return works
    return works | {"sorted": partial(minute.others, "SortedDict of decimals", sorted_dict, Decimal)}


def _level3(body: dict[str, Any], messages: list[Any], costs: dict[str, list[float]]) -> None:
    book = Level3Book("BTC-USD")
    whole, longest = _slices(book.load_in_slices(body))
    costs.setdefault(f"level 3: load of {ORDERS:,} orders", []).append(whole / 1e3)
    costs.setdefault("level 3: its longest slice", []).append(longest / 1e3)
    began = time.process_time_ns()
    for message in messages:
        book.apply(message)
    costs.setdefault("level 3: a message", []).append(_since(began) / len(messages))
    assert book.sequence == messages[-1]["sequence"]


def _slices(slices: Iterator[None]) -> tuple[float, float]:
    """Return the CPU time of all, and of the longest, in µs."""
    times = []
    done = False
    while not done:
        began = time.process_time_ns()
        done = next(slices, slices) is slices
        times.append(_since(began))
    return sum(times), max(times)


def _since(began: int) -> float:
    return (time.process_time_ns() - began) / 1e3


def _memory(snapshot: dict[str, Any]) -> float:
    payload = msgspec.json.encode(snapshot)
    book = Level2Book(snapshot["product_id"])
    tracemalloc.start()
    try:
        book.apply(msgspec.json.decode(payload))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return kept / (len(book.bids()) + len(book.asks()))


def _orders() -> tuple[dict[str, Any], list[Any]]:
    """Return a book of the size of a real one, and messages in the mixture of ``full``; no large book was recorded."""
    chance = random.Random(7)
    sides = ("buy", "sell")

    def order_id() -> str:
        digits = f"{chance.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def price(side: str, spread: float) -> str:
        away = 1 + int(chance.expovariate(1 / spread))
        return f"{(6351459 - min(away, 6351458) if side == 'buy' else 6351459 + away) / 100:.2f}"

    def size() -> str:
        return f"{chance.random() + 1e-8:.8f}"

    rows = {side: [[price(side, 20_000), size(), order_id()] for _ in range(ORDERS // 2)] for side in sides}
    for side in sides:
        rows[side].sort(key=lambda row: float(row[0]), reverse=side == "buy")
    messages: list[dict[str, Any]] = []
    resting: list[tuple[str, str]] = []

    def say(kind: str, **fields: Any) -> None:
        head = {"type": kind, "product_id": "BTC-USD", "sequence": len(messages) + 1, "time": "2026-07-07T22:58:17.5Z"}
        messages.append(head | fields)

    while len(messages) < MESSAGES:
        draw, side, one = chance.random(), chance.choice(sides), order_id()
        if draw < 1 / 3 or not resting:
            fields = {"order_id": one, "side": side, "price": price(side, 60)}
            say("received", **fields, size=size(), order_type="limit")
            say("open", **fields, remaining_size=size())
            resting.append((one, side))
        elif draw < 0.9:
            gone, its_side = resting.pop(chance.randrange(len(resting)))
            say("done", order_id=gone, side=its_side, reason="canceled")
        else:
            say("match", maker_order_id=resting[-1][0], taker_order_id=one, size="0.00000001", side=side)
    body = {"sequence": 0, "bids": rows["buy"], "asks": rows["sell"]}
    return tuple(msgspec.json.decode(msgspec.json.encode(made)) for made in (body, messages))
