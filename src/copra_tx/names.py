"""Look-ups of host names that keep no program from ending."""

from __future__ import annotations

from typing import Any

from twisted.internet._resolver import GAIResolver
from twisted.python.threadpool import ThreadPool

from .bridge.threads import wait_for_no_thread_of

__all__ = ["look_up_on_daemon_threads"]

MOST_THREADS = 4


def look_up_on_daemon_threads(reactor: Any) -> None:
    """
    Give a reactor a pool of threads for look-ups of names alone, for which nobody waits at the end.

    Twisted uses the reactor's own threads, and waits for them when it stops: without a network, that is for as long as
    the system's resolver takes to give up, often ten seconds and more.

    Args:
        reactor: One that does not run yet.
    """
    pool = ThreadPool(minthreads=0, maxthreads=MOST_THREADS, name="copra-tx names")
    wait_for_no_thread_of(pool)
    reactor.installNameResolver(GAIResolver(reactor, lambda: pool))
    reactor.callWhenRunning(pool.start)
