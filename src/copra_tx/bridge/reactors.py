"""Which reactor drives a client, and how it comes to the loop."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorTime
from twisted.internet.main import installReactor
from twisted.python import threadable

from copra_tx.errors import ConfigurationError, ReactorMismatchError, WrongThreadError

from .guest import GuestReactor

__all__ = ["asyncio_loop_of", "attach", "check_thread", "detach", "new_loop", "reactor_for"]


def attach(loop: asyncio.AbstractEventLoop, *, logging: bool | None = None) -> Any:
    """
    Let Twisted live on an asyncio loop, and return the reactor.

    It works whether the loop runs already or will be run later, by whomever: ``loop.run_forever()``,
    ``asyncio.run()``, a web server, a notebook, or ``reactor.run()``. A second call is harmless. When a loop is closed
    and another one takes its place (``asyncio.run`` twice), Twisted moves along.

    Args:
        loop: The loop; uvloop's too.
        logging: Whether our log events go to the standard ``logging`` (logger ``copra_tx``) while Twisted is a guest;
            ``None`` leaves it as it is, which is yes at first.

    Raises:
        ReactorMismatchError: If another reactor is installed, or another loop is in use, or the loop cannot watch
            sockets (Windows' Proactor loop). The text names the ways out.
        WrongThreadError: If the loop runs in another thread.
        ConfigurationError: If it is no loop, or a closed one.
    """
    _check_loop(loop)
    reactor = _installed_reactor()
    if reactor is None:
        reactor = GuestReactor(loop)
        installReactor(reactor)
    elif asyncio_loop_of(reactor) is not loop:
        _move(reactor, loop)
    if isinstance(reactor, GuestReactor):
        if logging is not None:
            reactor.passes_on_logs = logging
        start = reactor.begin
    else:

        def start() -> None:
            _check_started(reactor)

    if loop.is_running():
        start()
    else:
        # Whoever runs the loop decides: reactor.run() has started the reactor before this is called.
        loop.call_soon(start)
    return reactor


def _check_loop(loop: object) -> None:
    if not isinstance(loop, asyncio.AbstractEventLoop):
        raise ConfigurationError(f"loop is an asyncio loop, a Twisted reactor or None, not {loop!r}")
    if loop.is_closed():
        raise ConfigurationError(f"{loop!r} is closed; pass the loop that will run")
    if loop.is_running() and _running_loop() is not loop:
        raise WrongThreadError("attach()")
    if type(loop).add_reader is asyncio.AbstractEventLoop.add_reader:
        raise ReactorMismatchError(
            f"a {type(loop).__name__} cannot watch sockets for Twisted; pass a selector loop: "
            f"loop = asyncio.SelectorEventLoop(), or asyncio.run(main(), loop_factory=asyncio.SelectorEventLoop) "
            f"(Python 3.11: asyncio.Runner(loop_factory=asyncio.SelectorEventLoop).run(main()))"
        )


def _move(reactor: Any, loop: asyncio.AbstractEventLoop) -> None:
    current = asyncio_loop_of(reactor)
    if current is None:
        raise ReactorMismatchError(
            f"a {type(reactor).__name__} is installed, which does not run asyncio loops. Either pass loop=None to use "
            f"it; or make the client (or call copra_tx.bridge.attach(loop)) before anything imports "
            f"twisted.internet.reactor; or start the program with asyncio's reactor (twistd --reactor=asyncio)"
        )
    if not (current.is_closed() and isinstance(reactor, GuestReactor)):
        raise ReactorMismatchError(
            f"the {type(reactor).__name__} of this process lives on another loop ({current!r}). Pass that loop, or "
            f"loop=None; there is one reactor in a process, and it cannot serve two loops at once"
        )
    reactor.rebind(loop)


def _check_started(reactor: Any) -> None:
    # Host names would be looked up for ever.
    if not reactor.running:
        raise ReactorMismatchError(
            f"an {type(reactor).__name__} is installed on the running loop, but nobody started it with reactor.run(). "
            f"Either do; or make the client (or call copra_tx.bridge.attach(loop)) before anything installs a reactor"
        )


async def detach(reactor: Any) -> None:
    """
    Stop a guest reactor: its shutdown triggers fire and its connections end; the loop goes on.

    Nothing needs this but programs that want the shutdown triggers. ``attach`` may be called again afterwards. A
    reactor that was started by ``reactor.run()`` is its runner's to stop, and left alone.
    """
    if not (isinstance(reactor, GuestReactor) and reactor.guest and reactor.running):
        return
    stopped = asyncio.Event()
    reactor.addSystemEventTrigger("after", "shutdown", stopped.set)
    with contextlib.suppress(ReactorNotRunning):  # it is stopping already
        reactor.stop()
    await stopped.wait()


def reactor_for(loop: Any) -> Any:
    """
    Return the reactor of a loop, or of the program.

    Args:
        loop: An asyncio loop, a reactor (which is returned), or ``None``: the installed reactor, whichever it is. If
            there is none yet, asyncio's is installed, on the running loop or on a new one.

    Raises:
        ReactorMismatchError, WrongThreadError, ConfigurationError: As ``attach``.
    """
    if loop is not None:
        return loop if IReactorTime.providedBy(loop) else attach(loop)
    reactor, running = _installed_reactor(), _running_loop()
    if reactor is None or isinstance(reactor, GuestReactor):
        if running is not None:
            return attach(running)
        if reactor is None or reactor.loop.is_closed():
            return attach(new_loop())
    check_thread(reactor, "attach()")
    return reactor


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

    A reactor whose loop was closed moves to the one that runs now.

    Args:
        reactor: The reactor.
        call: What is called, for the text.

    Raises:
        WrongThreadError: If so.
    """
    loop, running = asyncio_loop_of(reactor), _running_loop()
    if isinstance(reactor, GuestReactor) and running is not None and reactor.loop.is_closed():
        attach(running)
        return
    if loop is not None:
        foreign = loop.is_running() and running is not loop
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
