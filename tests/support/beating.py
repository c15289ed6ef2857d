"""A client whose subscriptions are confirmed, the heartbeats that nobody asked for, too; and what a server says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from copra_tx.integrity.gaps import Gap
from support.world import BTC, Recorder, World, settle

__all__ = ["Watched", "beat", "beating", "confirmed", "match", "order", "pass_time", "say", "watched"]


class Watched(Recorder):
    """Records gaps and stalls, too."""

    def on_gap(self, gap: Gap) -> None:
        self.events.append(("gap", gap))

    def on_stall(self, what: str, seconds: float) -> None:
        self.events.append(("stall", what, seconds))

    def told(self, kind: str) -> list[Any]:
        return [event[1:] if len(event) > 2 else event[1] for event in self.events if event[0] == kind]


def watched(world: World, channels: Any = BTC, **options: Any) -> Watched:
    defaults: dict[str, Any] = {"heartbeats": True, "first_data_timeout": 15.0}
    client: Watched = world.client(channels, kind=Watched, **(defaults | options))
    return client


def beating(world: World, channels: Any = BTC, **options: Any) -> tuple[Watched, Any]:
    """Return a client and its server; all is confirmed, the heartbeats that nobody asked for, too."""
    client = watched(world, channels, **options)
    return client, confirmed(world)


def confirmed(world: World) -> Any:
    """Open a line and return its server, which has confirmed what was asked for, and the heartbeats after that."""
    server = world.open()
    for _ in range(2):
        server.confirm()
        settle(world)
    return server


def beat(product: str = "BTC-USD", **members: Any) -> dict[str, Any]:
    return {"type": "heartbeat", "product_id": product, "last_trade_id": 1, "sequence": 1} | members


def match(number: int, kind: str = "match", product: str = "BTC-USD") -> dict[str, Any]:
    return {"type": kind, "product_id": product, "trade_id": number, "sequence": number * 10}


def order(number: int, kind: str = "open") -> dict[str, Any]:
    return {"type": kind, "product_id": "BTC-USD", "sequence": number}


def say(world: World, server: Any, messages: Iterable[Any], *, at_once: bool) -> None:
    """Have a server say messages, all in one read or each in a read of its own."""
    for message in messages:
        server.say(message)
        if not at_once:
            settle(world)
    settle(world)


def pass_time(world: World, seconds: int, *messages: Any, server: Any = None) -> None:
    """Let seconds pass, in each of which the server says something."""
    for _ in range(seconds):
        if server is not None:
            server.say(*messages)
        world.advance(1)
        world.advance(0)
