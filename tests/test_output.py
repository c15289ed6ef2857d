"""Lines into files, pipes and devices: whole ones, none lost silently, and the reactor never blocked."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from copra_tx import output as output_module
from copra_tx.errors import ConfigurationError
from copra_tx.output import STDOUT, LineOutput, json_line
from copra_tx.websocket.decoding import Decoding
from support.peers import the_reactor, within


class Failures(list[OSError]):
    """What an output could not do."""


@pytest.fixture
def failures() -> Failures:
    return Failures()


def open_output(path: object, failures: Failures) -> LineOutput:
    output = LineOutput(str(path), the_reactor(), failures.append)
    output.startService()
    return output


def test_a_line_is_compact_json() -> None:
    line = json_line({"type": "ticker", "price": "1.10", "changes": [["buy", "1", "2"]], "x": None, "é": 1})
    assert line == '{"type":"ticker","price":"1.10","changes":[["buy","1","2"]],"x":null,"é":1}\n'.encode()
    assert json_line(["match", "BTC-USD"]) == b'["match","BTC-USD"]\n'


class Trade(msgspec.Struct):
    """What a client's ``decode`` may make of a message."""

    type: str
    price: Decimal


@pytest.mark.parametrize("choice", ["dict", "lazy", None, Trade])
def test_a_line_is_the_same_however_the_client_decodes(choice: object) -> None:
    decoding = Decoding(choice)
    for payload in b'{"type":"match","price":"1.10"}', b'{ "type": "match",\r\n "price": "1.10" }\n':
        message = decoding.decode(payload)
        message = message if decoding.present is None else decoding.present(message)
        assert json_line(message) == b'{"type":"match","price":"1.10"}\n'


def test_what_is_written_as_it_came_is_not_touched() -> None:
    payload = b'{"price": 1.50, "big": 123456789012345678901234567890, "price": 2}'
    assert json_line(payload) == payload + b"\n"
    assert json_line(Decoding("lazy").decode(payload)) == payload + b"\n"
    assert json_line(b'{"price": 1.50,\n"big": 1e400, "price": 1.000000000000000000001}') == (
        b'{"price":1.50,"big":1e400,"price":1.000000000000000000001}\n'
    )


def test_a_line_never_breaks() -> None:
    text = "a\nb\r\0\x1b"
    line = json_line({"type": text})
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert json.loads(line)["type"] == text


# -- files


async def test_a_file_is_appended_to(tmp_path: Path, failures: Failures) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"1\n")
    output = open_output(path, failures)
    assert output.write(b"2\n") is None
    assert path.read_bytes() == b"1\n2\n"  # at once, not when it is closed
    await output.stopService()
    assert output.write(b"late\n") is None
    assert path.read_bytes() == b"1\n2\n"


async def test_it_opens_again_when_started_again(tmp_path: Path, failures: Failures) -> None:
    path = tmp_path / "out.jsonl"
    output = open_output(path, failures)
    for number in (b"1\n", b"2\n"):
        output.startService()
        output.write(number)
        await output.stopService()
    assert path.read_bytes() == b"1\n2\n"


async def test_a_line_left_unfinished_is_ended_first(tmp_path: Path, failures: Failures) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b'{"half')
    output = open_output(path, failures)
    output.write(b"{}\n")
    await output.stopService()
    assert path.read_bytes() == b'{"half\n{}\n'


