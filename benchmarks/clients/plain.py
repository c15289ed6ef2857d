"""Autobahn on Twisted as its documentation has it, and what is below it: transports that parse nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol, connectWS
from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept,
)
from twisted.internet import asyncioreactor

from benchmarks.client import Task

from . import SUBSCRIBE

__all__ = ["json_on_asyncio_reactor"]


def json_on_asyncio_reactor(task: Task) -> None:
    """Run a protocol as any user writes it: ``onMessage``, ``json.loads``, callback; on the reactor of asyncio."""
    asyncioreactor.install()
    from twisted.internet import reactor, ssl

    on_message: Callable[[Any], None] = task.counting().on_message

    class Measured(WebSocketClientProtocol):  # type: ignore[misc]
        def onOpen(self) -> None:
            self.sendMessage(SUBSCRIBE.encode())

        def onMessage(self, payload: bytes, _: bool) -> None:
            on_message(json.loads(payload))

    factory = WebSocketClientFactory(task.url)
    factory.protocol = Measured
    if task.deflate:
        factory.setProtocolOptions(
            perMessageCompressionOffers=[PerMessageDeflateOffer()], perMessageCompressionAccept=_accept
        )
    context = None
    if task.url.startswith("wss"):
        authority = ssl.Certificate.loadPEM(Path(task.ca_file).read_bytes())
        context = ssl.optionsForClientTLS(factory.host, trustRoot=authority)
    connectWS(factory, context)
    reactor.run()


def _accept(response: object) -> PerMessageDeflateResponseAccept | None:
    return PerMessageDeflateResponseAccept(response) if isinstance(response, PerMessageDeflateResponse) else None
