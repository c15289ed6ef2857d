"""A throw-away certificate authority and the exchange's certificate, made anew for each exchange."""

from __future__ import annotations

import ipaddress
import shutil
import tempfile
import weakref
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL
from twisted.internet.ssl import DefaultOpenSSLContextFactory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.interfaces import IOpenSSLContextFactory

__all__ = ["Authority"]

_LIFETIME = timedelta(days=7)


class Authority:
    """
    A certificate authority that lives as long as this object.

    Attributes:
        ca_file: Path of its certificate in PEM, for clients to trust. The file goes when the object goes, or the
            process ends.
    """

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "copra-tx simulated exchange, throw-away CA")])
        certificate = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        self._key, self._name = key, name
        self._directory = Path(tempfile.mkdtemp(prefix="copra-tx-ca-"))  # which nobody else may read
        weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        self.ca_file = str(self._directory / "ca.pem")
        Path(self.ca_file).write_bytes(certificate.public_bytes(Encoding.PEM))

    def server_context(self, hosts: Iterable[str]) -> IOpenSSLContextFactory:
        """
        Return what ``listenSSL`` needs for a server whose certificate is valid for these names and IP addresses.

        As the venue it speaks TLS 1.2 and newer. Source: Coinbase docs, "Exchange Changelog", 2025-10-20.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "copra-tx simulated exchange")])
        certificate = (
            _builder(subject, self._name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            # The standard library of Python 3.13 and later insists on it.
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(map(_general_name, sorted(hosts))), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        # By way of a file: releases of pyOpenSSL differ in which objects they take, and warn of.
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file = self._directory / "server.pem"
        file.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
        factory = DefaultOpenSSLContextFactory(str(file), str(file))
        factory.getContext().set_min_proto_version(SSL.TLS1_2_VERSION)
        return factory


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + _LIFETIME)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