async def test_a_file_that_may_be_appended_to_but_not_be_read(
    tmp_path: Path, failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mode 0200; root, who may run this, could read it nevertheless."""

    def refuse(*arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(output_module, "open", refuse, raising=False)
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"1\n")
    output = open_output(path, failures)
    output.write(b"2\n")
    await output.stopService()
    assert path.read_bytes() == b"1\n2\n"


def test_what_cannot_be_opened_is_told(tmp_path: Path, failures: Failures) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, words in (
        (tmp_path, "Is a directory"),
        (tmp_path / "no" / "file", "No such file or directory"),
        (fifo, "it is a pipe that nobody reads"),
    ):
        with pytest.raises(ConfigurationError, match=f"^output '{path}' cannot be written: {words}"):
            open_output(path, failures)


def test_without_standard_output_it_says_so(monkeypatch: pytest.MonkeyPatch, failures: Failures) -> None:
    monkeypatch.setattr(sys, "__stdout__", None)
    with pytest.raises(ConfigurationError, match="started without standard output"):
        open_output(STDOUT, failures)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the disk be full when a file has reached this size; Python ignores the signal that goes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_line_that_has_no_room_is_taken_back(tmp_path: Path, failures: Failures) -> None:
    path = tmp_path / "out.jsonl"
    output = open_output(path, failures)
    with largest_file(10):
        output.write(b"123456\n")
        assert output.write(b"123456\n") is None  # three bytes of it fit
        assert path.read_bytes() == b"123456\n"
    assert [failure.errno for failure in failures] == [errno.EFBIG]
    output.write(b"x\n")  # nothing more is written, and nothing more told
    await output.stopService()
    assert path.read_bytes() == b"123456\n"
    assert len(failures) == 1


async def test_what_another_program_appended_is_not_taken_back(
    tmp_path: Path, failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.jsonl"
    output = open_output(path, failures)
    write = os.write

    def half_then_full(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", full)
        done = write(fd, data[:2])
        with path.open("ab") as other:
            other.write(b"theirs\n")
        return done

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", half_then_full)
    output.write(b"ours\n")
    assert path.read_bytes() == b"outheirs\n"
    assert [failure.errno for failure in failures] == [errno.ENOSPC]


def test_a_full_device_is_told(failures: Failures) -> None:
    output = open_output("/dev/full", failures)
    output.write(b"x\n")
    assert [failure.errno for failure in failures] == [errno.ENOSPC]


# -- pipes


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A named pipe, and the descriptor of its reader."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, reader
    os.close(reader)


def read_all(reader: int) -> bytes:
    data = b""
    try:
        while chunk := os.read(reader, 1024 * 1024):
            data += chunk
    except BlockingIOError:
        pass
    return data


async def drained(reader: int, deferred: Deferred[None]) -> bytes:
    """Read until a Deferred fires, letting the reactor turn in between."""
    data = read_all(reader)
    fired: list[None] = []
    deferred.addCallback(fired.append)
    while not fired:
        await deferLater(the_reactor(), 0)
        data += read_all(reader)
    return data


async def test_a_slow_reader_gets_every_line_in_the_end(pipe: tuple[Path, int], failures: Failures) -> None:
    path, reader = pipe
    output = open_output(path, failures)
    lines = [b"%06d%s\n" % (number, b"x" * 1000) for number in range(3000)]
    written = 0
    room = None
    while room is None:
        room = output.write(lines[written])
        written += 1
    assert 1000 < written < 2500  # the pipe's own size, and what may wait
    assert output.write(lines[written]) is room  # kept, though there is no room
    written += 1
    data = await drained(reader, within(room))
    assert output.write(lines[written]) is None
    written += 1
    data += await drained(reader, output.stopService())
    assert data + read_all(reader) == b"".join(lines[:written])


async def test_a_line_longer_than_a_pipe(pipe: tuple[Path, int], failures: Failures) -> None:
    path, reader = pipe
    output = open_output(path, failures)
    line = b"x" * 500_000 + b"\n"
    assert output.write(line) is None
    data = await drained(reader, within(output.stopService()))
    assert data + read_all(reader) == line


async def test_a_reader_that_never_reads_does_not_hold_up_the_end(
    pipe: tuple[Path, int], failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_module, "FLUSH_TIME", 0.05)
    output = open_output(pipe[0], failures)
    while (room := output.write(b"y" * 9999 + b"\n")) is None:
        pass
    released: list[None] = []
    room.addCallback(released.append)
    stopped = output.stopService()
    assert released == [None]  # whoever waits for room is let go at once
    await within(stopped)
    assert failures == []


async def test_a_reader_that_is_too_slow_for_all_lines_gets_whole_ones(
    pipe: tuple[Path, int], failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, reader = pipe
    # The pipe takes 64 KiB: some lines of 10 000 bytes and the beginning of another, or some of 4096 bytes.
    for line in b"y" * 9999 + b"\n", b"z" * 4095 + b"\n":
        monkeypatch.setattr(output_module, "FLUSH_TIME", 0)
        output = open_output(path, failures)
        for _ in range(20):
            output.write(line)
        stopped = output.stopService()
        await deferLater(the_reactor(), 0)
        monkeypatch.setattr(output_module, "FLUSH_TIME", 5)
        data = await drained(reader, within(stopped))
        data += read_all(reader)
        lines = len(data) // len(line)
        assert 1 < lines < 20
        assert data == line * lines


async def test_a_reader_that_goes_away_while_lines_wait(pipe: tuple[Path, int], failures: Failures) -> None:
    path, reader = pipe
    output = open_output(path, failures)
    while (room := output.write(b"y" * 9999 + b"\n")) is None:
        pass
    spare = os.open(os.devnull, os.O_RDONLY)
    os.dup2(spare, reader)  # the pipe's reader is gone; the fixture closes the number
    os.close(spare)
    await within(room)
    assert [type(failure) for failure in failures] == [BrokenPipeError]


def test_a_reader_that_is_gone(pipe: tuple[Path, int], failures: Failures) -> None:
    path, reader = pipe
    output = open_output(path, failures)
    spare = os.open(os.devnull, os.O_RDONLY)
    os.dup2(spare, reader)
    os.close(spare)
    assert output.write(b"1\n") is None
    assert [type(failure) for failure in failures] == [BrokenPipeError]
    assert output.write(b"2\n") is None
    assert len(failures) == 1


async def test_a_descriptor_that_others_fill_too(
    pipe: tuple[Path, int], failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be full though poll() said there is room: another program wrote in between."""
    path, reader = pipe
    output = open_output(path, failures)

    def full(fd: int, data: bytes) -> int:
        monkeypatch.undo()
        raise BlockingIOError

    monkeypatch.setattr(os, "write", full)
    assert output.write(b"1\n") is None
    assert read_all(reader) == b""
    assert await drained(reader, within(output.stopService())) + read_all(reader) == b"1\n"


def test_the_reactor_may_tell_that_it_is_broken(pipe: tuple[Path, int], failures: Failures) -> None:
    from twisted.internet.error import ConnectionLost
    from twisted.internet.interfaces import IWriteDescriptor
    from twisted.python.failure import Failure
    from zope.interface.verify import verifyObject

    output = open_output(pipe[0], failures)
    assert verifyObject(IWriteDescriptor, output)
    assert output.logPrefix() == "output"
    output.connectionLost(Failure(ConnectionLost("gone")))
    assert [type(failure) for failure in failures] == [BrokenPipeError]
    assert output.fileno() == -1


def test_standard_output_is_the_real_one_whatever_python_has_in_its_place() -> None:
    """``twistd`` puts its log there."""
    program = """
        import sys
        from copra_tx.bridge import reactor_for
        from copra_tx.output import LineOutput
        sys.stdout = sys.stderr
        output = LineOutput("-", reactor_for(None), print)
        output.write(b"line\\n")
        output.stopService()
        output.startService()
        output.write(b"another\\n")
        print("log")
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (b"line\nanother\n", b"log\n")
