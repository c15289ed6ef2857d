"""Frames as the sender sends them: unmasked, whole, now and then one that tells the receiver to look at its clocks."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator

__all__ = ["MARK", "MARK_TYPE", "Deflater", "final_mark", "frame", "marked"]

MARK_TYPE = "bench_mark"

MARK = b'{"type":"bench_mark","sent":0}'
"""Look at the clocks."""


def final_mark(**facts: float) -> bytes:
    """Return the last mark of a stream, with what the sender has to say of it."""
    told = "".join(f',"{name}":{value:.6g}' for name, value in facts.items())
    return f'{{"type":"bench_mark","is_last":true{told}}}'.encode()


def frame(payload: bytes, first: int = 0x81) -> bytes:
    """Return a payload as one text frame; ``first`` is the frame's first byte."""
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65536:
        return struct.pack("!BBH", first, 126, length) + payload
    return struct.pack("!BBQ", first, 127, length) + payload


class Deflater:
    """Makes frames of one permessage-deflate stream with context takeover (RFC 7692)."""

    def __init__(self) -> None:
        self._compress = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -15)

    def frame(self, payload: bytes) -> bytes:
        """Return the next payload as one compressed text frame."""
        data = self._compress.compress(payload) + self._compress.flush(zlib.Z_SYNC_FLUSH)
        return frame(data.removesuffix(b"\x00\x00\xff\xff"), 0xC1)


def marked(
    payloads: Iterable[bytes], count: int, segment: int, encode: Callable[[bytes], bytes] = frame
) -> Iterator[bytes]:
    """Yield frames of ``count`` payloads, a mark before each segment of them and one at the end."""
    for number, payload in enumerate(itertools.islice(payloads, count)):
        if number % segment == 0:
            yield encode(MARK)
        yield encode(payload)
    yield encode(final_mark())
