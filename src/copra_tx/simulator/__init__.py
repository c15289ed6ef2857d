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
    from .keys import TEST_KEY, ApiKey

__all__ = ["TEST_KEY", "ApiKey", "Connection", "SimulatedExchange"]

_MODULES = {"ApiKey": "keys", "Connection": "connection", "SimulatedExchange": "exchange", "TEST_KEY": "keys"}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
