"""The market in time: when its messages are due, and how one client gets them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from .minute import Key
    from .outgoing import Outgoing
    from .wire import Timers

__all__ = ["Entry", "Pace", "Played", "Replay"]

_SLICE = 256 * 1024  # bytes sent before the reactor gets its turn, should the transport never push back
_PASSED = 16  # as many as one message that nobody wants counts for
_TICK = 0.005  # seconds; messages due within one tick go out together


class Entry(Protocol):
    """What stands at one position of a market."""

    @property
    def type(self) -> str:
        """The message's ``type``; of a ``level3`` row, its first member."""

    @property
    def product_id(self) -> str:
        """The message's product; empty if it has none."""

    @property
    def keys(self) -> frozenset[Key]:
        """Whose subscribers get it."""


class Played(Protocol):
    """A market that goes on for ever: messages at positions, each due at its time. See ``Market`` for the meaning."""

    @property
    def keys(self) -> frozenset[Key]:
        """Every channel and product that ever gets a message."""

    def due(self, seconds: float) -> int:
        """Return the position of the first message that is not yet due ``seconds`` after the beginning."""

    def due_at(self, position: int) -> float:
        """Return when the message at ``position`` is due, in seconds after the beginning."""

    def entry(self, position: int) -> Entry:
        """Return what stands at ``position``."""

    def message(self, position: int) -> bytes:
        """Return the message at ``position``, in the bytes of the wire."""

    def greeting(self, key: Key, position: int) -> tuple[str, bytes] | None:
        """Return type and bytes of what a new subscriber gets before the message at ``position``."""


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How fast a market goes.

    Attributes:
        market: The market.
        clock: What its time is measured on.
        began: When it began, on that clock.
        speed: Its seconds in one second of the clock; infinite: as fast as the client reads.
    """

    market: Played
    clock: IReactorTime
    began: float
    speed: float

    @property
    def unlimited(self) -> bool:
        """Whether only the client sets the pace."""
        return self.speed == math.inf

    def due(self) -> float:
        """Return the position of the first message that is not due yet; infinite if there is none."""
        return math.inf if self.unlimited else self.market.due(self._time())

    def position(self, furthest: int) -> int:
        """Return where the market is; at unlimited speed it is where its ``furthest`` client is."""
        return furthest if self.unlimited else self.market.due(self._time())

    def shifted(self, position: int, seconds: float) -> int:
        """Return the position that many seconds of the market later, or earlier; the beginning at the earliest."""
        return self.market.due(max(0.0, self.market.due_at(position) + seconds))

    def wait(self, position: int) -> float:
        """Return in how many seconds of the clock the message at ``position`` is due, at a limited speed."""
        return (self.market.due_at(position) - self._time()) / self.speed

    def _time(self) -> float:
        return (self.clock.seconds() - self.began) * self.speed


class Replay:
    """
    The market as one client gets it: what it wants, when that is due, if its line takes it.

    Args:
        pace: When what is due.
        outgoing: Where it goes.
        timers: Of the connection.
        slow_limit: Seconds within which a client that made us wait must have caught up with the market. Without a
            meaning at unlimited speed.
        too_slow: Called when it has not.

    Attributes:
        position: How far this client is in the market, in messages from its beginning.
    """

    def __init__(
        self,
        pace: Pace,
        outgoing: Outgoing,
        timers: Timers,
        *,
        slow_limit: float,
        too_slow: Callable[[], None],
    ) -> None:
        self.position = 0
        self._pace, self._outgoing, self._timers = pace, outgoing, timers
        self._slow_limit, self._too_slow = slow_limit, too_slow
        self._wanted: frozenset[Key] = frozenset()
        self._paused = False

    def join(self) -> None:
        """Before a request is carried out: let a client that wants nothing yet join the market where it is now."""
        if not self._wanted and not self._pace.unlimited:
            self.position = int(self._pace.due())

    def want(self, keys: frozenset[Key]) -> None:
        """Send this from the next ``pump`` on: what the client is subscribed to now."""
        self._wanted = keys & self._pace.market.keys

    def pause(self) -> None:
        """The transport has enough to write for now."""
        self._paused = True
        self._watch()

    def resume(self) -> None:
        """The transport can take more."""
        self._paused = False
        self.pump()

    def stalled(self) -> None:
        """It is us who make the client wait from now on."""
        self._timers.stop("lag")

    def unstalled(self) -> None:
        """It is not us any more."""
        if self._paused:
            self._watch()
        self.pump()

    def pump(self) -> None:
        """Send what is due, as far as the line takes it, and come back when more is due."""
        self._timers.stop("tick")
        market, due, sent = self._pace.market, self._pace.due(), 0
        while self._wanted and self.position < due:
            if self._paused or not self._outgoing.can_flow:
                return
            if sent >= _SLICE:
                self._timers.start("tick", 0, self.pump)
                return
            entry = market.entry(self.position)
            if keys := entry.keys & self._wanted:
                payload = market.message(self.position)
                sent += len(payload)
                self._outgoing.send(payload, entry.type, entry.product_id, keys)
            self.position += 1
            sent += _PASSED
        if self._paused:
            return
        self._timers.stop("lag")  # nothing is left behind
        if self._wanted and self._outgoing.can_flow:
            self._timers.start("tick", max(self._pace.wait(self.position), _TICK), self.pump)

    def _watch(self) -> None:
        if self._outgoing.can_flow and not self._pace.unlimited:
            self._timers.start("lag", self._slow_limit, self._too_slow)
