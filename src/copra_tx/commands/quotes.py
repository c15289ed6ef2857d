"""What the messages say about each product by now."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from .parts import parts_of

__all__ = ["Quote", "Quotes", "decimal_or_none"]

RATE_WINDOW = 5.0
"""Seconds that a rate is an average of."""

_OPPOSITE = {"buy": "sell", "sell": "buy"}
_LEVEL3_MATCH = ("type", "product_id", "sequence", "maker_order_id", "taker_order_id", "price", "size", "time")


def decimal_or_none(text: object) -> Decimal | None:
    """Return the number that a text of the feed holds; ``None`` if it is none."""
    try:
        number = Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


class Rate:
    """Messages a second, from counts that are looked at now and then."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def sample(self, now: float, count: int) -> float:
        """Take a count, and return by how much it grew a second of late."""
        samples = self._samples
        samples.append((now, count))
        while len(samples) > 2 and samples[1][0] <= now - RATE_WINDOW:
            samples.popleft()
        begin, before = samples[0]
        return (count - before) / (now - begin) if now > begin else 0.0


@dataclass(slots=True)
class Quote:
    """
    One product. Texts are the wire's; empty is what was not told yet.

    Attributes:
        price: Of the last trade.
        trend: 1 if that was above the trade before at another price, -1 if below, else 0.
        bid, bid_size, ask, ask_size: The best of the book.
        side: The last trade's, as the taker's: ``buy`` or ``sell``.
        size: The last trade's.
        time: The last trade's, as the exchange says.
        count: Messages about the product.
        received: When the last of them came, on the caller's clock.
        rate: Messages a second, when last looked at.
        decimals: The most digits behind the point that a price had.
    """

    product_id: str
    price: str = ""
    trend: int = 0
    bid: str = ""
    bid_size: str = ""
    ask: str = ""
    ask_size: str = ""
    side: str = ""
    size: str = ""
    time: str = ""
    count: int = 0
    received: float = 0.0
    rate: float = 0.0
    decimals: int = 0
    _rate: Rate = field(default_factory=Rate, repr=False)
    _levels: dict[str, dict[Decimal, str]] = field(default_factory=dict, repr=False)

    def sample(self, now: float) -> None:
        """Bring ``rate``, and the best of a book that is kept, up to date."""
        self.rate = self._rate.sample(now, self.count)
        for side, best in ("buy", max), ("sell", min):
            if levels := self._levels.get(side):
                price = best(levels)
                self.decimals = max(self.decimals, len(f"{price:f}".partition(".")[2]))
                if side == "buy":
                    self.bid, self.bid_size = f"{price:f}", levels[price]
                else:
                    self.ask, self.ask_size = f"{price:f}", levels[price]

    def ticker(self, message: Mapping[str, Any]) -> None:
        """Take a ``ticker``."""
        self.trade(message, message.get("side"), message.get("last_size"))
        if not self._levels:  # which are newer
            self.bid, self.bid_size = _text(message, "best_bid"), _text(message, "best_bid_size")
            self.ask, self.ask_size = _text(message, "best_ask"), _text(message, "best_ask_size")

    def trade(self, message: Mapping[str, Any], taker_side: object, size: object) -> None:
        """Take the price, side, size and time of a trade."""
        before, price = decimal_or_none(self.price), decimal_or_none(message.get("price"))
        if before is not None and price is not None and price != before:
            self.trend = 1 if price > before else -1
        self.price, self.time = _text(message, "price"), _text(message, "time")
        self.decimals = max(self.decimals, len(self.price.partition(".")[2]))
        self.side, self.size = str(taker_side or ""), str(size or "")

    def snapshot(self, message: Mapping[str, Any]) -> None:
        """Take a whole book."""
        self._levels = {"buy": {}, "sell": {}}
        self._change(("buy", *level) for level in message.get("bids") or ())
        self._change(("sell", *level) for level in message.get("asks") or ())

    def update(self, message: Mapping[str, Any]) -> None:
        """Take changes of a book."""
        self._change(message.get("changes") or ())

    def _change(self, changes: Iterable[Any]) -> None:
        for side, price_text, size, *_ in changes:
            price = decimal_or_none(price_text)
            levels = self._levels.get(side)
            if price is None or levels is None:
                continue
            if decimal_or_none(size):
                levels[price] = size
            else:
                levels.pop(price, None)


class Quotes:
    """
    All products, and the number of messages.

    Args:
        product_ids: What is expected, in the order of the table; others follow as they come.
    """

    def __init__(self, product_ids: Iterable[str] = ()) -> None:
        self.products = {product_id: Quote(product_id) for product_id in product_ids}
        self.count = 0
        self.rate = 0.0
        self._rate = Rate()

    def take(self, message: Any, now: float) -> None:
        """Take a message of any channel."""
        self.count += 1
        if isinstance(message, list):  # a row of level3
            message = dict(zip(_LEVEL3_MATCH, message, strict=False)) if message[:1] == ["match"] else _row(message)
        if "channel" in message:  # of the Advanced Trade feed
            for part in parts_of(message):
                self._take_part(part, now)
        else:
            self._take_part(message, now)

    def _take_part(self, message: Mapping[str, Any], now: float) -> None:
        product_id = message.get("product_id")
        if not isinstance(product_id, str):
            return
        quote = self.products.setdefault(product_id, Quote(product_id))
        quote.count += 1
        quote.received = now
        match message.get("type"):
            case "ticker":
                quote.ticker(message)
            case "match" | "last_match":
                quote.trade(message, _OPPOSITE.get(message.get("side", "")), message.get("size"))
            case "snapshot":
                quote.snapshot(message)
            case "l2update":
                quote.update(message)

    def sample(self, now: float) -> None:
        """Bring every rate up to date."""
        self.rate = self._rate.sample(now, self.count)
        for quote in self.products.values():
            quote.sample(now)


def _row(row: list[Any]) -> dict[str, Any]:
    return dict(zip(("type", "product_id"), row, strict=False))


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""
