"""
A small HTTP proxy for ``CONNECT``, on 127.0.0.1.

It opens tunnels to whatever port of 127.0.0.1 is asked for, whatever the name. A test can make it ask for a
password, or answer with anything else, or not at all.
"""

from __future__ import annotations

import base64
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IProtocol, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from support.peers import LOCAL, Giving, the_reactor, within

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ProxyServer(Factory):
    """
    Makes a ``ProxyConnection`` for every connection.

    Args:
        login: ``user:password`` that is asked for, if any.
        answer: What is said to each CONNECT instead of opening a tunnel; ``b""`` is silence.
        before: What is said before the tunnel is open: interim answers.

    Attributes:
        hang_up: Whether the connection is ended after ``answer``.
        connections: Those so far, oldest first.
        requests: The requests so far, headers and all.
    """

    noisy = False

    def __init__(self, login: str | None = None, answer: bytes | None = None, before: bytes = b"") -> None:
        self.login, self.answer, self.before = login, answer, before
        self.hang_up = False
        self.connections: list[ProxyConnection] = []
        self.requests: list[bytes] = []
        self._asked: list[Deferred[None]] = []

    def buildProtocol(self, addr: object) -> ProxyConnection:
        return ProxyConnection(self)

    def when_asked(self) -> Deferred[None]:
        """Fire at the next request."""
        asked: Deferred[None] = Deferred()
        self._asked.append(asked)
        return within(asked)

    def respond(self, request: bytes) -> bytes | None:
        """Return the answer to a request, or ``None`` for a tunnel."""
        self.requests.append(request)
        asked, self._asked = self._asked, []
        for waiting in asked:
            waiting.callback(None)
        if self.answer is not None:
            return self.answer
        wanted = b"Proxy-Authorization: Basic " + base64.b64encode((self.login or "").encode())
        if self.login is not None and wanted not in request.split(b"\r\n"):
            return b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n"
        return None


class ProxyConnection(Protocol):
    """The proxy's end of one connection. ``lost`` fires when it is gone."""

    transport: ITCPTransport

    def __init__(self, server: ProxyServer) -> None:
        self.lost: Deferred[None] = Deferred()
        self._server, self._request = server, b""
        self._onward: _Onward | None = None

    def connectionMade(self) -> None:
        self._server.connections.append(self)

    def dataReceived(self, data: bytes) -> None:
        if self._onward is not None:
            cast("ITCPTransport", self._onward.transport).write(data)
            return
        self._request += data
        if self._request.endswith(b"\r\n\r\n"):
            self._respond()

    def _respond(self) -> None:
        answer = self._server.respond(self._request)
        if answer is None:
            port = int(self._request.split(b" ")[1].rpartition(b":")[2])
            endpoint = TCP4ClientEndpoint(the_reactor(), LOCAL, port)
            endpoint.connect(Giving(_Onward(self.transport))).addCallbacks(self._connected, self._unreachable)
            return
        self.transport.write(answer)
        if self._server.hang_up:
            self.transport.loseConnection()

    def _connected(self, onward: IProtocol) -> None:
        assert isinstance(onward, _Onward)
        self._onward = onward
        self.transport.write(self._server.before + ESTABLISHED)

    def _unreachable(self, _: Failure) -> None:
        self.transport.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._onward is not None:
            cast("ITCPTransport", self._onward.transport).loseConnection()
        self.lost.callback(None)


class _Onward(Protocol):
    """From the proxy to the server."""

    def __init__(self, back: ITCPTransport) -> None:
        self._back = back

    def dataReceived(self, data: bytes) -> None:
        self._back.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._back.loseConnection()
