"""Our log events in the standard logging, while the reactor is a guest."""

from __future__ import annotations

import textwrap

import pytest

from support.programs import Program

pytestmark = pytest.mark.asyncio_only

IMPORTS = """
import asyncio, logging, sys
from copra_tx.bridge import attach, detach
from twisted.logger import Logger

ours, theirs = Logger("copra_tx.websocket"), Logger("elsewhere")
"""
CONFIGURED = 'logging.basicConfig(stream=sys.stdout, level="INFO", format="%(levelname)s %(name)s %(message)s")'


def program(text: str, *, configured: str = CONFIGURED) -> Program:
    return Program(f"{IMPORTS}\n{configured}\n{textwrap.dedent(text)}")


def test_only_our_own_events_are_passed_on_and_only_while_it_is_a_guest() -> None:
    text = """
    async def main():
        ours.info("before")
        reactor = attach(asyncio.get_running_loop())
        for level in ("debug", "info", "warn", "error", "critical"):
            getattr(ours, level)("{what} happened", what=level)
        theirs.error("not ours")
        Logger("copra_txt").error("not ours either")
        reactor.addSystemEventTrigger("during", "shutdown", ours.info, "stopping")
        await detach(reactor)
        ours.info("after")
        attach(asyncio.get_running_loop())
        ours.info("again")
    asyncio.run(main())
    """
    run = program(text)
    status, errors = run.end()
    assert run.lines == [
        "INFO copra_tx info happened",
        "WARNING copra_tx warn happened",
        "ERROR copra_tx error happened",
        "CRITICAL copra_tx critical happened",
        "INFO copra_tx stopping",
        "INFO copra_tx again",
    ]
    assert (status, errors) == (0, "critical happened\n")  # where Twisted writes until somebody begins its logging


def test_reactor_run_passes_nothing_on() -> None:
    text = """
    loop = asyncio.new_event_loop()
    reactor = attach(loop)
    loop.run_until_complete(asyncio.sleep(0))
    ours.info("as a guest")
    reactor.callLater(0, lambda: (ours.info("running"), reactor.stop()))
    reactor.run()
    loop.close()
    """
    assert program(text).run() == ["INFO copra_tx as a guest"]


def test_it_can_be_switched_off_and_on() -> None:
    text = """
    async def main():
        loop = asyncio.get_running_loop()
        reactor = attach(loop, logging=False)
        ours.info("off")
        attach(loop)
        ours.info("still off")
        attach(loop, logging=True)
        ours.info("on")
        attach(loop)
        ours.info("still on")
        attach(loop, logging=False)
        ours.info("off again")
        await detach(reactor)
        attach(loop, logging=True)
        await detach(reactor)
        reactor.passes_on_logs = True
        ours.info("no guest")
        print(reactor.passes_on_logs)
    asyncio.run(main())
    """
    assert program(text).run() == ["INFO copra_tx on", "INFO copra_tx still on", "True"]


def test_a_record_tells_where_it_was_logged() -> None:
    text = """
    def caller():
        ours.info("here")
    async def main():
        attach(asyncio.get_running_loop())
        caller()
        try:
            1 / 0
        except ZeroDivisionError:
            ours.failure("failed", level=error)
    from twisted.logger import LogLevel
    error = LogLevel.error
    asyncio.run(main())
    """
    where = CONFIGURED.replace("%(levelname)s %(name)s", "%(funcName)s:")
    assert program(text, configured=where).run()[:3] == [
        "caller: here",
        "main: failed",
        "Traceback (most recent call last):",
    ]


def test_an_unconfigured_program_sees_warnings_and_failures_once() -> None:
    text = """
    async def main():
        attach(asyncio.get_running_loop())
        ours.info("not seen")
        ours.warn("a warning")
        try:
            1 / 0
        except ZeroDivisionError:
            ours.failure("a failure")
    asyncio.run(main())
    """
    status, errors = program(text, configured="").end()
    assert status == 0
    assert errors.startswith("a warning\na failure\nTraceback (most recent call last):\n")
    assert errors.rstrip().endswith("ZeroDivisionError: division by zero")
    assert errors.count("ZeroDivisionError") == errors.count("failure\n") == 1
    assert "not seen" not in errors
