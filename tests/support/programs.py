"""Programs that tests run in processes of their own."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Mapping, Sequence

STRICT = ("-W", "error", "-X", "dev")
"""Options of Python: every warning is an error; asyncio, and what is not closed, in debug mode."""


# In the background of a shell, where the tests may run, Ctrl-C is ignored; not so where programs are used.
_IN_FRONT = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


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

    process: subprocess.Popen[str]

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

    def _time_out(self) -> None:
        self.timed_out = True
        self.process.kill()

    def end(self) -> tuple[int, str]:
        """Run it to whatever end, and return its status and what it wrote to stderr; blocks."""
        pipe = subprocess.PIPE
        errors: list[str] = []
        with subprocess.Popen(self._command, stdout=pipe, stderr=pipe, encoding="utf-8") as self.process:
            assert self.process.stdout is not None
            assert self.process.stderr is not None
            reader = threading.Thread(target=lambda read: errors.append(read()), args=[self.process.stderr.read])
            killer = threading.Timer(self._timeout, self._time_out)
            reader.start()
            killer.start()
            try:
                for line in self.process.stdout:
                    self.lines.append(line.rstrip("\n"))
                    self._actions.pop(self.lines[-1], _nothing)(self)
                reader.join()
                return self.process.wait(), errors[0]
            finally:
                killer.cancel()
                with contextlib.suppress(ProcessLookupError):
                    self.process.kill()


def _nothing(_: Program) -> None:
    pass
