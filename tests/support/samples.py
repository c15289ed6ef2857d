"""
One message of every kind that the feeds know, as the venue writes it and as a client may.

The messages stand in ``exchange_samples.jsonl`` and ``advanced_samples.jsonl``: the first line says where they come
from, each further line is one message with its name and its direction.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

__all__ = ["advanced_samples", "rest_samples", "samples"]

_REST = "rest-"


def samples(direction: Literal["server", "client"]) -> dict[str, Any]:
    """Return the messages of one direction by their names; made anew for every caller."""
    return {name: message for name, message in _read(direction) if not name.startswith(_REST)}


def rest_samples() -> dict[str, Any]:
    """Return the answers of the REST interface by their names; no feed ever sends one."""
    return {name: message for name, message in _read("server") if name.startswith(_REST)}


def advanced_samples(direction: Literal["server", "client"]) -> dict[str, Any]:
    """Return the messages of the Advanced Trade feed, of one direction."""
    return dict(_read(direction, "advanced_samples.jsonl"))


def _read(direction: str, file: str = "exchange_samples.jsonl") -> list[tuple[str, Any]]:
    lines = Path(__file__).with_name(file).read_text(encoding="utf-8").splitlines()[1:]
    entries = [json.loads(line) for line in lines]
    return [(entry["name"], entry["message"]) for entry in entries if entry["direction"] == direction]
