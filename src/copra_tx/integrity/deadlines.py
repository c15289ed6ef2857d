"""When silence is a stall: what should have come by now, and has not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["FIRST_ANSWER", "FIRST_DATA", "HEARTBEAT", "MOST_PATIENCE", "OPEN", "PONG", "Deadlines", "Stall"]

OPEN, FIRST_ANSWER, FIRST_DATA, HEARTBEAT, PONG = "open", "first answer", "first data", "heartbeat", "pong"
"""What can be missing; beside these, a channel's name where it brought nothing although there were trades."""

MOST_PATIENCE = 64
"""The tolerated silence is not doubled beyond so many times the stated one."""


@dataclass(frozen=True, slots=True)
class Stall:
    """
    Something that should have come.

    Attributes:
        what: ``open``, ``first answer``, ``first data``, ``heartbeat`` or ``pong``; or a channel's name.
        seconds: For how long it was waited for.
        product_ids: Of which products, where it is about some.
        is_curable: Whether the line lives, so that subscribing anew may help.
    """

    what: str
    seconds: float
    product_ids: frozenset[str] = frozenset()
    is_curable: bool = False


class Deadlines:
    """
    The deadlines of a client's connections, one after the other.

    Times are those of any clock that only goes forward, in seconds. The stated ones are doubled by each connection that
    ended in silence, and hold again as soon as there is data. What was missing on a line that lived otherwise is waited
    for twice as long from then on, until it comes.

    Args:
        first_answer: Seconds from the first request to any message. For the others, 0 is no deadline.
        first_data: Seconds from the opened line to the first message of a channel.
        heartbeat: Seconds from one heartbeat of a product to the next one.
        cadence: Seconds after a trade in which a channel must have brought something.

    Attributes:
        patience: How many times the stated silence is tolerated now.
    """

    def __init__(self, first_answer: float, first_data: float, heartbeat: float, cadence: float) -> None:
        self._stated = {
            FIRST_ANSWER: first_answer,
            FIRST_DATA: first_data or math.inf,
            HEARTBEAT: heartbeat or math.inf,
        }
        self._cadence = cadence or math.inf
        self.patience = 1
        self._longer: dict[str, int] = {}  # what was missing on a line that lived, and how many times it is tolerated
        self._blamed: frozenset[str] = frozenset()  # the products whose heartbeats were missing so
        self.opened(0.0)

    # -- what happens

    def opened(self, now: float) -> None:
        """Take note of an open line: the deadlines are armed."""
        self._opened = self._excused = now
        self._asked: float | None = None
        self._data: float | None = None
        self._heard = self._awaits_data = False
        self._awaits_beats: float | None = None  # heartbeats, since then
        self._beats: dict[str, float] = {}
        self._unseen: dict[str, float] = {}  # channel to the first trade after its last message
        self._seen: dict[str, float] = {}  # channel to its last message, as far as that was looked at
        self._cured: set[str] = set()  # products and channels that were subscribed to anew, and silent since

    def asked(self, now: float) -> None:
        """Take note of a request; the first one counts."""
        if self._asked is None:
            self._asked = now

    def subscribed(
        self, heartbeats: Iterable[str], now: float, *, awaits_data: bool, awaits_heartbeats: bool = False
    ) -> None:
        """
        Take what is subscribed to; after each change.

        Args:
            heartbeats: The products whose heartbeats the server confirmed.
            now: The time.
            awaits_data: Whether there is any channel among it that is not silent by nature.
            awaits_heartbeats: Whether heartbeats were asked for that are not confirmed yet. While nothing at all comes,
                they are waited for as an answer is.
        """
        self._awaits_data = awaits_data
        self._awaits_beats = (self._awaits_beats or now) if awaits_data and awaits_heartbeats else None
        self._beats = {product_id: self._beats.get(product_id, now) for product_id in heartbeats}

    def heard(self) -> None:
        """Take note of a message of any kind."""
        self._heard = True

    def data(self, now: float) -> None:
        """Take note that messages of channels came."""
        self._heard, self._data, self.patience = True, now, 1

    def heartbeat(self, product_id: str, now: float) -> None:
        """Take a heartbeat of a product."""
        self.data(now)
        self._cured.discard(product_id)
        if product_id in self._blamed:
            self._blamed = frozenset()
            self._longer.pop(HEARTBEAT, None)
        if product_id in self._beats:
            self._beats[product_id] = now

    def traded(self, channels: Iterable[str], now: float, since: float) -> None:
        """
        Take note of a trade that these channels must show.

        Args:
            channels: Those that did not bring anything since a certain time are waited for.
            now: The time.
            since: That time, shortly before the trade.
        """
        for channel in channels:
            if self._seen.get(channel, -math.inf) < since:
                self._unseen.setdefault(channel, now)

    def seen(self, channels: Iterable[str], now: float) -> None:
        """Take note that one of these channels brought something."""
        self.left(channels)
        for channel in channels:
            self._seen[channel] = now
            self._longer.pop(channel, None)
            self._cured.discard(channel)

    def left(self, channels: Iterable[str]) -> None:
        """
        Take note that nothing is to be waited for now from these channels: they are not confirmed.

        That they are silent is not forgotten, since so it is while they are subscribed to anew, and on each new line.
        """
        for channel in channels:
            self._unseen.pop(channel, None)

    def excuse(self, now: float) -> None:
        """Let all waiting begin again: nobody listened until now."""
        self._excused = now

    # -- what follows

    def due(self) -> float | None:
        """Return when the next deadline expires; ``None`` if none is armed."""
        return min(self._dues().values(), default=None)

    def expired(self, now: float) -> Stall | None:
        """
        Return what is missing now.

        What may be cured is waited for once more. Otherwise the line is to be aborted, and more silence will be
        tolerated.
        """
        overdue = [what for what, time in self._dues().items() if time <= now]
        if not overdue:
            return None
        what, limit = overdue[0], self._limit(overdue[0])
        silent = frozenset(one for one, time in self._beats.items() if max(time, self._excused) + limit <= now)
        about = silent if what == HEARTBEAT else frozenset((what,))
        # Short enough that a line which has gone silent altogether is not taken for one that lives. So has one on which
        # heartbeats are missing of no product: they were not confirmed, and nothing else came.
        lives = bool(about) and self._data is not None and now - max(self._data, self._excused) < limit / 3
        if not about:
            limit = self._answer_limit()
        is_curable = lives and what != FIRST_ANSWER and about.isdisjoint(self._cured)
        if is_curable:
            self._cured |= about
            (self._beats if what == HEARTBEAT else self._unseen).update(dict.fromkeys(about, now))
        elif lives:
            self._longer[what] = min(self._longer.get(what, 1) * 2, MOST_PATIENCE)
            self._blamed = silent if what == HEARTBEAT else self._blamed
        else:
            self.patience = min(self.patience * 2, MOST_PATIENCE)
        return Stall(what, limit, silent if what == HEARTBEAT else frozenset(), is_curable)

    def _dues(self) -> Mapping[str, float]:
        since: dict[str, float] = {}
        if self._asked is not None and not self._heard:
            since[FIRST_ANSWER] = self._asked
        if self._asked is not None and self._awaits_data and self._data is None:
            since[FIRST_DATA] = self._opened
        if self._beats:
            since[HEARTBEAT] = min(self._beats.values())
        since |= self._unseen
        dues = {what: max(time, self._excused) + self._limit(what) for what, time in since.items()}
        if self._awaits_beats is not None and self._data is not None and self._stated[HEARTBEAT] < math.inf:
            answer = max(self._awaits_beats, self._data, self._excused) + self._answer_limit()
            dues[HEARTBEAT] = min(answer, dues.get(HEARTBEAT, math.inf))
        return dues

    def _answer_limit(self) -> float:
        return self._stated[FIRST_ANSWER] * self.patience

    def _limit(self, what: str) -> float:
        if what == FIRST_ANSWER:
            return self._stated[what]
        return self._stated.get(what, self._cadence) * max(self.patience, self._longer.get(what, 1))
