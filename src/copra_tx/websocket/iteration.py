"""The buffer behind ``async for message in client``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from copra_tx.bridge import AwaitableDeferred

__all__ = ["MessageBuffer"]


class MessageBuffer:
    """
    Messages between the line and ``async for``.

    It fills only once iteration has begun. Nothing is dropped: when ``most`` messages wait, ``full`` is called
    (and again for each further one), and ``drained`` when half of them are taken.
    """

    def __init__(self, most: int, full: Callable[[], None], drained: Callable[[], None]) -> None:
        self._most, self._full, self._drained = most, full, drained
        self._messages: deque[Any] = deque()
        self._wakeups: list[AwaitableDeferred[None]] = []
        self._ended = False
        self._error: Exception | None = None
        self.active = False

    def __len__(self) -> int:
        return len(self._messages)

    def begin(self) -> None:
        """Take messages from now on."""
        self.active = True

    def reopen(self) -> None:
        """Go on after an end: the client connects again."""
        self._ended, self._error = False, None

    def put(self, message: object) -> None:
        """Add one message."""
        self._messages.append(message)
        self._wake()
        if len(self._messages) >= self._most:
            self._full()

    def end(self, error: Exception | None = None) -> None:
        """No message follows; with an error, it is raised once the messages that wait are taken."""
        self._ended, self._error = True, error
        if error is None:
            self._messages.clear()
            self._drained()
        self._wake()

    async def take(self) -> Any:
        """
        Return the next message, waiting for it if need be.

        A waiter that is cancelled loses nothing: it waits for the news that there is a message, not for the
        message itself.

        Raises:
            StopAsyncIteration: After ``end()``.
            ConnectionLostError: Or whatever ``end()`` was given.
        """
        while not self._messages:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            wakeup: AwaitableDeferred[None] = AwaitableDeferred()
            self._wakeups.append(wakeup)
            try:
                await wakeup
            finally:
                if wakeup in self._wakeups:
                    self._wakeups.remove(wakeup)
        message = self._messages.popleft()
        if len(self._messages) == self._most // 2:
            self._drained()
        return message

    def _wake(self) -> None:
        if self._wakeups:
            wakeups, self._wakeups = self._wakeups, []
            for wakeup in wakeups:
                wakeup.callback(None)
