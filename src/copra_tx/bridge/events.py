"""Something that is so or not, and can be waited for on both sides."""

from __future__ import annotations

from .awaiting import AwaitableDeferred

__all__ = ["ConnectionEvent"]


class ConnectionEvent:
    """
    As ``asyncio.Event``, and for Twisted too.

    CoPrA's ``client.connected`` and ``client.disconnected`` are events of asyncio; these have the same methods, need
    no loop, and ``when_set`` beside them.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[AwaitableDeferred[bool]] = []

    def is_set(self) -> bool:
        """Tell whether it is so now."""
        return self._is_set

    def set(self) -> None:
        """Make it so, and wake everybody who waits."""
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            if not deferred.called:  # cancelled by who was woken before it
                deferred.callback(True)

    def clear(self) -> None:
        """Make it not so."""
        self._is_set = False

    def when_set(self) -> AwaitableDeferred[bool]:
        """Return what fires with ``True`` when it is so: at once, if it is so now."""
        deferred: AwaitableDeferred[bool] = AwaitableDeferred(self._forget)
        if self._is_set:
            deferred.callback(True)
        else:
            self._waiting.append(deferred)
        return deferred

    async def wait(self) -> bool:
        """Wait until it is so; returns ``True``. A waiter that is cancelled leaves nothing behind."""
        deferred = self.when_set()
        try:
            return await deferred
        finally:
            self._forget(deferred)

    def _forget(self, deferred: object) -> None:
        self._waiting = [one for one in self._waiting if one is not deferred]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'set' if self._is_set else 'not set'}>"
