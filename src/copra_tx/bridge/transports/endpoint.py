"""Dialling with Twisted, and going on with the transports of the asyncio loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from copra_tx.bridge.reactors import asyncio_loop_of

from .line import Connect, LoopTransport
from .sockets import take_socket
from .tls import LoopTls, LoopTlsTransport

__all__ = ["LoopEndpoint", "asyncio_connect"]


def asyncio_connect(
    loop: asyncio.AbstractEventLoop, factory: Callable[[], asyncio.Protocol], **options: Any
) -> Coroutine[Any, Any, object]:
    """Connect with the loop's own transports."""
    return loop.create_connection(factory, **options)


@implementer(IStreamClientEndpoint)
class LoopEndpoint:
    """
    An endpoint whose connections are the asyncio loop's.

    Twisted dials, with all it knows: name look-ups, several addresses, time-outs, cancelling, proxies. Once TCP is
    there, the socket is handed to the loop, which reads and writes at a lower price.

    Args:
        endpoint: Dials TCP.
        reactor: An asyncio reactor.
        connect: Makes the loop's transport for a socket: ``asyncio_connect``, or what ``fastnet_connect()`` returns.
        tls: What TLS is spoken with, if aiofastnet's transport is to do that. ``None`` for plain TCP, on which
            Twisted's TLS can stand.
    """

    def __init__(
        self, endpoint: IStreamClientEndpoint, reactor: Any, connect: Connect, tls: LoopTls | None = None
    ) -> None:
        self._endpoint, self._reactor, self._connect, self._tls = endpoint, reactor, connect, tls

    def connect(self, protocol_factory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Dial.

        Returns:
            Fires with the protocol once TCP is there, before TLS is. Fails, and can be cancelled, as that of the
            endpoint that dials.
        """
        return self._endpoint.connect(_Taking(self, protocol_factory)).addCallback(_protocol_of)

    def take(self, tcp: Any, protocol: IProtocol, factory: IProtocolFactory) -> LoopTransport:
        """Take the socket of one of Twisted's transports, and connect the protocol to one of the loop's."""
        loop = asyncio_loop_of(self._reactor)
        assert loop is not None
        addresses = tcp.getHost(), tcp.getPeer()
        factory.doStart()  # Twisted's connector stops it now: to that, this is the end
        arguments = self._reactor, loop, take_socket(tcp), addresses, protocol
        line = LoopTransport(*arguments) if self._tls is None else LoopTlsTransport(*arguments, tls=self._tls)
        line.begin(self._connect, factory.doStop)
        return line


@implementer(IProtocolFactory)
class _Taking:
    """The factory that the dialling endpoint gets."""

    def __init__(self, endpoint: LoopEndpoint, factory: IProtocolFactory) -> None:
        self._endpoint, self._factory = endpoint, factory

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        protocol = self._factory.buildProtocol(addr)
        return None if protocol is None else _Taken(self._endpoint, protocol, self._factory)


class _Taken(Protocol):
    """Stands on Twisted's transport until the socket is taken from it, which is at once."""

    def __init__(self, endpoint: LoopEndpoint, protocol: IProtocol, factory: IProtocolFactory) -> None:
        self.protocol = protocol
        self._endpoint, self._factory = endpoint, factory
        self._line: LoopTransport | None = None

    def connectionMade(self) -> None:
        self._line = self._endpoint.take(self.transport, self.protocol, self._factory)

    def dataReceived(self, data: bytes) -> None:
        """Take what a proxy sent together with its answer."""
        assert self._line is not None
        self._line.received_before(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Do nothing: it is only Twisted's transport that has lost it."""


def _protocol_of(taken: IProtocol) -> IProtocol:
    assert isinstance(taken, _Taken)
    return taken.protocol
