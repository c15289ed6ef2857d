"""What permessage-deflate we offer, and which answer we take."""

from __future__ import annotations

from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept,
)

__all__ = ["PerMessageDeflateOffer", "accept"]


def accept(response: object) -> PerMessageDeflateResponseAccept | None:
    """Take whatever the server chose: the venue's level and window are its own choice."""
    return PerMessageDeflateResponseAccept(response) if isinstance(response, PerMessageDeflateResponse) else None
