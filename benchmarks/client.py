"""
One client, measured: ``python -m benchmarks.client NAME URL``.

Runs in the environment of the client, for as long as the stream lasts, and prints one line of JSON.
"""

from __future__ import annotations

import argparse
import importlib
from dataclasses import dataclass
from importlib import metadata

from .stopwatch import Counting, Stamping, Stopwatch

__all__ = ["Task"]


@dataclass(frozen=True)
class Task:
    """
    What a client under test has to do.

    Attributes:
        url: Whereto.
        ca_file: Whom to trust over TLS.
        deflate: Offer permessage-deflate.
        counting: The class of the callback.
    """

    url: str
    ca_file: str
    deflate: bool
    counting: type[Counting]


def main() -> None:
    """Run the client that the arguments name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", help="module and function in benchmarks.clients, with a dot between")
    parser.add_argument("url")
    parser.add_argument("--ca-file", default="")
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--stamped", action="store_true")
    parser.add_argument("--distributions", nargs="*", default=[], help="whose versions to report")
    arguments = parser.parse_args()
    counting = Stamping if arguments.stamped else Counting
    versions = {name: metadata.version(name) for name in arguments.distributions}
    counting.stopwatch = Stopwatch({"versions": versions})
    module, _, function = arguments.name.partition(".")
    run = getattr(importlib.import_module(f"benchmarks.clients.{module}"), function)
    run(Task(arguments.url, arguments.ca_file, arguments.deflate, counting))


if __name__ == "__main__":
    main()
