"""The table that ``copra-tx`` draws, on a terminal, as a person sees it."""

from __future__ import annotations

import re
import signal
import textwrap
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from copra_tx.simulator import SimulatedExchange
from support.processes import COPRA_TX, Process, process
from support.terminals import Terminal

pytestmark = pytest.mark.asyncio_only  # the programs choose their own reactor: once is enough

CTRL_C, CTRL_Z, CTRL_BACKSLASH = "\x03", "\x1a", "\x1c"


class Screen(Terminal):
    """The screen of a process; ``shows`` waits for what is on it."""

    def __init__(self, running: Process, columns: int, rows: int) -> None:
        super().__init__(columns, rows)
        self._running = running
        self._fed = 0

    @property
    def shown(self) -> str:
        """Everything on it, by now."""
        self.feed(self._running.out[self._fed :])
        self._fed = len(self._running.out)
        return "\n".join(self.lines)

    def shows(self, pattern: str) -> Deferred[None]:
        """Return what fires when a pattern is to be seen."""
        seen = self._running.when(lambda: re.search(pattern, self.shown) is not None)
        return seen.addErrback(self._fail, pattern)

    def _fail(self, failure: Failure, pattern: str) -> None:
        raise AssertionError(f"{pattern!r} is not to be seen in\n{self.shown}") from failure.value


@asynccontextmanager
async def on_a_terminal(
    *arguments: str, columns: int = 120, rows: int = 12, **options: Any
) -> AsyncIterator[tuple[Process, Screen]]:
    """Run the command on a terminal of this size."""
    async with process(*COPRA_TX, *arguments, terminal=(columns, rows), **options) as running:
        yield running, Screen(running, columns, rows)


@asynccontextmanager
async def market(
    *arguments: str, speed: float, products: Sequence[str] = ("BTC-USD", "ETH-USD"), **options: Any
) -> AsyncIterator[tuple[Process, Screen]]:
    """Watch an exchange of ours on a terminal."""
    async with SimulatedExchange(speed=speed) as exchange:
        command = "watch", *products, *arguments, "--feed-url", exchange.url
        async with on_a_terminal(*command, **options) as both:
            yield both


BOTH = r"BTC-USD +6\d,\d{3}\.\d\d .*\n?(.*\n)*ETH-USD +1,\d{3}\.\d\d "


async def test_it_shows_the_market_and_leaves_the_last_picture() -> None:
    async with on_a_terminal("demo", "--speed", "5") as (running, screen):
        await screen.shows(BOTH)
        title, status, empty, heads, *rows = screen.shown.splitlines()
        assert re.fullmatch(
            r"Simulated exchange at ws://127\.0\.0\.1:\d+: a recorded minute, repeated, 5 times as fast", title
        )
        assert re.fullmatch(r"open for 0:\d\d, \d+ messages, \d+/s\. Ctrl-C ends\.", status)
        assert empty == ""
        assert heads.split() == (
            [
                "PRODUCT",
                "PRICE",
                "BID",
                "SIZE",
                "BID",
                "ASK",
                "ASK",
                "SIZE",
                "LAST",
                "SIZE",
                "AT",
                "(UTC)",
                "MSG/S",
                "AGE",
            ]
        )
        assert [row.split()[0] for row in rows if row] == ["BTC-USD", "ETH-USD"]
        assert not screen.cursor_shown
        running.type(CTRL_C)
        assert await running.ended() == 0
        *_, shown = screen.shown.partition("Simulated")
        assert re.search(BOTH, shown)
        assert re.search(r"^open for 0:\d\d, \d+ messages$", shown, re.MULTILINE)
        assert (screen.cursor_shown, screen.wraps, screen.alternate) == (True, True, False)


async def test_it_is_drawn_in_place_a_few_times_a_second() -> None:
    async with market("--seconds", "2", speed=20) as (running, screen):
        await screen.shows(BOTH)
        assert await running.ended() == 0
        assert screen.shown
        assert 2 <= screen.frames <= 10
        assert running.out.count(b"\x1b[2J") == 1  # it is never cleared while it is shown


async def test_it_has_colours_and_arrows() -> None:
    async with market(speed=50) as (_, screen):
        await screen.shows("▲")
        await screen.shows("▼")
        assert {"1;31", "1;32"} <= screen.styles


async def test_no_color_is_honoured() -> None:
    async with market(speed=50, env={"NO_COLOR": "1"}) as (_, screen):
        await screen.shows("▲")
        assert screen.styles == set()


async def test_a_terminal_without_unicode_gets_ascii() -> None:
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    async with market(speed=50, env=env) as (_, screen):
        await screen.shows(r"\d \+")
        assert screen.shown.isascii()


async def test_it_fits_any_size() -> None:
    """Columns go, the least important first, then rows; whatever is shown is whole."""
    async with market(speed=20) as (running, screen):
        await screen.shows(BOTH)
        for columns, expected in (80, "PRODUCT PRICE BID ASK LAST SIZE MSG/S AGE"), (33, "PRODUCT PRICE BID"):
            running.resize(columns, 8)
            screen.resize(columns, 8)
            await screen.shows(rf"(?m)^{' +'.join(map(re.escape, expected.split()))}$")
            await screen.shows(r"ETH-USD +1,\d{3}\.\d\d ")
        running.resize(40, 5)
        screen.resize(40, 5)
        await screen.shows(r"\.\.\. and 2 more")
        running.resize(5, 2)
        screen.resize(5, 2)
        await screen.shows(r"^Coin\nopen$")
        running.type(CTRL_C)
        assert await running.ended() == 0


