"""The transports of aiofastnet, which is the extra ``fast``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["fastnet_connect"]


class _Loop:
    """
    A loop that is not told of exceptions that are none.

    When a server ends the connection within the TLS handshake, aiofastnet 1.2.0 hands the class
    ``ConnectionResetError`` to the loop's exception handler, instead of an exception, and asyncio's fails to log that.
    Whoever waits for the connection is told properly.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), type):
            self._loop.call_exception_handler(context)


def fastnet_connect() -> Callable[..., Coroutine[Any, Any, object]]:
    """
    Return aiofastnet's ``create_connection``.

    Raises:
        ImportError: If it is not installed, or cannot be used with this Python: with an OpenSSL that is linked into it
            (uv's are so made) its TLS, as of 1.2.0, fails whenever reading is resumed.
    """
    import aiofastnet

    if aiofastnet.OPENSSL_DYN_LIBS is None:
        raise ImportError("this Python has OpenSSL linked in, which aiofastnet cannot call", name="aiofastnet")

    def connect(
        loop: asyncio.AbstractEventLoop, factory: Callable[[], asyncio.Protocol], **options: Any
    ) -> Coroutine[Any, Any, object]:
        return aiofastnet.create_connection(_Loop(loop), factory, **options)  # type: ignore[arg-type]  # all but its class

    return connect
