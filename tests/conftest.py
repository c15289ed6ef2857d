"""
Every test runs under the rules of ``support.strictness``; ``support.reactors`` gives it a reactor in memory.

Hypothesis tries the same examples in each run, and takes the time it needs: a failure is one of the change, not of
the day or of a busy machine.

Programs that tests start, and the processes of pytest-xdist, keep the bytecode of what they import, whatever the
environment says: each would compile all of ours again, and all tests, which takes longest.
"""

from __future__ import annotations

import os

import hypothesis
import pytest

pytest_plugins = ["support.strictness", "support.reactors"]

hypothesis.settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("deterministic")

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare how long the soak is."""
    parser.addoption(
        "--schedules",
        type=int,
        metavar="N",
        help="live through this many schedules of faults, in tests marked as slow; without it 500, in ordinary ones",
    )
