"""Certificates, right and wrong, against our own TLS, on every transport that speaks it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from OpenSSL import SSL

from copra_tx.errors import CertificateError, ConfigurationError, LineError, TlsError
from copra_tx.websocket.tls import verifying_creator
from copra_tx.websocket.tls_stdlib import VerifyingTls
from support.certificates import certificate
from support.peers import LOCAL, Caller, Giving, RecordingServer, ServerTls, listening, verdict_of, within
from support.transports import Way

HOST = "feed.example"


@pytest.fixture(params=[Way(kind, tls=True).mark() for kind in ("twisted", "asyncio", "fastnet")])
def way(request: pytest.FixtureRequest) -> Way:
    """Each kind of transport."""
    return request.param  # type: ignore[no-any-return]


async def call(
    way: Way, ca_file: str | None, shown: trustme.LeafCert | ServerTls, host: str = HOST
) -> tuple[LineError | None, bytes]:
    """Dial a server that shows this certificate; return what came of it and what the server received."""
    server = RecordingServer()
    async with listening(server, shown if isinstance(shown, ServerTls) else ServerTls(shown)) as port:
        caller = Caller(host)
        await within(way.endpoint(port, ca_file, host).connect(Giving(caller)))
        return await verdict_of(caller, server), server.received


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
    way: Way, authority: trustme.CA, ca_file: str, host: str, identities: list[str]
) -> None:
    error, received = await call(way, ca_file, authority.issue_cert(*identities), host)
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
    way: Way, authority: trustme.CA, ca_file: str, host: str, identities: list[str], told: list[str]
) -> None:
    error, received = await call(way, ca_file, authority.issue_cert(*identities), host)
    assert isinstance(error, CertificateError)
    assert error.host == host
    assert "host name mismatch" in str(error)
    for words in told if way.kind != "fastnet" else []:  # aiofastnet keeps no refused certificate
        assert words in str(error)
    assert repr(host) in str(error)
    assert received == b""


async def test_a_certificate_without_any_name_is_valid_for_no_host(
    way: Way, authority: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    """Twisted's own ``optionsForClientTLS`` logs a critical error and accepts both, whatever the host."""
    nameless = certificate(x509.BasicConstraints(ca=False, path_length=None))
    own_pem = tmp_path / "own.pem"
    own_pem.write_bytes(nameless.cert_chain_pems[0].bytes())
    for trusted, shown in (
        (ca_file, authority.issue_cert(common_name=HOST)),  # an empty list of names
        (str(own_pem), nameless),  # no list
    ):
        error, received = await call(way, trusted, shown)
        assert isinstance(error, CertificateError)
        assert ("valid for no host at all" if way.kind != "fastnet" else "not valid for") in str(error)
        assert received == b""


async def test_a_foreign_authority_is_not_accepted(way: Way, foreign: trustme.CA, ca_file: str) -> None:
    error, received = await call(way, ca_file, foreign.issue_cert(HOST))
    assert isinstance(error, CertificateError)
    assert "unable to get local issuer certificate" in error.detail
    assert ca_file in error.detail
    assert "SSL_CERT_FILE" in error.detail
    assert "ca_file=" in str(error)
    assert received == b""


async def test_without_a_ca_file_the_platform_decides(way: Way, authority: trustme.CA) -> None:
    error, received = await call(way, None, authority.issue_cert(HOST))
    assert isinstance(error, CertificateError)
    assert "SSL_CERT_FILE" in str(error)
    assert received == b""


