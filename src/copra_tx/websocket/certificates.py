"""Certificates, whoever verifies them: which are trusted, for which host they are valid, what is wrong with them."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from OpenSSL import SSL
from service_identity import CertificateError as NoIdentityError
from service_identity import VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.abstract import isIPAddress, isIPv6Address

from copra_tx.errors import ConfigurationError

__all__ = ["ascii_name", "chain_fault", "identity_fault", "is_address", "names_of", "read_certificates"]

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


def ascii_name(host: str) -> str:
    """
    Return a host name as it stands in certificates and goes over the wire.

    Raises:
        ConfigurationError: If it cannot be a name.
    """
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        raise ConfigurationError(f"{host!r} cannot be a host name") from None


def is_address(host: str) -> bool:
    """Tell whether it is an IP address, not a name."""
    return isIPAddress(host) or isIPv6Address(host)


def read_certificates(ca_file: str) -> list[x509.Certificate]:
    """
    Return the certificates of a PEM file.

    Raises:
        ConfigurationError: If there are none to be read.
    """
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


def chain_fault(code: int, ca_file: str | None, depth: int = 0) -> str:
    """
    Return what OpenSSL found wrong with a chain, in words.

    Args:
        code: OpenSSL's, of a verification that failed.
        ca_file: What was trusted beside the platform's authorities.
        depth: Number of the certificate, counted from the server's own; 0 if that is not known, too.
    """
    if code in _UNTRUSTED:
        also = "" if ca_file is None else f", and those in {ca_file}"
        return (
            f"{_UNTRUSTED[code]}; trusted are this platform's authorities (SSL_CERT_FILE names others, needed "
            f"where a platform has none){also}"
        )
    which = "" if depth == 0 else f" (number {depth} of its chain)"
    return _UNFIT.get(code, f"verification error {code}") + which


def identity_fault(certificate: x509.Certificate, host: str) -> str | None:
    """Return why a certificate is not valid for a host, in words; ``None`` if it is."""
    verify = verify_certificate_ip_address if is_address(host) else verify_certificate_hostname
    try:
        verify(certificate, host)
    except (VerificationError, NoIdentityError):
        return f"host name mismatch: it is valid for {names_of(certificate)}, not for {host!r}"
    return None


def names_of(certificate: x509.Certificate) -> str:
    """Return the hosts that a certificate is valid for, in words."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return "no host at all"
    names = [repr(str(name.value)) for name in extension.value if isinstance(name, (x509.DNSName, x509.IPAddress))]
    more = f" and {len(names) - MOST_NAMES_TOLD} more" if len(names) > MOST_NAMES_TOLD else ""
    return ", ".join(names[:MOST_NAMES_TOLD]) + more or "no host at all"
