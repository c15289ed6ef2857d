"""The fast way in does what Autobahn's own way does, whatever comes, however it is cut."""

from __future__ import annotations

import json
import struct
import time
import zlib
from typing import Any

import pytest
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from copra_tx.websocket import ClientProtocol
from support.world import BTC, Recorder, World, outcome

TEXT, BINARY, CLOSE, PING, PONG, COMPRESSED = 0x81, 0x82, 0x88, 0x89, 0x8A, 0xC1


AUTOBAHNS = ("maxFramePayloadSize", "maxMessagePayloadSize", "failByDrop")  # options that are not ours


def frame(payload: bytes, first: int = TEXT) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


class Hasty(Recorder):
    """Closes or drops the line when a message says so."""

    def on_message(self, message: Any) -> None:
        super().on_message(message)
        if isinstance(message, dict) and message.get("do") == "close":
            outcome(self.close())
        if isinstance(message, dict) and message.get("do") == "unsubscribe":
            outcome(self.unsubscribe(BTC))
        if isinstance(message, dict) and message.get("do") == "fail":
            self.line.protocol.dropConnection(abort=True)


class Autobahns(ClientProtocol):
    """Overrides a step of the message's way, and so gets Autobahn's own."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        super().onMessage(payload, isBinary)


class Slow(Hasty):
    protocol = Autobahns


def run(kind: type[Hasty], pieces: list[bytes], *, deflate: bool = False, **options: Any) -> dict[str, Any]:
    """Let bytes come in on an open line; return everything that can be seen of what they did."""
    world = World()
    if deflate:
        accept = lambda offers: PerMessageDeflateOfferAccept(  # noqa: E731
            next(offer for offer in offers if isinstance(offer, PerMessageDeflateOffer))
        )
        world._factory.setProtocolOptions(perMessageCompressionAccept=accept)
    limits = {name: options.pop(name) for name in AUTOBAHNS if name in options}
    client = world.client(kind=kind, compression=deflate, auto_connect=False, **options)
    client.setProtocolOptions(**limits)
    client.add_as_task_to_loop()
    world.advance(0)
    world.open()
    protocol, line = client.line.protocol, world.line
    assert protocol.receives_fast == (kind is Hasty)
    line.clear()
    protocol.maskClientFrames = False  # masks are random
    line.frozen = True  # only we play the server from here
    for piece in pieces:
        line.receive(piece)
    world.advance(0)
    seen = {
        "events": client.events,
        "written": line.value(),
        "state": protocol.state,
        "clean": (protocol.wasClean, protocol.failedByMe, protocol.droppedByMe),
        "exceeded": (protocol.wasMaxMessagePayloadSizeExceeded, protocol.wasMaxFramePayloadSizeExceeded),
        "codes": (protocol.remoteCloseCode, protocol.localCloseCode),
        "counters": client.counters,
        "stats": protocol.trafficStats.__json__(),
    }
    outcome(client.close())
    world.advance(5)
    return seen


def ticker(**more: object) -> bytes:
    return json.dumps({"type": "ticker", "product_id": "BTC-USD", **more}, ensure_ascii=False).encode()


texts = st.builds(
    lambda letter, count, more: ticker(x=letter * count, **more),
    st.sampled_from(["a", "é", "€", "\x81", "😀"]),
    st.sampled_from([0, 1, 30, 70, 80, 81, 82, 83, 84, 300, 5000]),
    st.sampled_from([{}, {}, {}, {"product_id": "ETH-USD"}, {"type": "brand_new"}, {"type": "match"}]),
)
odd_texts = st.sampled_from(
    [
        b"{bad json",
        b"",
        b"17",
        b'{"price":"1"}',
        b'{"type":["ticker"],"product_id":"BTC-USD"}',
        b'["noop","BTC-USD","1",""]',
        b'{"type":"error","message":"no","reason":"because"}',
        b'{"type":"subscriptions","channels":[{"name":"ticker","product_ids":["BTC-USD"]}]}',
        ticker(do="unsubscribe"),
    ]
)
ends = st.sampled_from([frame(ticker(do="close")), frame(ticker(do="fail")), frame(b"\x03\xe8bye", CLOSE)])
controls = st.sampled_from([frame(b"p" * 9, PING), frame(b"", PING), frame(b"q", PONG), frame(b"p" * 125, PING)])
violations = st.sampled_from(
    [
        b"\x81\x7e\x00\x05{}   ",  # lengths that are not minimally encoded
        b"\x81\x7f" + struct.pack("!Q", 200) + b" " * 198 + b"{}",
        b"\x81\x82\0\0\0\0{}",  # masked
        frame(b"{}", 0xA1),  # reserved bits
        frame(b"{}", 0x83),  # reserved opcodes
        frame(b"{}", 0x8B),
        frame(b"{}", 0x80),  # a continuation of nothing
        frame(b"x" * 126, PING),
        frame(b"\x03", CLOSE),
    ]
)
fragmented = st.builds(
    lambda text, at, between: frame(text[:at], 0x01) + between + frame(text[at:], 0x80),
    texts,
    st.integers(0, 40),
    st.sampled_from([b"", frame(b"mid", PING), frame(b"x", 0x00)]),
)
frames = st.one_of(
    texts.map(frame), texts.map(frame), texts.map(frame), odd_texts.map(frame), controls, fragmented,
    texts.map(lambda text: frame(text, BINARY)), ends, violations,
)  # fmt: skip


@st.composite
def cut(draw: st.DrawFn, parts: list[bytes]) -> list[bytes]:
    """Cut a stream: a frame a read, or anywhere."""
    if draw(st.booleans()):
        return parts
    data = b"".join(parts)
    if len(data) < 2:
        return [data]
    at = sorted(draw(st.lists(st.integers(1, len(data) - 1), max_size=8, unique=True)))
    return [data[begin:end] for begin, end in zip([0, *at], [*at, len(data)], strict=True)]


@settings(max_examples=150)
@given(
    st.data(),
    st.lists(frames, max_size=12),
    st.booleans(),
    st.sampled_from([100, 4500, 64 * 2**20]),
    st.sampled_from([0, 4000]),
)
def test_any_stream_does_the_same(
    data: st.DataObject, parts: list[bytes], fail_by_drop: bool, most: int, most_of_frame: int
) -> None:
    pieces = data.draw(cut(parts))
    options = {"failByDrop": fail_by_drop, "max_message_bytes": most, "maxFramePayloadSize": most_of_frame}
    fast, slow = run(Hasty, pieces, **options), run(Slow, pieces, **options)
    event(f"state {fast['state']}")
    assert fast == slow


@settings(max_examples=40)
@given(st.lists(st.sampled_from([1, 3, 31, 32, 33, 200]), max_size=4), ends, st.booleans())
def test_messages_that_cannot_be_decoded_among_others(runs: list[int], end: bytes, fail_by_drop: bool) -> None:
    stream = b"".join(frame(b"{bad") + frame(ticker()) * count + frame(b"") for count in runs)
    pieces = [stream + end + frame(b"{bad") + frame(ticker()), frame(ticker())]
    fast, slow = (run(kind, pieces, failByDrop=fail_by_drop) for kind in (Hasty, Slow))
    assert fast == slow


def test_a_read_full_of_messages_that_cannot_be_decoded_takes_no_minutes() -> None:
    begin = time.process_time()
    assert run(Hasty, [frame(b"") * 20_000])["counters"].unusable == {"not JSON": 20_000}
    assert time.process_time() - begin < 10


@settings(max_examples=40)
@given(st.lists(frames, max_size=5), st.sampled_from([b'{"x":"\xff"}', b'{"x":"\xed\xa0\x80"}', b"\xe2\x82"]))
@example([], b"\x80")
def test_bad_utf8_ends_the_line_as_autobahn_does(parts: list[bytes], bad: bytes) -> None:
    """In one read: cut, Autobahn says so at the first bad byte, the fast way when the frame is complete."""
    stream = [b"".join([*parts, frame(bad)])]
    assert run(Hasty, stream) == run(Slow, stream)


@settings(max_examples=60)
@given(st.data(), st.lists(texts | odd_texts, max_size=10), st.lists(st.booleans(), min_size=10, max_size=10))
def test_compressed_streams_do_the_same(data: st.DataObject, messages: list[bytes], packed: list[bool]) -> None:
    press = zlib.compressobj(wbits=-15)
    parts = []
    for message, is_packed in zip(messages, packed, strict=False):
        if is_packed:
            tight = press.compress(message) + press.flush(zlib.Z_SYNC_FLUSH)
            parts.append(frame(tight[:-4], COMPRESSED))
        else:
            parts.append(frame(message))
    pieces = data.draw(cut(parts))
    assert run(Hasty, pieces, deflate=True) == run(Slow, pieces, deflate=True)


@pytest.mark.parametrize(
    "packed",
    [
        zlib.compress(b" " * 2000, wbits=-15)[:-1] + b"\x00",  # inflates beyond the limit
        b"\xff\xff\xff",  # is no deflate stream
    ],
)
def test_a_compressed_message_that_cannot_be_taken_ends_the_line(packed: bytes) -> None:
    pieces = [frame(ticker()) + frame(packed, COMPRESSED) + frame(ticker())]
    fast, slow = (run(kind, pieces, deflate=True, max_message_bytes=1000) for kind in (Hasty, Slow))
    for name in ("events", "state", "exceeded", "codes", "clean"):
        assert fast[name] == slow[name]
    assert len([one for one in fast["events"] if one[0] == "message"]) == 1


def packed_frames(*messages: bytes) -> bytes:
    """Return compressed frames of one sender, whose window goes on from message to message."""
    press = zlib.compressobj(wbits=-15)
    tight = [press.compress(message) + press.flush(zlib.Z_SYNC_FLUSH) for message in messages]
    return b"".join(frame(one[:-4], COMPRESSED) for one in tight)


def test_large_compressed_messages_among_small_ones() -> None:
    large = ticker(x="x" * 70_000)
    pieces = [packed_frames(ticker(), ticker(), large, ticker(), large, large, ticker())]
    fast, slow = (run(kind, pieces, deflate=True) for kind in (Hasty, Slow))
    assert fast == slow
    assert len([one for one in fast["events"] if one[0] == "message"]) == 7


@settings(max_examples=30)
@given(st.lists(texts, min_size=1, max_size=6), st.sampled_from([b"\xff\xff\xff", b"\x07"]))
def test_what_comes_before_a_corrupt_frame_is_delivered(messages: list[bytes], corrupt: bytes) -> None:
    pieces = [packed_frames(*messages) + frame(corrupt, COMPRESSED) + frame(ticker())]
    fast, slow = (run(kind, pieces, deflate=True) for kind in (Hasty, Slow))
    for name in ("events", "state", "codes", "clean"):
        assert fast[name] == slow[name]


def test_compressed_messages_of_any_size() -> None:
    pieces = [packed_frames(*[ticker()] * 3, ticker(x="x" * 200_000)) + frame(b"\xff\xff\xff", COMPRESSED)]
    fast, slow = (run(kind, pieces, deflate=True, maxMessagePayloadSize=0) for kind in (Hasty, Slow))
    for name in ("events", "state", "codes", "clean"):
        assert fast[name] == slow[name]
    assert len([one for one in fast["events"] if one[0] == "message"]) == 4


@pytest.mark.parametrize("do", ["close", "fail", "unsubscribe"])
def test_what_a_callback_does_amid_compressed_messages(do: str) -> None:
    pieces = [packed_frames(ticker(), ticker(do=do), *[ticker()] * 3, b"{bad json", ticker())]
    fast, slow = (run(kind, pieces, deflate=True) for kind in (Hasty, Slow))
    assert fast == slow


@pytest.mark.parametrize("bad", [b'{"type":"t","x":"\xff"}', b"{bad json"])
def test_a_compressed_message_that_cannot_be_decoded(bad: bytes) -> None:
    pieces = [packed_frames(bad) + frame(ticker())]
    fast, slow = run(Hasty, pieces, deflate=True), run(Slow, pieces, deflate=True)
    for name in ("events", "state", "codes"):
        assert fast[name] == slow[name]


def test_a_large_frame_is_collected_in_pieces() -> None:
    message = ticker(x="x" * 131072)
    data = frame(message) + frame(ticker())
    pieces = [data[at : at + 5000] for at in range(0, len(data), 5000)]
    fast, slow = run(Hasty, pieces), run(Slow, pieces)
    assert fast == slow
    assert len([one for one in fast["events"] if one[0] == "message"]) == 2


def test_closing_while_a_large_frame_comes_in() -> None:
    world = World()
    client = world.client(kind=Recorder)
    server = world.open()
    data = frame(ticker(x="x" * 65536))
    world.line.receive(data[:1000])
    done = outcome(client.close())
    world.line.receive(data[1000:])
    world.advance(0)
    assert done == [None]
    assert server.closed_with == (True, 1000, None)
    assert client.messages == []


def test_an_interrupt_in_the_callback_of_a_large_message_leaves_the_next_frame_whole() -> None:
    class Interrupted(Recorder):
        def on_message(self, message: Any) -> None:
            super().on_message(message)
            if len(self.messages) == 2:
                raise KeyboardInterrupt

    world = World()
    client = world.client(kind=Interrupted)
    world.open()
    data = frame(ticker(x="x" * 65536)) + frame(ticker(n=3)) + frame(ticker(n=4))
    world.line.receive(frame(ticker()) + data[:1000])
    with pytest.raises(KeyboardInterrupt):
        world.line.receive(data[1000:-5])
    world.line.receive(data[-5:])
    assert [message.get("n") for message in client.messages[2:]] == [3, 4]


def test_many_alternating_kinds_do_not_nest() -> None:
    both = packed_frames(b"{}") + frame(b"{}")
    press = zlib.compressobj(wbits=-15)
    stream = b"".join(
        frame((press.compress(b"{}") + press.flush(zlib.Z_SYNC_FLUSH))[:-4], COMPRESSED) + frame(b"{}")
        for _ in range(3000)
    )
    assert run(Hasty, [both + b""], deflate=True)["counters"].unusable == {"no type": 2}
    assert run(Hasty, [stream], deflate=True)["counters"].unusable == {"no type": 6000}


def test_what_autobahn_must_see_switches_it_off() -> None:
    world = World()
    client = world.client(auto_connect=False)
    client.setProtocolOptions(autoPingInterval=30)
    client.add_as_task_to_loop()
    world.advance(0)
    world.open()
    assert not client.line.protocol.receives_fast
    outcome(client.close())
    world.advance(0)
