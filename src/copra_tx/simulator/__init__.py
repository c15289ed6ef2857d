"""
A simulated Coinbase Exchange: the other side of the wire, for tests, demonstrations and examples.

``SimulatedExchange`` serves a recorded minute of the real market over a real WebSocket, keeps the venue's rules,
and does wrong on demand. ``pytest_plugin`` makes it a fixture. The names are looked up on first use, so that
importing the package (every pytest run does, through the plugin) is cheap and installs no reactor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connection import Connection
    from .exchange import SimulatedExchange
    from .keys import TEST_CDP_KEY, TEST_KEY, ApiKey, CdpKey

__all__ = ["TEST_CDP_KEY", "TEST_KEY", "ApiKey", "CdpKey", "Connection", "SimulatedExchange"]

_MODULES = {
    **dict.fromkeys(("ApiKey", "CdpKey", "TEST_CDP_KEY", "TEST_KEY"), "keys"),
    "Connection": "connection",
    "SimulatedExchange": "exchange",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
