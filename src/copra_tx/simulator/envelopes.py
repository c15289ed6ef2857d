"""
The messages of the Advanced Trade feed, made of those of the Exchange feed: the same market in the other language.

Field sets and their order are those of the samples in Coinbase's docs, Advanced Trade, "WebSocket Channels" (copy of
2026-06), and of frames that users captured in 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

__all__ = [
    "UNNUMBERED",
    "envelope",
    "events_of",
    "futures_balance",
    "heartbeat",
    "l2_snapshot_of_size",
    "numbered",
    "trades",
]

Event = dict[str, Any]

UNNUMBERED = b'"sequence_num":-1'
"""Stands in a frame until it is sent: only the connection knows its number."""

_SIDES = {"buy": "bid", "sell": "offer"}
_FRONT = 200  # bytes of a frame in which its number is looked for


def envelope(channel: str, time: str, events: Iterable[Mapping[str, Any]], *, client_id: bool) -> bytes:
    """
    Return a frame without its number.

    Args:
        channel: What it says its channel is.
        time: When it was sent.
        events: What it brings.
        client_id: Whether it has the empty ``client_id`` that frames had until 2025, and some since.
    """
    head: dict[str, Any] = {"channel": channel}
    if client_id:
        head["client_id"] = ""
    return msgspec.json.encode(head | {"timestamp": time, "sequence_num": -1, "events": list(events)})


def numbered(frame: bytes, number: int) -> bytes | None:
    """Return a frame with its number; ``None`` if it takes none: errors, and what a test numbered itself."""
    if UNNUMBERED not in frame[:_FRONT]:
        return None
    return frame.replace(UNNUMBERED, b'"sequence_num":%d' % number, 1)


def events_of(channel: str, message: Mapping[str, Any]) -> list[Event]:
    """
    Return what a message of the Exchange feed comes to on a channel.

    Args:
        channel: As one subscribes to it: ``level2``, ``ticker``, ``ticker_batch`` or ``status``.
        message: The message, decoded.
    """
    product, time = message.get("product_id"), message.get("time", "")
    match message["type"]:
        case "snapshot":
            levels = [("buy", *level) for level in message["bids"]] + [("sell", *level) for level in message["asks"]]
            return [{"type": "snapshot", "product_id": product, "updates": _updates(levels, time)}]
        case "l2update":
            return [{"type": "update", "product_id": product, "updates": _updates(message["changes"], time)}]
        case "ticker":
            return [{"type": "update", "tickers": [_ticker(message, with_best=channel == "ticker")]}]
        case _:
            return [{"type": "snapshot", "products": [_product(one) for one in message["products"]]}]


def trades(kind: str, matches: Iterable[Mapping[str, Any]]) -> Event:
    """Return the event of ``market_trades`` with these trades: a ``snapshot``, or an ``update``."""
    return {"type": kind, "trades": [_trade(match) for match in matches]}


def heartbeat(time: str, counter: int) -> Event:
    """Return the event of ``heartbeats`` at one second; ``current_time`` is in Go's own format."""
    shown = time.replace("T", " ").removesuffix("Z")
    return {"current_time": f"{shown} +0000 UTC m=+{counter}.000000000", "heartbeat_counter": counter}


def futures_balance() -> Event:
    """Return the event of ``futures_balance_summary``: an account that has money, and never had a future (seen)."""
    amounts = dict.fromkeys(("futures_buying_power", "total_usd_balance", "cbi_usd_balance"), "1000.00")
    amounts |= dict.fromkeys(
        (
            *("cfm_usd_balance", "total_open_orders_hold_amount", "unrealized_pnl", "daily_realized_pnl"),
            *("initial_margin", "available_margin", "liquidation_threshold", "liquidation_buffer_amount"),
        ),
        "0",
    )
    amounts["liquidation_buffer_percentage"] = "1000"
    windows = dict.fromkeys(("intraday_margin_window_measure", "overnight_margin_window_measure"))
    return {"type": "snapshot", "fcm_balance_summary": amounts | windows}


def l2_snapshot_of_size(size: int, product_id: str, *, client_id: bool) -> bytes:
    """
    Return an unnumbered ``l2_data`` snapshot of exactly ``size`` bytes: level after level, the last one padded.

    Raises:
        ValueError: If ``size`` is less than a snapshot of one level needs.
    """
    time = "2026-09-07T01:57:58.894355Z"

    def level(price: int, padding: int = 0) -> dict[str, str]:
        return _updates([("buy", f"{price:09d}.01", "0" * padding + "1.00000000")], time)[0]

    def frame(levels: Sequence[Event]) -> bytes:
        event = {"type": "snapshot", "product_id": product_id, "updates": levels}
        return envelope("l2_data", time, [event], client_id=client_id)

    one = len(msgspec.json.encode(level(1))) + 1  # every level has the same length, and a comma
    room = size - len(frame([level(1)]))
    if room < 0:
        raise ValueError(f"a snapshot has at least {size - room} bytes, not {size}")
    count, padding = divmod(room, one)
    return frame([*(level(price) for price in range(count + 1, 1, -1)), level(1, padding)])


def _updates(changes: Iterable[Sequence[str]], time: str) -> list[dict[str, str]]:
    return [
        {"side": _SIDES[side], "event_time": time, "price_level": price, "new_quantity": size}
        for side, price, size in changes
    ]


def _trade(match: Mapping[str, Any]) -> Event:
    trade = {name: match[name] for name in ("product_id", "trade_id", "price", "size", "time")}
    return trade | {"trade_id": str(match["trade_id"]), "side": match["side"].upper()}


def _ticker(message: Mapping[str, Any], *, with_best: bool) -> Event:
    price, opened = float(message["price"]), float(message["open_24h"])
    ticker = {
        "type": "ticker",
        "product_id": message["product_id"],
        "price": message["price"],
        "volume_24_h": message["volume_24h"],
        "low_24_h": message["low_24h"],
        "high_24_h": message["high_24h"],
        # Of a market that repeats itself, a year is as a day.
        "low_52_w": message["low_24h"],
        "high_52_w": message["high_24h"],
        "price_percent_chg_24_h": f"{100 * (price / opened - 1):.8f}",
    }
    if with_best:
        ticker |= {
            "best_bid": message["best_bid"],
            "best_bid_quantity": message["best_bid_size"],
            "best_ask": message["best_ask"],
            "best_ask_quantity": message["best_ask_size"],
        }
    return ticker


def _product(product: Mapping[str, Any]) -> Event:
    base, _, quote = product["id"].partition("-")
    return {
        "product_type": "SPOT",
        "id": product["id"],
        "base_currency": base,
        "quote_currency": quote,
        "base_increment": product["base_increment"],
        "quote_increment": product["quote_increment"],
        "display_name": f"{base}/{quote}",
        "status": product["status"],
        "status_message": "",
        "min_market_funds": product["min_market_funds"],
    }
