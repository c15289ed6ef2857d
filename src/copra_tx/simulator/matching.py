"""
The simulated exchange's matching engine: orders in, the messages of the ``full`` channel out.

Best price first, at one price the oldest order first. Money is counted in whole numbers: prices in hundredths of the
quote currency, sizes in hundred-millionths of the base currency. No clock, no chance, no network.

Source of messages and their fields: Coinbase docs, Exchange, "WebSocket Channels" (read 2026-11). How sizes and prices
are written was seen in frames of 2026: without trailing zeros in messages about orders, with them in those about
levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .resting import OPPOSITE, Order, Resting, Side

__all__ = ["ACCOUNT", "Engine", "Event", "price_text", "size_text", "trimmed"]

ACCOUNT = {"user_id": "5844eceecf7e803e259d0365", "profile_id": "765d1549-9660-4be2-97d4-fa2d65fa3352"}
"""Whose own orders are: fields that only the account's own connections see."""

_SELF_TRADE, _NO_LIQUIDITY = "102:Self Trade Prevention", "106:Insufficient Liquidity"


def price_text(price: int) -> str:
    """Return a price as messages about levels have it, with all its zeros."""
    return f"{price // 100}.{price % 100:02}"


def size_text(size: int) -> str:
    """Return a size as messages about levels have it, with all its zeros."""
    return f"{size // 10**8}.{size % 10**8:08}"


def trimmed(text: str) -> str:
    """Return a decimal number without trailing zeros, as messages about orders and REST have it."""
    return text.rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Event:
    """
    One message of the ``full`` channel.

    Attributes:
        message: As the account itself sees it: those about own orders have more fields than others get.
        effect: The order as the book has it afterwards, with no size left if it is gone; ``None`` if the book stays.
    """

    message: dict[str, Any]
    effect: Order | None = None


