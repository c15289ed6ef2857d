"""
The rows of ``level3``: arrays, whose schema comes in the channel's first message.

Source: Coinbase docs, Exchange, "WebSocket Channels", level3 (read 2026-11): use the schema rather than positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["DOCUMENTED", "Layout", "read_schema"]

Layout = Mapping[str, tuple[int, ...]]
"""The kind of a row to the positions of product, sequence and time, and of what else ``_NEEDED`` names."""

_COMMON = ("product_id", "sequence", "time")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "open": (*_COMMON, "order_id", "side", "price", "size"),
    "done": (*_COMMON, "order_id"),
    "match": (*_COMMON, "maker_order_id", "size"),
    "change": (*_COMMON, "order_id", "price", "size"),
    "noop": _COMMON,
}

_DOCUMENTED: Mapping[str, Sequence[str]] = {
    "change": ("type", "product_id", "sequence", "order_id", "price", "size", "time"),
    "done": ("type", "product_id", "sequence", "order_id", "time"),
    "match": ("type", "product_id", "sequence", "maker_order_id", "taker_order_id", "price", "size", "time"),
    "noop": ("type", "product_id", "sequence", "time"),
    "open": ("type", "product_id", "sequence", "order_id", "side", "price", "size", "time"),
}


def read_schema(schema: Any) -> Layout:
    """
    Return where in each kind of row what stands.

    Raises:
        ValueError: (or ``TypeError``, ``AttributeError``) If it is no schema, or lacks what a book needs.
    """
    layout = {}
    for kind, needed in _NEEDED.items():
        names = list(schema.get(kind, ()))
        if names[:1] != ["type"]:
            raise ValueError(f"rows of {kind!r} do not begin with their type")
        layout[kind] = tuple(names.index(name) for name in needed)
    return layout


DOCUMENTED = read_schema(_DOCUMENTED)
"""Where it stands by the documentation; for rows that come before any schema."""
