"""Certificates, right and wrong, against our own TLS and against what callers dial with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
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

from copra_tx.errors import CertificateError, ConfigurationError, LineError, TlsError
from copra_tx.websocket.dialing import TlsEndpoint
from copra_tx.websocket.tls import check_verified, verifying_creator
from support.certificates import certificate
from support.peers import LOCAL, Caller, Giving, RecordingServer, ServerTls, listening, the_reactor, within

HOST = "feed.example"


async def call(creator: Any, shown: trustme.LeafCert, host: str = HOST) -> tuple[LineError | None, bytes]:
    """Dial a server that shows this certificate; return what came of it and what the server received."""
    server = RecordingServer()
    async with listening(server, ServerTls(shown)) as port:
        caller = Caller(host)
        endpoint = TlsEndpoint(HostnameEndpoint(the_reactor(), LOCAL, port), creator, the_reactor())
        await within(endpoint.connect(Giving(caller)))
        return await verdict_of(caller, server), server.received


async def verdict_of(caller: Caller, server: RecordingServer) -> LineError | None:
    error = await within(caller.verdict)
    if error is None:
        await server.when_received(b"hello")
        await caller.drop()
    else:
        await within(caller.ended)
    [peer] = server.peers
    await within(peer.lost)
    return error


# Our own dials.


@pytest.mark.parametrize(
    ("host", "identities"),
    [
        (HOST, [HOST]),
        (HOST, ["other.example", HOST]),
        ("a.feed.example", ["*.feed.example"]),
        ("FEED.example", [HOST]),
        ("bücher.example", ["bücher.example"]),
        (LOCAL, [LOCAL]),
        ("::1", ["::1"]),
    ],
)
async def test_a_certificate_for_the_host_is_accepted(
    authority: trustme.CA, ca_file: str, host: str, identities: list[str]
) -> None:
    error, received = await call(verifying_creator(host, ca_file), authority.issue_cert(*identities), host)
    assert error is None
    assert received == b"hello"


@pytest.mark.parametrize(
    ("host", "identities", "told"),
    [
        (HOST, ["other.example"], ["'other.example'", "not for 'feed.example'"]),
        (HOST, ["other.example", "10.0.0.1"], ["'other.example', '10.0.0.1'"]),
        (HOST, [LOCAL], [f"'{LOCAL}'"]),
        (LOCAL, [HOST], ["'feed.example'", "not for '127.0.0.1'"]),
        (LOCAL, ["127.0.0.2"], ["'127.0.0.2'"]),
        ("::1", [LOCAL], ["not for '::1'"]),
        ("a.b.feed.example", ["*.feed.example"], ["'*.feed.example'"]),
        (HOST, ["*.example"], ["'*.example'"]),
        (HOST, [f"h{n}.example" for n in range(9)], ["'h4.example' and 4 more"]),
    ],
)
async def test_a_certificate_for_another_host_is_not_accepted(
    authority: trustme.CA, ca_file: str, host: str, identities: list[str], told: list[str]
) -> None:
    error, received = await call(verifying_creator(host, ca_file), authority.issue_cert(*identities), host)
    assert isinstance(error, CertificateError)
    assert error.host == host
    assert "host name mismatch" in str(error)
    for words in told:
        assert words in str(error)
    assert received == b""


async def test_a_certificate_without_any_name_is_valid_for_no_host(
    authority: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    """Twisted's own ``optionsForClientTLS`` logs a critical error and accepts both, whatever the host."""
    nameless = certificate(x509.BasicConstraints(ca=False, path_length=None))
    own_pem = tmp_path / "own.pem"
    own_pem.write_bytes(nameless.cert_chain_pems[0].bytes())
    for trusted, shown in (
        (ca_file, authority.issue_cert(common_name=HOST)),  # an empty list of names
        (str(own_pem), nameless),  # no list
    ):
        error, received = await call(verifying_creator(HOST, trusted), shown)
        assert isinstance(error, CertificateError)
        assert "valid for no host at all" in str(error)
        assert received == b""


async def test_a_foreign_authority_is_not_accepted(foreign: trustme.CA, ca_file: str) -> None:
    error, received = await call(verifying_creator(HOST, ca_file), foreign.issue_cert(HOST))
    assert isinstance(error, CertificateError)
    assert "unable to get local issuer certificate" in error.detail
    assert ca_file in error.detail
    assert "SSL_CERT_FILE" in error.detail
    assert "ca_file=" in str(error)
    assert received == b""


async def test_without_a_ca_file_the_platform_decides(authority: trustme.CA) -> None:
    error, received = await call(verifying_creator(HOST, None), authority.issue_cert(HOST))
    assert isinstance(error, CertificateError)
    assert "SSL_CERT_FILE" in str(error)
    assert received == b""


