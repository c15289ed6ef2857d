"""How the client dials: endpoints, and a connector that makes Twisted's reconnecting factories work with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import NoProtocol, NotConnectingError, UserError
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer

from copra_tx.bridge.transports import LoopEndpoint, asyncio_connect, fastnet_connect

from .proxy import TunnelEndpoint
from .tls import verifying_creator
from .tls_reading import tls_transport
from .tls_stdlib import VerifyingTls
from .transports import choose_transport

if TYPE_CHECKING:
    from .options import Options

__all__ = ["EndpointConnector", "TlsEndpoint", "make_endpoint"]


def make_endpoint(reactor: Any, host: str, port: int, secure: bool, options: Options) -> IStreamClientEndpoint:
    """
    Return the endpoint that reaches a server: TCP, through the proxy if there is one, with verified TLS if asked for.

    Args:
        reactor: Dials and runs the timers.
        host: Name or address of the server.
        port: Its port.
        secure: Whether to speak TLS.
        options: Name the proxy, the ``ca_file`` and the transport. ``open_timeout`` is for each TCP connection; a name
            may have several addresses.

    Raises:
        ConfigurationError: If ``host``, ``ca_file`` or ``transport`` cannot be used.
    """
    transport = choose_transport(reactor, options.transport)
    proxy = options.proxy
    dialled = (host, port) if proxy is None else (proxy.host, proxy.port)
    endpoint: IStreamClientEndpoint = HostnameEndpoint(reactor, *dialled, timeout=options.open_timeout)
    if proxy is not None:
        endpoint = TunnelEndpoint(endpoint, proxy, host, port)
    if transport == "fastnet":
        return LoopEndpoint(
            endpoint, reactor, fastnet_connect(), VerifyingTls(host, options.ca_file) if secure else None
        )
    if transport == "asyncio":
        endpoint = LoopEndpoint(endpoint, reactor, asyncio_connect)
    return TlsEndpoint(endpoint, verifying_creator(host, options.ca_file), reactor) if secure else endpoint


@implementer(IStreamClientEndpoint)
class TlsEndpoint:
    """
    An endpoint that begins TLS at once; as Twisted's ``wrapClientTLS``, which in older releases takes no clock.

    Args:
        endpoint: Dials.
        tls: Makes the TLS connections.
        clock: Runs the timer of small writes; without it that would be the global reactor.
    """

    def __init__(
        self, endpoint: IStreamClientEndpoint, tls: IOpenSSLClientConnectionCreator, clock: IReactorTime
    ) -> None:
        self._endpoint, self._tls, self._clock = endpoint, tls, clock

    def connect(self, protocol_factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Dial. Fires with the protocol once the transport is there, before the TLS handshake is done."""
        tls_factory = TLSMemoryBIOFactory(self._tls, True, protocol_factory, clock=self._clock)
        tls_factory.protocol = tls_transport()
        return self._endpoint.connect(tls_factory).addCallback(_inside_tls)


def _inside_tls(tls_protocol: IProtocol) -> IProtocol:
    assert isinstance(tls_protocol, TLSMemoryBIOProtocol)
    return tls_protocol.wrappedProtocol


