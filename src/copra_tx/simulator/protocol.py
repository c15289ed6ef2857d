"""The WebSocket below a connection: Autobahn's server protocol, translated, and its factory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from zope.interface import implementer

from .faults import Refusal
from .web import is_request

if TYPE_CHECKING:
    from autobahn.websocket.types import ConnectionRequest
    from twisted.python.failure import Failure

    from .connection import Connection
    from .lines import Lines
    from .web import RestSite

__all__ = ["ExchangeFactory", "ExchangeProtocol"]


@implementer(IPushProducer)
class ExchangeProtocol(WebSocketServerProtocol):  # type: ignore[misc]
    """
    One line: Autobahn's hooks to a ``Connection``, and the ``Wire`` that it sends through.

    Reads like a translation table on purpose; what happens, and when, is the connection's.
    """

    factory: ExchangeFactory
    transport: Any
    data: bytes
    connection: Connection
    _upgrade: Refusal | str | None = None
    _upgrade_began = False
    _rest: Any = None  # whoever serves REST on this line, if that is what it is for
    _ended = False  # we end the TCP line: nothing is sent or taken any more

    # -- from below

    def connectionMade(self) -> None:
        """TCP was accepted."""
        super().connectionMade()
        self.connection = self.factory.lines.accept(self)

    def processHandshake(self) -> None:
        """Octets of the upgrade came: go on, unless this one is to be ignored, or is a request for REST."""
        if not self._upgrade_began:
            head, end, _ = self.data.partition(b"\r\n\r\n")
            if not end:
                return
            if is_request(head):
                self._serve_rest()
                return
            self._upgrade_began, self._upgrade = True, self.factory.lines.plans.upgrades.take()
        if self._upgrade != "ignore":
            super().processHandshake()

    def _serve_rest(self) -> None:
        self.connection.wire_serves_rest()
        received, self.data = self.data, b""
        self._rest = self.factory.site.serve(self.transport, received)

    def dataReceived(self, data: bytes) -> None:
        """Octets came."""
        if self._rest is None:
            super().dataReceived(data)
        else:
            self._rest.dataReceived(data)

    def onConnect(self, request: ConnectionRequest) -> None:
        """The upgrade is well-formed: refuse it if so planned."""
        self._headers = {name.lower(): value for name, value in request.headers.items()}
        if isinstance(self._upgrade, Refusal):
            raise ConnectionDeny(self._upgrade.status, self._upgrade.reason)

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        """An upgrade is refused: Autobahn has no way to pass ``Retry-After`` along."""
        headers = [*(responseHeaders or ()), ("Content-Length", "0"), ("Connection", "close")]
        if isinstance(self._upgrade, Refusal) and self._upgrade.retry_after is not None:
            headers.append(("Retry-After", self._upgrade.retry_after))
        super().failHandshake(reason, code, headers)

    def onOpen(self) -> None:
        """The upgrade was answered."""
        self.transport.registerProducer(self, True)
        self.connection.wire_opened(self._headers)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: ARG002
        """A data frame came; the venue makes no difference between text and binary."""
        if not self._ended:
            self.connection.wire_received(payload)

    def onCloseFrame(self, code: int, reasonRaw: bytes) -> bool | None:
        """The client closes, or answers our close."""
        if self.connection.ignores_close:
            return None
        self.connection.wire_closing()
        return super().onCloseFrame(code, reasonRaw)  # type: ignore[no-any-return]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The TCP line is gone. Autobahn's own version would log a client's distrust as an error of ours."""
        if self._rest is not None:
            self._rest.connectionLost(reason)
        self._connectionLost(reason)
        self.connection.wire_lost()

    def pauseProducing(self) -> None:
        """The transport has enough to write for now."""
        self.connection.wire_paused()

    def resumeProducing(self) -> None:
        """The transport can take more."""
        self.connection.wire_resumed()

    def stopProducing(self) -> None:
        """The transport is going away: ``connectionLost`` follows."""

    # -- from above

    @property
    def can_send(self) -> bool:
        """Whether messages can be sent."""
        return bool(self.state == self.STATE_OPEN) and not self._ended

    def send_frame(self, payload: bytes, *, binary: bool) -> None:
        """Send one data frame."""
        self.sendMessage(payload, binary)

    def send_octets(self, octets: bytes) -> None:
        """Write to the transport, beside all framing."""
        self.transport.write(octets)

    def send_close(self, code: int, reason: str) -> None:
        """Send a close frame; ``sendClose`` would refuse most codes."""
        if self.can_send:
            self.sendCloseFrame(code=code, reasonUtf8=reason.encode())

    def hang_up(self) -> None:
        """End the TCP line when everything written is sent; TLS waits for a registered producer for ever."""
        self._ended = True
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self) -> None:
        """End the TCP line at once."""
        self._ended = True
        self.transport.abortConnection()

    def pause_reading(self) -> None:
        """Read nothing more from the TCP line."""
        self.transport.pauseProducing()

    def resume_reading(self) -> None:
        """Read again."""
        self.transport.resumeProducing()


class ExchangeFactory(WebSocketServerFactory):  # type: ignore[misc]
    """
    Makes an ``ExchangeProtocol`` for each line.

    Args:
        lines: Where the lines are told to.
        site: Serves REST on lines that are for that.
        reactor: Whose reactor it is.
        compression: Whether an offer of permessage-deflate is accepted.
    """

    protocol = ExchangeProtocol
    noisy = False

    def __init__(self, lines: Lines, site: RestSite, reactor: Any, *, compression: bool) -> None:
        super().__init__(reactor=reactor)
        self.lines, self.site = lines, site
        self.setProtocolOptions(
            # Autobahn's timers run on the process-wide loop; ours run on the reactor given.
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            echoCloseCodeReason=True,
            perMessageCompressionAccept=_accept_deflate if compression else None,
        )


def _accept_deflate(offers: Sequence[object]) -> PerMessageDeflateOfferAccept | None:
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer)
    return None
