"""
A server of the Advanced Trade feed for ``support.world``: envelopes, the counter, the answers.

    world = World()
    client = world.client(Channel("level2", "BTC-USD"), feed="advanced")
    venue = Venue(world)  # the dial is accepted, the upgrade done
    venue.answer_all()
    venue.say("l2_data", {"type": "update", "product_id": "BTC-USD", "updates": []})
"""

from __future__ import annotations

from typing import Any

from support.world import FeedServer, Recorder, World, settle

__all__ = ["GapRecorder", "Venue", "joined", "l2", "trade"]


class GapRecorder(Recorder):
    """Records gaps, too."""

    def on_gap(self, gap: Any) -> None:
        self.events.append(("gap", gap))
        super().on_gap(gap)

    @property
    def gaps(self) -> list[Any]:
        return [event[1] for event in self.events if event[0] == "gap"]


class Venue:
    """
    The server's end of one connection, which it accepts.

    Attributes:
        server: What it speaks through.
        number: Of the next frame.
        held: What the connection holds, as the answers list it.
        refused: Products that it takes no notice of.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.server: FeedServer = world.open()
        self.number = 0
        self.held: dict[str, list[str]] = {}
        self.refused: set[str] = set()
        self._answered = 0

    @property
    def requests(self) -> list[tuple[str, str, list[str] | None]]:
        """The requests so far: type, channel, products."""
        settle(self._world)
        return [(one["type"], one["channel"], one.get("product_ids")) for one in self.server.requests]

    def say(self, channel: str, *events: object, **members: object) -> dict[str, Any]:
        """Send a frame with the next number, and return it."""
        message = {"channel": channel, "timestamp": "2026-09-07T23:37:22Z", "sequence_num": self.number}
        message |= {"events": list(events), **members}
        self.number += 1
        self.server.say(message)
        return message

    def lose(self, count: int = 1) -> None:
        """Let frames get lost."""
        self.number += count

    def carry_out(self) -> None:
        """Do what the requests ask for that were not answered yet."""
        for kind, channel, products in self.requests[self._answered :]:
            ids = products or {"heartbeats": ["heartbeats"]}.get(channel, ["an-id"])
            if channel == "user":
                ids = ["an-id"]
            ids = [one.removesuffix("C") if one.endswith("-USDC") else one for one in ids]
            kept = [one for one in self.held.get(channel, []) if one not in ids]
            if kind == "subscribe":
                kept = sorted({*kept, *(set(ids) - self.refused)})
            self.held[channel] = kept
            if not self.held[channel]:
                del self.held[channel]
        self._answered = len(self.requests)

    def answer(self) -> dict[str, Any]:
        """Carry out what was asked for, and say so."""
        self.carry_out()
        return self.say("subscriptions", {"subscriptions": self.held})

    def answer_all(self) -> None:
        """Answer, until nothing more is asked for."""
        while self._answered < len(self.requests):
            self.answer()

    def refuse(self, error: object) -> None:
        """Send an error in answer to what is asked for now."""
        self._answered = len(self.requests)
        self.server.say(error)
        settle(self._world)

    def forget(self) -> None:
        """Remember no request."""
        self.server.requests.clear()
        self._answered = 0


def joined(world: World, channels: Any, **options: Any) -> tuple[Any, Venue]:
    """Return a client and its server; everything wanted is confirmed."""
    client = world.client(channels, kind=GapRecorder, feed="advanced", **options)
    venue = Venue(world)
    venue.answer_all()
    venue.forget()
    client.events.clear()
    return client, venue


def l2(product_id: str, kind: str = "update") -> dict[str, Any]:
    """Return an event of ``level2``."""
    level = {"side": "bid", "event_time": "2026-09-07T01:57:58Z", "price_level": "1", "new_quantity": "2"}
    return {"type": kind, "product_id": product_id, "updates": [level]}


def trade(*product_ids: str) -> dict[str, Any]:
    """Return an event of ``market_trades``."""
    return {"type": "update", "trades": [{"product_id": one, "trade_id": "7", "price": "1"} for one in product_ids]}
