"""
Order books that know what they are worth: kept from the messages of both feeds, without any network.

Put every message that comes in into ``book.apply``; ``book.state`` says whether the book may be believed, and reading
one that may not raises ``BookUntrustedError``. ``BookClient`` does that, and all that it takes, by itself.
"""

from __future__ import annotations

from .base import Book, Drift
from .drift import compare, prices_in
from .level2 import Level2Book
from .level3 import Level3Book
from .orders import Order
from .state import BookFaults, BookState

__all__ = ["Book", "BookFaults", "BookState", "Drift", "Level2Book", "Level3Book", "Order", "compare", "prices_in"]
