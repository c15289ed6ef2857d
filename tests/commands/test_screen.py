"""A terminal that is drawn on, at its edges; the rest is in ``test_cli_table``."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import threading
import tty
from collections.abc import Iterator

import pytest

from copra_tx.commands.screen import FALLBACK, Screen
from support.processes import LIMIT
from support.terminals import Terminal


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Put the handlers back that a screen takes."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGQUIT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal that is nobody's controlling one: what the person sees, what the program has."""
    person, program = pty.openpty()
    tty.setraw(program)
    fcntl.ioctl(program, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 20, 0, 0))
    yield person, program
    for fd in person, program:
        os.close(fd)


MARK = b"\0"


def read(terminal: tuple[int, int]) -> bytes:
    """Return what was written since the last time, up to a mark: the kernel brings it over in its own time."""
    person, program = terminal
    os.write(program, MARK)
    seen = b""
    while not seen.endswith(MARK):
        assert select.select([person], [], [], LIMIT)[0], seen
        seen += os.read(person, 1024 * 1024)
    return seen.removesuffix(MARK)


def test_it_draws_over_what_is_there(terminal: tuple[int, int]) -> None:
    _, program = terminal
    screen, seen = Screen(program), Terminal(20, 5)
    screen.begin()
    screen.draw(["one", "two"])
    seen.feed(read(terminal))
    assert seen.lines == ["one", "two", "", "", ""]
    screen.draw(["1"])
    seen.feed(read(terminal))
    assert seen.lines == ["1", "", "", "", ""]
    screen.draw(["1"])
    assert read(terminal) == b""  # it is there already
    screen.end()
    screen.print(["last"])
    seen.feed(read(terminal))
    assert (seen.alternate, seen.cursor_shown, seen.lines) == (False, True, ["last", ""])
    screen.end()
    assert read(terminal) == b""
    assert signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL


def test_it_knows_its_size(terminal: tuple[int, int]) -> None:
    _, program = terminal
    assert Screen(program).size == (20, 5)
    fcntl.ioctl(program, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))  # some terminals do not say
    assert Screen(program).size == FALLBACK


def test_what_has_no_size_gets_one() -> None:
    reader, writer = os.pipe()
    assert Screen(writer).size == FALLBACK
    os.close(reader)
    os.close(writer)


def test_nothing_is_drawn_while_the_terminal_takes_nothing(terminal: tuple[int, int]) -> None:
    """Ctrl-S."""
    _, program = terminal
    screen = Screen(program)
    termios.tcflow(program, termios.TCOOFF)
    screen.draw(["one"])
    termios.tcflow(program, termios.TCOON)
    screen.draw(["two"])
    seen = read(terminal)
    assert b"two" in seen
    assert b"one" not in seen
    screen.end()


def test_a_terminal_that_does_not_block_gets_the_whole_picture(terminal: tuple[int, int]) -> None:
    """Programs that share it leave it so; it then takes a part of what is more than it can hold."""
    _, program = terminal
    os.set_blocking(program, False)
    screen = Screen(program)
    drawing = threading.Thread(target=screen.draw, args=[["x" * 500_000, "end"]])
    drawing.start()
    seen = b""
    while b"end" not in seen:
        assert select.select([terminal[0]], [], [], LIMIT)[0], seen[-100:]
        seen += os.read(terminal[0], 1024 * 1024)
    drawing.join()
    assert seen.count(b"x") == 500_000
    os.set_blocking(program, True)
    screen.end()


def test_what_the_encoding_has_not_is_replaced(terminal: tuple[int, int]) -> None:
    _, program = terminal
    screen = Screen(program, "ascii")
    screen.draw(["é"])
    assert b"?\x1b[K" in read(terminal)
    screen.end()


def test_the_end_of_a_terminal_that_is_gone_is_quiet(terminal: tuple[int, int]) -> None:
    person, program = terminal
    screen = Screen(program)
    screen.draw(["one"])
    spare = os.open(os.devnull, os.O_RDONLY)
    os.dup2(spare, person)
    os.close(spare)
    screen.end()
    with pytest.raises(OSError, match="Input/output error"):
        screen.print(["last"])
