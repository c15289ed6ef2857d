"""Programs that a test starts for real, and talks with while the reactor of the tests goes on."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import termios
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from support.peers import the_reactor, within

BIN = Path(sys.executable).parent
"""Where the installed commands are."""

COPRA_TX = (sys.executable, "-W", "error", "-m", "copra_tx")
"""The command, with every warning an error."""

LIMIT = 20.0
"""Seconds in which everything that is waited for must have happened, on a busy machine too."""


class Process(ProcessProtocol):
    """
    A program that runs, or ran.

    Attributes:
        out: What it wrote to standard output (to its terminal, if it has one), as it came.
        err: What it wrote to standard error.
    """

    transport: Any

    def __init__(self) -> None:
        self.out = self.err = b""
        self._status: int | None = None
        self._reads, self._all_read = True, False
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    # -- what a test does

    def when(self, condition: Callable[[], bool]) -> Deferred[None]:
        """Return what fires when a condition on the output is true; fails if the program ends before."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((condition, waiting))
        self._look()
        return within(waiting, LIMIT)

    def wrote(self, text: str, times: int = 1) -> Deferred[None]:
        """Return what fires when a text stands in the output, so many times."""
        return self.when(lambda: (self.out + self.err).count(text.encode()) >= times)

    async def ended(self) -> int:
        """Wait for the end; returns the status, negative for a signal as ``subprocess`` does."""
        await self.when(lambda: self._status is not None and (self._all_read or not self._reads))
        assert self._status is not None
        return self._status

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.transport.pid, number)

    def type(self, keys: str) -> None:
        """Type on the program's terminal: ``\\x03`` is Ctrl-C."""
        self.transport.write(keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the program's terminal."""
        fcntl.ioctl(self.transport.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def stop_reading(self) -> None:
        """Take nothing more from its standard output."""
        self._reads = False
        self.transport.pipes[1].stopReading()

    def close_output(self) -> None:
        """Close our end of its standard output, as ``head`` does."""
        self.transport.closeStdout()

    @property
    def text(self) -> str:
        """Standard output so far."""
        return self.out.decode()

    @property
    def errors(self) -> str:
        """Standard error so far."""
        return self.err.decode()

    # -- Twisted's side

    def outReceived(self, data: bytes) -> None:
        self.out += data
        self._look()

    def errReceived(self, data: bytes) -> None:
        self.err += data
        self._look()

    def processExited(self, reason: Failure) -> None:
        status: Any = reason.value
        self._status = -status.signal if status.signal else status.exitCode
        self._look()

    def processEnded(self, reason: Failure) -> None:
        self._all_read = True
        self._look()
        for _, waiting in self._waiting:
            waiting.errback(AssertionError(f"ended with {self._status} before that\n{self.text}\n{self.errors}"))
        self._waiting = []

    def _look(self) -> None:
        true = [entry for entry in self._waiting if entry[0]()]
        self._waiting = [entry for entry in self._waiting if entry not in true]
        for _, waiting in true:
            waiting.callback(None)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a process does elsewhere, in a file; the reactor turns meanwhile."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < LIMIT
        await deferLater(the_reactor(), 0.02)


@asynccontextmanager
async def process(
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    terminal: tuple[int, int] | None = None,
) -> AsyncIterator[Process]:
    """
    Run a program until the block ends; it is killed then if it still runs.

    Args:
        command: The program and its arguments.
        env: Changes to the environment, which has no API key and no wish about colours.
        cwd: Where to run it.
        terminal: Columns and rows of a terminal to run it on.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("COPRA_TX_", "NO_COLOR"))}
    running = Process()
    words = [str(word) for word in command]
    the_reactor().spawnProcess(
        running,
        words[0],
        words,
        env={**ours, "TERM": "xterm-256color", "PYTHONUTF8": "1", **(env or {})},
        path=None if cwd is None else str(cwd),
        usePTY=terminal is not None,
    )
    try:
        if terminal is not None:
            running.resize(*terminal)
        yield running
    finally:
        try:
            running.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass
        else:
            await running.ended()
        if not running._reads:
            running.transport.loseConnection()
