"""The same verification by a context of Python's own ssl module, with which aiofastnet speaks TLS."""

from __future__ import annotations

import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from copra_tx.errors import CertificateError

from .certificates import ascii_name, chain_fault, identity_fault, is_address, read_certificates

__all__ = ["VerifyingTls", "fault_of", "is_stdlib"]

_MISMATCHES = (SSL.X509VerificationCodes.ERR_HOSTNAME_MISMATCH, SSL.X509VerificationCodes.ERR_IP_ADDRESS_MISMATCH)


class VerifyingTls:
    """
    What verified TLS connections to a host are made with; to be made once and used for every dial.

    Chain and host name (or address) are verified in the handshake, the version is 1.2 or later.

    Args:
        host: Name or IP address that the certificate has to be valid for.
        ca_file: Path of a PEM file with certificates to trust beside the platform's, or ``None``.

    Attributes:
        context: The context, for every connection.
        server_name: The host, a name in its ASCII form.

    Raises:
        ConfigurationError: If there are no certificates to be read in ``ca_file``, or ``host`` cannot be a name.
    """

    def __init__(self, host: str, ca_file: str | None) -> None:
        self.server_name = host if is_address(host) else ascii_name(host)
        self._host, self._ca_file = host, ca_file
        self.context = context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # asks for chain and host name
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.hostname_checks_common_name = False
        context.load_default_certs()
        if ca_file is not None:
            trusted = b"".join(one.public_bytes(Encoding.DER) for one in read_certificates(ca_file))
            context.load_verify_locations(cadata=trusted)
            # What the user names is trusted as it is, be it an intermediate authority or the server's own.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN

    def explain(self, error: ssl.SSLError) -> Exception:
        """Return a failed verification in words; any other error as it is."""
        if not isinstance(error, ssl.SSLCertVerificationError):
            return error
        if error.verify_code in _MISMATCHES:
            # aiofastnet keeps no certificate that was refused: its names stay unknown.
            return CertificateError(self._host, f"host name mismatch: it is not valid for {self._host!r}")
        return CertificateError(self._host, chain_fault(error.verify_code, self._ca_file))


def is_stdlib(handle: object) -> bool:
    """Tell whether a transport's handle is one of aiofastnet's, which have much of an ``ssl.SSLObject``."""
    return isinstance(getattr(handle, "context", None), ssl.SSLContext)


def fault_of(handle: Any, host: str) -> str | None:
    """
    Return why a connection is not a verified one, in words; to be called when its handshake is done.

    That the handshake verified is seen from what it was asked to do: Python's ssl has nothing by which a program could
    accept a chain in spite of it. The host name is verified anew.
    """
    context: ssl.SSLContext = handle.context
    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        return (
            "nobody verified it: the TLS context this line was dialled with does not ask for that; "
            "ssl.create_default_context() makes one that does"
        )
    asked_for = handle.server_hostname or ""
    if asked_for.lower() != (host if is_address(host) else ascii_name(host)).lower():
        return f"host name mismatch: it was verified for {asked_for!r}, not for {host!r}"
    shown = handle.getpeercert(True)
    if shown is None:
        raise ValueError("the server showed none")
    return identity_fault(x509.load_der_x509_certificate(shown), host)