@dataclass(slots=True)
class _Taker:
    """An order on its way through the book; ``price`` is missing in market orders, ``size`` in those for funds."""

    order_id: str
    side: Side
    price: int | None
    size: int | None
    funds: int = 0  # price times size
    own: bool = False

    def takes(self, maker: Order) -> int:
        """Return how much of ``maker`` it would take."""
        if self.price is not None and (maker.price > self.price if self.side == "buy" else maker.price < self.price):
            return 0
        return min(maker.size, self.funds // maker.price if self.size is None else self.size)

    def take(self, size: int, price: int) -> None:
        if self.size is None:
            self.funds -= size * price
        else:
            self.size -= size


class Engine:
    """
    Matches the orders of one product.

    Args:
        product_id: The product.
        book: The orders that rest already; changed by every order that comes.
        sequence: The latest sequence number.
        trade_id: The latest trade's id.

    Attributes:
        book: The book.
        sequence: The latest sequence number.
        trade_id: The latest trade's id.
        time: What stands in messages as ``time``.
    """

    def __init__(self, product_id: str, book: Resting, *, sequence: int, trade_id: int) -> None:
        self.product_id, self.book = product_id, book
        self.sequence, self.trade_id, self.time = sequence, trade_id, ""
        self._events: list[Event] = []

    def limit(self, order: Order) -> list[Event]:
        """Take a limit order: match it as far as the book has its price, and put the rest on the book."""
        own = {"client_oid": order.order_id[7::-1] + order.order_id[8:], **ACCOUNT} if order.own else {}
        what = {"size": _size(order.size), "price": _price(order.price), "side": order.side, "order_type": "limit"}
        self._tell("received", order.order_id, what | own)
        taker = _Taker(order.order_id, order.side, order.price, order.size, own=order.own)
        prevented = self._cross(taker)
        if taker.size:
            rest = Order(order.order_id, order.side, order.price, taker.size, order.own)
            own = ACCOUNT if order.own else {}
            what = {"price": _price(rest.price), "remaining_size": _size(rest.size), "side": rest.side}
            self._tell("open", rest.order_id, what | own, rest)
        elif prevented:
            self._cancelled(order, prevented, why=_SELF_TRADE)
        else:
            self._filled(order)
        return self._take_events()

    def market(
        self, order_id: str, side: Side, *, size: int | None = None, funds: int = 0, own: bool = False
    ) -> list[Event]:
        """
        Take a market order: match it as far as the book goes; what is left then is cancelled.

        Args:
            order_id: Its id.
            side: Its side.
            size: How much of the base currency; ``None`` for an order that names its ``funds``.
            funds: How much of the quote currency: price times size. The account's own orders name their size.
            own: Whether it is the account's own.
        """
        much = {"funds": trimmed(f"{funds // 10**10}.{funds % 10**10:010}")} if size is None else {"size": _size(size)}
        account = ACCOUNT if own else {}
        self._tell("received", order_id, {**much, "side": side, "order_type": "market", **account})
        taker = _Taker(order_id, side, None, size, funds, own)
        prevented = self._cross(taker)
        reason, why = "filled", {}
        if prevented or taker.size or (taker.funds and self.book.first(OPPOSITE[side]) is None):
            reason = "canceled"
            why = {"cancel_reason": _SELF_TRADE if prevented else _NO_LIQUIDITY} if own else {}
        self._tell("done", order_id, {"reason": reason, "side": side, **why, **account})
        return self._take_events()

    def cancel(self, order_id: str) -> list[Event]:
        """Cancel an order of the book."""
        order = self.book.orders[order_id]
        self._cancelled(order, order.size)
        return self._take_events()

    def modify(self, order_id: str, price: int, size: int) -> list[Event]:
        """
        Give an order of the book another price or size.

        Args:
            order_id: The order.
            price: Its new price; it must not cross the book.
            size: What is left of it from now on.
        """
        old = self.book.orders[order_id]
        new = Order(order_id, old.side, price, size, old.own)
        sizes = {"old_size": _size(old.size), "new_size": _size(size)}
        self._changed(new, "modify_order", new, **sizes, old_price=_price(old.price), new_price=_price(price))
        return self._take_events()

    # -- on the way through the book

    def _cross(self, taker: _Taker) -> int:
        """Match a taker; return how much of it fell to the prevention of self trades in the end."""
        while (maker := self.book.first(OPPOSITE[taker.side])) is not None and (size := taker.takes(maker)):
            if taker.own and maker.own:
                if prevented := self._prevent(taker, maker):
                    return prevented
                continue
            self._match(taker, maker, size)
        return 0

    def _match(self, taker: _Taker, maker: Order, size: int) -> None:
        self.trade_id += 1
        self.sequence += 1
        taker.take(size, maker.price)
        left = Order(maker.order_id, maker.side, maker.price, maker.size - size, maker.own)
        message = {
            "type": "match",
            "trade_id": self.trade_id,
            "maker_order_id": maker.order_id,
            "taker_order_id": taker.order_id,
            "side": maker.side,
            "size": _size(size),
            "price": _price(maker.price),
            "product_id": self.product_id,
            "sequence": self.sequence,
            "time": self.time,
        }
        for role, own, rate in (("taker", taker.own, "0.006"), ("maker", maker.own, "0.004")):
            if own:
                message |= {f"{role}_{name}": value for name, value in ACCOUNT.items()} | ACCOUNT
                message[f"{role}_fee_rate"] = rate
        self._add(message, left)
        if not left.size:
            self._filled(left)

    def _prevent(self, taker: _Taker, maker: Order) -> int:
        """
        Let two orders of the account not meet: the smaller is cancelled, the bigger cut by as much; equals both go.

        Returns:
            The size of the taker that was cancelled; zero while there is some of it left.
        """
        assert taker.size is not None
        size = min(taker.size, maker.size)
        sizes = {"old_size": _size(maker.size), "new_size": _size(maker.size - size)}
        if maker.size > size:
            left = Order(maker.order_id, maker.side, maker.price, maker.size - size, maker.own)
            self._changed(left, "STP", left, **sizes, price=_price(left.price))
            taker.size = 0
            return size
        self._cancelled(maker, maker.size, why=_SELF_TRADE)
        if taker.size == size:
            taker.size = 0
            return size
        sizes = {"old_size": _size(taker.size), "new_size": _size(taker.size - size)}
        taker.size -= size
        told = Order(taker.order_id, taker.side, taker.price or 0, taker.size, own=True)
        price = {} if taker.price is None else {"price": _price(taker.price)}
        self._changed(told, "STP", None, **sizes, **price)  # it is not on the book: nothing there changes
        return 0

    # -- what is told

    def _filled(self, order: Order) -> None:
        own = ACCOUNT if order.own else {}
        self._tell_done(order, "filled", "0", effect=None, **own)

    def _cancelled(self, order: Order, left: int, *, why: str | None = None) -> None:
        own = {"cancel_reason": why} if why is not None and order.own else {}
        own |= ACCOUNT if order.own else {}
        held = order.order_id in self.book.orders
        gone = Order(order.order_id, order.side, order.price, 0, order.own)
        self._tell_done(order, "canceled", _size(left), effect=gone if held else None, **own)

    def _tell_done(self, order: Order, reason: str, left: str, *, effect: Order | None, **own: str) -> None:
        self.sequence += 1
        message = {
            "type": "done",
            "time": self.time,
            "product_id": self.product_id,
            "sequence": self.sequence,
            "price": _price(order.price),
            "order_id": order.order_id,
            "reason": reason,
            "side": order.side,
            "remaining_size": left,
        }
        self._add(message | own, effect)

    def _changed(self, order: Order, reason: str, effect: Order | None, **fields: str) -> None:
        self.sequence += 1
        message = {
            "type": "change",
            "reason": reason,
            "time": self.time,
            "sequence": self.sequence,
            "order_id": order.order_id,
            "side": order.side,
            "product_id": self.product_id,
        }
        self._add(message | fields | (ACCOUNT if order.own else {}), effect)

    def _tell(self, kind: str, order_id: str, fields: Mapping[str, str], effect: Order | None = None) -> None:
        self.sequence += 1
        about = {"time": self.time, "product_id": self.product_id, "sequence": self.sequence, "order_id": order_id}
        self._add({"type": kind, **about, **fields}, effect)

    def _add(self, message: dict[str, Any], effect: Order | None) -> None:
        if effect is not None:
            self.book.put(effect)
        self._events.append(Event(message, effect))

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events


def _price(price: int) -> str:
    return trimmed(price_text(price))


def _size(size: int) -> str:
    return trimmed(size_text(size))
