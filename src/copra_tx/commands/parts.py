"""The parts of an envelope of the Advanced Trade feed, as messages of the Exchange feed, which the table knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["parts_of"]

_SIDES = {"bid": "buy", "offer": "sell"}


def parts_of(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what an envelope says about products, oldest first; whatever is not of the known shape is passed over."""
    events = message.get("events")
    time = message.get("timestamp")
    for event in events if isinstance(events, list) else ():
        if not isinstance(event, Mapping):
            continue
        for ticker in _each(event, "tickers"):
            best = {f"{name}_size": ticker.get(f"{name}_quantity") for name in ("best_bid", "best_ask")}
            yield {**ticker, **best, "type": "ticker", "time": time}
        for trade in reversed(_each(event, "trades")):  # they come newest first
            yield {**trade, "type": "match", "side": str(trade.get("side")).lower()}
        if "updates" in event:
            yield _book(event)


def _each(event: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    parts = event.get(name)
    return [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []


def _book(event: Mapping[str, Any]) -> dict[str, Any]:
    changes = [
        (_SIDES.get(str(update.get("side")), ""), update.get("price_level"), update.get("new_quantity"))
        for update in _each(event, "updates")
    ]
    book = {"product_id": event.get("product_id")}
    if event.get("type") != "snapshot":
        return book | {"type": "l2update", "changes": changes}
    sides = {name: [change[1:] for change in changes if change[0] == side] for name, side in _NAMES}
    return book | {"type": "snapshot", **sides}


_NAMES = (("bids", "buy"), ("asks", "sell"))
