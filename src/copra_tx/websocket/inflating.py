"""Inflating whole compressed messages with the extension that Autobahn negotiated."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from autobahn import exception
from autobahn.websocket.compress_deflate import PerMessageDeflate

from .decoding import LARGE

__all__ = ["fail", "inflate"]

TAIL = b"\x00\x00\xff\xff"
"""What a sender leaves off the end of each message (RFC 7692, section 7.2.1)."""

# Autobahn 26.7 lets zlib's own error through.
_CORRUPT: tuple[type[Exception], ...] = (zlib.error, getattr(exception, "PayloadCorruptError", zlib.error))


def inflate(protocol: Any, frames: Iterable[bytes]) -> tuple[list[bytes], Exception | None]:
    """
    Return the messages that compressed frames hold, up to some 64 KiB of them.

    Args:
        protocol: The line's protocol, which negotiated the extension.
        frames: The payloads of the frames; what follows the messages that are returned is not taken.

    Returns:
        The messages, of which only the last may be a large one; and what is wrong with the frame after them. That
        is for ``fail``, when these messages are delivered.
    """
    extension, limit = protocol._perMessageCompress, protocol.maxMessagePayloadSize  # noqa: SLF001
    is_known = type(extension) is PerMessageDeflate and extension.max_message_size is None and bool(limit)
    messages: list[bytes] = []
    size = 0
    try:
        for frame in frames:
            if not is_known:
                extension.start_decompress_message()
                message = extension.decompress_message_data(frame, max_output_len=limit or None)
                extension.end_decompress_message()
            else:
                if not messages or extension.server_no_context_takeover:
                    extension.start_decompress_message()
                    decompress = extension._decompressor.decompress  # noqa: SLF001
                # One call instead of Autobahn's two, which is a third of what a small message costs.
                message = decompress(frame + TAIL, limit + 1)
                if len(message) > limit:
                    raise exception.PayloadExceededError(f"more than {limit} octets")  # noqa: TRY301
            messages.append(message)
            size += len(message)
            if size > LARGE:
                break
    except (exception.PayloadExceededError, *_CORRUPT) as error:
        return messages, error
    return messages, None


def fail(protocol: Any, error: Exception) -> None:
    """Fail a line for what is wrong with a frame, as Autobahn's parser does it: the compression window is lost."""
    limit = protocol.maxMessagePayloadSize
    if isinstance(error, exception.PayloadExceededError):
        protocol.wasMaxMessagePayloadSizeExceeded = True
        protocol._max_message_size_exceeded(  # noqa: SLF001
            limit, limit, f"received WebSocket message exceeds payload limit of {limit} octets after decompression"
        )
    else:
        detail = f"invalid permessage-deflate data: {error}" if isinstance(error, zlib.error) else str(error)
        protocol._invalid_payload(f"received WebSocket message cannot be decompressed: {detail}")  # noqa: SLF001
