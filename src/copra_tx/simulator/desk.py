"""Where REST requests are taken: what is answered, when, and what is done wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .lines import Tally
from .rest import Reply, Rest
from .venue import Allowance

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from .replay import Pace
    from .rest import Listing
    from .rest_faults import RestPlans

__all__ = ["MOST_TARGETS_KEPT", "Desk", "Served"]

MOST_TARGETS_KEPT = 1000
"""How many requests are remembered, the newest."""


@dataclass(frozen=True, slots=True)
class Served:
    """
    An answer, and how it is sent.

    Attributes:
        reply: The answer.
        delay: Seconds of the clock until it is sent.
        cut: Whether the line ends in the middle of the body.
    """

    reply: Reply
    delay: float = 0.0
    cut: bool = False


class Desk:
    """
    Takes the requests of one exchange; ``open`` first.

    Args:
        plans: What is done wrong.
        furthest: Returns the position of the client that is furthest; at unlimited speed the market is there.
        now: The exchange's clock, in seconds since the epoch.
        rate: Requests a second that an address may send for long.
        burst: Requests that it may send at once.

    Attributes:
        targets: Path and query of the newest requests, in the order they came.
        requests: How many there were.
    """

    def __init__(
        self,
        plans: RestPlans,
        *,
        furthest: Callable[[], int],
        now: Callable[[], float],
        rate: float,
        burst: int,
    ) -> None:
        self.targets: list[str] = []
        self.requests: Tally[str] = Tally()
        self._plans, self._furthest, self._now = plans, furthest, now
        self._rate, self._burst = rate, burst
        self._pace: Pace
        self._rest: Rest
        self._allowances: dict[str, Allowance] = {}

    def open(self, market: Listing, pace: Pace) -> None:
        """Answer from this market, which goes at this pace, from now on."""
        self._rest, self._pace = Rest(market, self._now), pace
        self._allowances.clear()

    @property
    def clock(self) -> IReactorTime:
        """What delays run on."""
        return self._pace.clock

    def take(self, method: str, target: str, address: str) -> Served:
        """
        Take one request.

        Args:
            method: HTTP method.
            target: Path and query.
            address: The client's, without its port, for the limit of requests.
        """
        self.targets.append(target)
        del self.targets[:-MOST_TARGETS_KEPT]
        served = self._serve(method, target, address)
        self.requests.add(target)
        return served

    def _serve(self, method: str, target: str, address: str) -> Served:
        plans, path = self._plans, target.partition("?")[0]
        delay = plans.delays.take(lambda planned: planned.about in path)
        seconds = delay.seconds if delay else 0.0
        refusal = plans.refusals.take(lambda planned: planned.about in path)
        if refusal:
            headers = () if refusal.retry_after is None else (("Retry-After", refusal.retry_after),)
            return Served(Reply.of({"message": refusal.message}, *headers, status=refusal.status), seconds)
        if not self._allowance(address).take(self.clock.seconds()):
            return Served(Reply.refusal(429, "Public rate limit exceeded"), seconds)
        if method != "GET":
            return Served(Reply.refusal(404, "NotFound"), seconds)
        shift = plans.shifts.take(lambda planned: path.endswith(planned.about))
        position = self._pace.position(self._furthest())
        shifted = self._pace.shifted(position, shift.seconds) if shift else position
        reply = self._rest.answer(target, shifted, plans.unlisted)
        return Served(reply, seconds, cut=plans.cuts.take(lambda planned: planned.about in path) is not None)

    def _allowance(self, address: str) -> Allowance:
        if address not in self._allowances:
            self._allowances[address] = Allowance(self._rate, self._burst, self.clock.seconds())
        return self._allowances[address]
