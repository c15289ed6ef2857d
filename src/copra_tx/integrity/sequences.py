"""Numbers that grow by one with each message of a product: what is missing, what is late, what is repeated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .gaps import Gap, OpenGaps
from .ranges import Ranges

__all__ = ["HEARTBEAT", "RECONNECTION", "SKIPPED", "Sequences"]

SKIPPED = "a number was skipped"
"""Cause of a gap: the message after it came."""

HEARTBEAT = "the heartbeat was ahead"
"""Cause of a gap: a heartbeat told a number that had not come when the next heartbeat came."""

RECONNECTION = "the line was lost"
"""Cause of a gap: it lies between the last message of one connection and the first one of the next."""

_NONE = OpenGaps()
"""Where no gap was told."""


class Sequences:
    """
    The numbers of one channel, product by product.

    Every missing number is part of exactly one gap. When all of a gap has come late, the gap is told again, as
    recovered.

    Whoever reads many messages compares with ``last`` himself and puts the next number there; only a message with
    another number, or of a product that is not in ``last``, is for ``observe``. He may put a ``float`` there: on the
    wire ``5.0`` follows ``4``.

    Args:
        channel: The channel whose numbers these are.

    Attributes:
        last: Product to the highest number of this connection; in a list of one, which costs the reader one look-up.
        told: Product to the number that the last heartbeat of this connection told of.
        late: Messages that came after their number had been told missing.
        repeated: Messages whose number had come already.
    """

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.last: dict[str, list[int]] = {}
        self.told: dict[str, int] = {}
        self.late = self.repeated = 0
        self._before: dict[str, int] = {}  # the highest number of earlier connections
        self._open: dict[str, OpenGaps] = {}

    def observe(self, product_id: str, number: int, *, may_repeat: bool = False) -> Sequence[Gap]:
        """
        Take the number of a message.

        Args:
            product_id: Its product.
            number: Its number.
            may_repeat: Whether it may be one that was sent before, as the first one of a subscription is.

        Returns:
            What is missing before it; or the gap that is closed by it.
        """
        cause, cell = SKIPPED, self.last.get(product_id)
        if cell is not None:
            last = int(cell[0])
        else:
            before = self._before.pop(product_id, None)
            cell = self.last[product_id] = [number if before is None else before]
            if before is None:  # the first one ever
                return ()
            cause, last = RECONNECTION, before
        if number <= last:
            return self._behind(product_id, number, may_repeat=may_repeat)
        cell[0] = number
        return (self._gap(product_id, last + 1, number, cause),) if number > last + 1 else ()

    def announced(self, product_id: str, number: int) -> Sequence[Gap]:
        """
        Take the number that a heartbeat says the product has reached.

        It may be that of a message which is still under way. What an earlier heartbeat said is not any more.

        Returns:
            What is missing up to the number of the heartbeat before.
        """
        before = self.told.get(product_id)
        self.told[product_id] = number
        if before is None:
            return ()
        cause, cell = HEARTBEAT, self.last.get(product_id)
        if cell is None:
            cause, cell = RECONNECTION, [self._before.pop(product_id, before)]
            self.last[product_id] = cell
        last = int(cell[0])
        if before <= last:
            return ()
        cell[0] = before
        return (self._gap(product_id, last + 1, before + 1, cause),)

    def still_missing(self, gap: Gap) -> Ranges:
        """Return what of a gap has not come since it was told; all of it, if it is one of those that were given up."""
        return self._open.get(gap.product_id, _NONE).still_missing(gap)

    def filled(self, gap: Gap, left: Ranges) -> None:
        """Take note that what was missing of a gap was had from elsewhere, but for what is left."""
        self._open.get(gap.product_id, _NONE).filled(gap, left)

    def connection_lost(self) -> None:
        """Go on with the next connection: what is sent until then is missing."""
        self._before.update((product_id, int(last)) for product_id, (last,) in self.last.items())
        self.last.clear()
        self.told.clear()

    def keep(self, product_ids: Iterable[str]) -> None:
        """Forget all other products: what is sent of them from now on is not missing."""
        kept = frozenset(product_ids)
        for numbers in (self.last, self._before, self.told, self._open):
            for product_id in numbers.keys() - kept:
                del numbers[product_id]

    def _gap(self, product_id: str, expected: int, received: int, cause: str) -> Gap:
        gap = Gap(self.channel, product_id, expected, received, received - expected, cause)
        self._open.setdefault(product_id, OpenGaps()).add(gap)
        return gap

    def _behind(self, product_id: str, number: int, *, may_repeat: bool) -> Sequence[Gap]:
        is_late, recovered = self._open[product_id].take(number) if product_id in self._open else (False, None)
        self.late += is_late
        self.repeated += not is_late and not may_repeat
        return () if recovered is None else (recovered,)
