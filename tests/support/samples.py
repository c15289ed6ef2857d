"""
One message of every kind that the Exchange feed knows, as the venue writes it and as a client may.

The messages stand in ``exchange_samples.jsonl``: the first line says where they come from, each further line is one
message with its name and its direction.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

__all__ = ["rest_samples", "samples"]

_FILE = Path(__file__).with_name("exchange_samples.jsonl")
_LINES = _FILE.read_text(encoding="utf-8").splitlines()[1:]
_REST = "rest-"


def samples(direction: Literal["server", "client"]) -> dict[str, Any]:
    """Return the messages of one direction by their names; made anew for every caller."""
    return {name: message for name, message in _read(direction) if not name.startswith(_REST)}


def rest_samples() -> dict[str, Any]:
    """Return the answers of the REST interface by their names; no feed ever sends one."""
    return {name: message for name, message in _read("server") if name.startswith(_REST)}


def _read(direction: str) -> list[tuple[str, Any]]:
    entries = [json.loads(line) for line in _LINES]
    return [(entry["name"], entry["message"]) for entry in entries if entry["direction"] == direction]
