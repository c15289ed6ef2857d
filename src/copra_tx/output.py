"""Messages as JSON lines, to a file or to standard output."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IWriteDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .errors import ConfigurationError

__all__ = ["STDOUT", "LineOutput", "json_line"]

STDOUT = "-"
"""The path that means standard output."""

MOST_WAITING = 1024 * 1024
"""So many bytes may wait for a slow reader before whoever writes is asked to wait, too."""

FLUSH_TIME = 0.8
"""
Seconds that a slow reader gets, when the output is closed, to take what still waits; after that, as many again to take
the rest of a line that it has begun.
"""


def json_line(message: object) -> bytes:
    """
    Return a message as one line of JSON, its end included.

    Args:
        message: As ``on_message`` gets it, whatever the client's ``decode`` is. Bytes and a ``LazyMessage`` are written
            as they were received, a typed object with what it has.
    """
    if isinstance(message, dict | list):
        return msgspec.json.encode(message) + b"\n"
    payload = message if isinstance(message, bytes) else _payload(message)
    if payload is None:
        return msgspec.json.encode(message) + b"\n"
    if b"\n" in payload or b"\r" in payload:  # between its parts, where JSON allows it
        payload = msgspec.json.format(payload, indent=-1)
    return payload + b"\n"


def _payload(message: object) -> bytes | None:
    from .websocket import LazyMessage

    return message.payload if isinstance(message, LazyMessage) else None


@implementer(IWriteDescriptor)
class LineOutput(Service):
    """
    Writes whole lines, each at once, and never blocks the reactor.

    A file is appended to, a line with a single write. A line that the disk has no room for is taken back, and one
    that an earlier program left unfinished is ended first: a reader never sees half of one within the file. Where the
    reader is slow (a pipe, a terminal), lines wait here, and ``write`` says when to go on.

    As a service it closes when stopped, after at most twice ``FLUSH_TIME``, and opens again when started.

    Args:
        path: The file, or ``-`` for standard output. It is opened at once.
        reactor: Watches a descriptor that cannot take more.
        failed: Called once, with the error, when nothing more can be written: the reader is gone
            (``BrokenPipeError``), the disk is full. Nothing is written after that.

    Raises:
        ConfigurationError: If the file cannot be opened.
    """

    _log = Logger()

    def __init__(self, path: str, reactor: Any, failed: Callable[[OSError], object]) -> None:
        self.path = path
        self._reactor = reactor
        self._failed = failed
        self._waiting = bytearray()
        self._room: Deferred[None] | None = None
        self._flushed: Deferred[None] | None = None
        self._deadline: IDelayedCall | None = None
        self._watched = False
        self._within_a_line = False
        self._open()

    # -- the service

    def startService(self) -> None:
        """Open, if it was stopped before."""
        super().startService()
        if self._fd < 0:
            self._open()

    def stopService(self) -> Deferred[None]:
        """
        Write what waits, as far as the reader takes it, and close.

        Returns:
            Fires with ``None`` when it is closed, at most twice ``FLUSH_TIME`` later.
        """
        super().stopService()
        self._make_room()
        flushed: Deferred[None] = Deferred()
        self._flushed = flushed
        flushed.addCallback(lambda _: self._close())
        if self._waiting:
            self._deadline = self._reactor.callLater(FLUSH_TIME, self._give_up_lines)
        else:
            self._all_written()
        return flushed

    # -- lines

    def write(self, line: bytes) -> Deferred[None] | None:
        """
        Write a line, which ends with a line feed, now or as soon as it can be.

        Returns:
            ``None`` if there is room for more; else what fires when there is. What is written nevertheless is
            kept.
        """
        if self._fd < 0:
            return None
        self._waiting += line
        if not self._watched:
            self._write_waiting()
        if len(self._waiting) < MOST_WAITING or self._fd < 0:
            return None
        if self._room is None:
            self._room = Deferred()
        return self._room

    def _open(self) -> None:
        if self.path == STDOUT and sys.__stdout__ is None:  # the descriptor 1 is then something else by now
            raise ConfigurationError("output '-' cannot be written: this program was started without standard output")
        try:
            self._fd = os.dup(1) if self.path == STDOUT else _open_to_append(self.path)
            self._regular = stat.S_ISREG(os.fstat(self._fd).st_mode)
        except OSError as error:
            detail = "it is a pipe that nobody reads" if error.errno == errno.ENXIO else error.strerror
            raise ConfigurationError(f"output {self.path!r} cannot be written: {detail}") from error
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)

    def _close(self) -> None:
        if self._watched:
            self._watched = False
            self._reactor.removeWriter(self)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._waiting.clear()

    def _write_waiting(self) -> None:
        try:
            while self._waiting and self._poll.poll(0):
                self._write_some()
        except BlockingIOError:
            pass  # somebody who has the same descriptor made it non-blocking: the reactor tells when to go on
        except OSError as error:
            self._fail(error)
            return
        if bool(self._waiting) != self._watched:
            self._watched = not self._watched
            (self._reactor.addWriter if self._watched else self._reactor.removeWriter)(self)
        if len(self._waiting) < MOST_WAITING // 2:
            self._make_room()
        if not self._waiting:
            self._all_written()

    def _write_some(self) -> None:
        if not self._regular:
            # poll() promises room for so many bytes: more could block.
            done = os.write(self._fd, self._waiting[: select.PIPE_BUF])
            self._within_a_line = not self._waiting.endswith(b"\n", 0, done)
            del self._waiting[:done]
            return
        lines, done = bytes(self._waiting), 0
        self._waiting.clear()
        begin = os.fstat(self._fd).st_size
        try:
            while done < len(lines):
                done += os.write(self._fd, lines[done:])
        except OSError:
            if os.fstat(self._fd).st_size == begin + done:  # nobody else appended meanwhile
                os.ftruncate(self._fd, begin)
            raise

    def _fail(self, error: OSError) -> None:
        self._close()
        self._failed(error)
        self._make_room()
        self._all_written()

    def _make_room(self) -> None:
        if self._room is not None:
            room, self._room = self._room, None
            room.callback(None)

    def _all_written(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._flushed is not None:
            flushed, self._flushed = self._flushed, None
            flushed.callback(None)

    def _give_up_lines(self) -> None:
        begun = self._waiting.index(b"\n") + 1 if self._within_a_line else 0
        self._warn(self._waiting.count(b"\n", begun))
        del self._waiting[begun:]
        if self._waiting:
            self._deadline = self._reactor.callLater(FLUSH_TIME, self._give_up)
        else:
            self._give_up()

    def _give_up(self) -> None:
        if self._waiting:
            self._warn(1)
        self._deadline = None
        self._all_written()

    def _warn(self, lines: int) -> None:
        self._log.warn(
            "The reader of {path} did not take everything in time: {lines} lines are lost",
            path=self.path,
            lines=lines,
        )

    # -- the reactor's side

    def fileno(self) -> int:
        """Return the descriptor, for the reactor."""
        return self._fd

    def doWrite(self) -> None:
        """Go on writing; the reactor calls it when the reader takes more."""
        self._write_waiting()

    def connectionLost(self, reason: Failure) -> None:
        """Take note that the descriptor is broken; the reactor calls it."""
        self._fail(BrokenPipeError(errno.EPIPE, reason.getErrorMessage()))

    def logPrefix(self) -> str:
        """Return what the reactor calls us in its log."""
        return "output"


def _open_to_append(path: str) -> int:
    # Non-blocking: opening a named pipe would wait for its reader.
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
    if not _ends_with_a_line(path, fd):
        os.write(fd, b"\n")
    return fd


def _ends_with_a_line(path: str, fd: int) -> bool:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return True
    try:
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
    except PermissionError:  # may be appended to, but not be read
        return True
