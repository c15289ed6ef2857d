"""Running contestants: one after the other, in rounds, each round in another order."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from .contestants import CONTESTANTS, CONTESTS, Contestant
from .environments import ROOT, Environments
from .profiles import PROFILES, Profile

__all__ = ["RunningSender", "command", "run_rounds"]

LONGEST = 180  # seconds for one run of one client


class RunningSender(AbstractContextManager["RunningSender"]):
    """The sender's process, while the context lasts."""

    def __enter__(self) -> Self:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sender"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        if not words:
            raise RuntimeError("the sender did not start")
        self._told = dict(zip(words[::2], words[1::2], strict=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self._process.communicate()  # closes its input

    @property
    def ca_file(self) -> str:
        """The certificate to trust."""
        return self._told["ca_file"]

    def url(self, name: str, messages: int, segment: int) -> str:
        """Return where a stream is to be had."""
        scheme = PROFILES[name].scheme
        return f"{scheme}://localhost:{self._told[scheme]}/{name}?messages={messages}&segment={segment}"


@dataclass(frozen=True)
class Run:
    """One run of one contestant on one profile."""

    profile: str
    contestant: str
    round: int


def run_rounds(
    profiles: Sequence[str],
    contestants: Iterable[str],
    environments: Environments,
    *,
    rounds: int,
    messages: int | None = None,
    report: Callable[[str], None],
) -> Iterator[dict[str, Any]]:
    """
    Yield the result of each run, by the clock.

    Args:
        profiles: Names of what is sent.
        contestants: Names of who takes part, where they are foreseen.
        environments: Where they run.
        rounds: How often each is run.
        messages: At most so many in each run.
        report: Is told what happens.
    """
    chosen = set(contestants)
    entries = {
        name: [one for one in CONTESTS[name] if one in chosen and environments.has(CONTESTANTS[one].environment)]
        for name in profiles
    }
    pythons = {
        environment: environments.python(environment)
        for environment in {CONTESTANTS[one].environment for ones in entries.values() for one in ones}
    }
    shuffled = random.Random()
    with RunningSender() as sender:
        for number in range(rounds):
            for name in profiles:
                order = list(entries[name])
                shuffled.shuffle(order)
                for one in order:
                    contestant = CONTESTANTS[one]
                    arguments = command(pythons[contestant.environment], contestant, name, sender, messages)
                    result = _run(arguments)
                    report(f"round {number + 1}/{rounds} {name} {one}: {result['cpu_us']:.3f} µs a message")
                    yield {"profile": name, "contestant": one, "round": number, **result}


def command(
    python: str, contestant: Contestant, name: str, sender: RunningSender, messages: int | None = None
) -> list[str]:
    """
    Return the command that runs one contestant on one profile.

    Args:
        python: Its interpreter.
        contestant: Who.
        name: The profile.
        sender: Sends.
        messages: At most so many, before slow contestants get fewer.
    """
    profile = PROFILES[name]
    count, segment = _amounts(profile, contestant, messages)
    return [
        *(python, "-m", "benchmarks.client", contestant.function, sender.url(name, count, segment)),
        *(("--ca-file", sender.ca_file) if profile.tls else ()),
        *(("--deflate",) if profile.deflate else ()),
        *(("--stamped",) if profile.stamped else ()),
        *(("--distributions", *contestant.distributions) if contestant.distributions else ()),
    ]


def _amounts(profile: Profile, contestant: Contestant, most: int | None) -> tuple[int, int]:
    messages, segment = profile.messages, profile.segment
    if most is not None:
        messages = max(segment if profile.stream == "mix" else 1, min(messages, most))
        messages -= messages % segment if profile.stream == "mix" else 0
    if not profile.rate and not profile.counted and profile.stream not in ("mix", "snap"):
        messages = max(1, messages // contestant.slowness)
    return messages, segment


def _run(arguments: Sequence[str]) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
    done = subprocess.run(
        arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{' '.join(arguments)} failed with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
