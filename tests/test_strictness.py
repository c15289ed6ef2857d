"""Our tests' own rules: a test that leaves or logs something must fail, in the test that did it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

# Each test of this file says in its name how it ends: "errors_" ends with an error in its teardown.
SAMPLE = """
import asyncio, socket
import pytest, pytest_twisted
from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Factory, Protocol
from twisted.internet import task
from twisted.logger import Logger
from twisted.python import log as old_log

log = Logger()

def reactor():
    from twisted.internet import reactor
    return reactor

def test_passes_clean():
    pass

def test_errors_delayed_call():
    reactor().callLater(3600, print)

def test_passes_after_delayed_call():
    assert not reactor().getDelayedCalls()

def test_passes_cancelled_call():
    reactor().callLater(3600, print).cancel()

def test_passes_call_due_at_once():
    reactor().callLater(0, lambda: None)

def test_errors_open_port():
    reactor().listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1")

def test_passes_closed_port():
    return reactor().listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1").stopListening()

@pytest.fixture
def port():
    port = reactor().listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1")
    yield port
    pytest_twisted.blockon(port.stopListening())

def test_passes_port_of_a_fixture(port):
    assert port in reactor().getReaders()

def test_errors_logged_failure():
    try:
        1 / 0
    except ZeroDivisionError:
        log.failure("this went wrong")

def test_errors_logged_failure_the_old_way():
    try:
        1 / 0
    except ZeroDivisionError:
        old_log.err()

def test_errors_logged_critical():
    log.critical("this went wrong")

def test_passes_logged_error_level():
    log.error("a warning to people, no failure")

def test_passes_flushed(logged_errors):
    try:
        1 / 0
    except ZeroDivisionError:
        log.failure("this went wrong")
    (failure,) = logged_errors.flush(ZeroDivisionError)
    assert failure.check(ZeroDivisionError)

def test_errors_flushed_other_type(logged_errors):
    try:
        1 / 0
    except ZeroDivisionError:
        log.failure("this went wrong")
    assert logged_errors.flush(KeyError) == []

def test_errors_logged_in_teardown_of_a_fixture(noisy):
    pass

@pytest.fixture
def noisy():
    yield
    log.critical("this went wrong")

def test_errors_unhandled_deferred():
    fail(ValueError("nobody looked"))

def test_errors_unhandled_deferred_in_a_cycle():
    circle = []
    circle.append((fail(ValueError("nobody looked")), circle))

def test_passes_flushed_unhandled_deferred(logged_errors):
    fail(ValueError("nobody looked"))
    assert len(logged_errors.flush(ValueError)) == 1

@pytest.mark.asyncio_only
def test_errors_asyncio_task():
    reactor()._asyncioEventloop.create_task(asyncio.sleep(3600))

@pytest.mark.asyncio_only
def test_passes_asyncio_task_that_ends():
    reactor()._asyncioEventloop.create_task(asyncio.sleep(0))

@pytest.mark.asyncio_only
def test_errors_descriptor_that_the_loop_waits_for():
    ours, theirs = socket.socketpair()
    reactor()._asyncioEventloop.add_reader(ours.detach(), print)
    theirs.close()

@pytest.mark.asyncio_only
def test_errors_exception_of_a_task():
    async def broken():
        raise ValueError("nobody looked")
    reactor()._asyncioEventloop.create_task(broken())

@pytest.mark.asyncio_only
def test_errors_exception_in_a_loop_callback():
    reactor()._asyncioEventloop.call_soon(lambda: 1 / 0)

def test_passes_at_the_end():
    pass
"""


def _run(tmp_path: Path, reactor: str) -> dict[str, set[str]]:
    """Run SAMPLE in a process of its own; test name to outcomes ("passed", "failed", "error")."""
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = [f"--reactor={reactor}", "-p", "support.strictness", "-rA", "--tb=no"]
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    outcomes: dict[str, set[str]] = {}
    for line in done.stdout.splitlines():
        outcome, _, rest = line.partition(" test_sample.py::test_")
        if rest:
            outcomes.setdefault(rest.split()[0], set()).add(outcome.lower())
    assert outcomes, done.stdout + done.stderr
    return outcomes


@pytest.mark.parametrize("reactor", ["asyncio", "default"])
def test_each_breach_fails_in_its_own_test(tmp_path: Path, reactor: str) -> None:
    """What is left behind or logged is an error of the test that did it, and of no other."""
    outcomes = _run(tmp_path, reactor)
    expected = {name: {"passed", "error"} if name.startswith("errors_") else {"passed"} for name in outcomes}
    assert outcomes == expected
    left_out = 0 if reactor == "asyncio" else SAMPLE.count("@pytest.mark.asyncio_only")
    assert len(outcomes) == SAMPLE.count("def test_") - left_out
