"""
Messages that were not recorded, derived from the recorded ones: ticker, heartbeat, status, the loop's seam.

Field sets and their order are those of frames captured in 2026; of ``status``, those of the sample in Coinbase's docs,
Exchange, "WebSocket Channels" (read 2026-11).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from .depth import Depth

__all__ = [
    "DayStats",
    "heartbeat",
    "l2update",
    "snapshot",
    "snapshot_of_size",
    "status",
    "ticker",
    "timestamp",
    "timestamp_at",
]

Message = dict[str, Any]

_MINUTES_A_DAY = 24 * 60
_OPPOSITE = {"buy": "sell", "sell": "buy"}


def timestamp(moment: datetime) -> str:
    """Return ``moment`` as the venue writes times: RFC 3339, UTC, microseconds, ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def timestamp_at(now: float) -> str:
    """Return the time ``now``, in seconds since the epoch, likewise."""
    return timestamp(datetime.fromtimestamp(now, UTC))


@dataclass(frozen=True, slots=True)
class DayStats:
    """
    The 24-hour and 30-day figures of a ticker, as decimal strings.

    They are exact for a market that has been repeating the recorded minute for a month: the sums over a whole
    number of repetitions do not depend on where the window begins. Only ``opened`` is a choice: the price at which
    the minute began.
    """

    opened: str
    low: str
    high: str
    volume_24h: str
    volume_30d: str

    @classmethod
    def of_minute(cls, opened: str, trades: Iterable[Mapping[str, str]]) -> DayStats:
        """Return the figures for a minute with these ``match`` messages, which began at the price ``opened``."""
        trades = list(trades)
        prices = sorted([opened, *(trade["price"] for trade in trades)], key=Decimal)
        day = sum((Decimal(trade["size"]) for trade in trades), Decimal(0)) * _MINUTES_A_DAY
        return cls(
            opened=opened,
            low=prices[0],
            high=prices[-1],
            volume_24h=f"{day:.8f}",
            volume_30d=f"{30 * day:.8f}",
        )

    def after(self, trade: Mapping[str, str]) -> DayStats:
        """Return the figures after one more ``match``, with nothing falling out of the window."""
        low, *_, high = sorted([self.low, self.high, trade["price"]], key=Decimal)
        size = Decimal(trade["size"])
        volumes = (f"{Decimal(volume) + size:.8f}" for volume in (self.volume_24h, self.volume_30d))
        return DayStats(self.opened, low, high, *volumes)


def ticker(trade: Mapping[str, Any], depth: Depth, day: DayStats) -> Message:
    """
    Return the ``ticker`` that follows ``trade``, a ``match``.

    Its ``side`` is the taker's, the opposite of the match's. The docs do not say so; it was so in 28 of 28 trades
    compared on the live service (2026-09-27).
    """
    (bid, bid_size), (ask, ask_size) = depth.best_bid, depth.best_ask
    return {
        "type": "ticker",
        "sequence": trade["sequence"],
        "product_id": trade["product_id"],
        "price": trade["price"],
        "open_24h": day.opened,
        "volume_24h": day.volume_24h,
        "low_24h": day.low,
        "high_24h": day.high,
        "volume_30d": day.volume_30d,
        "best_bid": bid,
        "best_bid_size": bid_size,
        "best_ask": ask,
        "best_ask_size": ask_size,
        "side": _OPPOSITE[trade["side"]],
        "time": trade["time"],
        "trade_id": trade["trade_id"],
        "last_size": trade["size"],
    }


def heartbeat(product_id: str, last_trade_id: int, sequence: int, moment: datetime) -> Message:
    """Return a ``heartbeat``: the product's current numbers at a whole second."""
    return {
        "type": "heartbeat",
        "last_trade_id": last_trade_id,
        "product_id": product_id,
        "sequence": sequence,
        "time": timestamp(moment),
    }


def l2update(product_id: str, changes: Sequence[Sequence[str]], moment: datetime) -> Message:
    """Return an ``l2update`` with these ``[side, price, size]`` triples."""
    return {"type": "l2update", "product_id": product_id, "changes": changes, "time": timestamp(moment)}


def snapshot(product_id: str, depth: Depth, time: str) -> Message:
    """Return the ``snapshot`` of a whole book, best levels first, as the recorded ones are."""
    return {"type": "snapshot", "product_id": product_id, "asks": depth.asks, "bids": depth.bids, "time": time}


def snapshot_of_size(size: int, product_id: str) -> bytes:
    """
    Return a ``snapshot`` of exactly ``size`` bytes: level after level, padded by leading zeros of the last size.

    Raises:
        ValueError: If ``size`` is less than a snapshot of one level needs.
    """
    head = f'{{"type":"snapshot","product_id":"{product_id}","asks":[],"bids":['
    tail = '],"time":"2026-07-07T22:58:17.000000Z"}'
    last = '["0.01","{}1"]'
    room = size - len(head) - len(tail) - len(last.format(""))
    if room < 0:
        raise ValueError(f"a snapshot has at least {size - room} bytes, not {size}")
    level = '["{:09d}.01","1.00000000"],'  # every level has the same length
    count, padding = divmod(room, len(level.format(0)))
    levels = "".join(level.format(price) for price in range(count, 0, -1))
    return (head + levels + last.format("0" * padding) + tail).encode()


def status(products: Collection[str], delisted: Collection[str]) -> Message:
    """Return the ``status`` message: every product (delisted ones too) and every currency of theirs."""
    everything = sorted({*products, *delisted})
    currencies = sorted({currency for product in everything for currency in product.split("-")})
    return {
        "type": "status",
        "products": [_product(product, listed=product in products) for product in everything],
        "currencies": [_currency(currency) for currency in currencies],
    }


def _product(product_id: str, *, listed: bool) -> Message:
    base, _, quote = product_id.partition("-")
    return {
        "id": product_id,
        "base_currency": base,
        "quote_currency": quote,
        "base_increment": "0.00000001",
        "quote_increment": "0.01",
        "display_name": product_id,
        "status": "online" if listed else "delisted",
        "status_message": None,
        "min_market_funds": "1",
        "post_only": False,
        "limit_only": False,
        "cancel_only": False,
        "fx_stablecoin": False,
    }


def _currency(currency_id: str) -> Message:
    fiat = currency_id in {"USD", "EUR", "GBP"}
    smallest = "0.01" if fiat else "0.00000001"
    return {
        "id": currency_id,
        "name": currency_id,
        "display_name": currency_id,
        "min_size": smallest,
        "status": "online",
        "status_message": None,
        "max_precision": smallest,
        "convertible_to": [],
        "details": {},
        "default_network": "",
        "supported_networks": [],
    }
