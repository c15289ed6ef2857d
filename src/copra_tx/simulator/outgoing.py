"""What goes out to one client: everything in its order, but for what is held back, left out or doubled on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .wire import Wire

__all__ = ["Outgoing"]


@dataclass(slots=True)
class _Tampering:
    """How often each of the next ``left`` messages of a type and product goes out."""

    type: str | None
    product_id: str | None
    copies: int
    left: float

    def is_for(self, kind: str, product_id: str) -> bool:
        return self.type in {None, kind} and self.product_id in {None, product_id}


class Outgoing:
    """
    The data frames of one connection.

    Args:
        wire: Where they go.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._stalled = False
        self._held: list[tuple[bytes, bool]] = []
        self._tampering: list[_Tampering] = []

    @property
    def can_flow(self) -> bool:
        """Whether what is sent now is written now."""
        return self._wire.can_send and not self._stalled

    def send(self, payload: bytes, kind: str = "", product_id: str = "") -> None:
        """
        Send a message, unless it is to be left out; twice, if so asked.

        Args:
            payload: Its bytes.
            kind: Its ``type``; empty if it has none.
            product_id: Its product; empty if it has none.
        """
        for _ in range(self._copies(kind, product_id)):
            self.send_frame(payload)

    def send_frame(self, payload: bytes, *, binary: bool = False) -> None:
        """Send a data frame of any content; while stalled, keep it for later."""
        if self._stalled:
            self._held.append((payload, binary))
        elif self._wire.can_send:
            self._wire.send_frame(payload, binary=binary)

    def stall(self) -> None:
        """Hold back everything from now on."""
        self._stalled = True

    def resume(self) -> None:
        """Send what was held back, and hold nothing back any more."""
        self._stalled = False
        held, self._held = self._held, []
        for payload, binary in held:
            self.send_frame(payload, binary=binary)

    def tamper(self, kind: str | None, product_id: str | None, *, copies: int, count: float) -> None:
        """Send each of the next ``count`` messages of this type and product ``copies`` times."""
        if count > 0:
            self._tampering.append(_Tampering(kind, product_id, copies, count))

    def _copies(self, kind: str, product_id: str) -> int:
        for tampering in self._tampering:
            if tampering.is_for(kind, product_id):
                tampering.left -= 1
                if not tampering.left:
                    self._tampering.remove(tampering)
                return tampering.copies
        return 1
