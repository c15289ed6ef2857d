"""The counter that numbers every frame of one connection of the Advanced Trade feed."""

from __future__ import annotations

from .gaps import Gap

__all__ = ["ConnectionSequence"]

CAUSE = "sequence_num skipped"


class ConnectionSequence:
    """
    One connection's ``sequence_num``: from 0, one more with each frame, whatever its channel; errors have none.

    Whoever reads many frames compares with ``expected`` himself and counts it on; only a frame with another number
    is for ``observe``.

    Attributes:
        expected: The number of the next frame.
        late: Frames with a number that was passed already: repeated, or out of order.

    Source: Coinbase docs, Advanced Trade, "WebSocket" AsyncAPI file ("per-connection"), and a live observation of
    2026-08-27. (The overview page still says "for each product".)
    """

    __slots__ = ("expected", "late")

    def __init__(self) -> None:
        self.expected = 0
        self.late = 0

    def observe(self, number: object) -> Gap | None:
        """
        Take the ``sequence_num`` of a frame.

        Returns:
            What is missing before it. ``None`` if nothing is, or if it is no number.
        """
        if not isinstance(number, int) or isinstance(number, bool):
            return None
        expected = self.expected
        if number < expected:
            self.late += 1
            return None
        self.expected = number + 1
        return Gap("", "", expected, number, number - expected, CAUSE) if number > expected else None
