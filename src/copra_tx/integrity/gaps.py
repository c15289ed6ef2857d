"""What is told of messages that did not come."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Gap"]


@dataclass(frozen=True, slots=True)
class Gap:
    """
    Numbered messages that were sent and did not arrive.

    Attributes:
        channel: The channel whose numbers these are; empty where one counter numbers a whole connection.
        product_id: The product whose numbers these are; empty as above.
        expected: The first number that is missing.
        received: The number that came instead; what is missing ends just before it.
        missing: How many are missing.
        cause: In words, what showed it: which counter skipped, or that the line was lost.
        recovered: Whether what was missing has come after all.
    """

    channel: str
    product_id: str
    expected: int
    received: int
    missing: int
    cause: str
    recovered: bool = False

    def __str__(self) -> str:
        about = " ".join(part for part in (self.channel, self.product_id) if part) or "the connection"
        what = f"{self.missing} message{'' if self.missing == 1 else 's'}"
        numbers = f"expected {self.expected}, received {self.received}"
        if self.recovered:
            return f"{about}: {what} came late ({numbers})"
        return f"{about}: {what} missing ({self.cause}; {numbers})"
