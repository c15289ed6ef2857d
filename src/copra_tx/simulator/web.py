"""The HTTP below the REST interface: twisted.web, on the lines that do not ask for a WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProtocol
    from twisted.web.server import Request

    from .desk import Desk, Served

__all__ = ["RestSite", "is_request"]


def is_request(head: bytes) -> bool:
    """Tell whether the head of an HTTP request is one for REST: no upgrade, and not of the feed's path."""
    line, *headers = head.split(b"\r\n")
    parts = line.split(b" ")
    upgrade = any(header.lower().startswith(b"upgrade:") for header in headers)
    return len(parts) == 3 and parts[1].startswith(b"/") and parts[1] != b"/" and not upgrade


class _Counter(Resource):
    """Every path: passes each request to the desk and its answer back."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.isLeaf = True
        self._desk = desk

    def render(self, request: Request) -> int:
        served = self._desk.take(
            request.method.decode("ascii", "replace"),
            request.uri.decode("ascii", "replace"),
            str(getattr(request.getClientAddress(), "host", "")),
        )
        if served.delay:
            call = self._desk.clock.callLater(served.delay, _send, request, served)
            # The client, or the exchange itself, may end the line before.
            request.notifyFinish().addErrback(lambda _: call.cancel() if call.active() else None)
        else:
            request.notifyFinish().addErrback(lambda _: None)
            _send(request, served)
        return NOT_DONE_YET


def _send(request: Request, served: Served) -> None:
    reply = served.reply
    request.setResponseCode(reply.status)
    request.setHeader("Content-Type", "application/json; charset=utf-8")
    request.setHeader("Content-Length", str(len(reply.body)))
    for name, value in reply.headers:
        request.setHeader(name, value)
    if served.cut:
        request.write(reply.body[: len(reply.body) // 2])
        request.loseConnection()
    else:
        request.write(reply.body)
        request.finish()


class RestSite(Site):
    """
    Serves REST on lines that are given to it.

    Args:
        desk: Who answers.
        reactor: Whose reactor it is.
    """

    noisy = False

    def __init__(self, desk: Desk, reactor: Any) -> None:
        # No idle lines are ended: no timer is left.
        super().__init__(_Counter(desk), reactor=reactor, timeout=None)

    def serve(self, transport: Any, received: bytes) -> IProtocol:
        """Take over a line; ``received`` is what came on it so far."""
        channel: Any = self.buildProtocol(transport.getPeer())
        channel.makeConnection(transport)
        channel.dataReceived(received)
        return channel  # type: ignore[no-any-return]
