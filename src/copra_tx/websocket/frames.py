"""
Cutting a receive buffer into the payloads of plain WebSocket frames.

Nearly everything that a feed sends are whole, unmasked data frames of a single kind. Those are cut here; every other
frame stops the cut and is left to the WebSocket library, which knows all of RFC 6455.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = ["COMPRESSED_TEXT", "NO_LIMIT", "TEXT", "Cut", "header_size", "single_payload", "split"]

TEXT = 0x81
"""First byte of a text frame that is a whole message (RFC 6455, section 5.2)."""

COMPRESSED_TEXT = 0xC1
"""The same, compressed (RFC 7692, section 6)."""

NO_LIMIT = 1 << 62
"""Longer than any frame."""

_EMPTY, _MEDIUM = TEXT << 8, TEXT << 8 | 126
"""How plain text frames begin: with their length added, or with two bytes of length to follow."""

_four_bytes = struct.Struct("!HH").unpack_from


def header_size(length: int) -> int:
    """Return how many bytes precede an unmasked payload of ``length`` bytes, minimally encoded."""
    return 2 if length < 126 else 4 if length < 65536 else 10


def single_payload(data: bytes, limit: int) -> bytes | None:
    """
    Return the payload if ``data`` is exactly one plain text frame, of less than 64 KiB.

    That is what a read brings unless the feed runs ahead of us.

    Args:
        data: What was read.
        limit: Longest payload taken.
    """
    size = len(data)
    if size < 4:
        return None
    header, length = _four_bytes(data)
    if header == _MEDIUM:
        return data[4:] if length == size - 4 and 126 <= length <= limit else None
    return data[2:] if header == _EMPTY + size - 2 and size < 128 and size - 2 <= limit else None


class Cut(NamedTuple):
    """
    What ``split`` returns.

    Attributes:
        payloads: Of whole frames.
        octets: How many they have together.
        position: Where the cut stopped, and a frame begins.
        lacking: How many bytes that frame still lacks; 0 if that is not known, or there are none of it.
        is_foreign: Whether that frame is not plain.
    """

    payloads: list[bytes]
    octets: int
    position: int
    lacking: int
    is_foreign: bool


def split(  # noqa: C901, PLR0912, PLR0915  # one loop, and a single call in it: it runs once for each message
    data: bytes, start: int, limit: int, first: int = TEXT
) -> Cut:
    """
    Cut whole frames off a buffer, up to the first that is not complete or not plain.

    Args:
        data: The buffer; a frame begins at ``start``.
        start: Where to begin.
        limit: Longest payload taken; a longer frame is not plain.
        first: First byte of the frames taken. Frames that begin otherwise, are masked, or whose length is not minimally
            encoded are not plain.
    """
    payloads: list[bytes] = []
    add, size, position = payloads.append, len(data), start
    empty, longer, large = first << 8, first << 8 | 126, first << 8 | 127
    medium, limited = (longer, -1) if limit > 65534 else (-1, longer)  # no limit is looked at where none is exceeded
    lacking, is_foreign = 0, True
    extra = 0  # octets of headers beyond four for each: nothing for nearly all
    try:
        while True:
            header, length = _four_bytes(data, position)  # for half of what looking at each byte costs
            if header == medium:
                if length < 126:
                    break
                body = position + 4
            elif empty <= header < longer:
                length = header - empty
                if length > limit:
                    break
                body = position + 2
                extra -= 2
            elif header == limited:
                if not 126 <= length <= limit:
                    break
                body = position + 4
            elif header == large:
                body = position + 10
                if body > size:
                    is_foreign = False
                    break
                length = int.from_bytes(data[position + 2 : body], "big")
                if not 65536 <= length <= limit:
                    break
                if body + length > size:
                    lacking, is_foreign = body + length - size, False
                    break
                extra += 6
            else:  # another kind, or masked
                break
            position = body + length
            add(data[body:position])  # whether it is complete is seen when nothing follows
    except struct.error:  # fewer than four bytes are left
        is_foreign = False
        if position > size:
            lacking = position - size
            body = size - len(payloads.pop())
            header = header_size(position - body)
            position, extra = body - header, extra + 4 - header
        else:
            last, lacking, is_foreign = _end(data[position:], limit, first)
            if last is not None:
                payloads.append(last)
                position, extra = position + 2 + len(last), extra - 2
    return Cut(payloads, position - start - 4 * len(payloads) - extra, position, lacking, is_foreign)


def _end(rest: bytes, limit: int, first: int) -> tuple[bytes | None, int, bool]:
    """Return the payload of a frame within the last three bytes, if there is one; what it lacks; if it is not plain."""
    if len(rest) < 2:
        return None, 0, False
    length = rest[1]
    if rest[0] != first or length > 127 or limit < length < 126:
        return None, 0, True
    if length > 125:
        return None, 0, False
    if length + 2 > len(rest):
        return None, length + 2 - len(rest), False
    return rest[2 : 2 + length], 0, False
