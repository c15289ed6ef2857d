"""A terminal that is drawn on in place, and left as it was found."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Sequence

__all__ = ["Screen"]

# The alternate screen (so that resizing and scrolling leave no traces), no cursor, no wrapping of long lines.
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
FALLBACK = os.terminal_size((80, 24))


class Screen:
    """
    The terminal behind a file descriptor.

    Whoever stops the program (Ctrl-Z) gets the terminal back as it was, and the picture returns with the program.
    Nothing is drawn while the program is in the background, or the terminal takes nothing (Ctrl-S).

    Args:
        fd: The descriptor.
        encoding: Of text on it.
    """

    def __init__(self, fd: int, encoding: str = "utf-8") -> None:
        self._fd = fd
        self._encoding = encoding
        self._drawn: str | None = None
        self._entered = False
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def begin(self) -> None:
        """Be ready to draw."""
        signal.signal(signal.SIGTSTP, self._stopped)
        signal.signal(signal.SIGQUIT, self._quit)

    def end(self) -> None:
        """Give the terminal back; may be called at any time, and again."""
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        self._leave()

    @property
    def size(self) -> os.terminal_size:
        """Columns and lines, as they are now."""
        try:
            size = os.get_terminal_size(self._fd)
        except OSError:
            return FALLBACK
        return os.terminal_size((size.columns or FALLBACK.columns, size.lines or FALLBACK.lines))

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines in place of what is shown."""
        if not self._in_foreground() or not self._poll.poll(0):
            return
        # Each line is written over the old one, and only what is left of that is erased: nothing flickers.
        picture = "\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J"
        if not self._entered:
            self._entered = True
            self._write(ENTER + picture)
        elif picture != self._drawn:
            self._write(picture)
        self._drawn = picture

    def print(self, lines: Sequence[str]) -> None:
        """Write lines below everything, to stay; after ``end``."""
        self._write("".join(f"{line}\r\n" for line in lines))

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:  # not our controlling terminal: nobody can send us to the background of it
            return True

    def _leave(self) -> None:
        if self._entered:
            self._entered, self._drawn = False, None
            with contextlib.suppress(OSError):  # a terminal that is gone needs nothing back
                self._write(LEAVE)

    def _write(self, text: str) -> None:
        data = text.encode(self._encoding, "replace")
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:  # somebody who has the same terminal made it non-blocking
                self._poll.poll()

    def _stopped(self, *_: object) -> None:
        self._die_of(signal.SIGTSTP)
        self.begin()  # here we go on after SIGCONT

    def _quit(self, *_: object) -> None:
        self._die_of(signal.SIGQUIT)

    def _die_of(self, number: signal.Signals) -> None:
        self._leave()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
