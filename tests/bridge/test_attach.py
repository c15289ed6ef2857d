"""Which loops and reactors a client can live on, and what is said where it cannot."""

from __future__ import annotations

import asyncio
import textwrap

import pytest

from copra_tx.bridge import asyncio_loop_of, attach, check_thread, reactor_for
from copra_tx.errors import ConfigurationError, ReactorMismatchError
from support.programs import Program
from support.reactors import FakeReactor
from support.tasks import the_loop


def run(program: str) -> list[str]:
    imports = """
import asyncio, sys, threading
from copra_tx.bridge import GuestReactor, asyncio_loop_of, attach, check_thread, detach, new_loop, reactor_for

def refused(call, *arguments):
    try:
        call(*arguments)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
    else:
        print("not refused", flush=True)
"""
    return Program(imports + textwrap.dedent(program)).run()


# -- in the reactor that runs the tests


def test_a_reactor_is_its_own() -> None:
    reactor = FakeReactor()
    assert reactor_for(reactor) is reactor
    assert asyncio_loop_of(reactor) is None


def test_none_is_the_installed_reactor() -> None:
    from twisted.internet import reactor

    assert reactor_for(None) is reactor
    check_thread(reactor, "this")


@pytest.mark.asyncio_only
def test_the_loop_of_a_running_reactor() -> None:
    from twisted.internet import reactor

    assert reactor_for(the_loop()) is reactor
    assert attach(the_loop()) is reactor
    assert asyncio_loop_of(reactor) is the_loop()


@pytest.mark.asyncio_only
def test_another_loop_than_the_reactors() -> None:
    loop = asyncio.new_event_loop()
    with pytest.raises(ReactorMismatchError, match=r"lives on another loop .* Pass that loop, or loop=None"):
        attach(loop)
    loop.close()


def test_what_is_no_loop() -> None:
    with pytest.raises(ConfigurationError, match="an asyncio loop, a Twisted reactor or None, not 'loop'"):
        reactor_for("loop")


def test_a_closed_loop() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(ConfigurationError, match="is closed; pass the loop that will run"):
        attach(loop)


# -- in processes of their own


@pytest.mark.asyncio_only
def test_the_loop_of_windows_is_told_what_to_pass_instead() -> None:
    program = """
    from asyncio.proactor_events import BaseProactorEventLoop

    class Proactor:
        def __getattr__(self, name):
            return lambda *arguments: None

    loop = BaseProactorEventLoop(Proactor())
    refused(attach, loop)
    refused(reactor_for, loop)
    loop.close()
    print("twisted.internet.reactor" in sys.modules)
    """
    first, second, installed = run(program)
    assert first == second
    assert first == (
        "ReactorMismatchError: a BaseProactorEventLoop cannot watch sockets for Twisted; pass a selector loop: "
        "loop = asyncio.SelectorEventLoop(), or asyncio.run(main(), loop_factory=asyncio.SelectorEventLoop) "
        "(Python 3.11: asyncio.Runner(loop_factory=asyncio.SelectorEventLoop).run(main()))"
    )
    assert installed == "False"


@pytest.mark.asyncio_only
def test_none_without_any_reactor_takes_the_running_loop_or_makes_one() -> None:
    program = """
    async def main():
        print(reactor_for(None).loop is asyncio.get_running_loop())
    asyncio.run(main())
    reactor = reactor_for(None)  # that loop is closed
    print(reactor.loop is asyncio.get_event_loop(), reactor.loop.is_closed())
    reactor.callWhenRunning(reactor.stop)
    reactor.run()
    print(reactor_for(None) is reactor)
    reactor.loop.close()
    """
    assert run(program) == ["True", "True False", "True"]


@pytest.mark.asyncio_only
def test_none_on_another_loop_than_the_reactors() -> None:
    program = """
    loop = new_loop()
    attach(loop)
    async def main():
        refused(reactor_for, None)
    asyncio.run(main())
    loop.close()
    """
    [refusal] = run(program)
    assert refusal.startswith("ReactorMismatchError: the GuestReactor of this process lives on another loop")


@pytest.mark.asyncio_only
def test_a_reactor_of_twisteds_own_on_a_running_loop_must_have_been_started() -> None:
    program = """
    from twisted.internet import asyncioreactor
    loop = asyncio.new_event_loop()
    asyncioreactor.install(loop)
    from twisted.internet import reactor

    loop.set_exception_handler(lambda loop, context: refused(loop.run_until_complete, context["exception"]))
    def tell(loop, context):
        print("later:", context["exception"])
    loop.set_exception_handler(tell)
    attach(loop)
    async def main():
        refused(attach, loop)
    loop.run_until_complete(main())

    def started():
        refused(attach, loop)
        reactor.stop()
    attach(loop)
    reactor.callWhenRunning(started)
    reactor.run()
    loop.close()
    """
    later, at_once, started = run(program)
    assert later.startswith("later: an AsyncioSelectorReactor is installed on the running loop, but nobody started it")
    assert at_once == later.replace("later", "ReactorMismatchError")
    assert started == "not refused"


@pytest.mark.asyncio_only
def test_it_does_not_move_from_a_loop_that_is_not_ours_to_leave() -> None:
    program = """
    from twisted.internet import asyncioreactor
    loop = asyncio.new_event_loop()
    asyncioreactor.install(loop)
    loop.close()
    async def main():
        refused(attach, asyncio.get_running_loop())
    asyncio.run(main())
    """
    [refusal] = run(program)
    assert refusal.startswith("ReactorMismatchError: the AsyncioSelectorReactor of this process lives on another loop")


@pytest.mark.asyncio_only
def test_from_a_thread_whose_loop_runs_elsewhere() -> None:
    program = """
    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(refused, attach, loop)
        reactor = attach(loop)
        for arguments in ([attach, loop], [reactor_for, None], [reactor_for, loop], [check_thread, reactor, "this"]):
            await asyncio.to_thread(refused, *arguments)
        await asyncio.to_thread(asyncio.run, other_loop())
    async def other_loop():
        refused(attach, asyncio.get_running_loop())
    asyncio.run(main())
    """
    attach, *others, other_loop = run(program)
    assert attach == (
        "WrongThreadError: attach() was called from a thread that does not run the reactor; "
        "use loop.call_soon_threadsafe(...) or reactor.callFromThread(...)"
    )
    assert others == [attach, attach, attach, attach.replace("attach()", "this")]
    assert other_loop.startswith("ReactorMismatchError: the GuestReactor of this process lives on another loop")
