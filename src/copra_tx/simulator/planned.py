"""What is planned: things to do, each a number of times, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Planned"]

T = TypeVar("T")


class Planned(Generic[T]):
    """Things to do, each a number of times, one after the other."""

    def __init__(self) -> None:
        self._waiting: list[tuple[T, float]] = []

    def add(self, item: T, count: float) -> None:
        """Do this ``count`` times, after what is planned already."""
        if count > 0:
            self._waiting.append((item, count))

    def clear(self) -> None:
        """Plan nothing any more."""
        self._waiting.clear()

    def take(self, fits: Callable[[T], bool] = lambda _: True) -> T | None:
        """Return what is to be done now, the first that fits; ``None`` for nothing."""
        for at, (item, left) in enumerate(self._waiting):
            if fits(item):
                self._waiting[at : at + 1] = [(item, left - 1)] if left > 1 else []
                return item
        return None
