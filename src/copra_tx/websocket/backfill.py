"""Fetching, over REST, the trades that the feed did not bring."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from copra_tx.errors import ClientClosedError, ConfigurationError, RestError
from copra_tx.feed.rest_address import MOST_TRADES as PAGE
from copra_tx.feed.rest_address import rest_url_of
from copra_tx.integrity.gaps import Gap
from copra_tx.integrity.ranges import Ranges, common, count, holds, in_words, lacking

if TYPE_CHECKING:
    from copra_tx.integrity.checks import Checks
    from copra_tx.rest import RestClient

    from .channel import Channel
    from .client import Client
    from .delivery import Delivery

__all__ = ["MOST_GAPS", "MOST_TRADES", "PAGE", "PATIENCE", "SETTLING", "Backfill"]

MOST_TRADES = 100_000
"""Trades that are fetched for one gap, the newest; they take a hundred requests."""

MOST_GAPS = 10_000
"""Gaps that may wait for their turn."""

MOST_REMEMBERED = 100
"""Gaps of a product of which we know, once filled, that a late message of theirs would be a trade's second."""

SETTLING = 1.0
"""Seconds from a gap to its first request. Late messages may close it, and the venue's answers may be so old."""

PATIENCE = (1.0, 2.0, 4.0)
"""Seconds to wait for trades that the venue has told of and does not list yet, in all of a gap's requests."""

_log = Logger()


