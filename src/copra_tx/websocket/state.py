"""The states of a client's line, and every move between them."""

from __future__ import annotations

import enum
from collections.abc import Mapping

__all__ = ["TRANSITIONS", "Event", "State"]


class State(enum.Enum):
    """Where a line is. The values are what the documentation calls them."""

    IDLE = "idle"
    """Made, not joined to the loop; or lost, and given up."""

    SCHEDULED = "scheduled"
    """Joined to the loop: dials as soon as the loop runs and the pace allows."""

    CONNECTING = "connecting"
    """An attempt is under way: name, TCP, proxy, TLS, upgrade."""

    OPEN = "open"
    """The upgrade is done; messages flow."""

    LOST = "lost"
    """An attempt or an open line ended; ``on_close`` decides what comes next."""

    WAITING = "waiting"
    """Waiting to try again."""

    CLOSING = "closing"
    """``close()`` was called; the connection still has to end."""

    CLOSED = "closed"
    """Closed for good, until joined again."""


class Event(enum.Enum):
    """What moves a line."""

    JOIN = "join"
    """``add_as_task_to_loop()``."""

    DIAL = "dial"
    """An attempt begins, ours or a caller's ``connectTCP``."""

    OPENED = "opened"
    """The upgrade succeeded."""

    ENDED = "ended"
    """The attempt failed or the connection was lost."""

    RETRY = "retry"
    """The default ``on_close`` asks for another attempt."""

    GIVE_UP = "give up"
    """Nobody asked for another attempt."""

    CLOSE = "close"
    """``close()``."""


TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    State.IDLE: {Event.JOIN: State.SCHEDULED, Event.DIAL: State.CONNECTING, Event.CLOSE: State.CLOSED},
    State.SCHEDULED: {
        Event.JOIN: State.SCHEDULED,
        Event.DIAL: State.CONNECTING,
        Event.GIVE_UP: State.IDLE,
        Event.CLOSE: State.CLOSED,
    },
    State.CONNECTING: {
        Event.JOIN: State.CONNECTING,
        Event.DIAL: State.CONNECTING,
        Event.OPENED: State.OPEN,
        Event.ENDED: State.LOST,
        Event.CLOSE: State.CLOSING,
    },
    State.OPEN: {Event.JOIN: State.OPEN, Event.ENDED: State.LOST, Event.CLOSE: State.CLOSING},
    State.LOST: {
        Event.JOIN: State.SCHEDULED,
        Event.DIAL: State.CONNECTING,
        Event.RETRY: State.WAITING,
        Event.GIVE_UP: State.IDLE,
        Event.CLOSE: State.CLOSED,
    },
    State.WAITING: {
        Event.JOIN: State.WAITING,
        Event.DIAL: State.CONNECTING,
        Event.GIVE_UP: State.IDLE,
        Event.CLOSE: State.CLOSED,
    },
    State.CLOSING: {Event.ENDED: State.CLOSED, Event.CLOSE: State.CLOSING},
    State.CLOSED: {Event.JOIN: State.SCHEDULED, Event.DIAL: State.CONNECTING, Event.CLOSE: State.CLOSED},
}
"""Every legal move. A pair that is not here is a mistake of the caller or a late event of an old connection."""
