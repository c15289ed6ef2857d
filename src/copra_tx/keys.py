"""API keys: those of Coinbase Exchange, and those of the Coinbase Developer Platform (CDP) for Advanced Trade."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import TYPE_CHECKING, Any

from .errors import ConfigurationError
from .feed.credentials import ExchangeCredentials
from .feed.dialect import Dialect, Signer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["TOKEN_SECONDS", "CdpCredentials", "signer_of"]

TOKEN_SECONDS = 120
"""
How long a token counts. It is looked at only when a request arrives.

Source: Coinbase docs, Advanced Trade, "WebSocket Authentication" (copy of 2026-07).
"""

_SEED, _SEED_AND_PUBLIC = 32, 64  # bytes of an Ed25519 key in base64


class CdpCredentials:
    """
    An API key of the Coinbase Developer Platform.

    Args:
        key: Its name: ``organizations/<id>/apiKeys/<id>`` or, of keys made lately, a bare UUID.
        secret: The private key: ECDSA (P-256) in PEM, also with a literal backslash and n for each line's end;
            Ed25519 in PEM (PKCS8), or as base64 of 32 or 64 bytes.

    Raises:
        ConfigurationError: If one of the two is missing or cannot be used, or PyJWT is not installed. No text holds
            the secret.
    """

    def __init__(self, key: str, secret: str) -> None:
        for name, value in (("key", key), ("secret", secret)):
            if not isinstance(value, str):
                raise ConfigurationError(f"{name} must be a string")
            if not value:
                raise ConfigurationError(
                    f"auth=True needs key (its name) and secret of a CDP API key; {name} is missing"
                )
        try:
            import jwt
        except ImportError:
            raise ConfigurationError(
                "a CDP API key needs PyJWT and cryptography: pip install copra-tx[advanced]"
            ) from None
        self.key = key
        self._encode = jwt.encode
        self._private_key, self.algorithm = _read(secret)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.algorithm}>"

    @property
    def public_key(self) -> EllipticCurvePublicKey | Ed25519PublicKey:
        """What its tokens are checked with."""
        return self._private_key.public_key()

    def token(self, now: int, nonce: str) -> str:
        """
        Return a token for one request.

        Args:
            now: Seconds since the Unix epoch; the token counts for ``TOKEN_SECONDS`` from then.
            nonce: Any text that no other token has.

        Source: Coinbase docs, Advanced Trade, "WebSocket Authentication" (copy of 2026-07).
        """
        claims = {"sub": self.key, "iss": "cdp", "nbf": now, "exp": now + TOKEN_SECONDS}
        return self._encode(claims, self._private_key, self.algorithm, {"kid": self.key, "nonce": nonce})

    def sign(self, timestamp: str) -> dict[str, str]:
        """Return the field that makes a request a signed one, with a new token."""
        return {"jwt": self.token(int(float(timestamp)), secrets.token_hex(16))}


def signer_of(dialect: Dialect, key: str, secret: str, passphrase: str) -> Signer:
    """
    Return the API key that a feed takes.

    Args:
        dialect: Of the feed.
        key: As the user gives it.
        secret: Likewise.
        passphrase: Likewise.

    Raises:
        ConfigurationError: If it cannot be used, or is one for the other feed.
    """
    if not dialect.is_numbered:
        if _is_cdp(key, secret):
            raise ConfigurationError(
                "this is a CDP API key, which only the Advanced Trade feed takes: "
                "feed_url=ADVANCED_TRADE_URL; the Exchange feed needs one made on Coinbase Exchange"
            )
        return ExchangeCredentials(key, secret, passphrase)
    if passphrase:
        raise ConfigurationError(
            "a key with a passphrase is one of Coinbase Exchange, which only the Exchange feed takes; "
            "the Advanced Trade feed needs a CDP API key: leave passphrase out"
        )
    return CdpCredentials(key, secret)


def _is_cdp(key: object, secret: object) -> bool:
    return (isinstance(key, str) and key.startswith("organizations/")) or (
        isinstance(secret, str) and "PRIVATE KEY-----" in secret
    )


def _read(secret: str) -> tuple[EllipticCurvePrivateKey | Ed25519PrivateKey, str]:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = _from_pem(secret.replace("\\n", "\n").strip()) if "-----" in secret else _from_base64(secret.strip())
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key, "ES256"
    if isinstance(key, Ed25519PrivateKey):
        return key, "EdDSA"
    raise ConfigurationError(
        "the secret is no private key of a CDP API key: that is ECDSA (P-256) or Ed25519 in PEM, or Ed25519 as base64 "
        "of 32 or 64 bytes; pass it exactly as Coinbase showed it"
    )


def _from_pem(text: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    # What cannot be read is told without the reader's own words, which could quote it.
    try:
        return load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _from_base64(text: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        octets = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    if len(octets) not in (_SEED, _SEED_AND_PUBLIC):
        return None
    key = Ed25519PrivateKey.from_private_bytes(octets[:_SEED])
    if octets[_SEED:] not in (b"", key.public_key().public_bytes_raw()):
        return None  # as of an Exchange API key's, which has 64 bytes, too
    return key
