"""
A client, a network in memory and a server that a test commands.

``World`` holds a ``FakeReactor`` and any number of ``FeedServer`` connections. Nothing happens between two calls
of the test::

    world = World()
    client = world.client(Channel("ticker", "BTC-USD"))
    server = world.open()  # the dial is accepted, the upgrade done, on_open called
    assert server.requests == [{"type": "subscribe", ...}]
    server.say({"type": "ticker", ...})
    world.advance(0)
"""

from __future__ import annotations

import json
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.defer import Deferred

from copra_tx.websocket import Channel, Client
from copra_tx.websocket.pacing import Pacer
from support.reactors import FakeReactor

URL = "ws://127.0.0.1:8080"

BTC, ETH = Channel("ticker", "BTC-USD"), Channel("ticker", "ETH-USD")


class FeedServer(WebSocketServerProtocol):  # type: ignore[misc]
    """The server's end of one connection; it does nothing by itself but the WebSocket protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Any] = []
        self.closed_with: tuple[bool, int | None, str | None] | None = None

    def onConnect(self, request: object) -> None:
        if self.factory.refuse_with is not None:
            status, headers = self.factory.refuse_with
            raise ConnectionDeny(status, "go away") if not headers else _Deny(status, headers)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.requests.append(json.loads(payload))

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.closed_with = (wasClean, code, reason)

    def say(self, *messages: object) -> None:
        """Send messages as JSON text."""
        for message in messages:
            self.sendMessage(json.dumps(message).encode())

    def hold(self, **channels: list[str] | None) -> None:
        """Send a ``subscriptions`` answer that lists what the connection holds."""
        self.say(
            {
                "type": "subscriptions",
                "channels": [{"name": name, "product_ids": ids, "account_ids": None} for name, ids in channels.items()],
            }
        )

    def confirm(self) -> None:
        """Answer the last request with everything subscribed to so far."""
        held: dict[str, set[str]] = {}
        for request in self.requests:
            for channel in request["channels"]:
                ids = set(channel.get("product_ids", ()))
                if request["type"] == "subscribe":
                    held[channel["name"]] = held.get(channel["name"], set()) | ids
                else:
                    held[channel["name"]] = held.get(channel["name"], set()) - ids if ids else set()
                    if not held[channel["name"]]:
                        del held[channel["name"]]
        self.hold(**{name: sorted(ids) for name, ids in held.items()})


class _Deny(ConnectionDeny):  # type: ignore[misc]
    pass


class Recorder(Client):
    """A client that records what its callbacks get, in order, and keeps the documented behaviour."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.events: list[tuple[Any, ...]] = []
        super().__init__(*args, **kwargs)

    def on_open(self) -> None:
        self.events.append(("open",))
        super().on_open()

    def on_message(self, message: Any) -> None:
        self.events.append(("message", message))

    def on_error(self, message: str, reason: str = "") -> None:
        self.events.append(("error", message, reason))

    def on_close(self, was_clean: bool, code: int, reason: str) -> None:
        self.events.append(("close", was_clean, code, reason))
        super().on_close(was_clean, code, reason)

    @property
    def messages(self) -> list[Any]:
        return [event[1] for event in self.events if event[0] == "message"]

    @property
    def closes(self) -> list[tuple[Any, ...]]:
        return [event[1:] for event in self.events if event[0] == "close"]

    @property
    def errors(self) -> list[tuple[Any, ...]]:
        return [event[1:] for event in self.events if event[0] == "error"]


class World:
    """See the module."""

    def __init__(self, *, running: bool = True) -> None:
        self.reactor = FakeReactor(running=running)
        self.servers: list[FeedServer] = []
        self._factory = WebSocketServerFactory(URL, reactor=self.reactor)
        self._factory.protocol = FeedServer
        self._factory.refuse_with = None
        self._factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)

    def client(
        self, channels: Any = None, feed_url: str = URL, *, kind: type[Client] = Recorder, **options: Any
    ) -> Any:
        """Make a client on this world's reactor; with ``auto_connect`` its dial is pending afterwards."""
        channels = Channel("ticker", "BTC-USD") if channels is None else channels
        fast: dict[str, Any] = {
            "reactor": self.reactor,
            "pacer": Pacer(self.reactor, rate=1000, burst=1000),
            "heartbeats": options.get("feed") == "advanced",
            "first_data_timeout": 0,  # a server that a test commands says nothing by itself
        }
        client = kind(None, channels, feed_url, **(fast | options))
        self.reactor.advance(0)
        return client

    def accept(self) -> FeedServer:
        """Accept the pending dial: TCP is up, nothing was said yet."""
        server = self._factory.buildProtocol(None)
        self.reactor.accept(server=server)
        self.servers.append(server)
        return server  # type: ignore[no-any-return]

    def open(self) -> FeedServer:
        """Accept the pending dial and let the upgrade happen, and what follows at once."""
        server = self.accept()
        self.reactor.advance(0)
        return server

    def refuse_upgrades(self, status: int, headers: dict[str, str] | None = None) -> None:
        """Answer upgrades with an HTTP status from now on."""
        self._factory.refuse_with = (status, headers)

    def answer_upgrades(self, headers: dict[str, str]) -> None:
        """Answer upgrades with these headers, too, from now on."""
        self._factory.headers = headers

    def advance(self, seconds: float) -> None:
        self.reactor.advance(seconds)

    def drop(self) -> None:
        """The newest connection's TCP line goes away."""
        self.reactor.dials[-1].drop()
        self.reactor.advance(0)

    @property
    def line(self) -> Any:
        """The client's transport of the newest dial."""
        return self.reactor.dials[-1]


def outcome(deferred: Deferred[Any]) -> list[Any]:
    """Return a list that holds the result, or the failure, once there is one."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    return results


def asked(server: Any) -> list[tuple[str, dict[str, list[str] | None]]]:
    """Return the requests as ``(type, {channel: products})``."""
    return [
        (request["type"], {channel["name"]: channel.get("product_ids") for channel in request["channels"]})
        for request in server.requests
    ]


def settle(world: World) -> None:
    world.advance(0)
    world.advance(0)


def connected(world: World, channels: Any = BTC, **options: Any) -> tuple[Any, Any]:
    """Return a client and its server; everything wanted is confirmed."""
    client = world.client(channels, **options)
    server = world.open()
    server.confirm()
    settle(world)
    server.requests.clear()
    client.events.clear()
    return client, server


def refusal(server: Any, reason: str) -> None:
    server.say({"type": "error", "message": "Failed to subscribe", "reason": reason})
