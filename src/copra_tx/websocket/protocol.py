"""The wire: Autobahn's protocol, translated into what the client is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IHandshakeListener, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from copra_tx.bridge.coroutines import FAILURES
from copra_tx.bridge.transports import IStdlibTls
from copra_tx.errors import ConnectionLostError, LineError, MessageTooLargeError, UpgradeRefusedError

from .backoff import retry_after
from .causes import describe
from .details import complete_details
from .receiving import FastReceiving
from .state import State
from .tls import check_verified

if TYPE_CHECKING:
    from .client import Client
    from .reception import Reception

__all__ = ["ClientProtocol"]

MOST_HEADER_BYTES = 65536
"""An answer to the upgrade without end is refused at this size."""

STATUS_DIGITS = 3
"""Those of an HTTP status (RFC 9110, section 15); a text of any length is not read as a number."""

NO_STATUS_RECEIVED = 1005
"""RFC 6455, section 7.1.5: the code of a close frame that has none."""

_log = Logger()  # not the class' own: Twisted would log under a subclass' name, outside of our namespace


@implementer(IHandshakeListener)
class ClientProtocol(FastReceiving):
    """
    An Autobahn client protocol that tells its factory, the ``Client``, what happens.

    Messages take the fast way of ``FastReceiving``, unless a subclass overrides a step of their way.

    To change the wire, subclass it and set ``protocol`` on a subclass of ``Client``. ``onOpen``, ``onMessage``
    and ``onClose`` have Autobahn's signatures; call ``super()`` to keep the client's callbacks. An ``onMessage``
    of your own gets raw payloads, text and binary. What they raise is logged and the line is kept.

    Over wss nothing is sent before the server's certificate is verified, chain and host name, whoever dialled and
    with whichever context: a line that nobody verified is aborted.
    """

    factory: Client
    _cause: LineError | None = None
    _reception: Reception
    _transport_reason: Failure | None = None

    # -- what the client is told

    def onOpen(self) -> None:
        """Call the client's ``on_open``; Autobahn calls this when the upgrade is done."""
        self.factory.callbacks.deliver_open()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Decode a message and call the client's ``on_message`` or ``on_error``; after ``close()`` do nothing."""
        if self.state == self.STATE_OPEN:
            self._reception.deliver_payload(payload, isBinary)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        """Call the client's ``on_close``; Autobahn calls this when the connection is gone, opened or not."""
        self.factory.callbacks.deliver_close(wasClean, code, reason)

    def give_up(self, cause: LineError) -> None:
        """Abort the connection; ``cause`` is the reason ``on_close`` gets."""
        self._cause = self._cause or cause
        self.wasClean = False
        self.wasNotCleanReason = str(cause)
        if self.state == self.STATE_CLOSED:  # dropped, but the transport has not let go
            self._closeConnection(abort=True)
        else:
            self.dropConnection(abort=True)

    def upgrade_answered_at(self) -> float | None:
        """Return when the server answered the upgrade, by its clock (``Date``), in seconds since the Unix epoch."""
        try:
            # It counts whole seconds: on average half a second had passed.
            return parsedate_to_datetime(self.http_headers.get("date", "")).timestamp() + 0.5
        except (AttributeError, TypeError, ValueError, OverflowError):
            return None

    # -- Autobahn's inner hooks: our bookkeeping first, then the overridable ones, guarded

    def connectionMade(self) -> None:
        """Tell the line that there is a transport."""
        self.factory.line.connected(self)
        super().connectionMade()

    def startHandshake(self) -> None:
        """Send the upgrade request, over TLS only once the certificate is verified."""
        if not self.factory.isSecure:
            super().startHandshake()
        elif not (ISSLTransport.providedBy(self.transport) or IStdlibTls.providedBy(self.transport)):
            self._verify()  # fails, and says that wss needs TLS

    def handshakeCompleted(self) -> None:
        """Verify whom we talk to; Twisted calls this when the TLS handshake is done."""
        if self.factory.isSecure:
            self._verify()

    def _verify(self) -> None:
        error = check_verified(self.transport, self.factory.host)
        if error is not None:
            self.give_up(error)
            return
        if IStdlibTls.providedBy(self.transport):
            complete_details(self.transport_details, self.transport)
        super().startHandshake()

    def processHandshake(self) -> None:
        """Take the server's answer to the upgrade, however broken it is."""
        if len(self.data) > MOST_HEADER_BYTES and b"\r\n\r\n" not in self.data[:MOST_HEADER_BYTES]:
            self.failHandshake(f"its header has more than {MOST_HEADER_BYTES} bytes")
            return
        try:
            super().processHandshake()
        except Exception as error:  # noqa: BLE001  # bytes from anywhere: what they break in the parser is not ours
            self.failHandshake(f"its answer cannot be read ({error})")

    def failHandshake(self, reason: str) -> None:
        """Keep the facts of a refused upgrade before Autobahn drops the connection."""
        self._cause = self._cause or _refusal(self, reason)
        super().failHandshake(reason)

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        """Send a close frame; what should follow has a bounded time."""
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self.factory.callbacks.interrupt()
        self.factory.line.ending(self)

    def dropConnection(self, abort: bool = False) -> None:
        """Drop the connection: nothing more is delivered."""
        super().dropConnection(abort)
        self.factory.callbacks.interrupt()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Keep the reason: Autobahn's own words for it can mislead."""
        self._transport_reason = reason
        super().connectionLost(reason)

    def _max_message_size_exceeded(self, msg_size: int, max_msg_size: int, reason: str) -> None:
        self._cause = MessageTooLargeError(msg_size, max_msg_size)
        super()._max_message_size_exceeded(msg_size, max_msg_size, reason)

    def _closeConnection(self, abort: bool = False) -> None:
        super()._closeConnection(abort)
        if not abort:
            self.factory.line.ending(self)

    def _onOpen(self) -> None:
        if self.factory.line.opened(self):
            self._reception = self.factory.reception
            self._reception.begin()
            self._take_payload = self._reception.deliver_single  # type: ignore[method-assign]  # no call of ours between
            self._begin_fast_receiving()
            # With aiofastnet's TLS the details that Autobahn's looks for, at pyOpenSSL, are there already.
            if not self._guarded(self.onOpen if IStdlibTls.providedBy(self.transport) else super()._onOpen):
                self.factory.callbacks.deliver_open()
            self.factory.callbacks.after_open()

    def _take_payloads(self, payloads: Sequence[bytes]) -> int:
        return self._reception.deliver_payloads(payloads, self)

    def _onMessage(self, payload: bytes, isBinary: bool) -> None:
        try:
            self.onMessage(payload, isBinary)
        except FAILURES:
            _log.failure("onMessage of {protocol} failed; the line is kept", protocol=type(self).__name__)

    def _onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        line = self.factory.line
        if line.protocol is not self:
            return  # an attempt that gave way to a caller's own
        if wasClean or self.remoteCloseCode is not None:
            code = self.remoteCloseCode if self.remoteCloseCode is not None else NO_STATUS_RECEIVED
            reason = self.remoteCloseReason or ""
            error: LineError = ConnectionLostError(wasClean, code, reason)
        else:
            error = self._describe_loss("the upgrade was answered" if line.state is State.CONNECTING else "")
            code, reason = self.CLOSE_STATUS_CODE_ABNORMAL_CLOSE, str(error)
        line.ended(error)
        if not self._guarded(self.onClose, wasClean, code, reason):
            self.factory.callbacks.deliver_close(wasClean, code, reason)
        line.settle()

    def _describe_loss(self, before: str) -> LineError:
        if self._cause is not None:
            return self._cause
        if self.droppedByMe and self.wasNotCleanReason:
            return LineError(str(self.wasNotCleanReason))
        reason = self._transport_reason or connectionDone
        return describe(reason, self.factory.host, self.factory.port, before=before)

    def _guarded(self, hook: Callable[..., object], *arguments: object) -> bool:
        """Call a hook that may be overridden; tell whether it came to its end."""
        try:
            hook(*arguments)
        except FAILURES:
            _log.failure("a hook of {protocol} failed; the line is kept", protocol=type(self).__name__)
            return False
        return True


def _refusal(protocol: ClientProtocol, reason: str) -> UpgradeRefusedError:
    status_line = getattr(protocol, "http_status_line", "").split(None, 2)
    has_status = len(status_line) > 1 and len(status_line[1]) == STATUS_DIGITS and status_line[1].isdecimal()
    status = int(status_line[1]) if has_status else None
    detail = reason if status in (None, 101) else " ".join(status_line[2:])
    headers = getattr(protocol, "http_headers", {})
    wait = None if status in (None, 101) else retry_after(headers.get("retry-after", ""), headers.get("date", ""))
    return UpgradeRefusedError(status, detail, wait)
