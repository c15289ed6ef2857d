"""
Reading TLS: all records of one read from the socket reach the protocol at once.

A feed sends each message in a TLS record of its own. Twisted's transport hands these on one by one, and pays for each
read with two exceptions and a fresh buffer of 32 KiB. ``CollectingTls`` hands them on together; ``DirectTls`` calls
OpenSSL through pyOpenSSL's own binding besides, into one buffer that is kept. Both are Twisted's transport in all else:
handshake, verification, writing, and each of the ways in which a line can end. TCP below may be Twisted's or the
asyncio loop's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import BufferingTLSTransport
from twisted.python.failure import Failure

__all__ = ["CollectingTls", "DirectTls", "tls_transport"]

_READ_SIZE = 2**15

_TWISTEDS = (
    *("_flushReceiveBIO", "_flushSendBIO", "_shutdownTLS", "_tlsShutdownFinished", "_lostTLSConnection", "_aborted"),
)
_CALLS = ("SSL_read", "SSL_get_error", "SSL_ERROR_WANT_READ", "BIO_read", "BIO_write")
_lib: Any = getattr(SSL, "_lib", None)
_ffi: Any = getattr(SSL, "_ffi", None)


class CollectingTls(BufferingTLSTransport):
    """Twisted's TLS transport; one ``dataReceived`` for all records of one read. Calls pyOpenSSL's public API."""

    _lostTLSConnection: bool
    _aborted: bool
    _appSendBuffer: list[bytes]  # noqa: N815  # Twisted's name
    _tlsConnection: SSL.Connection

    def _flushReceiveBIO(self) -> None:
        while not self._lostTLSConnection:
            records, error = self._read_records()
            if records and not self._aborted:
                self.wrappedProtocol.dataReceived(records[0] if len(records) == 1 else b"".join(records))
            if error is None or self._lostTLSConnection:
                break
            self._end_for(error)
        self._flushSendBIO()

    def _end_for(self, error: SSL.Error) -> None:
        if isinstance(error, SSL.ZeroReturnError):
            self._shutdownTLS()
            self._tlsShutdownFinished(None)
        else:
            self._tlsShutdownFinished(Failure(error))

    def abortConnection(self) -> None:  # noqa: N802  # Twisted's name
        """End the connection now; without what waits for the handshake, which Twisted's would send after the end."""
        if self.connected:  # Twisted's raises an AttributeError when it is lost
            # First: without a notice, which would make a proper end of it.
            self.transport.abortConnection()  # type: ignore[union-attr]  # it is connected
            self._appSendBuffer = []
            super().abortConnection()

    def _read_records(self) -> tuple[list[bytes], SSL.Error | None]:
        """Return what there is to read, and the error that says why there is no more; ``None``: it has to come."""
        receive, records = self._tlsConnection.recv, []
        try:
            while True:
                records.append(receive(_READ_SIZE))
        except SSL.WantReadError:
            return records, None
        except SSL.Error as error:
            return records, error


class DirectTls(CollectingTls):
    """As ``CollectingTls``, with the calls that each read of an open line makes going straight to OpenSSL."""

    def makeConnection(self, transport: Any) -> None:
        """Begin; what comes goes to a function of the connection's own."""
        super().makeConnection(transport)
        if self._tlsConnection is not None:
            self.dataReceived = self._receiving()  # type: ignore[method-assign]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End."""
        vars(self).pop("dataReceived", None)  # which refers to this
        super().connectionLost(reason)

    def _receiving(self) -> Callable[[bytes], None]:
        """
        Return what does as ``dataReceived``, for an open line in fewer steps.

        To look up an attribute of Twisted's protocol, or of pyOpenSSL's connection, costs as much as a call: both
        have a ``__getattr__``.
        """
        connection: Any = self._tlsConnection
        ssl, into, out = connection._ssl, connection._into_ssl, connection._from_ssl  # noqa: SLF001
        record, state = _ffi.new("char[]", _READ_SIZE), vars(self)  # kept: each record is read into it
        octets = _ffi.buffer(record)
        write, read, get_error, want_read = _lib.BIO_write, _lib.SSL_read, _lib.SSL_get_error, _lib.SSL_ERROR_WANT_READ
        flush, hear, otherwise = _lib.BIO_read, self.wrappedProtocol.dataReceived, super().dataReceived

        def receive(data: bytes) -> None:
            if (
                not state.get("_handshakeDone")
                or state.get("_appSendBuffer", True)
                or state.get("_lostTLSConnection")
                or state.get("_aborted")
            ):
                otherwise(data)
                return
            write(into, data, len(data))  # into memory, which takes all
            found = b""
            if (size := read(ssl, record, _READ_SIZE)) > 0:
                found = octets[:size]
                if (size := read(ssl, record, _READ_SIZE)) > 0:
                    records = [found, octets[:size]]
                    while (size := read(ssl, record, _READ_SIZE)) > 0:
                        records.append(octets[:size])
                    found = b"".join(records)
            # Before anybody hears of it, and writes: that would be about something else.
            error = None if get_error(ssl, size) == want_read else _error_of(connection, size)
            if found:
                hear(found)
            if error is not None and not state.get("_lostTLSConnection"):
                self._end_for(error)
            if (size := flush(out, record, _READ_SIZE)) > 0:
                self.transport.write(octets[:size])  # type: ignore[union-attr]  # there is one

        return receive


def _error_of(connection: Any, size: int) -> SSL.Error:
    """Return why nothing was read, and nothing will be."""
    try:
        connection._raise_ssl_error(connection._ssl, size)  # noqa: SLF001
    except SSL.Error as error:
        return error
    raise AssertionError("OpenSSL read nothing and gave no reason")


def tls_transport() -> type[BufferingTLSTransport]:
    """
    Return the fastest TLS transport that the installed Twisted and pyOpenSSL allow.

    Each uses a few undocumented names; where one is missing, the next slower transport does.
    """
    if not all(hasattr(BufferingTLSTransport, name) for name in _TWISTEDS):
        return BufferingTLSTransport
    binding = all(hasattr(_lib, name) for name in _CALLS)
    if binding and hasattr(_ffi, "buffer") and hasattr(SSL.Connection, "_raise_ssl_error"):
        return DirectTls
    return CollectingTls
