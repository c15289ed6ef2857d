"""
What every client under test does with a message, and how its time is taken.

Runs in the environment of each client: nothing but the standard library is imported.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any

__all__ = ["MARK_TYPE", "Counting", "Stamping", "Stopwatch"]

MARK_TYPE = "bench_mark"
STAMP = "sent_ns"


class Stopwatch:
    """
    Reads the clocks at each mark, and prints what they showed, as one line of JSON, at the last; then ends the process.

    Args:
        facts: What to print as well: who and what was measured.
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        self._facts = facts
        self._readings: list[tuple[int, int]] = []  # messages so far, CPU time of the process in ns
        self._began = 0.0
        self.latencies: list[int] = []  # ns

    def mark(self, message: dict[str, Any], counted: int) -> None:
        """Take note of a mark; ``counted`` messages came before it."""
        self._readings.append((counted, time.process_time_ns()))
        if len(self._readings) == 1:
            self._began = time.perf_counter()
            self.latencies.clear()
        if message.get("is_last"):
            self._finish(message)

    def _finish(self, told: dict[str, Any]) -> None:
        took = time.perf_counter() - self._began
        (first, began), (last, ended) = self._readings[0], self._readings[-1]
        segments = [
            (later_ns - earlier_ns) / 1e3 / (later - earlier)
            for (earlier, earlier_ns), (later, later_ns) in zip(self._readings, self._readings[1:], strict=False)
            if later > earlier  # the last mark may follow another one at once
        ]
        result = {
            **self._facts,
            "messages": last - first,
            "segments_us": [round(segment, 4) for segment in segments],  # CPU time per message
            "cpu_us": (ended - began) / 1e3 / (last - first),
            "wall_us": took * 1e6 / (last - first),
            "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "python": ".".join(map(str, sys.version_info[:3])),
        }
        if self.latencies:
            ordered = sorted(self.latencies[len(self.latencies) // 10 :])  # warm
            for percent in (50, 99):
                result[f"p{percent}_us"] = ordered[len(ordered) * percent // 100] / 1e3
            result |= {f"sender_{name}": told[name] for name in ("rate", "late")}
        print(json.dumps(result), flush=True)
        os._exit(0)  # whatever the client would do to end is not measured


class Counting:
    """
    The callback of every client: it counts, and looks at the type.

    Clients that are subclassed inherit it; the others are given its ``on_message``.

    Attributes:
        stopwatch: Set on the class before the client is made.
    """

    stopwatch: Stopwatch
    counted = 0

    def on_message(self, message: Any) -> None:
        """Count a message."""
        if message["type"] == MARK_TYPE:
            self.stopwatch.mark(message, self.counted)
        else:
            self.counted += 1


class Stamping(Counting):
    """As ``Counting``, and compares the moment of sending with now."""

    def on_message(self, message: Any) -> None:
        """Count a message, and take its latency."""
        now = time.monotonic_ns()
        if message["type"] == MARK_TYPE:
            self.stopwatch.mark(message, self.counted)
        else:
            self.counted += 1
            if STAMP in message:  # the answer to the subscription has none
                self.stopwatch.latencies.append(now - message[STAMP])
