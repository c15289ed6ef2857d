"""Ctrl-C on a loop whose callbacks are Twisted's."""

from __future__ import annotations

import asyncio
import signal
import threading
from types import FrameType

__all__ = ["Interrupts"]

_DELICATE = {"twisted", "autobahn", "copra_tx"}


class Interrupts:
    """
    Lets ``KeyboardInterrupt`` out of the loop, but not into code that would swallow it or be left half done.

    Python raises it wherever the main thread happens to be. In a timed call of Twisted's or a Deferred's callback it is
    logged and gone, and the program does not stop; anywhere else in there it may cost a callback that somebody waits
    for. So with a handler of Python's own kind in place (asyncio.run, web servers and notebooks have theirs), ours
    takes over: if one of these packages is at work, the loop raises the ``KeyboardInterrupt`` when it is done. If it is
    pressed again before, it is raised at once, as it always is everywhere else.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending = False

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take care of Ctrl-C while the loop runs, if Python's own handler does so far."""
        if threading.current_thread() is threading.main_thread():
            self._loop = loop
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._interrupted)

    def uninstall(self) -> None:
        """Leave it to Python again."""
        if threading.current_thread() is threading.main_thread() and (
            signal.getsignal(signal.SIGINT) == self._interrupted
        ):
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        loop = self._loop
        if loop is None or self._pending or not loop.is_running() or not _is_delicate(frame):
            signal.default_int_handler(number, frame)
        else:
            self._pending = True
            loop.call_soon_threadsafe(self._raise)

    def _raise(self) -> None:
        self._pending = False
        raise KeyboardInterrupt


def _is_delicate(frame: FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in _DELICATE:
            return True
        frame = frame.f_back
    return False
