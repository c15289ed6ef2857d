"""One run: how it begins and ends, whatever ends it. Each in a process of its own, since a reactor runs once."""

from __future__ import annotations

import signal
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from support.processes import COPRA_TX, Process, process

pytestmark = pytest.mark.asyncio_only  # the programs choose their own reactor: once is enough

BEGIN = """
    import os, signal, sys
    from twisted.application.service import Service
    from twisted.internet.defer import Deferred
    from copra_tx.bridge import reactor_for
    from copra_tx.commands.running import Run

    reactor = reactor_for(None)

    def tell(text):
        os.write(1, text.encode() + b"\\n")  # which a signal's handler may do whatever it interrupts

    class Telling(Service):
        stopped = None
        def startService(self):
            tell("started")
            reactor.callWhenRunning(tell, "running")
        def stopService(self):
            tell("stopping")
            return self.stopped

    service = Telling()
"""


@asynccontextmanager
async def running(code: str) -> AsyncIterator[Process]:
    text = textwrap.dedent(BEGIN) + textwrap.dedent(code)
    async with process(*COPRA_TX[:3], "-c", text) as program:
        yield program


async def test_it_ends_at_its_deadline() -> None:
    async with running("sys.exit(Run(reactor, 0.05)(service))") as program:
        assert await program.ended() == 0
        assert (program.text, program.errors) == ("started\nrunning\nstopping\n", "")


async def test_a_complaint_is_one_line_and_status_1() -> None:
    code = """
        run = Run(reactor)
        reactor.callWhenRunning(run.end, "this\\nis\\x1b[31m wrong")
        reactor.callWhenRunning(run.end, "told too late")
        sys.exit(run(service))
    """
    async with running(code) as program:
        assert await program.ended() == 1
        assert (program.text, program.errors) == (
            "started\nrunning\nstopping\n",
            "copra-tx: this is?[31m wrong\n",
        )


async def test_it_may_be_ended_before_it_runs() -> None:
    code = """
        run = Run(reactor)
        run.end("no")
        sys.exit(run(service))
    """
    async with running(code) as program:
        assert await program.ended() == 1
        assert (program.text, program.errors) == ("started\nrunning\nstopping\n", "copra-tx: no\n")


async def test_what_is_wrong_by_the_deadline_is_asked_for() -> None:
    code = """
        run = Run(reactor, 0.05)
        run.expired = lambda: "not yet"
        sys.exit(run(service))
    """
    async with running(code) as program:
        assert await program.ended() == 1
        assert program.errors == "copra-tx: not yet\n"


@pytest.mark.parametrize("complaint", ["", "broken"])
async def test_a_second_signal_ends_it_at_once(complaint: str) -> None:
    """The service never stops here; what is to be cleaned up is cleaned up."""
    code = f"""
        service.stopped = Deferred()
        run = Run(reactor)
        run.at_the_very_end(lambda: tell("cleaned"))
        if {complaint!r}: reactor.callWhenRunning(run.end, {complaint!r})
        sys.exit(run(service))
    """
    async with running(code) as program:
        await program.wrote("running")
        if not complaint:
            program.signal(signal.SIGINT)
        await program.wrote("stopping\n")
        program.signal(signal.SIGINT)
        assert await program.ended() == (1 if complaint else 0)
        assert program.text == "started\nrunning\nstopping\ncleaned\n"
        assert program.errors == ("copra-tx: broken\n" if complaint else "")


async def test_nothing_disturbs_the_interpreters_own_end() -> None:
    code = """
        status = Run(reactor, 0.05)(service)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        sys.exit(status)
    """
    async with running(code) as program:
        assert await program.ended() == 0
        assert program.errors == ""


async def test_nohup_is_honoured() -> None:
    code = """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        sys.exit(Run(reactor, 0.3)(service))
    """
    async with running(code) as program:
        await program.wrote("running")
        program.signal(signal.SIGHUP)
        assert await program.ended() == 0


async def test_a_service_that_cannot_start_ends_it() -> None:
    code = """
        run = Run(reactor)
        run.at_the_very_end(lambda: print("cleaned"))
        service.startService = lambda: 1 / 0
        run(service)
    """
    async with running(code) as program:
        assert await program.ended() == 1
        assert program.text == "cleaned\n"
        assert "ZeroDivisionError" in program.errors
