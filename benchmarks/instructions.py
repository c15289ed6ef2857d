"""
Instructions per message, counted by valgrind's callgrind: whatever else the machine does, they repeat to a per cent.

Each contestant runs twice, with fewer and with more messages; the difference leaves out how it starts and ends. The
kernel's part is not in it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .contestants import CONTESTANTS, CONTESTS
from .environments import ROOT, Environments
from .rounds import RunningSender, command

__all__ = ["count_instructions", "is_possible"]

FEWER, MORE = 200, 1_200
LONGEST = 600  # seconds; callgrind is some fifty times slower than the machine


def is_possible() -> bool:
    """Tell whether valgrind is installed."""
    return shutil.which("valgrind") is not None


def count_instructions(
    profiles: Sequence[str],
    contestants: Sequence[str],
    environments: Environments,
    *,
    messages: int = MORE,
    report: Callable[[str], None],
) -> Iterator[dict[str, Any]]:
    """
    Yield the instructions per message of each contestant in each profile.

    Args:
        profiles: Names of what is sent.
        contestants: Names of who takes part, where they are foreseen.
        environments: Where they run.
        messages: How many in the longer run.
        report: Is told what happens.
    """
    with RunningSender() as sender:
        for profile in profiles:
            for one in CONTESTS[profile]:
                contestant = CONTESTANTS[one]
                if one not in contestants or not environments.has(contestant.environment):
                    continue
                python = environments.python(contestant.environment)
                counts = [_count(command(python, contestant, profile, sender, number)) for number in (FEWER, messages)]
                each = (counts[1] - counts[0]) / (messages - FEWER)
                report(f"{profile} {one}: {each / 1000:.1f} thousand instructions a message")
                yield {"profile": profile, "contestant": one, "round": 0, "instructions": round(each)}


def _count(arguments: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="copra-tx-bench-") as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={Path(folder, 'out')}", *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if collected is None or not done.stdout.strip():
        raise RuntimeError(f"{' '.join(arguments)} failed under valgrind:\n{done.stdout}\n{done.stderr[-2000:]}")
    return int(collected[1])
