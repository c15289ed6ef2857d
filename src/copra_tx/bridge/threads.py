"""Threads for which nobody waits at the end."""

from __future__ import annotations

import threading
from typing import Any

from twisted.python.threadpool import ThreadPool

__all__ = ["wait_for_no_thread_of"]


class _DaemonThread(threading.Thread):
    """A thread of a pool that holds nobody up: not the end of the process, nor a loop whose reactor stops."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(daemon=True, **arguments)

    def join(self, timeout: float | None = None) -> None:
        """Return at once: a look-up that nobody answers may take a minute."""


def wait_for_no_thread_of(pool: ThreadPool) -> None:
    """Let a pool that has not begun be stopped, and the process end, whatever its threads still do."""
    pool.threadFactory = _DaemonThread  # type: ignore[assignment]
