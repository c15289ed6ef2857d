"""The transports on uvloop, at the end of a loop, and in a process that ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from support.programs import Program

HERE = Path(__file__).parent
TESTS = HERE.parent.parent

# The reactor that runs the test makes no difference to the program.
pytestmark = pytest.mark.asyncio_only


def run_contract(tests: Path, kind: str) -> subprocess.CompletedProcess[str]:
    """Run tests of this folder on uvloop, for one kind of transport."""
    plugin = ["-p", "support.on_uvloop", "-p", "no:cacheprovider", "--ignore", str(Path(__file__))]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, "-q", "-k", kind, str(tests)],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


ASYNCIOS = "asyncio and not fastnet"  # the word is also that of a mark
# uvloop tells whoever watches a socket of a reset but once; where unread data comes first, the end goes unnoticed.
FASTNETS = "fastnet and not no_answer_to_our_own_notice"


@pytest.mark.parametrize(
    ("tests", "kind"),
    [
        (HERE / "test_reading.py", ASYNCIOS),
        pytest.param(HERE, ASYNCIOS, marks=pytest.mark.slow),
        pytest.param(HERE, FASTNETS, marks=pytest.mark.slow),
    ],
)
async def test_the_contract_holds_on_uvloop(tests: Path, kind: str) -> None:
    done = await deferToThread(run_contract, tests, kind)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert " passed" in done.stdout


# Programs.

LINE = """
import asyncio, socket, sys, threading
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol
from copra_tx.bridge import attach, detach
from copra_tx.bridge.transports import LoopEndpoint, asyncio_connect, fastnet_connect

class Line(Protocol):
    def connectionMade(self):
        print("made", flush=True)

    def connectionLost(self, reason):
        print("lost", reason.type.__name__, flush=True)

def dial(reactor, port):
    connect = asyncio_connect if sys.argv[1] == "asyncio" else fastnet_connect()
    endpoint = LoopEndpoint(HostnameEndpoint(reactor, "127.0.0.1", port), reactor, connect)
    return endpoint.connect(Factory.forProtocol(Line))

def whoever_listens(sock):
    with sock, sock.accept()[0] as peer:
        heard.append(peer.recv(1))

heard = []
sock = socket.create_server(("127.0.0.1", 0))
port = sock.getsockname()[1]
thread = threading.Thread(target=whoever_listens, args=(sock,))
thread.start()
"""


def run(source: str, kind: str, **keywords: Any) -> Deferred[list[str]]:
    return deferToThread(Program(LINE + source, kind, **keywords).run)


kinds = pytest.mark.parametrize("kind", ["asyncio", "fastnet"])


@kinds
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_reactor_that_stops_ends_its_connections(kind: str, loop: str) -> None:
    """
    As Twisted's own: the protocol hears of it, and the other side, before ``run`` returns.

    Closing is more than a loop does that does not run: a ``ResourceWarning`` may tell, where those are shown.
    """
    program = f"""
import {loop}
loop = {loop}.new_event_loop()
reactor = attach(loop)
dial(reactor, port).addCallback(lambda _: reactor.callLater(0.05, reactor.stop))
reactor.run()
print("stopped", flush=True)
thread.join()
print("peer", heard)
"""
    lines = await run(program, kind, options=())
    assert lines == ["made", "lost ConnectionLost", "stopped", "peer [b'']"]


@kinds
async def test_a_guest_that_is_detached_ends_its_connections(kind: str) -> None:
    program = """
async def main():
    reactor = attach(asyncio.get_running_loop())
    await dial(reactor, port).asFuture(asyncio.get_running_loop())
    await asyncio.sleep(0.05)
    await detach(reactor)
    print("detached", flush=True)
    await asyncio.sleep(0.05)
asyncio.run(main())
thread.join()
print("peer", heard)
"""
    lines = await run(program, kind)
    assert lines == ["made", "lost ConnectionLost", "detached", "peer [b'']"]


@kinds
async def test_a_reactor_that_stops_while_a_connection_is_being_made(kind: str) -> None:
    program = """
loop = asyncio.new_event_loop()
reactor = attach(loop)
dial(reactor, port).addCallback(lambda _: reactor.stop())
reactor.run()
print("stopped", flush=True)
thread.join()
print("peer", heard)
"""
    lines = await run(program, kind, options=())
    assert lines == ["made", "lost ConnectionLost", "stopped", "peer [b'']"]
