"""
The recorded minute of the real feed that ships with the package.

``minute.DATA.txt`` names its source and licence, ``minute.LICENCE.txt`` has the licence's text.
"""

from __future__ import annotations

import functools
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import msgspec

__all__ = ["Frame", "load_recording"]


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One recorded message.

    Attributes:
        raw: The bytes as received.
        message: The same, decoded.
    """

    raw: bytes
    message: dict[str, Any]


@functools.cache
def load_recording() -> Sequence[Frame]:
    """Return all frames of the recorded connection, the ``subscriptions`` answer first, in the order received."""
    packed = resources.files(__package__).joinpath("minute.jsonl.gz").read_bytes()
    return tuple(Frame(raw, msgspec.json.decode(raw)) for raw in gzip.decompress(packed).splitlines())
