"""In which lines of source copra-tx spends its time, as py-spy sees it from outside."""

from __future__ import annotations

import linecache
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .contestants import CONTESTANTS, OURS
from .environments import ROOT
from .rounds import RunningSender, command

__all__ = ["HotLine", "find_hot_lines"]

RATE = 500  # samples a second
FEWEST = 0.01  # lines with a smaller share are left out

_FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*):(?P<line>\d+)\)")


@dataclass(frozen=True, slots=True)
class HotLine:
    """
    One line of source.

    Attributes:
        text: The line.
        function: Module and function that it is in.
        share: How much of the time is spent in it, and in what it calls that is not Python.
    """

    text: str
    function: str
    share: float


def find_hot_lines(profile: str, messages: int) -> Sequence[HotLine]:
    """
    Run copra-tx under py-spy, and return the lines in which it spends most of its time, the hottest first.

    What comes before the first message is left out: only what the loop calls counts.
    """
    with RunningSender() as sender, tempfile.TemporaryDirectory(prefix="copra-tx-bench-") as folder:
        stacks = Path(folder, "stacks")
        client = command(sys.executable, CONTESTANTS[OURS], profile, sender, None)
        client[4] = sender.url(profile, messages, messages)
        record = ("py-spy", "record", "--rate", str(RATE), "--nonblocking", "--full-filenames", "--format", "raw")
        subprocess.run((*record, "--output", str(stacks), "--", *client), cwd=ROOT, check=True, capture_output=True)
        samples = Counter(dict(_leaves(stacks.read_text())))
    total = samples.total()
    return [
        HotLine(linecache.getline(file, line).strip() or function, f"{Path(file).stem}.{function}", count / total)
        for (function, file, line), count in samples.most_common()
        if count >= FEWEST * total
    ]


def _leaves(raw: str) -> Iterator[tuple[tuple[str, str, int], int]]:
    """Yield where each stack of an event loop ends, and how often it was seen."""
    seen: Counter[tuple[str, str, int]] = Counter()
    for stack in raw.splitlines():
        frames, _, count = stack.rpartition(" ")
        matches = [found for frame in frames.split(";") if (found := _FRAME.fullmatch(frame))]
        if any(found["function"].endswith("._run_once") for found in matches):
            leaf = matches[-1]
            seen[leaf["function"], leaf["file"], int(leaf["line"])] += int(count)
    yield from seen.items()
