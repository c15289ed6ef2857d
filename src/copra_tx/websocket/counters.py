"""What happened to a client so far, as numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Counters"]


@dataclass(slots=True)
class Counters:
    """
    Counts since the client was made.

    Attributes:
        attempts: Connections begun.
        connections: Connections whose upgrade succeeded.
        messages: Messages handed to ``on_message``.
        errors: ``error`` messages of the server.
        unwanted: Messages dropped because no wanted channel explains them.
        unusable: Input that could not be used, by kind: ``not JSON``, ``binary``, ``neither object nor row``,
            ``no type``; on the Advanced Trade feed ``no object`` and ``no channel`` in place of the last two.
        gaps: Gaps told to ``on_gap``, those that were closed later among them.
        missing: Numbered messages that did not come when they should have.
        late: Messages that came after they had been told missing.
        repeated: Messages that had come already.
        backfilled: Missing trades that were fetched and handed to ``on_backfill``.
        not_backfilled: Missing trades that could not be had.
        stalls: Silences told to ``on_stall``.
        callback_failures: Callbacks that raised, or whose coroutine or Deferred failed.
        pauses: Times the line was paused because a buffer was full.
    """

    attempts: int = 0
    connections: int = 0
    messages: int = 0
    errors: int = 0
    unwanted: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    gaps: int = 0
    missing: int = 0
    late: int = 0
    repeated: int = 0
    backfilled: int = 0
    not_backfilled: int = 0
    stalls: int = 0
    callback_failures: int = 0
    pauses: int = 0
