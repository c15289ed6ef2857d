"""Thousands of lines, one after the other, leave nothing behind: no delayed call, no connection, no memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MOST_BLOCKS = 100
"""That may be more at the end. One object kept from each connection would be thousands."""

MOST_BYTES = 3 * 1024 * 1024
"""The process may have grown by this: fragmentation, which levels off; 9 000 connections that keep 1 KiB: 9 MiB."""

SCENARIOS = [
    *("drops", "drops, failing callbacks", "drops, asynchronous callbacks"),
    *("refused upgrades", "refused upgrades, failing callbacks", "refused upgrades, asynchronous callbacks"),
    *("failed dials", "silent servers", "closes"),
]


def soaked(scenario: str, first: int, last: int) -> dict[str, Any]:
    script = Path(__file__).with_name("soak.py")
    command = [sys.executable, "-W", "error", str(script), scenario, str(first), str(last)]
    path = os.pathsep.join([str(script.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.stderr == ""
    return json.loads(done.stdout)


def assert_nothing_left(told: dict[str, Any]) -> None:
    assert told["closed"] == [None]
    assert told["delayed calls"] == told["connected"] == 0
    before, after = told["blocks"]
    assert after - before <= MOST_BLOCKS
    before, after = told["bytes"]
    assert after - before <= MOST_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_10_000_connections_leave_nothing(scenario: str) -> None:
    told = soaked(scenario, 1_000, 10_000)
    assert told["attempts"] == 10_001
    assert_nothing_left(told)


def test_500_connections_leave_nothing() -> None:
    assert_nothing_left(soaked("drops, failing callbacks", 200, 500))


def test_a_leak_is_found() -> None:
    told = soaked("a leak", 50, 250)
    before, after = told["blocks"]
    assert after - before > MOST_BLOCKS
