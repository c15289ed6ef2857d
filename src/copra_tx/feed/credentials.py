"""Keys of the Exchange feed, and what is signed with them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

from copra_tx.errors import ConfigurationError

__all__ = ["ExchangeCredentials"]


@dataclass(frozen=True, slots=True)
class ExchangeCredentials:
    """
    An API key of Coinbase Exchange.

    Attributes:
        key: The key itself. It is no secret, but no business of a log either.
        secret: The secret as Coinbase gives it: base64 text.
        passphrase: Chosen when the key was made.

    Raises:
        ConfigurationError: If one of the three is missing, or the secret is not base64.
    """

    key: str = field(repr=False)
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("key", "secret", "passphrase"):
            if not isinstance(getattr(self, name), str):
                raise ConfigurationError(f"{name} must be a string")
        missing = [name for name in ("key", "secret", "passphrase") if not getattr(self, name)]
        if missing:
            raise ConfigurationError(
                f"auth=True needs key, secret and passphrase of an Exchange API key; "
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
            )
        if not _is_base64(self.secret):
            raise ConfigurationError("the secret is not base64; pass it exactly as Coinbase Exchange showed it")

    def signature(self, timestamp: str, method: str = "GET", path: str = "/users/self/verify") -> str:
        """
        Return the base64 text that proves knowledge of the secret.

        Args:
            timestamp: Seconds since the Unix epoch as decimal text, exactly as sent beside the signature.
                The venue accepts 30 s of difference to its clock.
            method: HTTP method; for the feed always ``GET``.
            path: Request path; for the feed always the default.

        Source: Coinbase docs, Exchange, "WebSocket Authentication" and "REST API Authentication" (read 2026-11).
        """
        message = f"{timestamp}{method}{path}".encode("ascii")
        digest = hmac.new(base64.b64decode(self.secret), message, hashlib.sha256).digest()
        return base64.b64encode(digest).decode("ascii")

    def sign(self, timestamp: str) -> dict[str, str]:
        """Return the four fields that make a request a signed one."""
        return {
            "signature": self.signature(timestamp),
            "key": self.key,
            "passphrase": self.passphrase,
            "timestamp": timestamp,
        }


def _is_base64(text: str) -> bool:
    # A function of its own: the error that tells holds the text, and must not be the context of ours.
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True
