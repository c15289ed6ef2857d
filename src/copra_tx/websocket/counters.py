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
        callback_failures: Callbacks that raised, or whose coroutine or Deferred failed.
        pauses: Times the line was paused because a buffer was full.
        gaps: Gaps told to ``on_gap``.
        late: Numbered messages that were repeated, or came later than their number says.
    """

    attempts: int = 0
    connections: int = 0
    messages: int = 0
    errors: int = 0
    unwanted: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    callback_failures: int = 0
    pauses: int = 0
    gaps: int = 0
    late: int = 0
