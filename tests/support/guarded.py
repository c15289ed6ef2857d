"""A ``Delivery`` on a clock, what it called, and what it said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from copra_tx.websocket.counters import Counters
from copra_tx.websocket.delivery import Delivery

__all__ = ["Guarded"]


class Guarded:
    """A ``Delivery``, what it called, and what it said."""

    def __init__(self, most: int = 4) -> None:
        self.clock, self.counters = Clock(), Counters()
        self.called: list[Any] = []
        self.said: list[str] = []
        self.amended: list[str] = []
        self.delivery = Delivery(
            self.clock,
            self.counters,
            most,
            full=lambda: self.said.append("full"),
            drained=lambda: self.said.append("drained"),
            make_amends=self.amended.append,
        )

    def call(self, name: str = "on_message", result: Any = None) -> None:
        """Deliver a call that is recorded by its name, and returns the result or raises it."""
        self.deliver(lambda: result, name)

    def deliver(self, callback: Callable[[], Any], name: str = "on_message") -> None:
        def run(name: str) -> Any:
            self.called.append(name)
            result = callback()
            if isinstance(result, BaseException):
                raise result
            return result

        self.delivery.deliver(name, run, name)

    def turn(self) -> None:
        self.clock.advance(0)

    def pass_by(self, seconds: float) -> None:
        """Let a callback take its time."""
        self.clock.rightNow += seconds

    def is_quiet(self) -> bool:
        return self.clock.getDelayedCalls() == []
