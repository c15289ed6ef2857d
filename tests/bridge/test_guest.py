"""The reactor as a guest: how it starts and stops on loops that somebody else runs. Each program in its own process."""

from __future__ import annotations

import textwrap
import time

import pytest

from support.programs import STRICT, Program

pytestmark = pytest.mark.asyncio_only

IMPORTS = """
import asyncio, sys, threading
from copra_tx.bridge import AwaitableDeferred, attach, detach
from twisted.internet.threads import deferToThread

def say(*words):
    print(*words, flush=True)

async def in_thread(function, *arguments):
    return await deferToThread(function, *arguments).asFuture(asyncio.get_running_loop())
"""


# Twisted keeps /dev/null open for servers that run out of file descriptors, and never closes it.
LISTENS = (*STRICT, "-W", "ignore:unclosed file:ResourceWarning")


def run(program: str, options: tuple[str, ...] = STRICT) -> list[str]:
    return Program(IMPORTS + textwrap.dedent(program), options=options).run()


def test_it_begins_with_a_loop_that_runs_later() -> None:
    program = """
    loop = asyncio.new_event_loop()
    reactor = attach(loop)
    assert attach(loop) is reactor
    reactor.callWhenRunning(say, "running")
    say(reactor.running, reactor.guest)
    loop.run_until_complete(asyncio.sleep(0))
    say(reactor.running, reactor.guest)
    loop.close()
    """
    assert run(program) == ["False False", "running", "True True"]


def test_it_begins_at_once_on_a_loop_that_runs() -> None:
    program = """
    async def main():
        reactor = attach(asyncio.get_running_loop())
        say(reactor.running, reactor.guest)
        say(await in_thread(lambda: 1))
    asyncio.run(main())
    """
    assert run(program) == ["True True", "1"]


def test_detach_fires_the_shutdown_triggers_and_leaves_the_loop_running() -> None:
    program = """
    from twisted.internet.protocol import Protocol, ServerFactory

    async def main():
        for turn in range(2):
            reactor = attach(asyncio.get_running_loop())
            for phase in ("before", "during", "after"):
                reactor.addSystemEventTrigger(phase, "shutdown", say, phase)
            port = reactor.listenTCP(0, ServerFactory.forProtocol(Protocol), interface="127.0.0.1")
            say(await in_thread(lambda: turn))
            await detach(reactor)
            say(reactor.running, port.connected, reactor.threadpool)
            await detach(reactor)
    asyncio.run(main())
    """
    ended = ["before", "during", "after", "False False None"]
    assert run(program, LISTENS) == ["0", *ended, "1", *ended]


def test_detaching_twice_at_once_waits_for_both() -> None:
    program = """
    async def main():
        reactor = attach(asyncio.get_running_loop())
        before = AwaitableDeferred()
        reactor.addSystemEventTrigger("before", "shutdown", lambda: before)
        reactor.callLater(0.01, before.callback, None)
        await asyncio.gather(detach(reactor), detach(reactor))
        say(reactor.running)
    asyncio.run(main())
    """
    assert run(program) == ["False"]


def test_stop_leaves_the_loop_running_and_the_client_may_attach_again() -> None:
    program = """
    loop = asyncio.new_event_loop()
    reactor = attach(loop)
    reactor.addSystemEventTrigger("after", "shutdown", say, "stopped")
    reactor.callWhenRunning(reactor.stop)
    loop.call_later(0.1, loop.stop)
    loop.run_forever()
    say(reactor.running)
    attach(loop)
    say(loop.run_until_complete(in_thread(lambda: 1)))
    loop.close()
    """
    assert run(program) == ["stopped", "False", "1"]


def test_crash_leaves_the_loop_running_and_the_triggers_for_a_stop() -> None:
    program = """
    async def main():
        reactor = attach(asyncio.get_running_loop())
        reactor.addSystemEventTrigger("after", "shutdown", say, "stopped")
        reactor.crash()
        say(reactor.running)
        attach(asyncio.get_running_loop())
        await detach(reactor)
        say(reactor.running)
    asyncio.run(main())
    """
    assert run(program) == ["False", "stopped", "False"]


def test_reactor_run_is_as_ever() -> None:
    program = """
    loop = asyncio.new_event_loop()
    reactor = attach(loop)
    reactor.callWhenRunning(lambda: (say(reactor.guest), reactor.stop()))
    reactor.run()
    say(reactor.running)
    loop.close()
    """
    assert run(program) == ["False", "False"]


def test_reactor_run_after_the_loop_ran_for_something_else_and_the_other_way_round() -> None:
    program = """
    loop = asyncio.new_event_loop()
    reactor = attach(loop)
    say(loop.run_until_complete(in_thread(lambda: 1)), reactor.guest)
    reactor.callLater(0, lambda: deferToThread(lambda: 2).addCallback(say).addCallback(lambda _: reactor.stop()))
    reactor.run()
    say(reactor.running, reactor.guest)
    attach(loop)
    say(loop.run_until_complete(in_thread(lambda: 3)), reactor.guest)
    loop.run_until_complete(detach(reactor))
    loop.close()
    """
    assert run(program) == ["1 True", "2", "False False", "3 True"]


def test_detach_leaves_a_reactor_alone_that_somebody_runs() -> None:
    program = """
    loop = asyncio.new_event_loop()
    reactor = attach(loop)
    def check(task):
        say(reactor.running)
        reactor.stop()
    reactor.callWhenRunning(lambda: loop.create_task(detach(reactor)).add_done_callback(check))
    reactor.run()
    loop.close()
    """
    assert run(program) == ["True"]


