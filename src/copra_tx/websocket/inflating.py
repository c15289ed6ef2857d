"""Inflating one whole compressed message with the extension that Autobahn negotiated."""

from __future__ import annotations

import zlib
from typing import Any

from autobahn import exception
from autobahn.websocket.compress_deflate import PerMessageDeflate

__all__ = ["inflate"]

TAIL = b"\x00\x00\xff\xff"
"""What a sender leaves off the end of each message (RFC 7692, section 7.2.1)."""

# Autobahn 26.7 lets zlib's own error through.
_CORRUPT: tuple[type[Exception], ...] = (zlib.error, getattr(exception, "PayloadCorruptError", zlib.error))


def inflate(protocol: Any, frame: bytes) -> bytes | None:
    """
    Return the message that a compressed frame holds.

    Args:
        protocol: The line's protocol, which negotiated the extension.
        frame: The frame's payload.

    Returns:
        ``None`` if it is corrupt, or larger than the limit of messages: the line is failed then, as Autobahn's parser
        does it (there is no way to go on: the compression window is lost).
    """
    extension, limit = protocol._perMessageCompress, protocol.maxMessagePayloadSize  # noqa: SLF001
    try:
        return _inflated(extension, frame, limit)
    except exception.PayloadExceededError:
        protocol.wasMaxMessagePayloadSizeExceeded = True
        protocol._max_message_size_exceeded(  # noqa: SLF001
            limit, limit, f"received WebSocket message exceeds payload limit of {limit} octets after decompression"
        )
    except _CORRUPT as error:
        detail = f"invalid permessage-deflate data: {error}" if isinstance(error, zlib.error) else str(error)
        protocol._invalid_payload(f"received WebSocket message cannot be decompressed: {detail}")  # noqa: SLF001
    return None


def _inflated(extension: Any, frame: bytes, limit: int) -> bytes:
    extension.start_decompress_message()
    if type(extension) is PerMessageDeflate and extension.max_message_size is None and limit:
        # One call instead of Autobahn's two, which is a third of what a small message costs.
        inflater = extension._decompressor  # noqa: SLF001
        message: bytes = inflater.decompress(frame + TAIL, limit + 1)
        if len(message) > limit or inflater.unconsumed_tail:
            raise exception.PayloadExceededError(f"more than {limit} octets")
        return message
    message = extension.decompress_message_data(frame, max_output_len=limit or None)
    extension.end_decompress_message()
    return message
