"""Cutting frames: whatever the bytes are, the cut agrees with a reading of RFC 6455 frame by frame."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.websocket.frames import COMPRESSED_TEXT, NO_LIMIT, TEXT, Cut, header_size, single_payload, split


def frame(payload: bytes, first: int = TEXT) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def naive(data: bytes, limit: int, first: int) -> Cut:
    """The same by slices, as the RFC's picture has it."""
    payloads: list[bytes] = []
    at = 0

    def cut(lacking: int, is_foreign: bool) -> Cut:
        return Cut(payloads, sum(map(len, payloads)), at, lacking, is_foreign)

    while len(data) - at >= 2:
        head = data[at : at + 2]
        rest = data[at + 2 :]
        if head[0] != first or head[1] & 0x80:
            return cut(0, True)
        width = {126: 2, 127: 8}.get(head[1], 0)
        if len(rest) < width:
            break
        length = int.from_bytes(rest[:width], "big") if width else head[1]
        if header_size(length) != 2 + width or length > limit:
            return cut(0, True)
        if len(rest) < width + length:
            return cut(width + length - len(rest), False)
        payloads.append(rest[width : width + length])
        at += 2 + width + length
    return cut(0, False)


plain = st.binary(max_size=300).map(frame) | st.sampled_from([125, 126, 127, 65535, 65536]).map(
    lambda size: frame(b"x" * size)
)
foreign = st.sampled_from(
    [
        frame(b"ping", 0x89),
        frame(b"binary", 0x82),
        frame(b"half", 0x01),
        frame(b"packed", COMPRESSED_TEXT),
        b"\x81\x82\0\0\0\0{}",  # masked
        b"\x81\x7e\x00\x05{}   ",  # not minimal
        b"\x81\x7f\0\0\0\0\0\0\0\x05{}   ",
        b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
    ]
)
streams = st.lists(plain | foreign, max_size=8).map(b"".join)


@given(streams, st.integers(min_value=0, max_value=200), st.sampled_from([NO_LIMIT, 100, 200, 65535]))
def test_any_stream_is_cut_as_the_naive_way_does(data: bytes, lost: int, limit: int) -> None:
    data = data[: max(0, len(data) - lost)]
    assert split(data, 0, limit) == naive(data, limit, TEXT)


@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
def test_however_the_stream_is_cut_the_payloads_are_the_same(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(frame, payloads))
    buffer, got = b"", []
    while stream:
        size = data.draw(st.integers(min_value=1, max_value=len(stream)))
        buffer, stream = buffer + stream[:size], stream[size:]
        cut, _, position, lacking, is_foreign = split(buffer, 0, NO_LIMIT)
        assert not is_foreign
        assert not lacking or stream
        got += cut
        buffer = buffer[position:]
    assert got == payloads
    assert buffer == b""


@given(streams, st.sampled_from([NO_LIMIT, 100]))
def test_a_single_frame_is_what_the_split_takes_whole(data: bytes, limit: int) -> None:
    payloads, _, position, _, _ = split(data, 0, limit)
    payload = single_payload(data, limit)
    if payload is None:
        assert len(payloads) != 1 or position != len(data) or len(payloads[0]) >= 65536 or len(data) < 4
    else:
        assert (payloads, position) == ([payload], len(data))


def test_it_begins_where_it_is_told() -> None:
    data = frame(b"one") + frame(b"two")
    assert split(data, len(frame(b"one")), NO_LIMIT) == ([b"two"], 3, len(data), 0, False)


def test_the_kind_of_frames_is_chosen() -> None:
    data = frame(b"packed", COMPRESSED_TEXT) * 2 + frame(b"plain")
    assert split(data, 0, NO_LIMIT, COMPRESSED_TEXT) == ([b"packed"] * 2, 12, 16, 0, True)
    assert single_payload(frame(b"packed", COMPRESSED_TEXT), NO_LIMIT) is None


@pytest.mark.parametrize(("length", "size"), [(0, 2), (125, 2), (126, 4), (65535, 4), (65536, 10)])
def test_header_sizes(length: int, size: int) -> None:
    assert header_size(length) == size == len(frame(b"x" * length)) - length


@pytest.mark.parametrize("there", [*range(11), 65546])
def test_a_large_frame_of_which_only_so_much_is_there(there: int) -> None:
    data = frame(b"x" * 65537)[:there]
    lacking = 65547 - there if there >= 10 else 0  # before its length is known, nobody knows what it lacks
    assert split(data, 0, NO_LIMIT) == ([], 0, 0, lacking, False)


@pytest.mark.parametrize("limit", [0, 1, NO_LIMIT])
@pytest.mark.parametrize(
    "end",
    [
        *(b"", b"\x81", b"\x81\x00", b"\x81\x00\x81", b"\x81\x01", b"\x81\x01x", b"\x81\x02x"),
        *(b"\x81\x7e", b"\x81\x7f\0", b"\x81\x80", b"\x89", b"\x89\x00", b"\x89\x01x"),
    ],
)
def test_the_last_three_bytes_are_looked_at_alike(end: bytes, limit: int) -> None:
    assert split(end, 0, limit) == naive(end, limit, TEXT)
    data = frame(b"") + end
    assert split(data, 2, limit)[3:] == naive(end, limit, TEXT)[3:]
