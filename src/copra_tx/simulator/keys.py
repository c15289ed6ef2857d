"""API keys of the simulated exchange, and how they sign."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

from twisted.logger import Logger

from copra_tx.errors import ConfigurationError
from copra_tx.keys import CdpCredentials

__all__ = ["CLOCK_TOLERANCE", "TEST_CDP_KEY", "TEST_KEY", "ApiKey", "CdpKey"]

_log = Logger()

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


@dataclass(frozen=True)
class CdpKey:
    """
    A CDP API key that the exchange knows, for the Advanced Trade feed.

    Attributes:
        key: Its name.
        secret: The private key, in any form that ``Client`` takes; never part of the ``repr``. Only the public half of
            it is used. It needs the extra ``copra-tx[advanced]``.
    """

    key: str
    secret: str = field(repr=False)

    @functools.cached_property
    def _public(self) -> tuple[Any, str]:
        credentials = CdpCredentials(self.key, self.secret)
        return credentials.public_key, credentials.algorithm

    def nonce_of(self, token: str, now: float) -> str | None:
        """
        Return the nonce of a token that this key made and that counts now; ``None`` for any other.

        Source: Coinbase docs, Advanced Trade, "WebSocket Authentication" (copy of 2026-07).
        """
        try:
            import jwt
        except ImportError:
            _log.critical("a signed request is refused, since it cannot be checked: pip install copra-tx[advanced]")
            return None
        public_key, algorithm = self._public
        try:
            header = jwt.get_unverified_header(token)
            # Only the signature: for the times another clock rules than PyJWT's.
            claims = jwt.decode(
                token,
                public_key,
                [algorithm],
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return None
        nonce, begin, end = header.get("nonce"), claims.get("nbf"), claims.get("exp")
        counts = isinstance(begin, int) and isinstance(end, int) and begin - CLOCK_TOLERANCE <= now < end
        names = {header.get("kid"), claims.get("sub")}
        is_right = counts and names == {self.key} and claims.get("iss") == "cdp" and "uri" not in claims
        return nonce if is_right and isinstance(nonce, str) else None


TEST_CDP_KEY = CdpKey(
    key="organizations/11111111-2222-3333-4444-555555555555/apiKeys/66666666-7777-8888-9999-aaaaaaaaaaaa",
    secret="nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==",  # noqa: S106
)
"""The CDP key that every simulated exchange knows unless told otherwise: that of RFC 8032, 7.1, test 1."""
