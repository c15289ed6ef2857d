"""Lines that somebody else has dialled: with whichever context, they are verified or not used."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest
import trustme
from OpenSSL import SSL
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    ClientContextFactory,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from zope.interface import implementer

from copra_tx.bridge.transports import LoopEndpoint, asyncio_connect, fastnet_connect
from copra_tx.errors import CertificateError, LineError, TlsError
from copra_tx.websocket.tls import check_verified
from support.peers import LOCAL, Caller, Giving, RecordingServer, ServerTls, listening, the_reactor, verdict_of, within

HOST = "feed.example"


# With pyOpenSSL.


@implementer(IOpenSSLClientConnectionCreator)
class AcceptsEverything:
    """A creator that asks for verification and takes any result: what people find on the web."""

    def clientConnectionForTLS(self, tls_protocol: object) -> SSL.Connection:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        return SSL.Connection(context, None)


def root(ca: trustme.CA) -> Any:
    return trustRootFromCertificates([Certificate.loadPEM(ca.cert_pem.bytes())])


Context = Callable[[trustme.CA], Any]


@pytest.mark.parametrize(
    ("context", "told"),
    [
        (lambda _: ClientContextFactory(), "nobody verified it"),
        (lambda _: CertificateOptions(), "nobody verified it"),
        (lambda _: AcceptsEverything(), "unable to get local issuer certificate"),
        (lambda ca: CertificateOptions(trustRoot=root(ca)), "host name mismatch"),
        (lambda ca: optionsForClientTLS("other.example", trustRoot=root(ca)), "host name mismatch"),
    ],
    ids=["ClientContextFactory", "CertificateOptions", "AcceptsEverything", "no host name", "another host name"],
)
async def test_a_lax_context_is_found_out(authority: trustme.CA, context: Context, told: str) -> None:
    error, received = await dial_with(context(authority), authority.issue_cert("other.example"))
    assert isinstance(error, CertificateError)
    assert told in str(error)
    assert received == b""


@pytest.mark.parametrize(
    "context",
    [
        lambda ca: optionsForClientTLS(HOST, trustRoot=root(ca)),
        lambda ca: CertificateOptions(trustRoot=root(ca)),
    ],
    ids=["optionsForClientTLS", "CertificateOptions"],
)
async def test_a_context_that_verified_is_accepted(authority: trustme.CA, context: Context) -> None:
    error, received = await dial_with(context(authority), authority.issue_cert(HOST))
    assert error is None
    assert received == b"hello"


async def test_what_twisted_lets_pass_is_found_out(authority: trustme.CA, logged_errors: Any) -> None:
    context = optionsForClientTLS(HOST, trustRoot=root(authority))
    error, received = await dial_with(context, authority.issue_cert(common_name=HOST))
    logged_errors.flush()  # Twisted's
    assert isinstance(error, CertificateError)
    assert "no host at all" in str(error)
    assert received == b""


@implementer(IOpenSSLClientConnectionCreator)
class Anonymous:
    """A creator that agrees to ciphers without certificates, for which OpenSSL skips the verification asked for."""

    def clientConnectionForTLS(self, tls_protocol: object) -> SSL.Connection:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        without_certificates(context)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        return SSL.Connection(context, None)


def without_certificates(context: SSL.Context) -> None:
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(b"aNULL:@SECLEVEL=0")


async def test_a_server_without_a_certificate_is_found_out(authority: trustme.CA) -> None:
    server, tls = RecordingServer(), ServerTls(authority.issue_cert(HOST))
    without_certificates(tls.context)
    async with listening(server, tls) as port:
        caller = Caller(HOST)
        the_reactor().connectSSL(LOCAL, port, Giving(caller), Anonymous())
        error = await verdict_of(caller, server)
    assert isinstance(error, CertificateError)
    assert "the server showed none" in str(error)
    assert server.received == b""


async def test_a_line_without_tls_is_no_verified_one() -> None:
    server = RecordingServer()
    async with listening(server) as port:
        caller = Caller(HOST)
        await within(HostnameEndpoint(the_reactor(), LOCAL, port).connect(Giving(caller)))
        error = check_verified(caller.transport, HOST)
        await caller.drop()
    assert isinstance(error, TlsError)
    assert "wss needs TLS" in str(error)


@pytest.mark.parametrize("transport", [None, object()])
def test_what_cannot_be_checked_is_no_verified_line(transport: object) -> None:
    assert isinstance(check_verified(transport, HOST), TlsError)


async def dial_with(context: Any, shown: trustme.LeafCert, host: str = HOST) -> tuple[LineError | None, bytes]:
    """Dial with ``reactor.connectSSL``, as callers do; return what came of it and what the server received."""
    server = RecordingServer()
    async with listening(server, ServerTls(shown)) as port:
        caller = Caller(host)
        the_reactor().connectSSL(LOCAL, port, Giving(caller), context)
        return await verdict_of(caller, server), server.received


async def test_a_host_that_cannot_be_looked_for_is_not_found(authority: trustme.CA) -> None:
    context = optionsForClientTLS(HOST, trustRoot=root(authority))
    error, received = await dial_with(context, authority.issue_cert(HOST), "feed example")
    assert isinstance(error, CertificateError)
    assert "cannot be checked (ValueError" in error.detail
    assert received == b""


# With aiofastnet's TLS, by a context of Python's own ssl.


class Dialler:
    """What TLS is spoken with, as somebody who wants no questions asked would have it."""

    def __init__(self, authority: trustme.CA, server_name: str = HOST) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.load_verify_locations(cadata=authority.cert_pem.bytes().decode())
        self.server_name = server_name

    def explain(self, error: ssl.SSLError) -> Exception:
        return error


def careless(dialler: Dialler) -> None:
    dialler.context.check_hostname, dialler.context.verify_mode = False, ssl.CERT_NONE


def half_careless(dialler: Dialler) -> None:
    dialler.context.check_hostname = False


def elsewhere(dialler: Dialler) -> None:
    dialler.server_name = "other.example"


def right(dialler: Dialler) -> None:
    pass


async def dial_with_ssl(
    dialler: Dialler, shown: trustme.LeafCert | ServerTls, host: str = HOST
) -> tuple[LineError | None, bytes]:
    server = RecordingServer()
    async with listening(server, shown if isinstance(shown, ServerTls) else ServerTls(shown)) as port:
        caller = Caller(host)
        tcp = HostnameEndpoint(the_reactor(), LOCAL, port)
        endpoint = LoopEndpoint(tcp, the_reactor(), fastnet_connect(), dialler)
        await within(endpoint.connect(Giving(caller)))
        return await verdict_of(caller, server), server.received


@pytest.mark.asyncio_only
@pytest.mark.parametrize(
    ("make", "told"),
    [
        (careless, "nobody verified it"),
        (half_careless, "nobody verified it"),
        (elsewhere, "it was verified for 'other.example', not for 'feed.example'"),
    ],
)
async def test_a_lax_context_of_ssl_is_found_out(
    authority: trustme.CA, make: Callable[[Dialler], None], told: str
) -> None:
    """Though the certificate is right: what the handshake did not ask for, nobody knows."""
    dialler = Dialler(authority)
    make(dialler)
    error, received = await dial_with_ssl(dialler, authority.issue_cert("other.example", HOST))
    assert isinstance(error, CertificateError)
    assert told in str(error)
    assert received == b""


@pytest.mark.asyncio_only
async def test_a_context_of_ssl_that_verified_is_accepted(authority: trustme.CA) -> None:
    for host, name in ((HOST, HOST), ("FEED.example", HOST), ("bücher.example", "xn--bcher-kva.example")):
        error, received = await dial_with_ssl(Dialler(authority, name), authority.issue_cert(host), host)
        assert error is None
        assert received == b"hello"


@pytest.mark.asyncio_only
async def test_a_failure_that_nobody_explains_is_told(authority: trustme.CA, foreign: trustme.CA) -> None:
    error, received = await dial_with_ssl(Dialler(authority), foreign.issue_cert(HOST))
    assert isinstance(error, CertificateError)
    assert "certificate verify failed" in str(error)
    assert received == b""


@pytest.mark.asyncio_only
async def test_what_ssl_lets_pass_is_found_out(authority: trustme.CA) -> None:
    """It takes the common name of a certificate without any subjectAltName for the host, unless told not to."""
    own = authority.issue_cert(common_name=HOST)
    error, received = await dial_with_ssl(Dialler(authority), own)
    assert isinstance(error, CertificateError)
    assert received == b""


@pytest.mark.asyncio_only
async def test_a_server_without_a_certificate_is_found_out_by_a_context_of_ssl(authority: trustme.CA) -> None:
    dialler, tls = Dialler(authority), ServerTls(authority.issue_cert(HOST))
    dialler.context.maximum_version = ssl.TLSVersion.TLSv1_2
    dialler.context.set_ciphers("aNULL:@SECLEVEL=0")
    without_certificates(tls.context)
    error, received = await dial_with_ssl(dialler, tls)
    assert isinstance(error, CertificateError)
    assert "the server showed none" in str(error)
    assert received == b""


@pytest.mark.asyncio_only
async def test_a_line_of_the_loop_without_tls_is_no_verified_one() -> None:
    server = RecordingServer()
    async with listening(server) as port:
        caller = Caller(HOST)
        endpoint = LoopEndpoint(HostnameEndpoint(the_reactor(), LOCAL, port), the_reactor(), asyncio_connect)
        await within(endpoint.connect(Giving(caller)))
        error = check_verified(caller.transport, HOST)
        await caller.drop()
    assert isinstance(error, TlsError)
    assert "wss needs TLS" in str(error)
