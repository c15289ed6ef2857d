"""
A client on real sockets that a test can wait for.

Nothing here sleeps: ``when`` fires as soon as a callback has made its condition true.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from copra_tx.websocket import Channel, ClientProtocol
from copra_tx.websocket.pacing import Pacer
from support.peers import the_reactor, within
from support.world import BTC, Recorder

__all__ = ["CountingProtocol", "Watched", "watched"]


class CountingProtocol(ClientProtocol):
    """Tells its client of pongs, which no callback does."""

    def onPong(self, payload: bytes) -> None:
        super().onPong(payload)
        self.factory.happened("pong")


class Watched(Recorder):
    """A ``Recorder`` whose callbacks wake who waits for something; pongs are among the events."""

    protocol = CountingProtocol

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._waiting: list[tuple[Callable[[Any], bool], Deferred[None]]] = []
        super().__init__(*args, **kwargs)

    def happened(self, *event: Any) -> None:
        """Add an event of a test's own."""
        self.events.append(event)
        self._look()

    def when(self, condition: Callable[[Any], bool], seconds: float = 60.0) -> Deferred[None]:
        """Fire when the condition, called with the client after each callback, is true."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((condition, waiting))
        self._look()
        return within(waiting, seconds)

    def when_closed(self, times: int) -> Deferred[None]:
        """Fire when ``on_close`` was called so many times."""
        return self.when(lambda client: len(client.closes) >= times)

    def when_messages(self, number: int, kind: str | None = None) -> Deferred[None]:
        """Fire when so many messages (of a type) were delivered."""
        return self.when(
            lambda client: sum(kind in (None, message.get("type")) for message in client.messages) >= number
        )

    def on_open(self) -> None:
        super().on_open()
        self._look()

    def on_message(self, message: Any) -> None:
        super().on_message(message)
        self._look()

    def on_error(self, message: str, reason: str = "") -> None:
        super().on_error(message, reason)
        self._look()

    def on_close(self, was_clean: bool, code: int, reason: str) -> None:
        super().on_close(was_clean, code, reason)
        self._look()

    def _look(self) -> None:
        true = [entry for entry in self._waiting if entry[0](self)]
        self._waiting = [entry for entry in self._waiting if entry not in true]
        for _, waiting in true:
            waiting.callback(None)


def watched(url: str, channels: Channel | list[Channel] = BTC, *, kind: type[Watched] = Watched, **options: Any) -> Any:
    """Make a client that reconnects within milliseconds and shares its pace with nobody."""
    reactor = the_reactor()
    quick: dict[str, Any] = {"initial_delay": 0.001, "max_delay": 0.002, "pacer": Pacer(reactor, 10_000, 10_000)}
    return kind(None, channels, url, reactor=reactor, **quick | options)
