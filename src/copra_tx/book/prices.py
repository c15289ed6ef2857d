"""
Prices as whole numbers, and one side of a book in their order.

A price is kept as a whole number of steps of ``10 ** -digits``, exact whatever zeros the wire carries: comparing and
hashing an ``int`` costs a tenth of what a ``Decimal`` costs, and it takes a third of the memory. Where more digits turn
up than before, everything is multiplied.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Generic, TypeVar

__all__ = ["EXACT", "UNREADABLE", "ZEROS", "Side", "Steps", "exact", "is_size"]

MOST_DIGITS = 18
"""Digits of a price behind the point, and twice as many in all; the venue has up to ten."""

MOST_EXPONENT = 40
"""No price and no size has a larger power of ten, up or down: sums of such ones would not be exact, nor possible."""

EXACT = Context(prec=100)
"""Our own: a program may have set its context to any precision."""

_POWERS = tuple(10**digits for digits in range(MOST_DIGITS + 1))

MOST_AT_HAND = 4096
"""Prices of which the key is kept at hand."""

ZEROS = frozenset("0." + "0" * digits for digits in range(1, MOST_DIGITS + 1)) | {"0"}
"""How no size is written; what else may mean it is read as a number."""

UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, InvalidOperation)
"""What reading something odd may raise."""

Kept = TypeVar("Kept")


def exact(text: object) -> Decimal:
    """
    Return the number that a text of the wire is.

    Raises:
        ValueError: (or another one of ``UNREADABLE``) If it is none.
    """
    if type(text) is not str:
        raise ValueError(f"{text!r} is no text")
    number = Decimal(text)
    # In a context that traps nothing an infinite or undefined one is what nonsense becomes.
    if not number.is_finite() or abs(number.adjusted()) > MOST_EXPONENT:
        raise ValueError(f"{text!r} is no number")
    return number


def is_size(text: Any) -> bool:
    """
    Tell whether a text is a size above zero; loops that are in a hurry do the plain ones by themselves.

    Raises:
        ValueError: (or another one of ``UNREADABLE``) If it is no size, nor zero.
    """
    number = exact(text)
    if number < 0:
        raise ValueError(f"{text!r} is no size")
    return number > 0


class Side(Generic[Kept]):
    """
    One side of a book.

    Attributes:
        keys: The prices in steps, negative on the ask side, ascending: the best one is the last.
        levels: By these, what there is at the price.
        sign: 1 for bids, -1 for asks.
        at_hand: The keys of prices that ``Steps.keep`` was lately asked for: where a market moves, they are always the
            same.
    """

    __slots__ = ("at_hand", "keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.keys: list[int] = []
        self.levels: dict[int, Kept] = {}
        self.at_hand: dict[str, int] = {}
        self.sign = sign

    def clear(self) -> None:
        """Forget everything."""
        self.keys.clear()
        self.levels.clear()
        self.at_hand.clear()

    def sort(self) -> None:
        """Put in order what was put into ``levels`` alone."""
        self.keys[:] = sorted(self.levels)

    def discard(self, key: int) -> None:
        """Take a level away, if it is there."""
        if self.levels.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]

    def multiply(self, factor: int) -> None:
        """Follow a change of the step. In place: loops that run hold on to list and dict."""
        self.at_hand.clear()
        self.keys[:] = [key * factor for key in self.keys]
        levels = {key * factor: kept for key, kept in self.levels.items()}
        self.levels.clear()
        self.levels.update(levels)

    def best_first(self, depth: int | None) -> Iterable[int]:
        """Return the keys, best first."""
        return reversed(self.keys) if depth is None else self.keys[: -depth - 1 : -1]


class Steps:
    """
    The step of a book's prices.

    Args:
        followers: What is multiplied when the step becomes finer; each has a ``multiply``.

    Attributes:
        digits: Digits behind the point.
        followers: The same, to add to.
    """

    __slots__ = ("digits", "followers")

    def __init__(self, followers: Iterable[Any]) -> None:
        self.followers = list(followers)
        self.digits = 0

    def keep(self, side: Side[Any], price: str) -> int:
        """Return the key of a price on a side, and keep it at hand there; raises as ``key_of``."""
        key = self.key_of(price) * side.sign
        if len(side.at_hand) >= MOST_AT_HAND:
            side.at_hand.clear()
        side.at_hand[price] = key
        return key

    def key_of(self, price: str) -> int:
        """
        Return a price in steps.

        Raises:
            ValueError: (or another one of ``UNREADABLE``) If it is no price.
        """
        whole, _, fraction = price.partition(".")
        number = whole + fraction
        short = self.digits - len(fraction)
        if short >= 0 and number.isdecimal() and (key := int(number)):
            return key * _POWERS[short] if short else key
        return self._odd_key(price)

    def _odd_key(self, price: str) -> int:
        number = exact(price)
        _, digits, _ = number.as_tuple()
        if number <= 0 or len(digits) > 2 * MOST_DIGITS or abs(number.adjusted()) > MOST_DIGITS:
            raise ValueError(f"{price!r} is no price")
        needed = -int(number.normalize(EXACT).as_tuple().exponent)
        if needed > self.digits:
            if needed > MOST_DIGITS:
                raise ValueError(f"{price!r} has too many digits")
            factor = _POWERS[needed - self.digits]
            self.digits = needed
            for follower in self.followers:
                follower.multiply(factor)
        return int(number.scaleb(self.digits, EXACT))

    def price_of(self, key: int) -> Decimal:
        """Return the price of a key of either side."""
        return EXACT.scaleb(Decimal(abs(key)), -self.digits)
