"""The same verification by Python's own ssl module, with which the transports of an asyncio loop speak TLS."""

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
        self.context: ssl.SSLContext = _Context(ssl.PROTOCOL_TLS_CLIENT)  # asks for chain and host name
        context = self.context
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.hostname_checks_common_name = False
        context.sslobject_class = _SslObject
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
            return CertificateError(self._host, self._mismatch(getattr(error, "shown", None)))
        return CertificateError(self._host, chain_fault(error.verify_code, self._ca_file))

    def _mismatch(self, shown: x509.Certificate | None) -> str:
        try:
            fault = None if shown is None else identity_fault(shown, self._host)
        except Exception as error:  # noqa: BLE001  # it was not accepted anyway: these are only the words
            return f"it cannot be checked ({type(error).__name__}: {error})"
        return fault or f"host name mismatch: it is not valid for {self._host!r}"


class _Context(ssl.SSLContext):
    """Lets its objects know where what they read comes from."""

    def wrap_bio(self, incoming: ssl.MemoryBIO, *arguments: Any, **keywords: Any) -> ssl.SSLObject:
        made = super().wrap_bio(incoming, *arguments, **keywords)
        assert isinstance(made, _SslObject)
        made.incoming = incoming
        return made


class _SslObject(ssl.SSLObject):
    """
    Finds out by itself when there is no more to read, and keeps a certificate that was not accepted.

    asyncio reads on until it is refused. To have OpenSSL refuse, and an exception with all its words made of that, is a
    third of what reading a message costs. The certificate's names say more than OpenSSL does.
    """

    incoming: ssl.MemoryBIO
    _is_at_end = False

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002  # its name in SSLObject
        incoming = self.incoming
        if not (incoming.pending or incoming.eof or self._is_at_end or self.pending()):
            raise ssl.SSLWantReadError
        found = super().read(len, buffer)
        self._is_at_end = not found
        return found

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            error.shown = _shown_to(self)  # type: ignore[attr-defined]
            raise


def _shown_to(ssl_object: Any) -> x509.Certificate | None:
    # Public from Python 3.13 on, but in other forms; OpenSSL keeps the chain from its version 3 on.
    chain: list[Any] = getattr(getattr(ssl_object, "_sslobj", None), "get_unverified_chain", list)()
    return x509.load_pem_x509_certificate(chain[0].public_bytes().encode()) if chain else None


def is_stdlib(handle: object) -> bool:
    """Tell whether a transport's handle is an ``ssl.SSLObject``, or one of aiofastnet's, which have much of it."""
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
