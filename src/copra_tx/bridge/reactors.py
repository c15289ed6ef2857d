"""Which reactor drives a client, and how it comes to the loop."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.main import installReactor
from twisted.python import threadable

from copra_tx.errors import ReactorMismatchError, WrongThreadError

from .guest import GuestReactor

__all__ = ["asyncio_loop_of", "attach", "check_thread", "detach", "new_loop", "reactor_for"]


def attach(loop: asyncio.AbstractEventLoop, *, logging: bool = True) -> Any:
    """
    Let Twisted live on an asyncio loop, and return the reactor.

    It works whether the loop runs already or will be run later, by whomever: ``loop.run_forever()``,
    ``asyncio.run()``, a web server, a notebook, or ``reactor.run()``. A second call is harmless. When a loop is closed
    and another one takes its place (``asyncio.run`` twice), Twisted moves along.

    Args:
        loop: The loop; uvloop's too.
        logging: Pass our log events on to the standard ``logging`` (logger ``copra_tx``) while Twisted is a guest.

    Raises:
        ReactorMismatchError: If another reactor is installed, or another loop is in use, or the loop cannot watch
            sockets (Windows' Proactor loop). The text names the ways out.
        WrongThreadError: If the loop runs in another thread.
    """
    if loop.is_running() and _running_loop() is not loop:
        raise WrongThreadError("attach()")
    if type(loop).add_reader is asyncio.AbstractEventLoop.add_reader:
        raise ReactorMismatchError(
            f"a {type(loop).__name__} cannot watch sockets for Twisted; pass a selector loop: "
            f"loop = asyncio.SelectorEventLoop(), or asyncio.run(main(), loop_factory=asyncio.SelectorEventLoop)"
        )
    reactor = _installed_reactor()
    if reactor is None:
        reactor = GuestReactor(loop, passes_on_logs=logging)
        installReactor(reactor)
    else:
        _check_or_move(reactor, loop)
    if isinstance(reactor, GuestReactor) and not reactor.running:
        if loop.is_running():
            reactor.begin()
        else:
            # Whoever runs the loop first decides: reactor.run() has set ``running`` before this is called.
            loop.call_soon(reactor.begin)
    return reactor


def _check_or_move(reactor: Any, loop: asyncio.AbstractEventLoop) -> None:
    current = asyncio_loop_of(reactor)
    if current is loop:
        return
    if current is None:
        raise ReactorMismatchError(
            f"a {type(reactor).__name__} is installed, which does not run asyncio loops. Either pass loop=None to use "
            f"it; or make the client (or call copra_tx.bridge.attach(loop)) before anything imports "
            f"twisted.internet.reactor; or start the program with asyncio's reactor (twistd --reactor=asyncio)"
        )
    if current.is_closed() and isinstance(reactor, GuestReactor):
        reactor.rebind(loop)
        return
    raise ReactorMismatchError(
        f"the {type(reactor).__name__} of this process lives on another loop ({current!r}). Pass that loop, or "
        f"loop=None; there is one reactor in a process, and it cannot serve two loops at once"
    )


async def detach(reactor: Any) -> None:
    """
    Stop a guest reactor: its shutdown triggers fire and its threads end; the loop goes on.

    Nothing needs this but programs that want the shutdown triggers. ``attach`` may be called again afterwards.
    """
    if reactor.running:
        done = asyncio.get_running_loop().create_future()
        reactor.addSystemEventTrigger("after", "shutdown", lambda: done.done() or done.set_result(None))
        reactor.stop()
        await done


def reactor_for(loop: Any) -> Any:
    """
    Return the reactor of a loop, or of the program.

    Args:
        loop: An asyncio loop, a reactor (which is returned), or ``None``: the installed reactor, whichever it is. If
            there is none yet, asyncio's is installed, on the running loop or on a new one.

    Raises:
        ReactorMismatchError, WrongThreadError: As ``attach``.
    """
    if loop is None:
        reactor = _installed_reactor()
        running = _running_loop()
        if running is not None and (reactor is None or isinstance(reactor, GuestReactor)):
            return attach(running)
        return attach(new_loop()) if reactor is None else reactor
    return loop if IReactorTime.providedBy(loop) else attach(loop)


def new_loop() -> asyncio.AbstractEventLoop:
    """Make a loop that a reactor can live on, and make it the thread's current one."""
    loop = asyncio.SelectorEventLoop() if sys.platform == "win32" else asyncio.new_event_loop()
    # asyncio.ensure_future() outside of a running loop would schedule on a loop that never runs.
    asyncio.set_event_loop(loop)
    return loop


def asyncio_loop_of(reactor: object) -> asyncio.AbstractEventLoop | None:
    """Return the loop of asyncio's reactor; ``None`` for any other reactor."""
    loop: asyncio.AbstractEventLoop | None = getattr(reactor, "_asyncioEventloop", None)
    return loop


def check_thread(reactor: object, call: str) -> None:
    """
    Refuse a call from a thread that does not run the reactor; before anything runs, any thread may call.

    Args:
        reactor: The reactor.
        call: What is called, for the text.

    Raises:
        WrongThreadError: If so.
    """
    loop = asyncio_loop_of(reactor)
    if loop is not None:
        foreign = loop.is_running() and _running_loop() is not loop
    else:
        foreign = threadable.ioThread not in (None, threadable.getThreadID())
    if foreign:
        raise WrongThreadError(call)


def _installed_reactor() -> Any:
    return sys.modules.get("twisted.internet.reactor")


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
