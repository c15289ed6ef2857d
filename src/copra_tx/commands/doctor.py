"""``copra-tx doctor``: which of the ways in this installation has, and which of them a client takes by itself."""

from __future__ import annotations

import platform
import ssl
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from OpenSSL import SSL
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.protocols.tls import BufferingTLSTransport
from twisted.python.failure import Failure

from copra_tx.bridge import asyncio_loop_of, reactor_for
from copra_tx.errors import ConfigurationError
from copra_tx.simulator import SimulatedExchange
from copra_tx.websocket import Channel, Client
from copra_tx.websocket.tls_reading import CollectingTls, DirectTls
from copra_tx.websocket.transports import TRANSPORTS, choose_transport

from .complaints import about_output, tell
from .running import Run

__all__ = ["examine"]

PACKAGES = ("Twisted", "autobahn", "txaio", "msgspec", "pyOpenSSL", "service-identity", "aiofastnet", "uvloop")

PATIENCE = 10.0
"""Seconds for each way to bring a message."""


def examine() -> int:
    """
    Try each way in over TLS, against a simulated exchange on this machine, and print what was found.

    Returns:
        The program's status: 1 if a message does not arrive, or not on the fast path, on the way that is chosen.
    """
    reactor = reactor_for(None)
    run = Run(reactor)
    return run(_Examination(reactor, run))


class _Examination(Service):
    def __init__(self, reactor: Any, run: Run) -> None:
        self._reactor, self._run = reactor, run
        self._exchange = SimulatedExchange(reactor, tls=True, speed=50)

    def startService(self) -> None:
        super().startService()
        self._exchange.startService()
        Deferred.fromCoroutine(self._look()).addErrback(self._failed)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self._exchange.stopService()

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        self._run.end(about_output(error) if isinstance(error, OSError) else failure.getErrorMessage())

    async def _look(self) -> None:
        for line in _installed(self._reactor):
            tell(line)
        chosen, complaint = choose_transport(self._reactor, "auto"), ""
        for transport in TRANSPORTS[1:]:
            found, is_well = await self._try(transport)
            tell(f"{transport:10}{found}{' (chosen by itself)' if transport == chosen else ''}")
            if transport == chosen and not is_well:
                complaint = f"transport={transport!r} is what clients take by themselves, and it {found}"
        self._run.end(complaint)

    async def _try(self, transport: str) -> tuple[str, bool]:
        arrived: Deferred[str] = Deferred()
        try:
            client = _Trial(arrived, self._exchange, transport)
        except ConfigurationError as error:
            return str(error).removeprefix(f"transport={transport!r} "), False
        arrived.addTimeout(PATIENCE, self._reactor, lambda *_: f"brings no message within {PATIENCE:g} s")
        trouble = await arrived
        way, is_fast = _way(client) if not trouble else (trouble, False)
        await client.close()
        return way, is_fast


class _Trial(Client):
    """Tells once whether a message came (an empty text), or why none will."""

    def __init__(self, arrived: Deferred[str], exchange: SimulatedExchange, transport: str) -> None:
        self._arrived = arrived
        super().__init__(
            None,
            Channel("ticker", "BTC-USD"),
            exchange.url,
            auto_reconnect=False,
            ca_file=exchange.ca_file,
            transport=transport,
        )

    def on_message(self, message: dict[str, Any]) -> None:
        if message["type"] == "ticker":
            self._tell("")

    def on_close(self, was_clean: bool, code: int, reason: str) -> None:  # noqa: ARG002
        self._tell(f"has its line end at once: {reason}")

    def _tell(self, trouble: str) -> None:
        if not self._arrived.called:
            self._arrived.callback(trouble)


def _way(client: Client) -> tuple[str, bool]:
    """Say how the messages of an open line come in, and whether that is the fast path."""
    protocol = client.line.protocol
    assert protocol is not None
    if not protocol.receives_fast:
        return "works, but each message goes through Autobahn's parser: this release of it is not known", False
    records = ""
    if isinstance(protocol.transport, BufferingTLSTransport):
        records = ", TLS records one by one"
        if isinstance(protocol.transport, CollectingTls):
            is_direct = isinstance(protocol.transport, DirectTls)
            records = f", all TLS records of a read at once, {'with SSL_read' if is_direct else 'with pyOpenSSL'}"
    return f"works, on the fast path{records}", True


def _installed(reactor: Any) -> Iterator[str]:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    yield f"copra-tx {version('copra-tx')} on {python}, {platform.platform()}"
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"no {package}")
    yield ", ".join(versions)
    theirs: Any = SSL.SSLeay_version(SSL.SSLEAY_VERSION)
    yield f"{ssl.OPENSSL_VERSION} of Python, {theirs.decode()} of pyOpenSSL"
    loop = asyncio_loop_of(reactor)
    yield f"{type(reactor).__name__} on {type(loop).__module__}.{type(loop).__qualname__}"
