"""
Transports of the asyncio loop for Twisted's protocols: cheaper per read than Twisted's own.

``LoopEndpoint`` dials, and ``LoopTransport`` is what a protocol then has as its transport: plain TCP, on which
Twisted's TLS can stand as on Twisted's own. aiofastnet's can speak TLS by themselves.
"""

from __future__ import annotations

from .endpoint import LoopEndpoint, asyncio_connect
from .fastnet import fastnet_connect
from .line import Connect, LoopTransport, open_transports
from .tls import IStdlibTls, LoopTls

__all__ = [
    "Connect",
    "IStdlibTls",
    "LoopEndpoint",
    "LoopTls",
    "LoopTransport",
    "asyncio_connect",
    "fastnet_connect",
    "open_transports",
]
