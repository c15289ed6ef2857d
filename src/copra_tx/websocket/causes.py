"""Why a line ended: failures of Twisted, OpenSSL and service-identity, in words for ``on_close``."""

from __future__ import annotations

import os
import ssl

from OpenSSL import SSL
from service_identity import CertificateError as NoIdentityError
from service_identity import VerificationError
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from copra_tx.errors import CertificateError, DialError, HostNotFoundError, LineError, TlsError

__all__ = ["describe"]

_PLAIN: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    ((error.UserError, error.ConnectingCancelledError, CancelledError), "the attempt to connect was stopped"),
    (error.NoProtocol, "the factory wanted no connection"),
    (error.ConnectionAborted, "the connection was aborted on our side"),
    # Twisted keeps no errno here: a reset, a broken network and TLS cut off without notice look the same.
    (error.ConnectionLost, "the connection was lost without a close frame: reset by the server, or cut on the way"),
    (error.ConnectionDone, "the server ended the connection without a close frame"),
)

_ENDS = (error.ConnectionDone, error.ConnectionLost)

# What OpenSSL says, depending on its release, when the answer to its greeting was no TLS at all.
_NOT_TLS = {"wrong version number", "packet length too long", "record layer failure", "http request"}


def describe(reason: Failure, host: str, port: int, *, before: str = "") -> LineError:
    """
    Return a failed attempt or a lost connection as an error of ours.

    Args:
        reason: As ``clientConnectionFailed`` or ``connectionLost`` gets it. A ``LineError`` is returned as it is.
        host: What was dialled.
        port: What was dialled.
        before: What should have come before the end, where that is an answer of HTTP; else it is a close frame.

    Returns:
        A ``HostNotFoundError``, ``DialError``, ``CertificateError`` or ``TlsError``, or a plain ``LineError``. Its
        text is never empty.
    """
    value = reason.value
    match value:
        case LineError():
            return value
        case error.DNSLookupError() | error.UnknownHostError():
            return HostNotFoundError(host)
        case error.TimeoutError():
            return DialError(host, port, "timed out")
        case error.ConnectError() if not isinstance(value, error.UserError):
            return DialError(host, port, _system_words(value))
        case VerificationError() | NoIdentityError() | SSL.Error() | ssl.SSLError():
            return _describe_tls(value, host)
    return LineError(_plain_words(value, before))


def _plain_words(value: BaseException | None, before: str) -> str:
    if before and isinstance(value, _ENDS) and not isinstance(value, error.ConnectionAborted):
        return f"the connection ended before {before}"
    return next((words for kinds, words in _PLAIN if isinstance(value, kinds)), _own_words(value))


def _own_words(value: object) -> str:
    return str(value).strip() or type(value).__name__


def _system_words(failed: error.ConnectError) -> str:
    if isinstance(failed.osError, int):
        return os.strerror(failed.osError).lower()
    return _own_words(failed).rstrip(".")


def _describe_tls(failed: Exception, host: str) -> LineError:
    if isinstance(failed, VerificationError):
        return CertificateError(host, f"host name mismatch: it is not valid for {_looked_for(failed) or repr(host)}")
    if isinstance(failed, NoIdentityError):
        return CertificateError(host, str(failed).rstrip(".") or "it names no host")
    words = _openssl_words(failed)
    text = ", ".join(words) or type(failed).__name__
    if "certificate verify failed" in words:
        return CertificateError(host, text)
    if _NOT_TLS.intersection(words):
        text += "; what answers on this port seems not to speak TLS"
    return TlsError(host, text)


def _looked_for(mismatch: VerificationError) -> str:
    """Return the names or addresses that the dialler's context looked for in the certificate."""
    ids = [wrong.mismatched_id for wrong in mismatch.errors]
    names = [getattr(sought, "hostname", None) or getattr(sought, "ip", None) for sought in ids]
    return ", ".join(repr(name.decode() if isinstance(name, bytes) else str(name)) for name in names if name)


def _openssl_words(failed: Exception) -> list[str]:
    """Return the reasons of OpenSSL's error queue, or the text of a system call's error."""
    if isinstance(failed, ssl.SSLError) and failed.reason:
        return [failed.reason.lower().replace("_", " ")]
    match failed.args:
        case (list() as queue,):
            return [str(entry[-1]) for entry in queue if entry and entry[-1]]
        case (int(), str() as text):
            return [text]
        case _:
            return [str(failed)] if str(failed) else []
