"""
Lines in memory: transports without sockets.

``connect_in_memory`` joins two protocols; ``MemoryTransport`` alone lets a test play the peer. As with a
socket, nothing written arrives, and no close takes effect, before the clock moves; ``clock.advance(0)`` moves
everything until both sides are quiet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.interfaces import IProtocol, IReactorTime

    Address = IPv4Address | IPv6Address

CLIENT_ADDRESS = IPv4Address("TCP", "127.0.0.1", 50000)
SERVER_ADDRESS = IPv4Address("TCP", "127.0.0.1", 443)


@implementer(ITCPTransport, IPushProducer, IConsumer)
class MemoryTransport:
    """
    One end of a line; what arrives while its protocol has paused it is kept until it is resumed.

    Attributes:
        protocol: Whom it serves; ``None`` before it is connected.
        peer: The transport at the other end, when there is one; see ``connect_in_memory``.
        connected: Whether ``connectionLost`` is still to come.
        disconnecting: Whether our side asked for the end.
        aborted: Whether our side asked for it by ``abortConnection``.
        paused: Whether our side stopped reading.
        frozen: Set it to make the peer read no more: nothing written arrives there, and ``loseConnection``
            never ends, as when the send buffer is full. Only ``abortConnection`` helps.
        no_delay: What ``setTcpNoDelay`` was called with.
        producer: Who was registered by ``registerProducer``.
    """

    def __init__(self, clock: IReactorTime, host: Address = CLIENT_ADDRESS, peer: Address = SERVER_ADDRESS) -> None:
        self.protocol: Any = None
        self.peer: MemoryTransport | None = None
        self.connected = self.disconnecting = self.aborted = self.paused = self.frozen = False
        self.no_delay = self.keep_alive = False
        self.producer: Any = None
        self._clock, self._host, self._peer_address = clock, host, peer
        self._written = bytearray()
        self._in_flight: list[bytes] = []
        self._is_delivery_due = False
        self._unread: list[bytes] = []

    def connect(self, protocol: IProtocol) -> None:
        """Connect the protocol to this end."""
        self.protocol, self.connected = protocol, True
        protocol.makeConnection(self)

    # What the test does.

    def value(self) -> bytes:
        """Return what was written since the last ``clear()``."""
        return bytes(self._written)

    def clear(self) -> bytes:
        """Return what was written since the last call of this, and forget it."""
        written, self._written = bytes(self._written), bytearray()
        return written

    def receive(self, data: bytes) -> None:
        """Let bytes arrive from the peer: now, or once reading is resumed."""
        if self.paused:
            self._unread.append(data)
        elif self.connected:
            self.protocol.dataReceived(data)

    def drop(self, reason: BaseException | None = None) -> None:
        """End the line now, as the peer or the network would; ``ConnectionDone`` if no reason is given."""
        if self.connected:
            self.connected = False
            self._lost(Failure(reason or ConnectionDone()))

    def _lost(self, reason: Failure) -> None:
        self.protocol.connectionLost(reason)

    # What the protocol does.

    def write(self, data: bytes) -> None:
        """Keep the bytes; with a peer, send them there when the clock moves."""
        if not isinstance(data, bytes):
            raise TypeError(f"a transport takes bytes, not {type(data).__name__}")
        if self.connected and not self.disconnecting:
            self._written += data
            self._in_flight.append(data)
            if not self._is_delivery_due:
                self._is_delivery_due = True
                self._clock.callLater(0, self._deliver)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write them as one."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """End the line once all is written, which a frozen peer prevents."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._clock.callLater(0, self._end, ConnectionDone(), ConnectionDone())

    def abortConnection(self) -> None:
        """End the line without a look at what is still to write."""
        if self.connected and not self.aborted:
            self.disconnecting = self.aborted = True
            self._clock.callLater(0, self._end, ConnectionAborted(), ConnectionLost())

    def _deliver(self) -> None:
        self._is_delivery_due = False
        if self.peer is not None and not self.frozen:
            data, self._in_flight = b"".join(self._in_flight), []
            if data:
                self.peer.receive(data)

    def _end(self, ours: BaseException, theirs: BaseException) -> None:
        if self.connected and (self.aborted or not self.frozen):
            self.drop(ours)
            if self.peer is not None:
                self._clock.callLater(0, self.peer.drop, theirs)

    def pauseProducing(self) -> None:
        """Read no more."""
        self.paused = True

    def resumeProducing(self) -> None:
        """Read again; what came meanwhile arrives in a later turn."""
        if self.paused:
            self.paused = False
            self._clock.callLater(0, self._read)

    def _read(self) -> None:
        while self._unread and not self.paused:
            self.receive(self._unread.pop(0))

    def stopProducing(self) -> None:
        """End the line, as ``loseConnection`` does."""
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Keep the producer; it is never paused, as nothing here fills up."""
        if self.producer is not None:
            raise RuntimeError("another producer is registered")
        self.producer = producer
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Forget the producer, if there is one."""
        self.producer = None

    def getHost(self) -> Address:
        """Return the address of this end."""
        return self._host

    def getPeer(self) -> Address:
        """Return the address of the other end."""
        return self._peer_address

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Keep the choice."""
        self.no_delay = enabled

    def getTcpNoDelay(self) -> bool:
        """Return the choice."""
        return self.no_delay

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Keep the choice."""
        self.keep_alive = enabled

    def getTcpKeepAlive(self) -> bool:
        """Return the choice."""
        return self.keep_alive

    def loseWriteConnection(self) -> None:
        """Refuse: a WebSocket line is never closed by half."""
        raise NotImplementedError


def connect_in_memory(
    client: IProtocol, server: IProtocol, clock: IReactorTime
) -> tuple[MemoryTransport, MemoryTransport]:
    """
    Connect two protocols without a socket; ``clock.advance(0)`` moves their bytes until both are quiet.

    Returns:
        The transports of client and server.
    """
    ours = MemoryTransport(clock)
    theirs = MemoryTransport(clock, SERVER_ADDRESS, CLIENT_ADDRESS)
    link(ours, client, theirs, server)
    return ours, theirs


def link(ours: MemoryTransport, client: IProtocol, theirs: MemoryTransport, server: IProtocol) -> None:
    ours.peer, theirs.peer = theirs, ours
    theirs.connect(server)
    ours.connect(client)
