"""Autobahn's ``trafficStats``, with fewer steps for what comes one message a read."""

from __future__ import annotations

from typing import Any

from autobahn.websocket.protocol import TrafficStats

__all__ = ["Traffic"]


class Traffic(TrafficStats):  # type: ignore[misc]  # Autobahn is not looked at
    """
    The same figures under the same names.

    Autobahn counts each message five times over. One that is a read of its own is counted in the three attributes
    below, from which the figures follow when somebody looks.

    Args:
        before: What was counted until now.

    Attributes:
        single_messages: Plain messages that were reads of their own.
        single_octets: Their payloads.
        single_octets_read: The same with the headers of their frames.
    """

    __slots__ = ("single_messages", "single_octets", "single_octets_read")

    def __init__(self, before: TrafficStats) -> None:
        super().__init__()  # which resets
        self.__dict__.update(vars(before))

    def reset(self) -> None:
        """Begin to count anew."""
        self.single_messages = self.single_octets = self.single_octets_read = 0
        super().reset()


def _figure(name: str, single: str) -> Any:
    def count(traffic: Traffic) -> int:
        counted: int = traffic.__dict__[name] + getattr(traffic, single)
        return counted

    def recount(traffic: Traffic, value: int) -> None:
        traffic.__dict__[name] = value - getattr(traffic, single)

    return property(count, recount)


for _name, _single in (
    ("incomingOctetsWireLevel", "single_octets_read"),
    ("incomingOctetsWebSocketLevel", "single_octets"),
    ("incomingOctetsAppLevel", "single_octets"),
    ("incomingWebSocketFrames", "single_messages"),
    ("incomingWebSocketMessages", "single_messages"),
):
    setattr(Traffic, _name, _figure(_name, _single))
