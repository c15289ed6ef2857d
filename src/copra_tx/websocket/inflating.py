"""Inflating one whole compressed message with the extension that Autobahn negotiated."""

from __future__ import annotations

from typing import Any

from autobahn.exception import PayloadCorruptError, PayloadExceededError

__all__ = ["inflate"]


def inflate(protocol: Any, frame: bytes) -> bytes | None:
    """
    Return the message that a compressed frame holds.

    Args:
        protocol: The line's protocol, which negotiated permessage-deflate.
        frame: The frame's payload.

    Returns:
        ``None`` if it is corrupt, or larger than the limit of messages: the line is failed then, as Autobahn's parser
        does it (RFC 7692 leaves no way to go on: the compression window is lost).
    """
    extension, limit = protocol._perMessageCompress, protocol.maxMessagePayloadSize  # noqa: SLF001
    try:
        extension.start_decompress_message()
        message: bytes = extension.decompress_message_data(frame, max_output_len=limit or None)
        extension.end_decompress_message()
    except PayloadExceededError:
        protocol.wasMaxMessagePayloadSizeExceeded = True
        protocol._max_message_size_exceeded(  # noqa: SLF001
            limit, limit, f"received WebSocket message exceeds payload limit of {limit} octets after decompression"
        )
    except PayloadCorruptError as error:
        protocol._invalid_payload(f"received WebSocket message cannot be decompressed: {error}")  # noqa: SLF001
    else:
        return message
    return None