BUSY = """
begun = threading.Event()
def busy():
    begun.set()
    threading.Event().wait(60)  # as a look-up that nobody answers

async def keep_a_thread_busy():
    reactor = attach(asyncio.get_running_loop())
    deferToThread(busy)
    begun.wait()
    return reactor
"""


@pytest.mark.parametrize(
    "rest",
    [
        "asyncio.run(keep_a_thread_busy())",
        "async def main(): await detach(await keep_a_thread_busy())\nasyncio.run(main())",
        "loop = asyncio.new_event_loop(); loop.run_until_complete(keep_a_thread_busy()); loop.close()",
    ],
    ids=["asyncio.run", "detach", "run_until_complete"],
)
def test_a_busy_thread_holds_up_neither_the_end_of_the_program_nor_detach(rest: str) -> None:
    begin = time.monotonic()
    assert run(BUSY + rest) == []
    assert time.monotonic() - begin < 30


# -- from one loop to the next


def test_nothing_is_left_and_nothing_said_when_it_moves_to_the_next_loop() -> None:
    program = """
    async def main():
        reactor = attach(asyncio.get_running_loop())
        say(reactor.running, await in_thread(lambda: 1))
    for _ in range(3):
        asyncio.run(main())
    """
    assert run(program) == ["True 1"] * 3


MOVING = """
import logging
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory
from twisted.internet.endpoints import HostnameEndpoint

class Peer(Protocol):
    def connectionMade(self):
        accepted.callback(None)

    def dataReceived(self, data):
        say("received", data)
        received.callback(None)

class Sender(Protocol):
    def connectionMade(self):
        self.factory.sender = self

accepted = AwaitableDeferred()
received = AwaitableDeferred()
delayed = AwaitableDeferred()
"""


def test_sockets_delayed_calls_and_threads_move_along_to_the_next_loop() -> None:
    program = """
    go_on, gone_on = threading.Event(), AwaitableDeferred()
    factory = ClientFactory.forProtocol(Sender)

    async def first():
        reactor = attach(asyncio.get_running_loop())
        port = reactor.listenTCP(0, ServerFactory.forProtocol(Peer), interface="localhost")
        endpoint = HostnameEndpoint(reactor, "localhost", port.getHost().port)
        await endpoint.connect(factory).asFuture(asyncio.get_running_loop())
        await accepted
        reactor.callLater(0.3, delayed.callback, "delayed")
        deferToThread(go_on.wait).addCallback(gone_on.callback)

    async def second():
        reactor = attach(asyncio.get_running_loop())
        factory.sender.transport.write(b"hello")
        await received
        say(await delayed, await gone_on, await in_thread(lambda: "thread"))
        await detach(reactor)

    asyncio.run(first())
    from twisted.internet import reactor
    calls = len(reactor.threadCallQueue)
    go_on.set()
    while len(reactor.threadCallQueue) == calls:  # its result comes while there is no loop
        pass
    asyncio.run(second())
    """
    warning, *lines = run(MOVING + textwrap.dedent(program), LISTENS)
    assert warning == (
        "WARNING A loop was closed with 3 connections and 1 delayed calls on it; the next loop takes them over. "
        "Close clients before their loop ends"
    )
    assert lines == ["received b'hello'", "delayed True thread"]


def test_what_was_not_sent_yet_is_sent_on_the_next_loop() -> None:
    program = """
    class Counter(Protocol):
        count = 0
        def dataReceived(self, data):
            Counter.count += len(data)
            if Counter.count == 10_000_000:
                received.callback(None)

    factory = ClientFactory.forProtocol(Sender)

    async def first():
        reactor = attach(asyncio.get_running_loop())
        port = reactor.listenTCP(0, ServerFactory.forProtocol(Counter), interface="127.0.0.1")
        endpoint = HostnameEndpoint(reactor, "127.0.0.1", port.getHost().port)
        await endpoint.connect(factory).asFuture(asyncio.get_running_loop())
        factory.sender.transport.write(b"x" * 10_000_000)

    async def second():
        reactor = attach(asyncio.get_running_loop())
        await received
        await detach(reactor)

    asyncio.run(first())
    say(Counter.count < 10_000_000)
    asyncio.run(second())
    say(Counter.count)
    """
    partly, _, wholly = run(MOVING + textwrap.dedent(program), LISTENS)
    assert (partly, wholly) == ("True", "10000000")


def test_a_stop_for_which_the_loop_had_no_turn_left_does_not_stop_it_on_the_next() -> None:
    program = """
    loop = asyncio.new_event_loop()
    async def second():
        attach(asyncio.get_running_loop())
        await asyncio.sleep(0.05)
        say(reactor.running)
        reactor.addSystemEventTrigger("after", "shutdown", say, "stopped")
        await detach(reactor)
    reactor = attach(loop)
    loop.run_until_complete(asyncio.sleep(0))
    reactor.stop()
    loop.close()
    asyncio.run(second())
    """
    lines = run("import logging; logging.disable()" + textwrap.dedent(program))
    assert lines == ["True", "stopped"]


def test_a_call_from_a_thread_fails_only_for_other_reasons_than_a_closed_loop() -> None:
    program = """
    class Failing(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(self, *arguments, **keywords):
            raise RuntimeError("no")
    loop = Failing()
    reactor = attach(loop)
    try:
        reactor.callFromThread(say)
    except RuntimeError as error:
        say(error)
    loop.close()
    reactor.callFromThread(say)
    """
    assert run(program) == ["no"]
