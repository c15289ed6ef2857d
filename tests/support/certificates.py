"""Certificates that trustme does not make: it makes good ones only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID


def certificate(extension: x509.ExtensionType, issuer: trustme.LeafCert | None = None) -> trustme.LeafCert:
    """Return a certificate with this extension only, signed with the key of another one, or its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made by support.certificates")])
    above = [] if issuer is None else [issuer.cert_chain_pems[0].bytes()]
    signing_name = x509.load_pem_x509_certificate(above[0]).subject if above else own_name
    signing_key = key if issuer is None else load_pem_private_key(issuer.private_key_pem.bytes(), None)
    assert isinstance(signing_key, ec.EllipticCurvePrivateKey)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(own_name)
        .issuer_name(signing_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(extension, critical=True)
        .sign(signing_key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return trustme.LeafCert(pem, made.public_bytes(Encoding.PEM), above)
