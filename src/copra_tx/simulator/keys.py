"""API keys of the simulated exchange, and how they sign."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

from copra_tx.errors import ConfigurationError

__all__ = ["CLOCK_TOLERANCE", "TEST_KEY", "ApiKey"]

CLOCK_TOLERANCE = 30.0
"""
How far a request's timestamp may be from the exchange's clock, in seconds.

Source: Coinbase docs, "Exchange REST API Authentication" (read 2026-11).
"""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """
    A key that the exchange knows.

    Attributes:
        key: Its name, as sent in the field ``key``.
        secret: Base64 of the bytes that sign; never part of the ``repr``.
        passphrase: Never part of the ``repr``.
        ip_allowed: Whether it may be used from the client's address.

    Raises:
        ConfigurationError: If ``secret`` is not base64.
    """

    key: str
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)
    ip_allowed: bool = True

    def __post_init__(self) -> None:
        try:
            base64.b64decode(self.secret, validate=True)
        except ValueError:
            raise ConfigurationError(f"the secret of key {self.key!r} is not base64") from None

    def sign(self, timestamp: str) -> str:
        """
        Return the signature of a request sent at ``timestamp`` (seconds since the epoch, as sent).

        It is the base64 of HMAC-SHA256 over ``timestamp + "GET" + "/users/self/verify"``, with the base64-decoded
        secret. Source: Coinbase docs, Exchange, "WebSocket Authentication" (read 2026-11).
        """
        digest = hmac.digest(
            base64.b64decode(self.secret), f"{timestamp}GET/users/self/verify".encode(), hashlib.sha256
        )
        return base64.b64encode(digest).decode()


TEST_KEY = ApiKey(
    key="a1b2c3d4e5f60718293a4b5c6d7e8f90",
    secret=base64.b64encode(bytes(range(64))).decode(),
    passphrase="test-passphrase",  # noqa: S106  # opens nothing real
)
"""The key that every simulated exchange knows unless told otherwise."""
