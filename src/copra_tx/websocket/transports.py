"""Which transport a client's connections get: Twisted's own, asyncio's, or aiofastnet's."""

from __future__ import annotations

from typing import Any

from copra_tx.bridge import asyncio_loop_of
from copra_tx.bridge.transports import fastnet_connect
from copra_tx.errors import ConfigurationError

__all__ = ["TRANSPORTS", "choose_transport"]

AUTOMATIC = ("fastnet", "asyncio", "twisted")
"""What ``"auto"`` chooses from, the best first."""

TRANSPORTS = ("auto", "fastnet", "asyncio", "twisted")
"""What may be asked for."""


def choose_transport(reactor: Any, wanted: str) -> str:
    """
    Return ``"fastnet"``, ``"asyncio"`` or ``"twisted"``.

    Args:
        reactor: What dials.
        wanted: One of these, or ``"auto"``: the best that can be used.

    Raises:
        ConfigurationError: If what is wanted cannot be used; the text says what it needs.
    """
    if wanted == "auto":
        return next(one for one in AUTOMATIC if _hindrance(reactor, one) is None and not _is_worse(reactor, one))
    hindrance = _hindrance(reactor, wanted)
    if hindrance is not None:
        raise ConfigurationError(f"transport={wanted!r} {hindrance}")
    return wanted


def _is_worse(reactor: Any, transport: str) -> bool:
    """Tell whether uvloop's own would do better: it tells who watches a socket of a reset but once, or too early."""
    return transport == "fastnet" and type(asyncio_loop_of(reactor)).__module__.partition(".")[0] == "uvloop"


def _hindrance(reactor: Any, transport: str) -> str | None:
    if transport == "twisted":
        return None
    if asyncio_loop_of(reactor) is None:
        return (
            f"needs asyncio's reactor, and this is a {type(reactor).__name__}; start the program with asyncio's "
            f"(twistd --reactor=asyncio), or leave transport at 'auto'"
        )
    if transport == "fastnet":
        try:
            fastnet_connect()
        except ImportError as error:
            return f"needs aiofastnet, which cannot be imported ({error}); pip install copra-tx[fast]"
    return None
