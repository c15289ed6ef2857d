"""TLS that aiofastnet speaks, with a context of Python's own ssl module."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from copra_tx.errors import TlsError

from .line import Connect, LoopTransport, ignore

if TYPE_CHECKING:
    from OpenSSL.crypto import X509

__all__ = ["IStdlibTls", "LoopTls", "LoopTlsTransport"]


class IStdlibTls(ITCPTransport):
    """
    A TCP transport with TLS by a context of Python's own ssl module.

    It is no ``ISSLTransport``: whoever looks for that goes on to pyOpenSSL's objects, which are not there.
    ``getHandle`` returns something like an ``ssl.SSLObject`` when TLS is up, and ``None`` before.
    """

    def getPeerCertificate() -> X509 | None:
        """Return the certificate that the other side has shown, if there is one by now."""


class LoopTls(Protocol):
    """What TLS is spoken with."""

    @property
    def context(self) -> ssl.SSLContext:
        """The context. It has to verify: nothing here does."""

    @property
    def server_name(self) -> str:
        """Name or address that the certificate must be valid for; a name in its ASCII form."""

    def explain(self, error: ssl.SSLError) -> Exception:
        """Return what ``connectionLost`` gets for what went wrong."""


@implementer(IStdlibTls)
class LoopTlsTransport(LoopTransport):
    """
    As ``LoopTransport``, with TLS by aiofastnet.

    As with Twisted's TLS the protocol is connected when TCP is, and told by ``handshakeCompleted`` when TLS is up; what
    it has written before is sent afterwards. Without TLS' own notice of the end, the end is a ``ConnectionLost``.
    """

    def __init__(self, *arguments: Any, tls: LoopTls) -> None:
        super().__init__(*arguments)
        self._tls = tls
        self._ssl: Any = None
        self._has_notice = False

    async def _attach(self, connect: Connect) -> None:
        await connect(
            self.loop,
            lambda: self,
            sock=self._sock,
            ssl=self._tls.context,
            server_hostname=self._tls.server_name,
        )

    def received_before(self, data: bytes) -> None:  # noqa: ARG002
        """Refuse: over TLS a server does not speak first."""
        error = TlsError(self._tls.server_name, "it spoke first; what answers on this port seems not to speak TLS")
        self._fail(Failure(error))

    def _is_up(self) -> None:
        self._ssl = self._transport.get_extra_info("ssl_object")
        if self.connected and IHandshakeListener.providedBy(self._protocol):
            self._guarded(self._protocol.handshakeCompleted)
        self._begin_to_flow()

    def eof_received(self) -> bool:
        """Note that TLS gave notice of the end: without, aiofastnet does not call this."""
        self._has_notice = True
        return False

    def _reason(self, error: BaseException | None) -> Failure:
        match error:
            case _ if self._is_aborted:
                pass
            case None:
                return Failure(ConnectionDone() if self._has_notice else ConnectionLost())
            case ssl.SSLError() if not isinstance(error, ssl.SSLEOFError):
                return Failure(self._tls.explain(error))
        return super()._reason(error)

    def loseConnection(self) -> None:
        """End the connection, with TLS' notice of the end; before TLS is up, abort it if nothing waits to be sent."""
        if self._transport is None and not self._unwritten:
            self.abortConnection()  # as Twisted's does
        else:
            super().loseConnection()

    def _close(self) -> None:
        if self._is_paused:
            # TLS ends with an answer, which has to be read. What else comes was not wanted.
            self._hear(ignore)
            self._transport.resume_reading()
        super()._close()

    def loseWriteConnection(self) -> None:
        """
        Refuse: TLS does not know that.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a connection with TLS cannot be closed by half")

    def getHandle(self) -> Any:
        """Return something like an ``ssl.SSLObject``; ``None`` before TLS is up."""
        return self._ssl

    def getPeerCertificate(self) -> X509 | None:
        """Return the certificate that the other side has shown; ``None`` before TLS is up."""
        shown = None if self._ssl is None else self._ssl.getpeercert(True)
        if shown is None:
            return None
        from OpenSSL import crypto

        return crypto.load_certificate(crypto.FILETYPE_ASN1, shown)
