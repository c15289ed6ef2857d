"""Every way of reading TLS gives the same bytes, and the same reason when the line ends, as Twisted's own."""

from __future__ import annotations

from typing import Any

import pytest
import trustme
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure

from copra_tx.websocket import tls_reading
from copra_tx.websocket.tls import verifying_creator
from copra_tx.websocket.tls_reading import CollectingTls, DirectTls, tls_transport
from support.peers import ServerTls, the_reactor, within

WAYS = [BufferingTLSTransport, CollectingTls, DirectTls]
PIECES = [b"%d," % number * 100 for number in range(50)]
BAD_RECORD = b"\x17\x03\x03\x00\x20" + b"x" * 32


class Sender(Protocol):
    """Sends the pieces, each in a record of its own, and then ends the line as the client's first byte says."""

    def dataReceived(self, data: bytes) -> None:
        if data == b"again":
            return
        for piece in PIECES:
            self.transport._write(piece)  # beside the aggregator: a record each
        {
            b"closes": self.transport.loseConnection,
            b"aborts": lambda: the_reactor().callLater(0.05, self.transport.abortConnection),
            b"breaks": lambda: self.transport.transport.write(BAD_RECORD),
            b"vanishes": self.transport.transport.loseConnection,
        }.get(data, lambda: None)()


class Taker(Protocol):
    """Takes everything, and ends the line itself when told to."""

    def __init__(self, end: bytes, ended: Deferred[Any]) -> None:
        self.end, self.ended = end, ended
        self.got: list[bytes] = []

    def connectionMade(self) -> None:
        self.transport.write(self.end)

    def dataReceived(self, data: bytes) -> None:
        self.got.append(data)
        if len(b"".join(self.got)) == len(b"".join(PIECES)):
            self.transport.write(b"again")
            if self.end == b"client closes":
                self.transport.loseConnection()
            elif self.end == b"client aborts":
                self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended.callback((self.got, reason))


async def visit(port: int, ca_file: str, way: type[BufferingTLSTransport], end: bytes) -> tuple[list[bytes], Failure]:
    ended: Deferred[Any] = Deferred()
    inner = ClientFactory()
    inner.noisy = False
    inner.buildProtocol = lambda _: Taker(end, ended)  # type: ignore[method-assign]
    factory = TLSMemoryBIOFactory(verifying_creator("localhost", ca_file), True, inner)
    factory.noisy = False
    factory.protocol = way
    the_reactor().connectTCP("127.0.0.1", port, factory)
    return await within(ended)


@pytest.fixture
def port(authority: trustme.CA) -> Any:
    import pytest_twisted

    inner = Factory.forProtocol(Sender)
    inner.noisy = False
    factory = TLSMemoryBIOFactory(ServerTls(authority.issue_cert("localhost")), False, inner)
    factory.noisy = False
    listening = the_reactor().listenTCP(0, factory, interface="127.0.0.1")
    yield listening.getHost().port
    pytest_twisted.blockon(listening.stopListening())


@pytest.mark.parametrize(
    "end", [b"closes", b"aborts", b"breaks", b"vanishes", b"client closes", b"client aborts"], ids=bytes.decode
)
async def test_all_ways_see_the_same(port: int, ca_file: str, end: bytes) -> None:
    seen = []
    for way in WAYS:
        got, reason = await visit(port, ca_file, way, end)
        seen.append((b"".join(got), reason.type, str(reason.value)))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0] == b"".join(PIECES)


async def test_the_records_of_one_read_come_together(port: int, ca_file: str) -> None:
    reads = {way: len((await visit(port, ca_file, way, b"closes"))[0]) for way in WAYS}
    assert reads[BufferingTLSTransport] == len(PIECES)
    assert reads[CollectingTls] < len(PIECES) / 2
    assert reads[DirectTls] < len(PIECES) / 2


def test_the_fastest_way_is_taken_that_the_libraries_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tls_transport() is DirectTls
    with monkeypatch.context() as without_binding:
        without_binding.setattr(tls_reading, "_lib", None)
        assert tls_transport() is CollectingTls
    with monkeypatch.context() as other_twisted:
        other_twisted.setattr(tls_reading, "_TWISTEDS", ("_flushReceiveBIO", "_renamed"))
        assert tls_transport() is BufferingTLSTransport
