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


# As tuples, because the garbage collector forgets tuples of strings, and would else look at a hundred thousand lists
# whenever it runs, for as long as the process lives.
_LISTS = frozenset({"asks", "bids", "changes"})


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One recorded message.

    Attributes:
        raw: The bytes as received.
        message: The same, decoded; levels and changes are tuples.
    """

    raw: bytes
    message: dict[str, Any]


@functools.cache
def load_recording() -> Sequence[Frame]:
    """Return all frames of the recorded connection, the ``subscriptions`` answer first, in the order received."""
    packed = resources.files(__package__).joinpath("minute.jsonl.gz").read_bytes()
    return tuple(Frame(raw, _decode(raw)) for raw in gzip.decompress(packed).splitlines())


def _decode(raw: bytes) -> dict[str, Any]:
    message: dict[str, Any] = msgspec.json.decode(raw)
    for name in _LISTS & message.keys():
        message[name] = tuple(map(tuple, message[name]))
    return message
