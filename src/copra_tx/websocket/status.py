"""How a client stands, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from copra_tx.integrity.lag import LagFigures

from .channel import Channel
from .counters import Counters
from .state import State

__all__ = ["Status"]


@dataclass(frozen=True, slots=True)
class Status:
    """
    A client at one moment.

    Attributes:
        state: Where its line is.
        since: When it came there, in seconds since the Unix epoch.
        confirmed: Channel name to what of it is wanted and held by the server.
        pending: The same of what is wanted and not answered yet; without a line that is everything.
        refused: The same of what the server refused, or left unanswered, on this connection.
        is_ready: Whether all that is wanted is confirmed and data flow.
        is_paused: Whether reading is paused, since callbacks or an iteration do not keep up. No deadline runs then.
        patience: How many times the stated silence is tolerated before it counts as a stall; above 1 after connections
            that brought nothing.
        counters: What happened so far. A copy.
        message_age: Seconds since the last message on this connection, to about one second; ``None`` if none came.
        lag_s: Seconds from the times in messages to their receipt in the last minute: ``median`` and ``worst``;
            ``None`` if there was none.
        clock_offset: Seconds that this machine's clock is ahead of the venue's, as far as is known. Measured by the
            messages of the last minute it contains their way; by the answer to the upgrade it is right to a second.
    """

    state: State
    since: float
    confirmed: Mapping[str, Channel]
    pending: Mapping[str, Channel]
    refused: Mapping[str, Channel]
    is_ready: bool
    is_paused: bool
    patience: int
    counters: Counters
    message_age: float | None
    lag_s: LagFigures | None
    clock_offset: float | None
