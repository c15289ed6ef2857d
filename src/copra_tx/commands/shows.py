"""Where a watched market is shown: lines of JSON, a table drawn in place, or one that is printed now and then."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from copra_tx.output import STDOUT, LineOutput, json_line

from .complaints import about_output, one_line, remark
from .quotes import Quotes
from .running import Run
from .screen import FALLBACK, Screen
from .table import PLAIN, Look, Table

__all__ = ["DrawnTable", "JsonLines", "PrintedTable", "Show", "show_for_stdout"]

FRAMES = 4
"""Pictures a second."""

NEWS_TIME = 20.0
"""Seconds for which news are shown."""

PRINT_INTERVAL = 5.0
"""Seconds between two tables on a terminal that cannot be drawn on."""


class Show(Protocol):
    """
    What a watching client tells.

    Attributes:
        decode: How it wants messages; an option of ``Client``.
    """

    decode: str | None

    def message(self, message: Any) -> Deferred[None] | None:
        """Take a message; what is returned fires when there is room for the next."""

    def connected(self) -> None:
        """The line is open."""

    def lost(self, reason: str) -> None:
        """The line is lost, and will be made again."""

    def news(self, text: str) -> None:
        """Something that a person should know."""


class JsonLines(MultiService):
    """
    Writes messages to standard output, and news to standard error.

    Args:
        run: Ended when standard output takes no more; without a word if that is because its reader has gone.
        reactor: The program's.
    """

    decode: str | None = None  # they are written as they come

    def __init__(self, run: Run, reactor: Any) -> None:
        super().__init__()
        self._output = LineOutput(STDOUT, reactor, lambda error: run.end(about_output(error)))
        self._output.setServiceParent(self)

    def message(self, message: Any) -> Deferred[None] | None:
        """Write a line."""
        return self._output.write(json_line(message))

    def connected(self) -> None:
        """Say nothing: the messages do."""

    def lost(self, reason: str) -> None:
        """Write a remark to standard error."""
        self.news(f"connection lost, reconnecting: {reason}")

    def news(self, text: str) -> None:
        """Write a remark to standard error."""
        remark(text)


class _TableShow(Service):
    """What the two tables have in common: quotes, a status, and a clock that has them shown."""

    decode: str | None = "dict"
    interval: float

    def __init__(self, title: str, product_ids: Iterable[str], reactor: Any, failed: Callable[[str], object]) -> None:
        self._title = one_line(title)
        self._table = Table()
        self._quotes = Quotes(product_ids)
        self._reactor = reactor
        self._failed = failed
        self._state, self._since = "connecting", reactor.seconds()
        self._news, self._told = "", 0.0
        self._clock = LoopingCall(self._tick)
        self._clock.clock = reactor

    def startService(self) -> None:
        """Show something, and again every so often."""
        super().startService()
        self._clock.start(self.interval).addErrback(self._broken)

    def stopService(self) -> None:
        """Show the last state, to stay."""
        super().stopService()
        if self._clock.running:
            self._clock.stop()

    def message(self, message: Any) -> None:
        """Take note of a message."""
        self._quotes.take(message, self._reactor.seconds())

    def connected(self) -> None:
        """Have the status say so."""
        self._state, self._since = "open", self._reactor.seconds()

    def lost(self, reason: str) -> None:
        """Have the status say so."""
        self._state, self._since = "reconnecting", self._reactor.seconds()
        self.news(f"connection lost: {reason}")

    def news(self, text: str) -> None:
        """Show it for a while."""
        self._news, self._told = one_line(text), self._reactor.seconds()

    def _tick(self) -> None:
        self._quotes.sample(self._reactor.seconds())
        self.show()

    def show(self) -> None:
        """Show the present state."""
        raise NotImplementedError

    def lines(self, look: Look, columns: int, rows: int | None = None) -> list[str]:
        """Return the table as lines of text."""
        now = self._reactor.seconds()
        status = f"{self._state} for {_duration(now - self._since)}, {self._quotes.count:,} messages"
        if self.running:
            status += f", {self._quotes.rate:,.0f}/s. Ctrl-C ends."
        news = self._news if now - self._told < NEWS_TIME else ""
        head = [self._title, status, news]
        return self._table.lines(head, list(self._quotes.products.values()), now, look, columns, rows)

    def _broken(self, failure: Failure) -> None:
        failure.trap(OSError)
        self._failed("")  # the terminal is gone: nobody is there to be told


class DrawnTable(_TableShow):
    """
    A table that is drawn in place on a terminal; the last picture stays when it ends.

    Args:
        screen: The terminal.
        look: How it may look.
        others: As of ``PrintedTable``.
    """

    interval = 1 / FRAMES

    def __init__(self, screen: Screen, look: Look, *others: Any) -> None:
        super().__init__(*others)
        self._screen, self._look = screen, look

    def startService(self) -> None:
        """Begin to draw."""
        self._screen.begin()
        super().startService()

    def stopService(self) -> None:
        """Give the terminal back, with the last picture on it."""
        super().stopService()
        self._screen.end()
        if self._quotes.count:
            with contextlib.suppress(OSError):  # the terminal may be what ended us
                self._screen.print(self.lines(self._look, self._screen.size.columns))

    def show(self) -> None:
        """Draw."""
        size = self._screen.size
        # One column less: what erases the rest of a line would take the last column's character, too.
        self._screen.draw(self.lines(self._look, size.columns - 1, size.lines))


class PrintedTable(_TableShow):
    """
    A table that is printed now and then, for terminals that can do nothing but print.

    Args:
        title: What is shown.
        product_ids: The products, in their order.
        reactor: The program's.
        failed: Called when nothing can be printed any more.
    """

    interval = 1.0

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._printed = -PRINT_INTERVAL

    def stopService(self) -> None:
        """Print the last state."""
        super().stopService()
        with contextlib.suppress(OSError):  # the terminal may be what ended us
            self._print()

    def news(self, text: str) -> None:
        """Write a remark to standard error at once, too."""
        super().news(text)
        remark(text)

    def show(self) -> None:
        """Print the table, if it is time again."""
        if self._reactor.seconds() >= self._printed + PRINT_INTERVAL:
            self._print()

    def _print(self) -> None:
        if self._quotes.count:
            self._printed = self._reactor.seconds()
            text = "\n".join([*self.lines(PLAIN, FALLBACK.columns - 1), "", ""])
            encoding = sys.stdout.encoding or "ascii"
            sys.stdout.write(text.encode(encoding, "replace").decode(encoding))  # news may come in any script
            sys.stdout.flush()


def show_for_stdout(run: Run, reactor: Any, title: str, product_ids: Sequence[str]) -> tuple[Show, IService]:
    """
    Return what suits standard output, as what is shown to and as what is started and stopped.

    A pipe or a file gets lines of JSON, a terminal a table. ``NO_COLOR`` and ``TERM=dumb`` are honoured.
    """
    if sys.stdout is None or not sys.stdout.isatty():
        lines = JsonLines(run, reactor)
        return lines, lines
    others = title, product_ids, reactor, run.end
    if os.environ.get("TERM", "dumb") == "dumb":
        printed = PrintedTable(*others)
        return printed, printed
    encoding = sys.stdout.encoding or "ascii"
    look = Look(styled=not os.environ.get("NO_COLOR"), symbols=encoding.lower().startswith("utf"))
    screen = Screen(sys.stdout.fileno(), encoding)
    run.at_the_very_end(screen.end)
    drawn = DrawnTable(screen, look, *others)
    return drawn, drawn


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