@implementer(IConnector)
class EndpointConnector:
    """
    Dials with an endpoint, over and over, and calls the factory as the connector of ``reactor.connectTCP`` does.

    A factory that an endpoint dials for is told of nothing but ``buildProtocol``; a ``ReconnectingClientFactory``
    needs more.

    Args:
        endpoint: Dials.
        factory: The factory, each of whose hooks is called as with ``connectTCP``. When its ``buildProtocol``
            returns ``None``, the attempt has failed.
        destination: What ``getDestination()`` returns.

    Attributes:
        state: ``"disconnected"``, ``"connecting"`` or ``"connected"``, as in Twisted's connectors. Over TLS it is
            connected before the TLS handshake, through a proxy not before the tunnel is open.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, factory: ClientFactory[Any], destination: IAddress) -> None:
        self.state = "disconnected"
        self._endpoint, self._factory, self._destination = endpoint, factory, destination
        self._factory_started = False
        self._attempt: _Attempt | None = None
        self._witness: _Witness | None = None

    def connect(self) -> None:
        """
        Dial.

        Raises:
            RuntimeError: While there is a connection, or an attempt to get one.
        """
        if self.state != "disconnected":
            raise RuntimeError(f"cannot connect while {self.state}")
        self.state = "connecting"
        if not self._factory_started:
            self._factory_started = True
            self._factory.doStart()
        self._attempt = attempt = _Attempt(self)
        self._factory.startedConnecting(self)
        if self._attempt is attempt:  # it was not stopped meanwhile
            attempt.begin(self._endpoint)

    def stopConnecting(self) -> None:  # noqa: N802
        """
        Stop the attempt; ``clientConnectionFailed`` is called with a ``UserError`` before this returns.

        Raises:
            NotConnectingError: If there is none.
        """
        if self.state != "connecting" or self._attempt is None:
            raise NotConnectingError("there is no attempt to stop")
        self._attempt.cancel()
        self.connectionFailed(Failure(UserError()))

    def disconnect(self) -> None:
        """End whatever there is; a connection, once all is written."""
        if self.state == "connecting":
            self.stopConnecting()
        elif self._witness is not None and self._witness.transport is not None:
            self._witness.transport.loseConnection()

    def getDestination(self) -> IAddress:  # noqa: N802
        """Return the name that is dialled; which of its addresses it will be is not known before."""
        return self._destination

    # What an attempt and its connection call, by the names they have in Twisted's connectors.

    def buildProtocol(self, addr: IAddress | None) -> IProtocol:
        """Have the factory build the protocol of a new connection."""
        protocol = self._factory.buildProtocol(addr)
        if protocol is None:
            raise NoProtocol
        self.state = "connected"
        self._witness = _Witness(protocol, self)
        return self._witness

    def connectionFailed(self, reason: Failure) -> None:
        """Tell the factory that no connection came of an attempt."""
        self.state, self._attempt = "disconnected", None
        self._factory.clientConnectionFailed(self, reason)
        self._stop_factory()

    def connectionLost(self, reason: Failure) -> None:
        """Tell the factory that the connection is gone; its protocol knows already."""
        self.state, self._attempt, self._witness = "disconnected", None, None
        self._factory.clientConnectionLost(self, reason)
        self._stop_factory()

    def _stop_factory(self) -> None:
        if self.state == "disconnected" and self._factory_started:  # it has not begun anew
            self._factory_started = False
            self._factory.doStop()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._destination} {self.state}>"


@implementer(IProtocolFactory)
class _Attempt:
    """The factory that an endpoint gets: it stands for one attempt, and is deaf once that is over."""

    def __init__(self, connector: EndpointConnector) -> None:
        self._connector: EndpointConnector | None = connector
        self._dial: Deferred[IProtocol] | None = None

    def begin(self, endpoint: IStreamClientEndpoint) -> None:
        self._dial = maybeDeferred(endpoint.connect, self)
        self._dial.addErrback(self._fail)

    def doStart(self) -> None:  # noqa: N802
        """Do nothing: the connector has started its factory."""

    def doStop(self) -> None:  # noqa: N802
        """Do nothing, likewise."""

    def cancel(self) -> None:
        self._connector = None
        if self._dial is not None:
            self._dial.cancel()

    def buildProtocol(self, addr: IAddress | None) -> IProtocol:
        if self._connector is None:
            raise NoProtocol
        return self._connector.buildProtocol(addr)

    def _fail(self, reason: Failure) -> None:
        connector, self._connector = self._connector, None
        if connector is not None:
            connector.connectionFailed(reason)


class _Witness(Protocol):
    """Stands between transport and protocol and tells the connector of the end; they deal with each other directly."""

    def __init__(self, protocol: IProtocol, connector: EndpointConnector) -> None:
        self._protocol, self._connector = protocol, connector
        self.dataReceived = protocol.dataReceived  # type: ignore[method-assign]  # a call less for each read
        if IHandshakeListener.providedBy(protocol):
            directlyProvides(self, IHandshakeListener)

    def connectionMade(self) -> None:
        assert self.transport is not None
        self._protocol.makeConnection(self.transport)

    def handshakeCompleted(self) -> None:
        self._protocol.handshakeCompleted()  # type: ignore[attr-defined]  # it listens, or this is not called

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        try:
            self._protocol.connectionLost(reason)
        finally:
            self._connector.connectionLost(reason)