class Backfill:
    """
    Fetches what is missing in gaps that are numbered by ``trade_id``, one request at a time.

    A trade comes to the user once: what has come late meanwhile is not handed over, and what comes after that is not
    for ``on_message`` any more.

    Args:
        client: Whose callbacks are called.
        clock: Runs the timers.
        delivery: The guard around callbacks. The next gap's turn comes when ``on_backfill`` is done with this one's.
        checks: Tells what is still missing.

    Raises:
        ConfigurationError: If the feed has no such numbers, or its REST address is not known.
    """

    def __init__(self, client: Client, clock: IReactorTime, delivery: Delivery, checks: Checks) -> None:
        rules = client.dialect.channels.values()
        self._channels = [rule.name for rule in rules if rule.number == "trade_id"]
        if not self._channels:
            raise ConfigurationError(
                f"backfill is for the Exchange feed: gaps of {client.dialect.title} name no trade that could be fetched"
            )
        self._client, self._clock, self._delivery, self._checks = client, clock, delivery, checks
        self._rest_url = client.options.rest_url or rest_url_of(client.feed_url)
        self._rest: RestClient | None = None
        self._kept: set[tuple[str, str]] = set()  # channels and products that are wanted
        self._waiting: OrderedDict[Gap, float] = OrderedDict()  # and since when
        self._fetched: Gap | None = None
        self._fetching: Deferred[None] | None = None
        self._given: dict[str, deque[tuple[Ranges, Ranges]]] = {}  # what was missing, and what of it still is

    # -- what happens

    def take(self, gap: Gap) -> None:
        """Take a gap that was told, or told to be recovered."""
        if gap.recovered:
            self._forget(replace(gap, recovered=False))
        elif self._client.closing or (gap.channel, gap.product_id) not in self._kept:
            return
        elif len(self._waiting) < MOST_GAPS:
            self._waiting[gap] = self._clock.seconds()
            self._next()
        else:
            whole = ((gap.expected, gap.received - 1),)
            self._hand_over(gap, [], [(whole, f"{MOST_GAPS} gaps wait for their trades already")])

    def keep(self, wanted: Mapping[str, Channel]) -> None:
        """Take what is wanted now, and forget what is missing of anything else."""
        channels = [wanted[name] for name in self._channels if name in wanted]
        self._kept = {(channel.name, product_id) for channel in channels for product_id in channel.product_ids}
        for gap in (*self._waiting, *([self._fetched] if self._fetched else [])):
            if (gap.channel, gap.product_id) not in self._kept:
                self._forget(gap)
        for product_id in self._given.keys() - {product_id for _, product_id in self._kept}:
            del self._given[product_id]

    def has_given(self, message_type: str, product_id: object, trade_id: object) -> bool:
        """Tell whether a message is of a trade that was missing and has been handed over."""
        if not isinstance(product_id, str) or not isinstance(trade_id, int) or product_id not in self._given:
            return False
        # The latest trade is sent anew with each subscription, and what ``user`` and ``full`` tell of one is more.
        if message_type != "match" or self._checks.is_doubled(product_id):
            return False
        return any(holds(gap, trade_id) and not holds(left, trade_id) for gap, left in self._given[product_id])

    def stop(self) -> None:
        """Fetch nothing more; what is under way ends at once."""
        self._waiting.clear()
        self._cancel()
        if self._rest is not None:
            self._rest.close()
            self._rest = None

    # -- one gap after the other

    def _next(self) -> None:
        if self._fetching is None and self._waiting:
            self._fetched, since = self._waiting.popitem(last=False)
            self._fetching = Deferred.fromCoroutine(self._fill(self._fetched, since))
            self._fetching.addErrback(_log_mistake).addBoth(self._filled)

    def _filled(self, _: None) -> None:
        self._fetched = self._fetching = None
        self._next()

    def _forget(self, gap: Gap) -> None:
        self._waiting.pop(gap, None)
        if self._fetched == gap:
            self._cancel()

    def _cancel(self) -> None:
        self._fetched = None
        if self._fetching is not None:
            self._fetching.cancel()  # it ends when its connection has

    async def _fill(self, gap: Gap, since: float) -> None:
        await self._pass(since + SETTLING - self._clock.seconds())
        trades, missed = await self._fetch(gap)
        if self._fetched is not gap:  # the request ended before it was cancelled
            return
        self._fetched = None
        self._hand_over(gap, trades, missed)
        done: Deferred[None] = Deferred()
        self._delivery.deliver("", lambda: None if done.called else done.callback(None))
        await done

    async def _fetch(self, gap: Gap) -> tuple[list[dict[str, Any]], list[tuple[Ranges, str]]]:
        """Return what there is of a gap, by number, and what there is not, with the reason."""
        trades: list[dict[str, Any]] = []
        unlisted: list[tuple[int, int]] = []
        begin, end = max(gap.expected, gap.received - MOST_TRADES), gap.received
        missed: list[tuple[Ranges, str]] = [
            (lacking(gap.expected, begin - 1, ()), f"of a gap only the newest {MOST_TRADES} are fetched")
        ]
        waits = list(PATIENCE)
        for first in range(begin, end, PAGE):
            last = min(first + PAGE, end) - 1
            try:
                page = await self._page(gap.product_id, first, last, waits)
            except RestError as error:
                missed.append((((first, end - 1),), str(error)))
                break
            trades += page
            unlisted += lacking(first, last, map(_number, page))
        missed.append((unlisted, "REST does not list them"))
        return trades, missed

    async def _page(self, product_id: str, first: int, last: int, waits: list[float]) -> list[dict[str, Any]]:
        """Return the trades from one number to another, by number; what is not listed yet is waited for."""
        while True:
            answer = await self._rest_client().trades(product_id, after=last + 1, limit=last - first + 1)
            page = _between(answer, first, last)
            # What is not listed below a trade that is will never be.
            if (page and _number(page[-1]) == last) or not waits:
                return page
            await self._pass(waits.pop(0))

    def _hand_over(self, gap: Gap, trades: list[dict[str, Any]], missed: Iterable[tuple[Ranges, str]]) -> None:
        still, client = self._checks.still_missing(gap), self._client
        given: list[dict[str, Any]] = []
        for first, last in still:
            given += trades[bisect_left(trades, first, key=_number) : bisect_right(trades, last, key=_number)]
        told = [(common(ranges, still), reason) for ranges, reason in missed]
        left = sorted(one for ranges, _ in told for one in ranges)
        self._checks.filled(gap, left)
        self._given.setdefault(gap.product_id, deque(maxlen=MOST_REMEMBERED)).append((still, left))
        client.counters.backfilled += len(given)
        client.counters.not_backfilled += count(left)
        self._delivery.deliver("on_backfill", client.on_backfill, gap, given)
        for ranges, reason in told:
            if ranges:
                number = count(ranges)
                words = f"{number} missing trade{'' if number == 1 else 's'} of {gap.product_id} cannot be had"
                self._delivery.deliver("on_error", client.on_error, f"{words}: {in_words(ranges)}", reason)

    def _pass(self, seconds: float) -> Deferred[None]:
        return deferLater(self._clock, max(0.0, seconds))

    def _rest_client(self) -> RestClient:
        if self._rest is None:
            from copra_tx.rest import RestClient  # late: twisted.web takes its time to import

            self._rest = RestClient(self._clock, self._rest_url, self._client.options)
        return self._rest


def _number(trade: Mapping[str, Any]) -> int:
    return int(trade["trade_id"])


def _between(answer: Iterable[Any], first: int, last: int) -> list[dict[str, Any]]:
    """Return the trades of an answer that are asked for, each once, by number; what is no trade is passed over."""
    trades: dict[int, dict[str, Any]] = {}
    for trade in answer:
        number = trade.get("trade_id") if isinstance(trade, dict) else None
        if type(number) is int and first <= number <= last:
            trades[number] = trade
    return [trades[number] for number in sorted(trades)]


def _log_mistake(failure: Failure) -> None:
    if not failure.check(CancelledError, ClientClosedError):
        _log.failure("filling a gap failed; its trades are not handed over", failure=failure)
