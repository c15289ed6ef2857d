"""Calling the user's callbacks: guarded, one at a time, in order."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from copra_tx.bridge.coroutines import FAILURES, run_coroutine

from .counters import Counters

__all__ = ["Delivery"]

SLICE = 0.01
"""Seconds for which a backlog is worked off before the loop gets its turn."""

LAST_CHANCE = 0.5
"""Seconds that a cancelled callback has for its last things, and so have all that wait behind it."""

_inside: ContextVar[object] = ContextVar("copra_tx_callback", default=None)
"""The mark of the callback that started what runs now, if one did."""


class Receiver(Protocol):
    """Whoever gets the messages."""

    def on_message(self, message: Any) -> object:
        """Take one."""


class Delivery:
    """
    The guard around every callback.

    A callback that raises is logged with its traceback, counted, and the next one is called: the user's mistake
    never reaches the line. A callback may return a coroutine or a Deferred; the next one then waits for it,
    and when ``most`` calls wait, ``full`` is called (and again for each further one) until ``drained``.

    Args:
        reactor: Runs coroutines and gives the time.
        counters: Where failures are counted.
        most: Calls that may wait.
        full: Called when no more should come.
        drained: Called when half of them are done.
        make_amends: Called with the name of a callback that failed, to do what must not depend on it.
        hold: Called when a turn was used up; nothing more should come in until ``emptied``.
        emptied: Called when nothing waits any more.

    Attributes:
        waiting: The calls that wait, oldest first; others may look whether there are any.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        counters: Counters,
        most: int,
        full: Callable[[], None],
        drained: Callable[[], None],
        make_amends: Callable[[str], None],
        hold: Callable[[], None] = lambda: None,
        emptied: Callable[[], None] = lambda: None,
    ) -> None:
        self._reactor = reactor
        self._counters = counters
        self._most, self._full, self._drained = most, full, drained
        self._make_amends = make_amends
        self._hold, self._emptied = hold, emptied
        self.waiting: deque[tuple[str, Callable[..., object], tuple[Any, ...]]] = deque()
        self._busy = False
        self._mark: object | None = None  # None: what runs now was started without a mark
        self._running: Deferred[Any] | None = None
        self._cancelled: Deferred[Any] | None = None
        self._plain: set[str] = set()  # what returned None the last time, and never anything to wait for
        self._slow: set[str] = set()
        self._next_slice: IDelayedCall | None = None
        self._barred: frozenset[str] = frozenset()
        self._idle: list[Deferred[None]] = []
        self._deadline: IDelayedCall | None = None

    @property
    def inside(self) -> bool:
        """Whether the code that asks was, or may have been, called by the callback that runs now."""
        return self._busy and (self._running is None or self._mark is None or _inside.get() is self._mark)

    def deliver(self, name: str, callback: Callable[..., object], *args: object) -> None:
        """Call now, or after everything that waits. The name says which callback it is."""
        if name in self._barred:
            return
        if self._busy or self.waiting or self._next_slice is not None:
            self.waiting.append((name, callback, args))
            if len(self.waiting) >= self._most:
                self._full()
            return
        self._call(name, callback, args)
        if self.waiting and not self._busy:
            self._work_off()

    def deliver_message(self, receiver: Receiver, message: object) -> None:
        """Do as ``deliver`` with ``receiver.on_message``, in fewer steps: they are paid for by each message."""
        if self._busy or self.waiting or self._next_slice is not None or "on_message" not in self._plain:
            self.deliver("on_message", receiver.on_message, message)
            return
        self._busy = True
        try:
            result = receiver.on_message(message)
        except FAILURES:
            self.failed(Failure(), "on_message", (message,))
            self._busy = False
        except BaseException:
            self._interrupted()
            raise
        else:
            if result is None:
                self._busy = False
            else:
                self.took(result, "on_message", (message,))
        if self.waiting and not self._busy:
            self._work_off()

    # For whoever calls one plain callback many times in a row.

    def is_straight(self, name: str) -> bool:
        """Tell whether a callback may be called at once, and is one that returns ``None``."""
        return not (self._busy or self.waiting or self._next_slice is not None) and name in self._plain

    def begin(self) -> None:
        """Begin to call straight; what is delivered meanwhile waits."""
        self._busy = True

    def end(self) -> None:
        """Cease to call straight, and call what waits now."""
        if self._running is None:
            self._busy = False
            if self.waiting and self._next_slice is None:
                self._work_off()

    def yield_turn(self) -> None:
        """Let the loop have its turn: what is delivered from now on waits for the next one."""
        if self._next_slice is None:
            self._next_slice = self._reactor.callLater(0, self._work_off)

    def end_turn(self) -> None:
        """Let the loop have its turn, and let nothing more come in before all is delivered that has come."""
        self.yield_turn()
        self._hold()

    def took(self, result: object, name: str, args: tuple[Any, ...]) -> None:
        """Take what a callback returned: if it is a coroutine or a Deferred, the next one waits for it."""
        if name in self._plain:
            self._plain.remove(name)
            self._mark = object() if inspect.iscoroutine(result) else None
        if inspect.iscoroutine(result):
            result = self._marked(run_coroutine, self._reactor, result)
        if isinstance(result, Deferred):
            self._slow.add(name)
            self._running = result
            result.addBoth(self._ended, result, name, args)
        else:
            self._busy = False

    def failed(self, failure: Failure, name: str, args: tuple[Any, ...]) -> None:
        """Log and count a failure of the user's."""
        self._counters.callback_failures += 1
        message_type = _type_of(args[0]) if name == "on_message" else None
        self._log.failure(
            "{callback} failed" + (" (message type: {message_type})" if message_type else "") + "; the line is kept",
            failure=failure,
            callback=name,
            message_type=message_type,
        )
        self._make_amends(name)

    def discard(self, *names: str) -> None:
        """Forget the waiting calls of the named callbacks."""
        kept = [entry for entry in self.waiting if entry[0] not in names]
        self.waiting.clear()
        self.waiting.extend(kept)
        if not kept:
            self._stop_slicing()
            self._emptied()

    def bar(self, *names: str) -> None:
        """Forget the waiting calls of the named callbacks, and let none of them be called from now on."""
        self._barred = frozenset(names)
        self.discard(*names)

    def unbar(self) -> None:
        """Let all callbacks be called again."""
        self._barred = frozenset()

    def wind_down(self, seconds: float) -> Deferred[None]:
        """
        Wait until no callback runs and none waits.

        One that still runs after so many seconds is cancelled; what has not ended ``LAST_CHANCE`` later is left to
        itself.

        Returns:
            Fires when that is so.
        """
        idle: Deferred[None] = Deferred()
        self._idle.append(idle)
        self._tell_idle()
        if self._idle and self._deadline is None:
            self._deadline = self._reactor.callLater(seconds, self._cancel_running)
        return idle

    def _cancel_running(self) -> None:
        self._deadline = self._reactor.callLater(LAST_CHANCE, self._abandon)
        if self._running is not None:
            self._log.warn("A callback still ran when the client closed; it is cancelled")
            self._cancelled = self._running
            self._running.cancel()

    def _abandon(self) -> None:
        self._deadline = None
        while self._running is not None or self.waiting:
            running = self._cancelled = self._running
            if running is not None:
                running.cancel()
                if self._running is running:
                    self._log.warn("A callback did not end when it was cancelled; nothing waits for it any more")
                    self._running, self._busy = None, False
            self._work_off()

    def _call(self, name: str, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._busy = True
        try:
            if name in self._plain:
                result = callback(*args)
            else:
                self._mark = object()
                result = self._marked(callback, *args)
        except FAILURES:
            self.failed(Failure(), name, args)
            self._busy = False
        except BaseException:
            self._interrupted()
            raise
        else:
            if result is None:
                if name not in self._plain and name not in self._slow:
                    self._plain.add(name)
                self._busy = False
            else:
                self.took(result, name, args)

    def _interrupted(self) -> None:
        # Ctrl-C: it goes to whoever runs the loop, who may want to close the client, or to go on.
        self._busy = False
        if self.waiting:
            self.yield_turn()

    def _marked(self, function: Callable[..., object], *args: Any) -> object:
        # What it starts inherits the mark: awaiting close() in there must not wait for itself.
        token = _inside.set(self._mark)
        try:
            return function(*args)
        finally:
            _inside.reset(token)

    def _ended(self, result: object, running: Deferred[Any], name: str, args: tuple[Any, ...]) -> None:
        is_awaited, was_cancelled = self._running is running, self._cancelled is running
        if is_awaited:
            self._running, self._busy = None, False
        if isinstance(result, Failure) and not (was_cancelled and result.check(CancelledError)):
            self.failed(result, name, args)
        if not is_awaited:
            return
        if self.waiting:
            # In a turn of its own: a chain of callbacks that end at once must not grow the stack.
            self.yield_turn()
        self._tell_idle()

    def _work_off(self) -> None:
        self._stop_slicing()
        until = self._reactor.seconds() + SLICE
        while self.waiting and not self._busy:
            self._call(*self.waiting.popleft())
            if len(self.waiting) <= self._most // 2:
                self._drained()
            if self.waiting and not self._busy and self._reactor.seconds() > until:
                self.yield_turn()
                return
        if not self.waiting:
            self._emptied()
        self._tell_idle()

    def _stop_slicing(self) -> None:
        if self._next_slice is not None and self._next_slice.active():
            self._next_slice.cancel()
        self._next_slice = None

    def _tell_idle(self) -> None:
        if not self.waiting and self._running is None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
            idle, self._idle = self._idle, []
            for waiting in idle:
                waiting.callback(None)


def _type_of(message: Any) -> str:
    return str(message.get("type", message.get("channel"))) if isinstance(message, dict) else type(message).__name__
