"""
asyncio's loop and Twisted's reactor: which one drives, and how to wait for one inside the other.

The only package that knows asyncio. ``attach(loop)`` makes Twisted a guest of any asyncio loop, so that the same
client runs under ``asyncio.run``, ``loop.run_forever``, uvicorn, Jupyter or ``reactor.run``.
"""

from __future__ import annotations

from .awaiting import AwaitableDeferred
from .coroutines import run_coroutine
from .events import ConnectionEvent
from .guest import GuestReactor
from .reactors import asyncio_loop_of, attach, check_thread, detach, new_loop, reactor_for

__all__ = [
    "AwaitableDeferred",
    "ConnectionEvent",
    "GuestReactor",
    "asyncio_loop_of",
    "attach",
    "check_thread",
    "detach",
    "new_loop",
    "reactor_for",
    "run_coroutine",
]
