"""
Seeded schedules of faults, for tests that must hold whatever goes wrong.

In simulated time, over an order flow::

    hall = Hall(fake_reactor, seed=seed, products=["BTC-USD"])
    schedule = FaultSchedule(seed, [("full", "BTC-USD")])
    client = ...  # dials hall.exchange.url on fake_reactor
    schedule.arrange(hall.exchange, fake_reactor)
    hall.pass_time(schedule.ends)  # everything goes wrong
    hall.pass_time(30.0)  # and nothing any more

The same seed gives the same schedule, on any version of Python.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from copra_tx.simulator import SimulatedExchange

__all__ = ["FEED_FAULTS", "REST_FAULTS", "TRADE_FAULTS", "Fault", "FaultSchedule"]

FEED_FAULTS = ("skip", "repeat", "reorder", "stall", "drop", "hang_up", "refuse_upgrades")
REST_FAULTS = ("serve_old_books", "serve_early_books", "refuse_requests", "delay_requests", "cut_requests")
TRADE_FAULTS = ("serve_old_trades", "refuse_requests", "delay_requests", "cut_requests")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One thing that goes wrong.

    Attributes:
        at: When, in seconds after the beginning.
        name: The method of ``SimulatedExchange`` that does it.
        arguments: Its arguments.
    """

    at: float
    name: str
    arguments: dict[str, Any]


class FaultSchedule:
    """
    What goes wrong, and when.

    Args:
        seed: Where chance begins.
        streams: Channel and product of the messages that are skipped, repeated and reordered; ``None`` for any product.
        kinds: Which faults there may be.
        count: How many there are.
        begins: Before this nothing goes wrong, in seconds.
        ends: From then on nothing goes wrong: stalls are over, and no fault is left over for messages to come.

    Attributes:
        faults: All of them, in order of time.
        ends: When they are over.
    """

    def __init__(
        self,
        seed: int,
        streams: Sequence[tuple[str, str | None]],
        *,
        kinds: Sequence[str] = (*FEED_FAULTS, *REST_FAULTS),
        count: int = 8,
        begins: float = 1.0,
        ends: float = 20.0,
    ) -> None:
        self._random = random.Random(f"faults {seed}")
        self._streams, self._kinds = streams, kinds
        self.ends = ends
        faults = [self._fault(begins + self._random.random() * (ends - begins)) for _ in range(count)]
        self.faults = tuple(sorted(faults, key=lambda fault: fault.at))

    def __repr__(self) -> str:
        lines = "".join(f"\n  {fault.at:6.3f} {fault.name} {fault.arguments}" for fault in self.faults)
        return f"<{type(self).__name__} until {self.ends}{lines}>"

    def arrange(self, exchange: SimulatedExchange, clock: IReactorTime) -> None:
        """Do all this to the exchange, as time passes on the clock from now on."""
        for fault in self.faults:
            clock.callLater(fault.at, partial(getattr(exchange, fault.name), **fault.arguments))
            if fault.name == "stall":
                clock.callLater(min(fault.at + self._seconds(fault), self.ends), exchange.resume)
        clock.callLater(self.ends, exchange.behave)

    # -- chance

    def _fault(self, at: float) -> Fault:
        name = self._any(self._kinds)
        arguments: dict[str, Any] = {}
        if name in {"skip", "repeat", "reorder"}:
            channel, product_id = self._any(self._streams)
            arguments = {"channel": channel, "product_id": product_id}
        if name in {"skip", "repeat", "reorder", "refuse_upgrades", *REST_FAULTS, *TRADE_FAULTS}:
            arguments["count"] = 1 + self._below(3)
        if name == "stall":
            arguments["pongs"] = self._below(4) > 0
        if name == "reorder":
            arguments["behind"] = 1 + self._below(4)
        if name.startswith("serve_") or name == "delay_requests":
            arguments["seconds"] = (1 + self._below(40)) / 10
        return Fault(at, name, arguments)

    def _seconds(self, fault: Fault) -> float:
        """Return how long a stall takes: the time of it decides, so that it is the same whenever it is asked for."""
        return 0.5 + fault.at * 7919 % 8.0

    def _below(self, number: int) -> int:
        return int(self._random.random() * number)

    def _any(self, choices: Sequence[T]) -> T:
        return choices[self._below(len(choices))]
