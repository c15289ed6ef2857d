"""
TLS that verifies: what our own dials are made with, and a check of lines that others have dialled.

Twisted's ``optionsForClientTLS`` is not enough for either: it trusts the platform's authorities or given ones, not
both; it says "certificate verify failed" without saying why; and it lets certificates without any
``subjectAltName`` pass for every host (seen with Twisted 26.10 and service-identity 26.1).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from OpenSSL import SSL, crypto
from service_identity import CertificateError as NoIdentityError
from service_identity import VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, TLSVersion, platformTrust
from twisted.python.failure import Failure
from zope.interface import implementer

from copra_tx.errors import CertificateError, ConfigurationError, LineError, TlsError

if TYPE_CHECKING:
    from twisted.protocols.tls import TLSMemoryBIOProtocol

__all__ = ["check_verified", "verifying_creator"]

VERIFY = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
MOST_NAMES_TOLD = 5
"""A certificate may have hundreds."""

# OpenSSL's own words, from openssl-verify(1): pyOpenSSL has the codes only.
_CODES = SSL.X509VerificationCodes
_UNTRUSTED = {
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT: "unable to get issuer certificate",
    _CODES.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: "self-signed certificate",
    _CODES.ERR_SELF_SIGNED_CERT_IN_CHAIN: "self-signed certificate in certificate chain",
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "unable to get local issuer certificate",
    _CODES.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: "unable to verify the first certificate",
}
_UNFIT = {
    _CODES.ERR_CERT_SIGNATURE_FAILURE: "certificate signature failure",
    _CODES.ERR_CERT_NOT_YET_VALID: "certificate is not yet valid",
    _CODES.ERR_CERT_HAS_EXPIRED: "certificate has expired",
    _CODES.ERR_CERT_REVOKED: "certificate revoked",
    _CODES.ERR_INVALID_CA: "invalid CA certificate",
    _CODES.ERR_PATH_LENGTH_EXCEEDED: "path length constraint exceeded",
    _CODES.ERR_INVALID_PURPOSE: "unsuitable certificate purpose",
    _CODES.ERR_PERMITTED_VIOLATION: "permitted subtree violation",
    _CODES.ERR_EXCLUDED_VIOLATION: "excluded subtree violation",
}


def verifying_creator(host: str, ca_file: str | None) -> IOpenSSLClientConnectionCreator:
    """
    Return what makes verified TLS connections to ``host``; to be made once and used for every dial.

    Chain and host name (or address) are verified, the version is 1.2 or later. A server that fails gets the line
    aborted, and the protocol's ``connectionLost`` a ``CertificateError``.

    Args:
        host: Name or IP address that the certificate has to be valid for.
        ca_file: Path of a PEM file with certificates to trust beside the platform's, or ``None``.

    Raises:
        ConfigurationError: If there are no certificates to be read in ``ca_file``, or ``host`` cannot be a name.
    """
    return _VerifyingCreator(host, ca_file)


def check_verified(transport: object, host: str) -> LineError | None:
    """
    Tell why a line is not a verified one, whoever dialled it; to be called when its TLS handshake is done.

    Verifies anew, with what the dialler's context trusts: a context may ask for no verification, have a callback
    that accepts everything, or have looked for another host's name. Never raises.

    Args:
        transport: The protocol's transport.
        host: Name or IP address that the certificate has to be valid for.

    Returns:
        ``None`` if chain and host name are right and the handshake asked for it; else what is wrong.
    """
    try:
        connection = getattr(transport, "getHandle", lambda: None)()  # without TLS a socket, or nothing
        if not isinstance(connection, SSL.Connection):
            return TlsError(host, "wss needs TLS, but this line was dialled without; connectSSL and connectWS use it")
        fault = _chain_fault(connection) or _identity_fault(_peer(connection), host)
    except Exception as error:  # noqa: BLE001  # whatever it is, nobody verified this line
        fault = f"it cannot be checked ({type(error).__name__}: {error})"
    return CertificateError(host, fault) if fault else None


@implementer(IOpenSSLClientConnectionCreator)
class _VerifyingCreator:
    def __init__(self, host: str, ca_file: str | None) -> None:
        self._host, self._ca_file = host, ca_file
        self._server_name = _server_name(host)
        # One context for all connections: each would load the platform's certificates again, and OpenSSL leaks some.
        options = CertificateOptions(trustRoot=platformTrust(), raiseMinimumTo=TLSVersion.TLSv1_2)
        self._context: SSL.Context = options.getContext()
        if ca_file is not None:
            store = self._context.get_cert_store()
            assert store is not None
            for certificate in _read_certificates(ca_file):
                store.add_cert(crypto.X509.from_cryptography(certificate))
            # What the user names is trusted as it is, be it an intermediate authority or the server's own.
            store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)

    def clientConnectionForTLS(self, tls_protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if self._server_name is not None:
            connection.set_tlsext_host_name(self._server_name)
        connection.set_verify(VERIFY, self._verifier(tls_protocol))
        return connection

    def _verifier(
        self, tls_protocol: TLSMemoryBIOProtocol
    ) -> Callable[[SSL.Connection, crypto.X509, int, int, int], bool]:
        protocol = weakref.ref(tls_protocol)  # which holds the connection, which holds this

        def verify(_: SSL.Connection, certificate: crypto.X509, code: int, depth: int, ok: int) -> bool:
            try:
                fault = self._fault(certificate, code, depth, verified=bool(ok))
            except Exception as error:  # noqa: BLE001  # a certificate that cannot be read is no reason to accept it
                fault = f"it cannot be checked ({type(error).__name__}: {error})"
            failing = protocol()
            if fault and failing is not None:
                failing.failVerification(Failure(CertificateError(self._host, fault)))
            return not fault

        return verify

    def _fault(self, certificate: crypto.X509, code: int, depth: int, *, verified: bool) -> str | None:
        if verified:
            return _identity_fault(certificate, self._host) if depth == 0 else None
        if code in _UNTRUSTED:
            also = "" if self._ca_file is None else f", and those in {self._ca_file}"
            return (
                f"{_UNTRUSTED[code]}; trusted are this platform's authorities (SSL_CERT_FILE names others, needed "
                f"where a platform has none){also}"
            )
        which = "" if depth == 0 else f" (number {depth} of its chain)"
        return _UNFIT.get(code, f"verification error {code}") + which


def _server_name(host: str) -> bytes | None:
    """Return the name to ask the server for; RFC 6066 (section 3) allows no addresses there."""
    if _is_address(host):
        return None
    try:
        return host.encode("idna")
    except UnicodeError:
        raise ConfigurationError(f"{host!r} cannot be a host name") from None


def _is_address(host: str) -> bool:
    return isIPAddress(host) or isIPv6Address(host)


def _read_certificates(ca_file: str) -> list[x509.Certificate]:
    try:
        pem = Path(ca_file).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"ca_file {ca_file!r} cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the path
        raise ConfigurationError(f"ca_file {ca_file!r} cannot be read: {error}") from None
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ConfigurationError(
            f"ca_file {ca_file!r} holds no certificates in PEM form, or a broken one; "
            f"PEM is text with -----BEGIN CERTIFICATE----- in it"
        ) from None


def _peer(connection: SSL.Connection) -> crypto.X509:
    certificate = connection.get_peer_certificate()
    if certificate is None:
        raise ValueError("the server showed none")
    return certificate


def _chain_fault(connection: SSL.Connection) -> str | None:
    if not connection.get_verify_mode() & SSL.VERIFY_PEER:
        return (
            "nobody verified it: the TLS context this line was dialled with does not ask for that; "
            "dial with optionsForClientTLS(host)"
        )
    store = connection.get_context().get_cert_store()
    assert store is not None  # each context has one, if an empty one
    try:
        crypto.X509StoreContext(store, _peer(connection), connection.get_peer_cert_chain()).verify_certificate()
    except crypto.X509StoreContextError as error:
        return str(error)
    return None


def _identity_fault(certificate: crypto.X509, host: str) -> str | None:
    verify = verify_certificate_ip_address if _is_address(host) else verify_certificate_hostname
    read = certificate.to_cryptography()
    try:
        verify(read, host)
    except (VerificationError, NoIdentityError):
        return f"host name mismatch: it is valid for {_names(read)}, not for {host!r}"
    return None


def _names(certificate: x509.Certificate) -> str:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return "no host at all"
    names = [repr(str(name.value)) for name in extension.value if isinstance(name, (x509.DNSName, x509.IPAddress))]
    more = f" and {len(names) - MOST_NAMES_TOLD} more" if len(names) > MOST_NAMES_TOLD else ""
    return ", ".join(names[:MOST_NAMES_TOLD]) + more or "no host at all"
