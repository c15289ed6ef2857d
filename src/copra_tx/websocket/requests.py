"""
Requests on the wire: one at a time, each the difference between what is wanted and what the server holds.

The venue's answers carry no request id. With a single request open, its answer is the next ``subscriptions``
message, what that lacks was refused, and an ``error`` belongs to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from copra_tx.bridge import AwaitableDeferred
from copra_tx.errors import (
    ClientClosedError,
    SubscriptionError,
    SubscriptionRefusedError,
    SubscriptionTimeoutError,
    UnsubscribeRefusedError,
)
from copra_tx.feed.dialect import Dialect, Kind

from .channel import Channel
from .pacing import Pacer, Priority
from .subscriptions import Subscriptions, split
from .tickets import OpenRequest, Ticket, each_waiting, meet, without

__all__ = ["Requests"]

MOST_IDS_PER_REQUEST = 100
"""Products (or accounts) in one request. No limit is documented; a request of this size has about 2 kB."""

GRACE = 1.0
"""Seconds in which the errors that belong to an answer, or the answer that belongs to an error, may still come."""


def _ignore(_: object) -> None:
    pass


class Requests:
    """
    Keeps the server's subscriptions equal to the wanted ones, on whichever connection there is.

    Args:
        clock: Where deadlines run.
        pacer: Shared by everything in the process that dials or sends.
        subscriptions: The client's ledger.
        send: Sends one request on the open line.
        tell: Takes an error that no caller waits for.
        answer_timeout: Seconds within which a request must be answered.
        dialect: Of the feed.
        failed: Takes every error, whoever waits for it.
        changed: Called whenever something is wanted, asked for, confirmed or refused.
    """

    def __init__(
        self,
        clock: IReactorTime,
        pacer: Pacer,
        subscriptions: Subscriptions,
        send: Callable[[Kind, Sequence[Channel]], None],
        tell: Callable[[SubscriptionError], None],
        answer_timeout: float,
        dialect: Dialect,
        failed: Callable[[SubscriptionError], None] = _ignore,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._pacer = pacer
        self._ledger = subscriptions
        self._send = send
        self._tell = tell
        self._answer_timeout = answer_timeout
        self._dialect = dialect
        self._failed, self._changed = failed, changed
        self._connected = self._begun = False
        self._open: OpenRequest | None = None
        self._asked_silently = False  # and not answered yet
        self._pace: Deferred[None] | None = None
        self._renewals: list[Channel] = []
        self._tickets: list[Ticket] = []
        self._losses: dict[str, bool] = {}  # channel being renewed after a loss: whether to renew it once more

    @property
    def begun(self) -> bool:
        """Whether anything was asked for on this connection."""
        return self._begun

    # -- what the connection does

    def connected(self) -> None:
        """A line is open; nothing is asked for on it yet."""
        self._ledger.connected()
        self._connected, self._begun, self._asked_silently = True, False, False

    def lost(self) -> None:
        """The line is gone: callers that wait for a subscription go on waiting, for the next one."""
        self._connected = self._begun = False
        self._renewals.clear()
        if self._open is not None:
            self._open.stop_timers()
            self._open = None
        if self._pace is not None:
            self._pace.cancel()
        self._ledger.connected()
        for ticket in each_waiting(self._tickets):
            ticket.renewing = False
            ticket.errors.clear()
            if ticket.kind == "unsubscribe":
                self._finish(ticket)
        self._losses = dict.fromkeys(self._losses, False)  # a new connection brings all anew

    def closed(self) -> None:
        """No other line will come: whoever waits is told so."""
        self.lost()
        for ticket in each_waiting(self._tickets):
            self._tickets.remove(ticket)
            ticket.done.errback(ClientClosedError(f"the answer to {ticket.kind}"))

    # -- what the client wants

    def begin(self) -> None:
        """Ask for everything that is wanted and not held."""
        if self._connected:
            self._begun = True
            self._next()

    def subscribe(self, channels: Sequence[Channel]) -> AwaitableDeferred[None]:
        """Want more; fires when the server holds all of it."""
        self._ledger.want(channels)
        return self._ask("subscribe", channels)

    def unsubscribe(self, channels: Sequence[Channel]) -> AwaitableDeferred[None]:
        """Want less; fires when the server holds none of it."""
        self._ledger.unwant(channels)
        return self._ask("unsubscribe", channels)

    def renew(self, channels: Sequence[Channel]) -> AwaitableDeferred[None]:
        """Unsubscribe and subscribe again what is wanted and held of ``channels``; fires when it is held anew."""
        wanted = self._ledger.still_wanted(map(self._renewable, channels))
        renewals = [channel for channel in wanted if self._ledger.holds_any(channel)] if self._connected else []
        self._renewals += renewals
        return self._ask("subscribe", wanted, renewing=bool(renewals))

    def renew_after_loss(self, name: str) -> None:
        """
        Renew a channel of which messages may have been lost, a snapshot perhaps, or one that is on its way.

        A loss while that is under way makes for one more renewal, however many there are.
        """
        channel = self._ledger.wanted.get(name)
        if channel is None or not self._begun:
            return
        if name in self._losses:
            self._losses[name] = True
        else:
            self._renew_lost(channel, again=bool(self._ledger.unconfirmed([channel])))

    def _renew_lost(self, channel: Channel, *, again: bool) -> None:
        self._losses[channel.name] = again
        self.renew([channel]).addBoth(self._renewed, channel.name)

    def _renewed(self, outcome: Failure | None, name: str) -> None:
        again, channel = self._losses.pop(name), self._ledger.wanted.get(name)
        if outcome is not None and not outcome.check(ClientClosedError):
            assert isinstance(outcome.value, SubscriptionError)
            self._tell(outcome.value)
        if again and channel is not None:
            self._renew_lost(channel, again=False)

    def _renewable(self, channel: Channel) -> Channel:
        # Of a channel that is held for everything no part can be renewed.
        whole = self._ledger.wanted.get(channel.name, channel)
        return channel if whole.members else whole

    def renew_silently(self, product_ids: frozenset[str]) -> None:
        """Ask anew for heartbeats of these products that nobody wanted."""
        self._ledger.silent.renew(product_ids)
        self._next()

    def _ask(self, kind: Kind, channels: Sequence[Channel], *, renewing: bool = False) -> AwaitableDeferred[None]:
        done: AwaitableDeferred[None] = AwaitableDeferred(lambda _: self._tickets.remove(ticket))
        ticket = Ticket(kind, channels, done, renewing=renewing)
        self._tickets.append(ticket)
        self.begin()
        self._changed()
        self._settle()
        return done

    # -- what the server says

    def answered(self, listing: dict[str, frozenset[str]]) -> bool:
        """Take a ``subscriptions`` message; tell whether it may be the answer to something that somebody wanted."""
        self._ledger.answered(listing)
        request = self._open
        asked_silently, self._asked_silently = self._asked_silently, False
        if request is not None:
            if request.words or not self._outstanding(request):
                self._conclude()
            elif not asked_silently:  # else this is the answer to that
                self._wait_for_the_rest(request)
        self._changed()
        self._settle()
        self._next()
        return request is not None or not asked_silently

    def refused(self, words: str) -> None:
        """Take an ``error`` message."""
        self._asked_silently = False
        if self._open is not None:
            self._open.words.append(words)
            self._wait_for_the_rest(self._open)

    @property
    def open_request(self) -> str:
        """What is asked for and not answered yet, in words."""
        if self._open is None:
            return "no request was open"
        about = "; ".join(f"{one.name}{_of(one.members)}" for one in self._open.channels)
        return f"the open request was to {self._open.kind}: {about}"

    # -- one request at a time

    def _due(self) -> tuple[Kind, list[Channel]] | None:
        if not (self._connected and self._begun) or self._open is not None:
            return None
        taken_away = self._renewals or self._ledger.surplus()
        if taken_away:
            return "unsubscribe", self._first_of(taken_away)
        missing = self._ledger.missing()
        return ("subscribe", self._first_of(missing)) if missing else None

    def _first_of(self, channels: Iterable[Channel]) -> list[Channel]:
        return next(split(channels, MOST_IDS_PER_REQUEST, joining=self._dialect.joins_channels))

    def _next(self) -> None:
        if self._pace is None and (self._due() is not None or self._silently_due() is not None):
            self._pace = pace = self._pacer.acquire(Priority.REQUEST)
            pace.addBoth(self._paced)

    def _paced(self, outcome: object) -> None:
        # Cancelled by a lost line, or granted; either way what is due now may be something else than before.
        self._pace = None
        if outcome is not None:
            return
        due, silently_due = self._due(), self._silently_due()
        if due is None and silently_due is not None:
            self._ask_silently(*silently_due)
        elif due is not None:
            kind, channels = due
            if self._renewals and kind == "unsubscribe":
                self._renewals = [rest for one in self._renewals for rest in without(one, channels)]
            deadline = self._clock.callLater(self._answer_timeout, self._unanswered)
            self._open = OpenRequest(kind, channels, deadline)
            self._ledger.asked(kind, channels)
            self._send(kind, channels)

    def _silently_due(self) -> tuple[Kind, list[Channel]] | None:
        # Only when all is settled that somebody wants: it waits for nobody's heartbeats.
        if not (self._connected and self._begun) or self._open is not None or self._asked_silently:
            return None
        silent, wanted, held = self._ledger.silent, self._ledger.wanted, self._ledger.held
        if surplus := silent.surplus(wanted, held):
            return "unsubscribe", self._first_of(surplus)
        missing = silent.missing(wanted, held)
        return ("subscribe", self._first_of(missing)) if missing else None

    def _ask_silently(self, kind: Kind, channels: list[Channel]) -> None:
        self._asked_silently = True
        self._ledger.silent.sent(channels, leaving=kind == "unsubscribe")
        self._send(kind, channels)
        self._changed()

    def _outstanding(self, request: OpenRequest) -> list[Channel]:
        if request.kind == "subscribe":
            return self._ledger.unconfirmed(self._ledger.still_wanted(request.channels))
        return [channel for channel in request.channels if self._ledger.holds_any(channel)]

    def _wait_for_the_rest(self, request: OpenRequest) -> None:
        if request.grace is None:
            request.grace = self._clock.callLater(GRACE, self._grace_over)

    def _grace_over(self) -> None:
        self._conclude()
        self._changed()
        self._settle()
        self._next()

    def _conclude(self) -> None:
        request, self._open = self._open, None
        if request is None:
            return
        request.stop_timers()
        lacking = self._outstanding(request)
        if request.kind == "subscribe":
            self._ledger.refuse(lacking)
        else:
            self._ledger.stop_unsubscribing(request.channels)
        for channel in lacking:
            self._blame([channel], self._refusal(channel, request), told=bool(request.words))
        if request.kind == "unsubscribe":
            for ticket in self._tickets:
                ticket.renewing = ticket.renewing and bool(self._renewals)

    def _unanswered(self) -> None:
        request, self._open = self._open, None
        if request is None:
            return
        request.stop_timers()
        error = SubscriptionTimeoutError([channel.name for channel in request.channels], self._answer_timeout)
        if request.kind == "subscribe":
            self._ledger.refuse(self._ledger.still_wanted(request.channels))
        else:
            self._ledger.stop_unsubscribing(request.channels)
        for ticket in self._blame(request.channels, error, told=False):
            ticket.renewing = False
        self._changed()
        self._settle()
        self._next()

    def _refusal(self, channel: Channel, request: OpenRequest) -> SubscriptionError:
        naming = [words for words in request.words if self._dialect.named_in(words, channel) is not None]
        candidates = [] if naming or not request.words else [one.name for one in request.channels]
        kind = SubscriptionRefusedError if request.kind == "subscribe" else UnsubscribeRefusedError
        return kind(channel.name, channel.members, naming or request.words, candidates)

    # -- who waits for what

    def _blame(self, channels: Sequence[Channel], error: SubscriptionError, *, told: bool) -> list[Ticket]:
        """Note an error for those who wait for these channels, and return them; tell it if there is nobody."""
        self._failed(error)
        concerned = [ticket for ticket in self._tickets if meet(ticket.channels, channels)]
        if isinstance(error, UnsubscribeRefusedError):  # who wants it held has what he wants
            concerned = [ticket for ticket in concerned if ticket.kind == "unsubscribe" or ticket.renewing]
        for ticket in concerned:
            ticket.errors.append(error)
        if not concerned and not told:
            self._tell(error)
        return concerned

    def _settle(self) -> None:
        for ticket in each_waiting(self._tickets):
            if not self._pending(ticket):
                self._finish(ticket)

    def _pending(self, ticket: Ticket) -> bool:
        if ticket.renewing:
            return True
        if ticket.kind == "unsubscribe":
            asked = self._open is not None and meet(self._open.channels, ticket.channels)
            return self._connected and (asked or bool(meet(self._ledger.surplus(), ticket.channels)))
        wanted = self._ledger.still_wanted(ticket.channels)
        if self._open is not None and self._open.kind == "unsubscribe" and meet(self._open.channels, wanted):
            return True  # held as yet, and to be asked for again
        refused = {channel.name: channel for channel in self._ledger.refused_of(wanted)}
        return any(
            channel.name not in refused or channel - refused[channel.name] is not None
            for channel in self._ledger.unconfirmed(wanted)
        )

    def _finish(self, ticket: Ticket) -> None:
        self._tickets.remove(ticket)
        if not ticket.errors:
            ticket.done.callback(None)
            return
        error, *others = ticket.errors
        if isinstance(error, SubscriptionRefusedError):
            error.others = tuple(other for other in others if isinstance(other, SubscriptionRefusedError))
        ticket.done.errback(error)
        if not ticket.done.looked_at:
            for one in ticket.errors:
                self._tell(one)


def _of(members: frozenset[str]) -> str:
    return f" of {', '.join(sorted(members))}" if members else ""
