"""
TLS that verifies: what our own dials are made with, and a check of lines that others have dialled.

Twisted's ``optionsForClientTLS`` is not enough for either: it trusts the platform's authorities or given ones, not
both; it says "certificate verify failed" without saying why; and it lets certificates without any
``subjectAltName`` pass for every host (seen with Twisted 26.10 and service-identity 26.1).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, TLSVersion, platformTrust
from twisted.python.failure import Failure
from zope.interface import implementer

from copra_tx.errors import CertificateError, LineError, TlsError

from .certificates import ascii_name, chain_fault, identity_fault, is_address, read_certificates
from .tls_stdlib import fault_of, is_stdlib

if TYPE_CHECKING:
    from twisted.protocols.tls import TLSMemoryBIOProtocol

__all__ = ["check_verified", "verifying_creator"]

VERIFY = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT


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

    Of pyOpenSSL's, chain and host name are verified anew, with what the dialler's context trusts: a context may ask for
    no verification, have a callback that accepts everything, or have looked for another host's name. Of aiofastnet's
    TLS, whose contexts have no such callbacks, it is looked at what was asked for, and the host name is verified anew.
    Never raises.

    Args:
        transport: The protocol's transport.
        host: Name or IP address that the certificate has to be valid for.

    Returns:
        ``None`` if chain and host name are right and the handshake asked for it; else what is wrong.
    """
    try:
        handle = getattr(transport, "getHandle", lambda: None)()  # without TLS a socket, or nothing
        if isinstance(handle, SSL.Connection):
            fault = _chain_fault(handle) or identity_fault(_peer(handle).to_cryptography(), host)
        elif is_stdlib(handle):
            fault = fault_of(handle, host)
        else:
            return TlsError(host, "wss needs TLS, but this line was dialled without; connectSSL and connectWS use it")
    except Exception as error:  # noqa: BLE001  # whatever it is, nobody verified this line
        fault = f"it cannot be checked ({type(error).__name__}: {error})"
    return CertificateError(host, fault) if fault else None


@implementer(IOpenSSLClientConnectionCreator)
class _VerifyingCreator:
    def __init__(self, host: str, ca_file: str | None) -> None:
        self._host, self._ca_file = host, ca_file
        # RFC 6066 (section 3) allows no addresses there.
        self._server_name = None if is_address(host) else ascii_name(host).encode()
        # One context for all connections: each would load the platform's certificates again, and OpenSSL leaks some.
        options = CertificateOptions(trustRoot=platformTrust(), raiseMinimumTo=TLSVersion.TLSv1_2)
        self._context: SSL.Context = options.getContext()
        if ca_file is not None:
            store = self._context.get_cert_store()
            assert store is not None
            for certificate in read_certificates(ca_file):
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
        if not verified:
            return chain_fault(code, self._ca_file, depth)
        return identity_fault(certificate.to_cryptography(), self._host) if depth == 0 else None


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
