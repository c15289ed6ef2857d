"""Programs that tests run in processes of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from selectors import EVENT_READ, DefaultSelector

STRICT = ("-W", "error", "-X", "dev")
"""Options of Python: every warning is an error; asyncio, and what is not closed, in debug mode."""


# In the background of a shell, where the tests may run, Ctrl-C is ignored; not so where programs are used. What
# asyncio says of slow steps is about the machine that the tests run on.
_IN_FRONT = """
import signal, logging
signal.signal(signal.SIGINT, signal.default_int_handler)
logging.getLogger("asyncio").addFilter(lambda record: not str(record.msg).startswith("Executing "))
"""


class Program:
    """
    One run of a program.

    Args:
        source: Its text.
        arguments: What it finds in ``sys.argv[1:]``.
        when: What to do once it has printed a line, by that line; ``{"ready": Program.interrupt}``.
        options: Options of Python.
        timeout: Seconds until it is killed, for the case that it hangs.

    Attributes:
        lines: What it printed so far.
        timed_out: Whether it was killed.
        process: The process.
    """

    process: subprocess.Popen[bytes]

    def __init__(
        self,
        source: str,
        *arguments: str,
        when: Mapping[str, Callable[[Program], object]] | None = None,
        options: Sequence[str] = STRICT,
        timeout: float = 30,
    ) -> None:
        self._command = [sys.executable, *options, "-c", _IN_FRONT + textwrap.dedent(source), *arguments]
        self._actions = dict(when or {})
        self._timeout = timeout
        self.lines: list[str] = []
        self.timed_out = False

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def run(self) -> list[str]:
        """
        Run it to its end, and return what it printed; blocks.

        Raises:
            AssertionError: If it failed, was killed, or wrote anything to stderr.
        """
        status, errors = self.end()
        assert not self.timed_out, f"{self.lines}\nstill there after {self._timeout} s\n{errors}"
        assert (status, errors) == (0, ""), f"{self.lines}\nstatus {status}\n{errors}"
        return self.lines

    def end(self) -> tuple[int, str]:
        """Run it to whatever end, and return its status and what it wrote to stderr; blocks."""
        pipe = subprocess.PIPE
        # No threads: with a trace function (coverage), a thread of Python 3.11 that begins a call when SIGCHLD has come
        # spins until the main thread takes the signal, which a join keeps it from.
        with subprocess.Popen(self._command, stdout=pipe, stderr=pipe) as self.process, DefaultSelector() as pipes:
            printed, errors = bytearray(), bytearray()
            pipes.register(self.process.stdout, EVENT_READ, printed)  # type: ignore[arg-type]  # they are there
            pipes.register(self.process.stderr, EVENT_READ, errors)  # type: ignore[arg-type]
            until = time.monotonic() + self._timeout
            try:
                while pipes.get_map():
                    ready = pipes.select(max(0, until - time.monotonic()))
                    if not ready:
                        self.timed_out = True
                        break
                    for key, _ in ready:
                        data = os.read(key.fd, 65536)
                        key.data.extend(data)
                        if not data:
                            pipes.unregister(key.fileobj)
                    self._look_at(printed)
                if printed:
                    self.lines.append(printed.decode())
                if not self.timed_out:
                    self._wait(until)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    self.process.kill()
        return self.process.returncode, errors.decode()

    def _look_at(self, printed: bytearray) -> None:
        while b"\n" in printed:
            line, _, rest = printed.partition(b"\n")
            printed[:] = rest
            self.lines.append(line.decode())
            self._actions.pop(self.lines[-1], _nothing)(self)

    def _wait(self, until: float) -> None:
        try:
            self.process.wait(max(0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.timed_out = True


def _nothing(_: Program) -> None:
    pass
