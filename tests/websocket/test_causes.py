"""What ends a connection, in words."""

from __future__ import annotations

import errno
from typing import Any

import pytest
import trustme
from OpenSSL import SSL
from service_identity import CertificateError as NoIdentityError
from service_identity import VerificationError
from service_identity.hazmat import DNS_ID, DNSMismatch, IPAddress_ID, IPAddressMismatch
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.python.failure import Failure

from copra_tx.errors import CertificateError, DialError, HostNotFoundError, LineError, PongTimeoutError, TlsError
from copra_tx.websocket.causes import describe
from copra_tx.websocket.dialing import TlsEndpoint
from support.peers import (
    LOCAL,
    Caller,
    Giving,
    RecordingServer,
    ServerTls,
    every_name_is_local,
    listening,
    refusing_port,
    the_reactor,
    within,
)

HOST = "feed.example"


def described(exception: BaseException) -> LineError:
    return describe(Failure(exception), HOST, 443)


@pytest.mark.parametrize(
    ("exception", "kind", "words"),
    [
        (error.DNSLookupError("no results for hostname lookup: x"), HostNotFoundError, "'feed.example' not found"),
        (error.UnknownHostError(), HostNotFoundError, "'feed.example' not found"),
        (error.ConnectionRefusedError(errno.ECONNREFUSED, "x"), DialError, "feed.example:443: connection refused"),
        (error.ConnectionRefusedError(), DialError, "Connection was refused by other side"),
        (error.NoRouteError(errno.ENETUNREACH, "x"), DialError, "network is unreachable"),
        (error.TCPTimedOutError(errno.ETIMEDOUT, "x"), DialError, "timed out"),
        (error.TimeoutError(), DialError, "timed out"),
        (error.ConnectBindError(errno.EMFILE, "x"), DialError, "too many open files"),
        (error.ConnectError(string="cannot"), DialError, "cannot"),
        (error.UserError(), LineError, "stopped"),
        (error.ConnectingCancelledError(None), LineError, "stopped"),
        (CancelledError(), LineError, "stopped"),
        (error.NoProtocol(), LineError, "wanted no connection"),
        (error.ConnectionDone(), LineError, "the server ended the connection without a close frame"),
        (error.ConnectionLost(), LineError, "lost without a close frame"),
        (error.ConnectionAborted(), LineError, "on our side"),
        (VerificationError(errors=[DNSMismatch(DNS_ID("a.example"))]), CertificateError, "not valid for 'a.example'"),
        (VerificationError(errors=[IPAddressMismatch(IPAddress_ID(LOCAL))]), CertificateError, f"for '{LOCAL}'"),
        (VerificationError(errors=[]), CertificateError, "not valid for 'feed.example'"),
        (NoIdentityError("Certificate does not contain any."), CertificateError, "does not contain any;"),
        (NoIdentityError(), CertificateError, "names no host"),
        (SSL.Error([("SSL routines", "", "certificate verify failed")]), CertificateError, "verify failed"),
        (SSL.Error([("SSL routines", "", "tlsv1 alert unknown ca")]), TlsError, "tlsv1 alert unknown ca"),
        (SSL.Error([("SSL routines", "", "")]), TlsError, "Error"),
        (SSL.Error([]), TlsError, "Error"),
        (SSL.ZeroReturnError(), TlsError, "ZeroReturnError"),
        (SSL.SysCallError(errno.ECONNRESET, "ECONNRESET"), TlsError, "ECONNRESET"),
        (ValueError("invalid hostname: x"), LineError, "invalid hostname: x"),
        (ValueError(" "), LineError, "ValueError"),
        (KeyError(), LineError, "KeyError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_each_cause_has_its_class_and_its_words(exception: BaseException, kind: type[LineError], words: str) -> None:
    found = described(exception)
    assert type(found) is kind
    assert words in str(found)


@pytest.mark.parametrize(
    ("exception", "words"),
    [
        (error.ConnectionDone(), "the connection ended before the answer was complete"),
        (error.ConnectionLost(), "the connection ended before the answer was complete"),
        (error.ConnectionAborted(), "the connection was aborted on our side"),
        (error.TimeoutError(), "no connection to feed.example:443: timed out"),
    ],
)
def test_where_http_is_spoken_no_close_frame_is_missed(exception: BaseException, words: str) -> None:
    assert str(describe(Failure(exception), HOST, 443, before="the answer was complete")) == words


def test_our_own_errors_are_left_as_they_are() -> None:
    ours = PongTimeoutError(10)
    assert described(ours) is ours


def test_facts_are_kept() -> None:
    found = describe(Failure(error.ConnectionRefusedError(errno.ECONNREFUSED, "x")), "::1", 8443)
    assert isinstance(found, DialError)
    assert (found.host, found.port, found.detail) == ("::1", 8443, "connection refused")


# The same, as the network does it.


async def fail_to_dial(host: str, port: int) -> LineError:
    endpoint = HostnameEndpoint(the_reactor(), host, port, attemptDelay=0.01)
    with pytest.raises(Exception) as caught:  # noqa: PT011  # of any class; its description is the subject
        await within(endpoint.connect(Giving(Caller(host))))
    return describe(Failure(caught.value), host, port)


async def test_nobody_listens() -> None:
    port = refusing_port()
    found = await fail_to_dial(LOCAL, port)
    assert isinstance(found, DialError)
    assert str(found) == f"no connection to {LOCAL}:{port}: connection refused"


async def test_no_such_name() -> None:
    async with every_name_is_local():
        found = await fail_to_dial("no-such-host.invalid", 443)
    assert isinstance(found, HostNotFoundError)
    assert "'no-such-host.invalid'" in str(found)


async def test_no_possible_name() -> None:
    found = await fail_to_dial("a" * 64, 443)
    assert "invalid hostname" in str(found)


async def talk(server: RecordingServer, context: Any, tls: ServerTls | None) -> LineError:
    async with listening(server, tls) as port:
        caller = Caller(HOST)
        endpoint = TlsEndpoint(HostnameEndpoint(the_reactor(), LOCAL, port), context, the_reactor())
        await within(endpoint.connect(Giving(caller)))
        return await within(caller.ended)


async def test_a_server_that_does_not_speak_tls() -> None:
    found = await talk(RecordingServer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), optionsForClientTLS(HOST), None)
    assert isinstance(found, TlsError)
    assert "seems not to speak TLS" in str(found)


async def test_what_a_callers_own_context_finds_wrong() -> None:
    authority = trustme.CA()
    root = Certificate.loadPEM(authority.cert_pem.bytes())
    right, wrong = (ServerTls(authority.issue_cert(name)) for name in (HOST, "other.example"))
    found = await talk(RecordingServer(), optionsForClientTLS(HOST), right)
    assert isinstance(found, CertificateError)
    assert "certificate verify failed" in str(found)
    found = await talk(RecordingServer(), optionsForClientTLS(HOST, trustRoot=root), wrong)
    assert isinstance(found, CertificateError)
    assert "host name mismatch: it is not valid for 'feed.example'" in str(found)
