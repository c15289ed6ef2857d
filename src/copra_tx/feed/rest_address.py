"""What must be known of the REST interface that belongs to a feed: where it is, and how much it gives at once."""

from __future__ import annotations

from urllib.parse import urlsplit

from copra_tx.errors import ConfigurationError

from .exchange import REST_URLS

__all__ = ["MOST_TRADES", "rest_url_of", "taken_apart"]

MOST_TRADES = 1000
"""The most trades of one answer. Source: Coinbase docs, Exchange, "Get product trades" (read 2026-11)."""


def rest_url_of(feed_url: str) -> str:
    """
    Return the REST address that belongs to a feed's address.

    Raises:
        ConfigurationError: If the feed is none of the venue's.
    """
    wanted = urlsplit(feed_url)
    for known, rest_url in REST_URLS.items():
        if (wanted.scheme, wanted.hostname) == ("wss", urlsplit(known).hostname):
            return rest_url
    address = f"{wanted.scheme}://{wanted.netloc.rpartition('@')[2]}"  # a password before that is not repeated
    raise ConfigurationError(f"which REST address belongs to {address!r} is not known; name it with rest_url=")


def taken_apart(rest_url: object) -> tuple[str, int, bool]:
    """
    Return host and port of a REST address, and whether it is one of TLS.

    Raises:
        ConfigurationError: If the address cannot be used.
    """
    try:
        parts = urlsplit(rest_url if isinstance(rest_url, str) else "")
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if "@" in parts.netloc:  # which is not repeated: it holds a password
        raise ConfigurationError(
            "rest_url takes no user and no password: the REST interface is asked without a signature"
        )
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ConfigurationError(f"rest_url is https://HOST or http://HOST:PORT, not {rest_url!r}")
    secure = parts.scheme == "https"
    return parts.hostname, port or (443 if secure else 80), secure
