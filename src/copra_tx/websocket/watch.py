"""What a message tells beside its content: that the line lives, how late it is, and what did not come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from copra_tx.errors import StallError
from copra_tx.integrity.beats import Beat
from copra_tx.integrity.checks import Checks
from copra_tx.integrity.deadlines import HEARTBEAT, Deadlines, Stall
from copra_tx.integrity.gaps import Gap
from copra_tx.integrity.lag import Lag, seconds_of

from .backfill import Backfill
from .channel import Channel

if TYPE_CHECKING:
    from .client import Client
    from .delivery import Delivery
    from .protocol import ClientProtocol
    from .requests import Requests
    from .subscriptions import Subscriptions

__all__ = ["Watch"]

STEP = 1.0
"""Seconds between two looks at the counters of a line."""

SUSPICIOUS_OFFSET = 20.0
"""Seconds that our clock may be off without being blamed for a signature that was refused."""

LARGE_READ = 1024
"""Bytes in a step that are more than pongs: part of a large message, behind which heartbeats may wait."""

REGULAR = 0.1
"""Seconds in which further heartbeats of a product tell nothing new about the line."""

_OF_THE_LINE = frozenset(("",))
"""In place of products, where heartbeats are those of the whole connection."""


class Watch:
    """
    Looks after a client's lines.

    It has one timer, which compares counters, and sees those messages that ``Reception`` does not let pass as nothing
    but data: heartbeats, the first message of a line, numbers out of order, and one of each kind now and then.

    Args:
        client: Whose lines these are, and whose callbacks are called.
        clock: Runs the timer.
        delivery: The guard around callbacks.
        subscriptions: What is wanted and held.
        requests: Subscribes anew what has stalled.
        changed: Called when the first data of a line came.
        wall_clock: Gives the seconds since the Unix epoch.

    Attributes:
        deadlines: What should come, and when.
        checks: The numbers of the messages.
        lag: How late messages are.
        beats: Product to what takes its next heartbeat at a small price.
        is_satisfied: Whether messages of a channel came on this line, or none is to be expected.
    """

    def __init__(
        self,
        client: Client,
        clock: IReactorTime,
        delivery: Delivery,
        subscriptions: Subscriptions,
        requests: Requests,
        changed: Callable[[], None],
        wall_clock: Callable[[], float],
    ) -> None:
        self._client, self._clock, self._delivery = client, clock, delivery
        self._ledger, self._requests = subscriptions, requests
        self._changed, self._wall_clock = changed, wall_clock
        self._channels, self._heartbeat = client.dialect.channels, client.dialect.heartbeat
        options = client.options
        self.deadlines = Deadlines(
            options.answer_timeout, options.first_data_timeout, options.heartbeat_timeout, options.cadence_timeout
        )
        self.checks = Checks(client.dialect)
        self.lag = Lag()
        self._backfill = Backfill(client, clock, delivery, self.checks) if options.backfill else None
        self._look_closely: Callable[[], None] = _ignore
        self._line: ClientProtocol | None = None
        self._timer: IDelayedCall | None = None
        self._notes = self._messages = self._octets = 0
        self._last_message: float | None = None
        self._has_data = self._awaits_data = False
        self._planned, self._was_held_up = 0.0, False
        self._trades: dict[str, tuple[object, float]] = {}  # product to what its last heartbeat told of, and when
        self.beats: dict[str, Beat] = {}
        self._showing: dict[str, list[str]] = {}  # product to the channels that show its trades
        self._clock_at_upgrade: float | None = None

    def begin(self, look_closely: Callable[[], None]) -> None:
        """Take who is to let us see the next message of each type."""
        self._look_closely = look_closely

    @property
    def is_satisfied(self) -> bool:
        """Whether messages of a channel came on this line, or no channel must bring any."""
        return self._has_data or not self._awaits_data

    # -- a line

    def connected(self, line: ClientProtocol) -> None:
        """Begin to look after an open line."""
        now = self._clock.seconds()
        self._line = line
        self._notes = self._messages = 0
        self._octets = line.trafficStats.incomingOctetsWireLevel
        self._last_message, self._has_data = None, False
        self._trades.clear()
        self.beats.clear()
        self.lag.clear()
        self._measure_upgrade(line)
        self.deadlines.opened(now)
        self.subscribed()
        self._look_closely()
        self._wait(now)

    def lost(self) -> None:
        """The line is gone; no timer is left."""
        self._line = None
        self._has_data = False
        self.checks.connection_lost()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def closing(self) -> None:
        """The client closes; nothing is fetched any more."""
        if self._backfill is not None:
            self._backfill.stop()

    def asked(self) -> None:
        """A request was sent."""
        self.deadlines.asked(self._clock.seconds())

    def subscribed(self) -> None:
        """What is wanted, held or refused has changed."""
        self.beats.clear()
        confirmed = {channel.name: channel.product_ids for channel in self._ledger.confirmed()}
        pending = {channel.name: channel.product_ids for channel in self._ledger.missing()}
        self.checks.subscribed(confirmed, pending)
        if self._backfill is not None:
            self._backfill.keep(self._ledger.wanted)
        self._awaits_data = any(not self._channels[name].is_quiet for name in (*confirmed, *pending))
        held = self._ledger.held.get(self._heartbeat)
        beating = held or frozenset()
        awaited = self._ledger.silent.asked
        if not self._channels[self._heartbeat].needs_products:
            beating = _OF_THE_LINE if held is not None else frozenset()
            awaited = _OF_THE_LINE if self._client.options.heartbeats else frozenset()
        self.deadlines.subscribed(
            beating,
            self._clock.seconds(),
            awaits_data=self._awaits_data,
            awaits_heartbeats=not awaited <= beating,
        )
        self.deadlines.left(self._channels.keys() - confirmed.keys())
        self._know_showing()

    # -- messages

    def noted(self) -> None:
        """Take note of a message that belongs to no channel: an answer, or an error."""
        self._notes += 1
        self.deadlines.heard()

    def noticed(self, message_type: str, members: Mapping[str, Any], time: object) -> bool:
        """
        Take a message of a channel that is no heartbeat.

        Args:
            message_type: Its type; ``level3`` for a row.
            members: Those of ``product_id``, ``sequence`` and ``trade_id`` that it has.
            time: When the venue sent it, as text.

        Returns:
            Whether the user is to get it.
        """
        now = self._clock.seconds()
        product_id, trade_id = members.get("product_id", ""), members.get("trade_id")
        self._sample(now, time)
        self.deadlines.data(now)
        self.deadlines.seen(self._client.dialect.explaining_channels(message_type), now)
        self._tell_gaps(self.checks.observe(message_type, product_id, members.get("sequence"), trade_id))
        counters = self._client.counters
        counters.late, counters.repeated = self.checks.late, self.checks.repeated
        if not self._has_data:
            self._has_news()
        return self._backfill is None or not self._backfill.has_given(message_type, product_id, trade_id)

    def is_regular_heartbeat(self, message: dict[str, Any]) -> bool:
        """
        Take a heartbeat that comes right after one of the same product, as in a flood, and tells of nothing missing.

        Returns:
            Whether it was taken, and the user is to get it; else, or if this raises ``KeyError``, it is for
            ``heartbeat``.
        """
        beat = self.beats[message["product_id"]]
        return not beat.is_hidden and beat.keeps_up(message, self._clock.seconds())

    def heartbeat(self, product_id: object, sequence: object, last_trade_id: object, time: object) -> bool:
        """
        Take a heartbeat.

        Args:
            product_id: The product; empty if it is one of the whole connection.
            sequence: How far the product is, as far as it says.
            last_trade_id: Likewise.
            time: When the venue sent it, as text.

        Returns:
            Whether the user is to get it.
        """
        if not isinstance(product_id, str):
            return True
        now = self._clock.seconds()
        self._sample(now, time)
        self.deadlines.heartbeat(product_id, now)
        before, since = self._trades.get(product_id, (last_trade_id, now))
        self._trades[product_id] = last_trade_id, now
        if before != last_trade_id and product_id in self._showing:
            # Which of many messages is seen is decided once a step: one that came a step before may be the trade's.
            self.deadlines.traded(self._showing[product_id], now, since - 2 * STEP)
        if gaps := self.checks.heartbeat(product_id, sequence, last_trade_id):
            self._tell_gaps(gaps)
        if not self._has_data:
            self._has_news()
        is_hidden = self._ledger.silent.hides(product_id, self._ledger.wanted)
        if (beat := self.checks.beat(product_id, now + REGULAR)) is not None:
            beat.is_hidden = is_hidden
            self.beats[product_id] = beat
        return not is_hidden

    def _know_showing(self) -> None:
        """Note which channels must show a product's trades: what is wanted and held, and not quiet."""
        self._showing.clear()
        wanted, held = self._ledger.wanted, self._ledger.held
        for name in wanted.keys() & held.keys():
            for product_id in held[name] & wanted[name].product_ids if self._channels[name].shows_trades else ():
                self._showing.setdefault(product_id, []).append(name)

    def _tell_gaps(self, gaps: Iterable[Gap]) -> None:
        counters = self._client.counters
        for gap in gaps:
            if not gap.recovered:
                counters.gaps += 1
                counters.missing += gap.missing
            self._delivery.deliver("on_gap", self._client.on_gap, gap)
            if self._backfill is not None:
                self._backfill.take(gap)

    # -- figures

    def message_age(self) -> float | None:
        """Return the seconds since the last message of the line, to about one step."""
        self._count()
        return None if self._last_message is None else self._clock.seconds() - self._last_message

    def clock_offset(self) -> float | None:
        """Return the seconds that our clock is ahead of the venue's, as far as is known."""
        least = self.lag.least(self._clock.seconds())
        return self._clock_at_upgrade if least is None else least

    def clock_hint(self, words: str) -> str:
        """Say what may be wrong with a signature that was refused; nothing if the words are about something else."""
        offset = self.clock_offset()
        if offset is None or abs(offset) < SUSPICIOUS_OFFSET or not self._client.dialect.is_about_signature(words):
            return ""
        return (
            f"this machine's clock is {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} the venue's; "
            f"a signature counts for 30 s: set the clock"
        )

    def _sample(self, now: float, time: object) -> None:
        if now >= self.lag.due and (sent := seconds_of(time)) is not None:
            self.lag.add(now, self._wall_clock() - sent)

    def _measure_upgrade(self, line: ClientProtocol) -> None:
        answered = line.upgrade_answered_at()
        if answered is not None:
            self._clock_at_upgrade = self._wall_clock() - answered

    # -- the timer

    def _count(self) -> bool:
        """Tell whether messages of channels came since the last time."""
        if self._line is None:
            return False
        # Within a callback, what is noted may not be among the messages yet: that must not look like news later.
        messages = max(self._messages, self._line.trafficStats.incomingWebSocketMessages - self._notes)
        before, self._messages = self._messages, messages
        if messages > before:
            self._last_message = self._clock.seconds()
            self.deadlines.data(self._last_message)
            if not self._has_data:
                self._has_news()
        return bool(messages > before)

    def _has_news(self) -> None:
        self._has_data = True
        self._changed()

    def _step(self) -> None:
        assert self._line is not None
        self._timer = None
        now = self._clock.seconds()
        self._was_held_up = now - self._planned > STEP
        self._look_closely()
        has_news = self._count()
        octets = self._line.trafficStats.incomingOctetsWireLevel
        is_amid_message = not has_news and octets - self._octets >= LARGE_READ
        self._octets = octets
        if self._client.line.flow.paused or is_amid_message:
            self.deadlines.excuse(now)
        due = self.deadlines.due()
        if due is not None and due <= now:
            # First let be read what may have come while this process did something else.
            self._timer = self._clock.callLater(0, self._judge)
        else:
            self._wait(now)

    def _judge(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        if self._count() and self._was_held_up:
            self.deadlines.excuse(now)
        stall = self.deadlines.expired(now)
        if stall is not None:
            self._tell_stall(stall)
        if self._line is not None and self._timer is None:
            self._wait(now)

    def _wait(self, now: float) -> None:
        due = self.deadlines.due()
        wait = STEP if due is None else min(STEP, max(due - now, 0.0))
        self._planned = now + wait
        self._timer = self._clock.callLater(wait, self._step)

    def _tell_stall(self, stall: Stall) -> None:
        self.stalled(stall.what, stall.seconds)
        if self._client.closing:  # by on_stall: in good order
            return
        if not stall.is_curable:
            self._line = None  # there is nothing more to be told of it
            self._client.line.abort(StallError(stall.what, stall.seconds, stall.product_ids))
        elif stall.what != HEARTBEAT:
            if stall.what in self._ledger.wanted:  # on_stall may have unsubscribed from it
                self._client.renew(self._ledger.wanted[stall.what])
        elif stall.product_ids == _OF_THE_LINE:
            self._client.renew(Channel(self._heartbeat))
        else:
            wanted = self._ledger.wanted.get(self._heartbeat)
            products = stall.product_ids & wanted.product_ids if wanted is not None else frozenset[str]()
            if wanted is not None and products:
                self._client.renew(wanted.with_members(products))
            self._requests.renew_silently(stall.product_ids - products)

    def stalled(self, what: str, seconds: float) -> None:
        """Tell of a silence."""
        self._client.counters.stalls += 1
        self._delivery.deliver("on_stall", self._client.on_stall, what, seconds)


def _ignore() -> None:
    pass
