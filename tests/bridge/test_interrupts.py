"""Ctrl-C on a loop that merely runs: nothing swallows it, nothing is left half done."""

from __future__ import annotations

import textwrap

import pytest

from support.programs import Program

pytestmark = pytest.mark.asyncio_only

IMPORTS = """
import asyncio, os, signal, sys, threading
from copra_tx.bridge import attach, detach, run_coroutine
from twisted.internet.defer import Deferred

def press():
    os.kill(os.getpid(), signal.SIGINT)

def step():
    print("begun", flush=True)
    press()
    print("done", flush=True)

def until_interrupted(loop):
    try:
        loop.run_forever()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def run(program: str) -> list[str]:
    return Program(IMPORTS + textwrap.dedent(program), timeout=15).run()


@pytest.mark.parametrize("module", ["asyncio", "uvloop"])
def test_what_twisted_runs_is_finished_and_the_loop_raises(module: str) -> None:
    program = f"""
    import {module}
    loop = {module}.new_event_loop()
    reactor = attach(loop)

    def in_a_deferred():
        deferred = Deferred()
        deferred.addCallback(lambda _: step())
        deferred.addCallback(print)
        deferred.callback(None)

    async def in_a_coroutine():
        await asyncio.sleep(0)
        step()

    loop.call_soon(reactor.callLater, 0, step)
    until_interrupted(loop)
    loop.call_soon(in_a_deferred)
    until_interrupted(loop)
    loop.call_soon(run_coroutine, reactor, in_a_coroutine())
    until_interrupted(loop)
    loop.call_soon(reactor.callFromThread, step)
    until_interrupted(loop)
    loop.close()
    """
    once = ["begun", "done", "interrupted"]
    assert run(program) == [*once, "begun", "done", "None", "interrupted", *once, *once]


def test_the_second_time_it_is_raised_at_once() -> None:
    program = """
    def hang():
        press()
        print("still here", flush=True)
        try:
            press()
        except KeyboardInterrupt:
            print("raised in here", flush=True)

    loop = asyncio.new_event_loop()
    attach(loop).callLater(0, hang)
    until_interrupted(loop)
    loop.close()
    """
    assert run(program) == ["still here", "raised in here", "interrupted"]


def test_elsewhere_it_is_raised_as_ever() -> None:
    program = """
    def own():
        try:
            press()
        except KeyboardInterrupt:
            print("in the program's own callback", flush=True)

    loop = asyncio.new_event_loop()
    reactor = attach(loop)
    loop.call_soon(own)
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    try:
        press()
    except KeyboardInterrupt:
        print("outside of the loop", flush=True)
    loop.close()
    """
    assert run(program) == ["in the program's own callback", "outside of the loop"]


def test_other_handlers_stay_and_pythons_comes_back() -> None:
    program = """
    python, own = signal.default_int_handler, lambda *_: print("own")

    def during(loop):
        loop.run_until_complete(asyncio.sleep(0))
        return signal.getsignal(signal.SIGINT)

    loop = asyncio.new_event_loop()
    reactor = attach(loop)
    print(during(loop) in (python, own))
    loop.run_until_complete(detach(reactor))
    print(signal.getsignal(signal.SIGINT) is python)

    signal.signal(signal.SIGINT, own)
    attach(loop)
    print(during(loop) is own)
    loop.run_until_complete(detach(reactor))
    print(signal.getsignal(signal.SIGINT) is own)

    signal.signal(signal.SIGINT, python)
    def in_thread():
        attach(loop)
        print(during(loop) is python)
        loop.run_until_complete(detach(reactor))
    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()

    async def main():
        runners = signal.getsignal(signal.SIGINT)
        attach(asyncio.get_running_loop())
        print(signal.getsignal(signal.SIGINT) is runners is not python)
    loop.close()
    asyncio.run(main())

    def running():
        print(signal.getsignal(signal.SIGINT) == reactor.sigInt)
        reactor.stop()
    loop = asyncio.new_event_loop()
    attach(loop)
    loop.run_until_complete(asyncio.sleep(0))
    reactor.callLater(0, running)
    reactor.run()
    loop.close()
    """
    assert run(program) == ["False", *["True"] * 6]
