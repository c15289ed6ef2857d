"""The ways in which TLS ends, or does not begin, on every transport that speaks it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from cryptography import x509
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.protocols.tls import BufferingTLSTransport

from copra_tx.errors import LineError, TlsError
from copra_tx.websocket.causes import describe
from support.peers import Giving, ServerTls, listening, within
from support.transports import HOST, TLS, Connect, Line, PlainLine, Server, Way, each, turns

BAD_RECORD = b"\x17\x03\x03\x00\x20" + b"x" * 32


def described(line: PlainLine) -> LineError:
    assert line.reason is not None
    return describe(line.reason, HOST, 443)


@each(TLS)
async def test_the_handshake_is_told_once_and_before_data(connect: Connect) -> None:
    async with connect(None, lambda: Line(made=lambda line: line.transport.write(b"at once"))) as (near, _):
        await near.when_heard(b"at once")
        assert near.told == ["made", "secured"]


@each(TLS)
async def test_a_protocol_that_does_not_listen_for_the_handshake(connect: Connect) -> None:
    async with connect(PlainLine(), lambda: Line(made=lambda line: line.transport.write(b"hi")), ready=False) as (
        near,
        far,
    ):
        near.transport.write(b"hello")
        await near.when_heard(b"hi")
        await far.when_heard(b"hello")


@each(TLS)
async def test_an_end_with_notice(connect: Connect) -> None:
    async with connect() as (near, far):
        far.transport.write(b"all of it")
        far.transport.loseConnection()
        assert await near.end() is ConnectionDone
        assert near.heard == b"all of it"


@each(TLS)
async def test_an_end_without_notice_may_be_a_cut(connect: Connect) -> None:
    async with connect() as (near, far):
        far.transport.write(b"not all of it")
        await near.when_heard(b"not all of it")
        far.transport.transport.loseConnection()
        assert await near.end() is ConnectionLost


@each(TLS)
async def test_no_answer_to_our_own_notice_may_be_a_cut(connect: Connect) -> None:
    async with connect() as (near, far):
        near.transport.loseConnection()
        far.transport.transport.loseConnection()
        assert await near.end() is ConnectionLost


@each(TLS)
async def test_a_record_that_is_none(connect: Connect) -> None:
    async with connect() as (near, far):
        far.transport.transport.write(BAD_RECORD)
        await near.end()
        assert isinstance(described(near), TlsError)
        assert "bad record mac" in str(described(near))


@each(TLS)
async def test_many_records_at_once(connect: Connect) -> None:
    """They arrive in order, whichever way they are read."""
    async with connect() as (near, far):
        pieces = [b"%d," % number * 50 for number in range(500)]
        for piece in pieces:
            far.transport._write(piece)  # beside the aggregator: a record each
        await near.when(lambda: len(near.heard) == len(b"".join(pieces)))
        assert near.heard == b"".join(pieces)


@each(TLS)
async def test_records_in_pieces(connect: Connect) -> None:
    """However the network cuts them, each record arrives when its last byte does."""
    async with connect() as (near, far):
        tcp, written = far.transport.transport, []
        far.transport.transport = SimpleNamespace(write=written.append)
        for number in range(20):
            far.transport._write(b"%d," % number * number)
        far.transport.transport = tcp
        stream = b"".join(written)
        for begin in range(0, len(stream), 7):
            tcp.write(stream[begin : begin + 7])
            await turns(2)
        await near.when(lambda: near.octets == len(b"".join(b"%d," % number * number for number in range(20))))
        far.transport.loseConnection()
        assert await near.end() is ConnectionDone


@each(TLS)
async def test_the_certificate_that_was_shown(connect: Connect, certificate: trustme.LeafCert) -> None:
    early: list[object] = []
    near = Line(made=lambda line: early.append(line.transport.getPeerCertificate()))
    async with connect(near):
        assert early == [None]
        shown = near.transport.getPeerCertificate().to_cryptography()
        assert shown == x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes())


@each(TLS)
async def test_an_abort_gives_no_notice(connect: Connect, way: Way) -> None:
    """It would make a proper end of it to whoever gets the notice, but not the reset."""
    async with connect() as (near, far):
        near.transport.write(b"all there was")
        await far.when_heard(b"all there was")
        read: list[bytes] = []
        far.transport.dataReceived = read.append
        near.transport.abortConnection()
        assert await near.end() is way.aborted
        assert await far.end() is ConnectionLost
        assert read == []


# The handshake does not come to an end, or not to a good one. The other side speaks no TLS.


async def visit(way: Way, ca_file: str, make: Callable[[], PlainLine]) -> PlainLine:
    """Connect to a server that speaks plain TCP; returns our end when it is lost."""
    near = Line()
    async with listening(Server(make)) as port:
        await within(way.endpoint(port, ca_file).connect(Giving(near)))
        await near.end()
    assert near.told == ["made", "lost"]
    return near


@each(TLS)
async def test_the_server_ends_the_connection_within_the_handshake(way: Way, ca_file: str) -> None:
    near = await visit(way, ca_file, lambda: Line(data=lambda line: line.transport.loseConnection()))
    assert near.reason is not None
    assert near.reason.check(ConnectionLost)


@each(TLS)
async def test_the_server_aborts_within_the_handshake(way: Way, ca_file: str) -> None:
    near = await visit(way, ca_file, lambda: Line(data=lambda line: line.transport.abortConnection()))
    assert near.reason is not None
    assert near.reason.check(ConnectionLost)


@each(TLS)
async def test_the_server_speaks_no_tls(way: Way, ca_file: str) -> None:
    near = await visit(way, ca_file, lambda: Line(made=lambda line: line.transport.write(b"HTTP/1.1 400 No\r\n\r\n")))
    assert isinstance(described(near), TlsError)
    assert "seems not to speak TLS" in str(described(near))


@pytest.mark.parametrize("how", ["abortConnection", "loseConnection"])
@each(TLS)
async def test_we_end_it_while_the_server_is_silent(way: Way, ca_file: str, how: str) -> None:
    near, server = Line(), Server()
    async with listening(server) as port:
        await within(way.endpoint(port, ca_file).connect(Giving(near)))
        far = await server.first()
        await far.when(lambda: bool(far.reads))  # the greeting of TLS
        getattr(near.transport, how)()
        assert "lost" not in near.told
        assert await near.end() is way.aborted
        assert await far.end() is ConnectionLost
    assert near.told == ["made", "lost"]


@each(TLS)
async def test_what_was_written_early_is_not_sent_to_somebody_else(
    way: Way, ca_file: str, authority: trustme.CA
) -> None:
    near, server = Line(made=lambda line: line.transport.write(b"a secret")), Server()
    tls = ServerTls(authority.issue_cert("other.example"))
    async with listening(server, tls) as port:
        await within(way.endpoint(port, ca_file).connect(Giving(near)))
        await near.end()
        await (await server.first()).end()
    assert server.lines[0].heard == b""
    assert "host name mismatch" in str(described(near))


# Twisted's has sent what was written, and then stumbles over its own notice of the end.
@each([way for way in TLS if way.reading is not BufferingTLSTransport])
async def test_an_abort_when_the_handshake_is_done_sends_nothing(connect: Connect, way: Way) -> None:
    def abort(line: Any) -> None:
        line.transport.write(b"a secret")
        line.transport.abortConnection()

    near = Line(made=lambda line: line.transport.write(b"another"), secured=abort)
    async with connect(near, ready=False) as (_, far):
        assert await near.end() is way.aborted
        await far.end()
    assert far.heard == b""


@each([way for way in TLS if way.kind != "fastnet"])
async def test_a_handshake_amid_the_line_is_answered(way: Way, authority: trustme.CA, ca_file: str) -> None:
    tls = ServerTls(authority.issue_cert(HOST))
    tls.context.set_max_proto_version(SSL.TLS1_2_VERSION)  # later ones do not know that
    near, server = Line(), Server()
    async with listening(server, tls) as port:
        await within(way.endpoint(port, ca_file).connect(Giving(near)))
        far = await server.first()
        await near.when_told("secured")
        await far.when_told("secured")
        handle = far.transport.getHandle()
        assert handle.renegotiate()
        handle.do_handshake()  # asks for one
        far.transport.write(b"go on")
        await near.when_heard(b"go on")
        near.transport.write(b"yes")
        await far.when_heard(b"yes")
        assert handle.total_renegotiations() == 1
        near.transport.loseConnection()
        await near.end()
        await far.when_told("lost")
