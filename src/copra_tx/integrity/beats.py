"""Heartbeats that follow each other closely, as in a flood: what they tell is taken at a small price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Beat"]


class Beat:
    """
    What the next heartbeats of one product are held against, after one that was looked at closely.

    Args:
        until: When it is time to look closely again.
        product_id: The product.
        member: Their member that has a number; empty if they tell of nothing that could be missing.
        announced: Product to the number that its last heartbeat told of; the next one's is put there.
        last: Product to the number of its last message, in a list of one.

    Attributes:
        is_hidden: Whether the user does not get them; for whoever delivers.
    """

    __slots__ = ("_announced", "_last", "_member", "_product_id", "_until", "is_hidden")

    def __init__(
        self, until: float, product_id: str, member: str, announced: dict[str, int], last: Mapping[str, list[int]]
    ) -> None:
        self.is_hidden = False
        self._until, self._product_id, self._member = until, product_id, member
        self._announced, self._last = announced, last

    def keeps_up(self, message: Mapping[str, Any], now: float) -> bool:
        """
        Take a heartbeat that tells of nothing missing.

        Returns:
            Whether it was taken; else, or if this raises ``KeyError``, it is to be looked at closely.
        """
        if now >= self._until:
            return False
        if self._member:
            number, product_id = message[self._member], self._product_id
            if type(number) is not int or self._announced[product_id] > self._last[product_id][0]:
                return False
            self._announced[product_id] = number
        return True