async def test_the_platform_stays_trusted_beside_a_ca_file(
    way: Way, authority: trustme.CA, foreign: trustme.CA, ca_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign.cert_pem.write_to_path(str(tmp_path / "platform.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "platform.pem"))
    for ca in (authority, foreign):
        error, _ = await call(way, ca_file, ca.issue_cert(HOST))
        assert error is None


async def test_an_expired_certificate_is_not_accepted(way: Way, authority: trustme.CA, ca_file: str) -> None:
    shown = authority.issue_cert(HOST, not_after=datetime(2020, 1, 1, tzinfo=UTC))
    error, received = await call(way, ca_file, shown)
    assert isinstance(error, CertificateError)
    assert error.detail == "certificate has expired"
    assert received == b""


async def test_all_certificates_of_a_ca_file_are_trusted(
    way: Way, authority: trustme.CA, foreign: trustme.CA, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(b"# ours\n" + authority.cert_pem.bytes() + b"\n# theirs\n" + foreign.cert_pem.bytes())
    for ca in (authority, foreign):
        error, _ = await call(way, str(both), ca.issue_cert(HOST))
        assert error is None


async def test_intermediate_authorities(way: Way, authority: trustme.CA, ca_file: str, tmp_path: Path) -> None:
    intermediate = authority.create_child_ca()
    shown = intermediate.issue_cert(HOST)
    assert len(shown.cert_chain_pems) == 2
    assert (await call(way, ca_file, shown))[0] is None
    only_that = tmp_path / "intermediate.pem"
    intermediate.cert_pem.write_to_path(str(only_that))
    assert (await call(way, str(only_that), shown))[0] is None


async def test_a_fault_further_up_the_chain_is_told(way: Way, authority: trustme.CA, ca_file: str) -> None:
    """A certificate that is no authority's has signed another."""
    middle = authority.issue_cert("middle.example")
    leaf = certificate(x509.SubjectAlternativeName([x509.DNSName(HOST)]), middle)
    error, received = await call(way, ca_file, leaf)
    assert isinstance(error, CertificateError)
    # aiofastnet does not say which one it is.
    assert error.detail == "invalid CA certificate" + (" (number 1 of its chain)" if way.kind != "fastnet" else "")
    assert received == b""


async def test_what_cannot_be_looked_for_is_not_found(way: Way, authority: trustme.CA, ca_file: str) -> None:
    """No certificate is valid for a host name that no certificate can hold."""
    error, received = await call(way, ca_file, authority.issue_cert(HOST), "feed example")
    assert isinstance(error, CertificateError)
    told = "not valid for 'feed example'" if way.kind == "fastnet" else "cannot be checked (ValueError"
    assert told in error.detail
    assert received == b""


async def test_tls_before_1_2_is_not_spoken(way: Way, authority: trustme.CA, ca_file: str) -> None:
    tls = ServerTls(authority.issue_cert(HOST))
    tls.context.set_cipher_list(b"ALL:@SECLEVEL=0")
    tls.context.set_min_proto_version(0)
    tls.context.set_max_proto_version(SSL.TLS1_1_VERSION)
    error, _ = await call(way, ca_file, tls)
    assert isinstance(error, TlsError)
    assert "version" in error.detail


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
async def test_each_version_is_verified(
    way: Way, authority: trustme.CA, foreign: trustme.CA, ca_file: str, version: int
) -> None:
    for ca, accepted in ((authority, True), (foreign, False)):
        tls = ServerTls(ca.issue_cert(HOST))
        tls.context.set_min_proto_version(version)
        tls.context.set_max_proto_version(version)
        error, received = await call(way, ca_file, tls)
        assert (error is None) is accepted
        assert received == (b"hello" if accepted else b"")


makers = pytest.mark.parametrize("make", [verifying_creator, VerifyingTls])


@makers
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file"),
        (b"", "-----BEGIN CERTIFICATE-----"),
        (b"\x30\x82\x01\x00 not PEM", "-----BEGIN CERTIFICATE-----"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "broken"),
    ],
)
def test_a_useless_ca_file_is_refused_at_once(
    make: Callable[[str, str | None], object], tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="ca_file") as caught:
        make(HOST, str(path))
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


@makers
@pytest.mark.parametrize("path", ["/", "a\0b"])
def test_a_path_that_is_no_file_is_refused(make: Callable[[str, str | None], object], path: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        make(HOST, path)


@makers
def test_a_host_that_cannot_be_a_name_is_refused(make: Callable[[str, str | None], object]) -> None:
    with pytest.raises(ConfigurationError, match="host name"):
        make("a" * 64 + ".example", None)
