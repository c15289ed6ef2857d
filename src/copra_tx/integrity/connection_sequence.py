"""The counter that numbers every frame of one connection of the Advanced Trade feed."""

from __future__ import annotations

from .gaps import Gap, OpenGaps

__all__ = ["ConnectionSequence"]

CAUSE = "sequence_num skipped"


class ConnectionSequence:
    """
    One connection's ``sequence_num``: from 0, one more with each frame, whatever its channel; errors have none.

    Whoever reads many frames compares with ``expected`` himself and counts it on; only a frame with another number
    is for ``observe``.

    Attributes:
        expected: The number of the next frame.
        late: Frames that came after they had been told missing.
        repeated: Frames whose number had come already.

    Source: Coinbase docs, Advanced Trade, "WebSocket" AsyncAPI file ("per-connection"), and a live observation of
    2026-08-27. (The overview page still says "for each product".)
    """

    __slots__ = ("_open", "expected", "late", "repeated")

    def __init__(self) -> None:
        self.expected = 0
        self.late = self.repeated = 0
        self._open = OpenGaps()

    def observe(self, number: object) -> Gap | None:
        """
        Take the ``sequence_num`` of a frame.

        Returns:
            What is missing before it, or the gap that is closed by it. ``None`` if there is neither, or if it is no
            number.
        """
        if not isinstance(number, int) or isinstance(number, bool):
            return None
        expected = self.expected
        if number < expected:
            is_late, recovered = self._open.take(number)
            self.late += is_late
            self.repeated += not is_late
            return recovered
        self.expected = number + 1
        if number == expected:
            return None
        gap = Gap("", "", expected, number, number - expected, CAUSE)
        self._open.add(gap)
        return gap