async def test_the_best_of_a_book_is_shown_too() -> None:
    async with market("--channel", "level2_batch", speed=1, products=["BTC-USD"]) as (_, screen):
        await screen.shows(r"BTC-USD +\d\.\d{8}  6\d,\d{3}\.\d\d  6\d,\d{3}\.\d\d  \d\.\d{8} ")


async def test_a_lost_connection_is_shown_and_so_is_the_next() -> None:
    async with SimulatedExchange() as exchange:
        watching = on_a_terminal("watch", "BTC-USD", "--feed-url", exchange.url)
        async with watching as (running, screen):
            await screen.shows("^Coinbase Exchange at ws://.*\nopen for")
            exchange.drop()
            await screen.shows("\nreconnecting for 0:0.*\nconnection lost: .")
            await screen.shows("\nopen for .*\nconnection lost: .")  # which stands there for a while
            running.type(CTRL_C)
            assert await running.ended() == 0


async def test_a_failure_is_told_below_a_restored_screen() -> None:
    async with market(speed=1, products=["NOPE-USD"]) as (running, screen):
        assert await running.ended() == 1
        assert screen.shown.splitlines()[-1].startswith("copra-tx: subscription to 'heartbeat' for NOPE-USD refused")
        assert (screen.cursor_shown, screen.alternate) == (True, False)


async def test_ctrl_backslash_leaves_the_terminal_in_order() -> None:
    async with market(speed=1) as (running, screen):
        await screen.shows("open for")
        running.type(CTRL_BACKSLASH)
        assert await running.ended() == -signal.SIGQUIT
        assert screen.shown is not None
        assert (screen.cursor_shown, screen.alternate) == (True, False)


async def test_a_dumb_terminal_gets_text_now_and_then() -> None:
    """One table soon, one at the end."""
    async with market(speed=10, env={"TERM": "dumb"}) as (running, _):
        await running.wrote("ETH-USD  ")
        running.type(CTRL_C)
        assert await running.ended() == 0
        assert running.text.count("Coinbase Exchange at") == 2
        assert b"\x1b" not in running.out
        first, *_ = running.text.replace("\r", "").split("\n\n")
        assert first.startswith("Coinbase Exchange at ")
        assert re.search(BOTH, running.text.replace("\r", ""))


async def test_a_dumb_terminal_gets_what_its_encoding_has_of_the_news() -> None:
    async with SimulatedExchange(speed=10) as exchange:
        where, env = ("--feed-url", exchange.url), {"TERM": "dumb", "PYTHONIOENCODING": "ascii"}
        async with on_a_terminal("watch", "BTC-USD", *where, env=env) as (running, _):
            await running.wrote("BTC-USD  ")
            exchange.send({"type": "error", "message": "Prüfung"})
            await running.wrote("fung")
            running.type(CTRL_C)
            assert await running.ended() == 0
            assert "Traceback" not in running.text + running.errors
            assert "Pr?fung" in running.text


LOSING = """
    import os, pty, signal, sys
    errors = os.dup(2)
    child, terminal = pty.fork()
    if not child:
        os.dup2(errors, 2)
        os.environ["TERM"] = sys.argv[1]
        if sys.argv[2] == "nohup":
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.execv(sys.argv[3], sys.argv[3:])
    shown = b""
    while b"BTC-USD  " not in shown:
        shown += os.read(terminal, 65536)
    os.close(terminal)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(("kind", "hangup"), [("xterm", "nohup"), ("xterm", "hangup"), ("dumb", "hangup")])
async def test_a_terminal_that_goes_away_ends_it_quietly(kind: str, hangup: str) -> None:
    loser = COPRA_TX[0], "-c", textwrap.dedent(LOSING), kind, hangup
    async with process(*loser, *COPRA_TX, "demo", "--speed", "20") as running:
        assert await running.ended() == 0
        assert (running.text, running.errors) == ("", "")


SHELL = """
    import os, signal, sys, time
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    foreground = sys.argv[1] == "fg"
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        if foreground:
            os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(sys.argv[2], sys.argv[2:])
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            sys.exit(os.waitstatus_to_exitcode(status))
        os.tcsetpgrp(0, os.getpid())
        print("stopped", flush=True)
        assert input() == "fg"
        os.tcsetpgrp(0, child)
        os.kill(child, signal.SIGCONT)
"""


async def test_ctrl_z_gives_the_terminal_back_until_it_goes_on() -> None:
    """Under a shell, since it is the shell who tells who has the terminal."""
    shell = COPRA_TX[0], "-c", textwrap.dedent(SHELL), "fg"
    async with process(*shell, *COPRA_TX, "demo", terminal=(100, 10)) as running:
        screen = Screen(running, 100, 10)
        await screen.shows("open for")
        running.type(CTRL_Z)
        await screen.shows("stopped")
        assert (screen.cursor_shown, screen.alternate) == (True, False)
        running.type("fg\n")
        await screen.shows("open for")
        assert (screen.cursor_shown, screen.alternate) == (False, True)
        running.type(CTRL_C)
        assert await running.ended() == 0
        assert (screen.shown is not None, screen.cursor_shown, screen.alternate) == (True, True, False)


async def test_in_the_background_it_draws_nothing() -> None:
    shell = COPRA_TX[0], "-c", textwrap.dedent(SHELL), "bg"
    async with process(*shell, *COPRA_TX, "demo", "--seconds", "1", terminal=(100, 10)) as running:
        screen = Screen(running, 100, 10)
        assert await running.ended() == 0
        assert "open for" in screen.shown
        assert screen.frames == 0
