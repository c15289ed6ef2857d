"""
The venue's REST interface: a request in, the venue's answer out. No network, no clock.

Source, unless said otherwise: Coinbase docs, Exchange REST API, "Get product book", "Get product trades", "Get product
ticker", "Get server time" and "Pagination" (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

from . import derive
from .matching import trimmed
from .resting import SIDES, Side

__all__ = ["Book", "Listing", "Reply", "Rest"]

_MOST_TRADES = 1000
_CACHED = ("Cache-Control", "public, max-age=1")


class Book(Protocol):
    """One product's book at one moment."""

    @property
    def sequence(self) -> int:
        """The product's sequence number by then."""

    @property
    def trade_id(self) -> int:
        """The latest trade by then."""

    @property
    def time(self) -> datetime:
        """When that was."""

    def levels(self, side: Side) -> list[tuple[str, str, int]]:
        """Return price, size and number of orders of each level of a side, best first."""

    def orders(self, side: Side) -> list[tuple[str, str, str]] | None:
        """Return price, size and id of each order of a side, as they would be matched; ``None`` if not known."""


class Listing(Protocol):
    """A market that can be asked for its books and trades."""

    products: frozenset[str]
    delisted: frozenset[str]

    def book(self, product_id: str, position: int) -> Book:
        """Return a product's book as the messages before ``position`` left it."""

    def trade(self, product_id: str, trade_id: int) -> bytes | None:
        """Return a trade as a ``match``; ``None`` for one before the beginning."""


@dataclass(frozen=True, slots=True)
class Reply:
    """
    The answer to one request.

    Attributes:
        status: HTTP status.
        body: JSON.
        headers: Headers beside those of the transport.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, content: object, *headers: tuple[str, str], status: int = 200) -> Reply:
        """Return a reply with this content."""
        return cls(status, msgspec.json.encode(content), headers)

    @classmethod
    def refusal(cls, status: int, message: str) -> Reply:
        """Return an error as the venue writes it."""
        return cls.of({"message": message}, status=status)


class Rest:
    """
    The public part of the venue's REST interface, as far as a client of the feed needs it.

    ``GET`` of ``/time``, ``/products``, ``/products/ID``, ``/products/ID/book?level=``, ``/products/ID/trades`` and
    ``/products/ID/ticker``; everything else is not found.

    Args:
        market: Whose books and trades they are.
        now: The exchange's clock, in seconds since the epoch.
    """

    def __init__(self, market: Listing, now: Callable[[], float]) -> None:
        self._market, self._now = market, now
        listed = derive.status(market.products, market.delisted)["products"]
        self._products: dict[str, dict[str, Any]] = {product["id"]: product for product in listed}

    def answer(self, target: str, position: int, unlisted: Container[tuple[str, int]] = ()) -> Reply:
        """
        Answer one ``GET``.

        Args:
            target: Path and query.
            position: Where the market is; elsewhere, where the answer is to be wrong.
            unlisted: Product and number of each trade that is not to be shown.
        """
        path, _, asked = target.partition("?")
        query = dict(parse_qsl(asked, keep_blank_values=True))
        parts = [unquote(part) for part in path.split("/")]
        match parts:
            case ["", "time"]:
                return self._time()
            case ["", "products"]:
                return Reply.of(list(self._products.values()))
            case ["", "products", product_id] if product_id in self._products:
                return Reply.of(self._products[product_id])
            case ["", "products", product_id, what] if product_id in self._market.products:
                return self._of_product(product_id, what, self._market.book(product_id, position), query, unlisted)
        return Reply.refusal(404, "NotFound")

    def _of_product(
        self, product_id: str, what: str, book: Book, query: Mapping[str, str], unlisted: Container[tuple[str, int]]
    ) -> Reply:
        match what:
            case "book":
                return self._book(book, query)
            case "trades":
                return self._trades(product_id, book.trade_id, query, unlisted)
            case "ticker":
                return self._ticker(product_id, book)
        return Reply.refusal(404, "NotFound")

    def _time(self) -> Reply:
        now = self._now()
        iso = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return Reply.of({"iso": iso, "epoch": round(now, 3)})

    def _book(self, book: Book, query: Mapping[str, str]) -> Reply:
        level = query.get("level", "1")
        if level not in {"1", "2", "3"}:
            return Reply.refusal(400, "Invalid level")  # the venue's words are not known
        sides: list[list[tuple[str, str, Any]]] = []
        for side in SIDES:
            orders = book.orders(side) if level == "3" else None
            if level == "3" and orders is None:
                return Reply.refusal(404, "NotFound")
            rows: Any = orders if orders is not None else book.levels(side)[: 1 if level == "1" else None]
            sides.append([(trimmed(price), trimmed(size), last) for price, size, last in rows])
        content = {
            "bids": sides[0],
            "asks": sides[1],
            "sequence": book.sequence,
            "auction_mode": False,
            "auction": None,
            "time": derive.timestamp(book.time)[:-1] + "000Z",  # nanoseconds, as seen in 2026
        }
        return Reply.of(content, _CACHED)

    def _trades(
        self, product_id: str, newest: int, query: Mapping[str, str], unlisted: Container[tuple[str, int]]
    ) -> Reply:
        """
        Return a page of trades, newest first: those after the id ``before`` and before the id ``after``.

        If there are more than one page of them, it is the newest page. (What the venue does for ``before`` alone is not
        known; the other choice would be the page next to it.)
        """
        try:
            limit = int(query.get("limit", _MOST_TRADES))
            highest = min(newest, int(query.get("after", newest + 1)) - 1)
            lowest = int(query.get("before", 0)) + 1
        except ValueError:
            return Reply.refusal(400, "Invalid page")  # the venue's words are not known
        trades: list[dict[str, Any]] = []
        for trade_id in range(highest, lowest - 1, -1):
            match = self._market.trade(product_id, trade_id)
            if match is None or len(trades) >= min(max(limit, 1), _MOST_TRADES):
                break
            if (product_id, trade_id) not in unlisted:
                trades.append(_trade(msgspec.json.decode(match)))
        ends = [("CB-BEFORE", trades[0]), ("CB-AFTER", trades[-1])] if trades else []
        return Reply.of(trades, *((name, str(trade["trade_id"])) for name, trade in ends))

    def _ticker(self, product_id: str, book: Book) -> Reply:
        match = self._market.trade(product_id, book.trade_id)
        trade = _trade(msgspec.json.decode(match)) if match else {}
        bid, ask = (trimmed(book.levels(side)[0][0]) if book.levels(side) else "0" for side in SIDES)
        return Reply.of(
            {
                "ask": ask,
                "bid": bid,
                "volume": "0",
                "trade_id": book.trade_id,
                "price": trade.get("price", "0"),
                "size": trade.get("size", "0"),
                "time": trade.get("time", derive.timestamp(book.time)),
                "rfq_volume": "0",
            }
        )


def _trade(match: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ``match`` as REST has it: numbers with eight places, as in the docs."""
    return {
        "trade_id": match["trade_id"],
        "side": match["side"],
        "size": _places(match["size"]),
        "price": _places(match["price"]),
        "time": match["time"],
    }


def _places(number: str) -> str:
    whole, _, part = number.partition(".")
    return f"{whole}.{part:0<8}"