async def test_the_platform_stays_trusted_beside_a_ca_file(
    authority: trustme.CA, foreign: trustme.CA, ca_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign.cert_pem.write_to_path(str(tmp_path / "platform.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "platform.pem"))
    creator = verifying_creator(HOST, ca_file)
    for ca in (authority, foreign):
        error, _ = await call(creator, ca.issue_cert(HOST))
        assert error is None


async def test_an_expired_certificate_is_not_accepted(authority: trustme.CA, ca_file: str) -> None:
    shown = authority.issue_cert(HOST, not_after=datetime(2020, 1, 1, tzinfo=UTC))
    error, received = await call(verifying_creator(HOST, ca_file), shown)
    assert isinstance(error, CertificateError)
    assert error.detail == "certificate has expired"
    assert received == b""


async def test_all_certificates_of_a_ca_file_are_trusted(
    authority: trustme.CA, foreign: trustme.CA, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(b"# ours\n" + authority.cert_pem.bytes() + b"\n# theirs\n" + foreign.cert_pem.bytes())
    creator = verifying_creator(HOST, str(both))
    for ca in (authority, foreign):
        error, _ = await call(creator, ca.issue_cert(HOST))
        assert error is None


async def test_intermediate_authorities(authority: trustme.CA, ca_file: str, tmp_path: Path) -> None:
    intermediate = authority.create_child_ca()
    shown = intermediate.issue_cert(HOST)
    assert len(shown.cert_chain_pems) == 2
    assert (await call(verifying_creator(HOST, ca_file), shown))[0] is None
    only_that = tmp_path / "intermediate.pem"
    intermediate.cert_pem.write_to_path(str(only_that))
    assert (await call(verifying_creator(HOST, str(only_that)), shown))[0] is None


async def test_a_fault_further_up_the_chain_is_told(authority: trustme.CA, ca_file: str) -> None:
    """A certificate that is no authority's has signed another."""
    middle = authority.issue_cert("middle.example")
    leaf = certificate(x509.SubjectAlternativeName([x509.DNSName(HOST)]), middle)
    error, received = await call(verifying_creator(HOST, ca_file), leaf)
    assert isinstance(error, CertificateError)
    assert error.detail == "invalid CA certificate (number 1 of its chain)"
    assert received == b""


async def test_what_cannot_be_looked_for_is_not_found(authority: trustme.CA, ca_file: str) -> None:
    """No certificate is valid for a host name that no certificate can hold."""
    host = "feed example"
    error, received = await call(verifying_creator(host, ca_file), authority.issue_cert(HOST), host)
    assert isinstance(error, CertificateError)
    assert "cannot be checked (ValueError" in error.detail
    assert received == b""
    context = optionsForClientTLS(HOST, trustRoot=root(authority))
    error, received = await dial_with(context, authority.issue_cert(HOST), host)
    assert isinstance(error, CertificateError)
    assert "cannot be checked (ValueError" in error.detail
    assert received == b""


async def test_tls_before_1_2_is_not_spoken(authority: trustme.CA, ca_file: str) -> None:
    tls = ServerTls(authority.issue_cert(HOST))
    tls.context.set_cipher_list(b"ALL:@SECLEVEL=0")
    tls.context.set_min_proto_version(0)
    tls.context.set_max_proto_version(SSL.TLS1_1_VERSION)
    server = RecordingServer()
    async with listening(server, tls) as port:
        caller = Caller(HOST)
        endpoint = TlsEndpoint(
            HostnameEndpoint(the_reactor(), LOCAL, port), verifying_creator(HOST, ca_file), the_reactor()
        )
        await within(endpoint.connect(Giving(caller)))
        error = await verdict_of(caller, server)
    assert isinstance(error, TlsError)
    assert "version" in error.detail


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
async def test_each_version_is_verified(authority: trustme.CA, foreign: trustme.CA, ca_file: str, version: int) -> None:
    for ca, accepted in ((authority, True), (foreign, False)):
        tls = ServerTls(ca.issue_cert(HOST))
        tls.context.set_min_proto_version(version)
        tls.context.set_max_proto_version(version)
        server = RecordingServer()
        async with listening(server, tls) as port:
            caller = Caller(HOST)
            endpoint = TlsEndpoint(
                HostnameEndpoint(the_reactor(), LOCAL, port), verifying_creator(HOST, ca_file), the_reactor()
            )
            await within(endpoint.connect(Giving(caller)))
            assert (await verdict_of(caller, server) is None) is accepted


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file"),
        (b"", "-----BEGIN CERTIFICATE-----"),
        (b"\x30\x82\x01\x00 not PEM", "-----BEGIN CERTIFICATE-----"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "broken"),
    ],
)
def test_a_useless_ca_file_is_refused_at_once(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="ca_file") as caught:
        verifying_creator(HOST, str(path))
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize("path", ["/", "a\0b"])
def test_a_path_that_is_no_file_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        verifying_creator(HOST, path)


def test_a_host_that_cannot_be_a_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="host name"):
        verifying_creator("a" * 64 + ".example", None)


# Lines that others have dialled.


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
