"""
The Autobahn TestSuite: the wire below our protocol keeps RFC 6455.

Kosoku is the suite's fuzzing server on Python 3. Cases 1 to 7 and 10 are the protocol itself; 9 measures speed,
12 and 13 are compression, which we do not offer by default. Run it with ``tox -e testsuite``.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults

from copra_tx.bridge import reactor_for
from copra_tx.websocket import Client, ClientProtocol
from copra_tx.websocket.pacing import Pacer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.testsuite

CASES = [f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 10)]
NUMBER_OF_CASES = 247
AT_ONCE = 8  # most of the time goes into pauses that the suite makes on purpose


@pytest.fixture
def fuzzing_server() -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("fuzzing_server.py")
    with subprocess.Popen([sys.executable, str(script), *CASES], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


class Echo(Client):
    """Asks for nothing; fires ``ended`` when the server has ended the line."""

    def __init__(self, url: str) -> None:
        self.ended: Deferred[None] = Deferred()
        reactor = reactor_for(None)
        super().__init__(None, [], url, auto_reconnect=False, pacer=Pacer(reactor, 1_000, 1_000))

    def on_close(self, was_clean: bool, code: int, reason: str) -> None:
        super().on_close(was_clean, code, reason)
        self.ended.callback(None)


class EchoProtocol(ClientProtocol):
    """Sends back what it gets, text and binary, and tells the factory nothing of it: all goes Autobahn's way."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state == self.STATE_OPEN:
            self.sendMessage(payload, isBinary)


class EchoByProtocol(Echo):
    """A client as users subclass the wire."""

    protocol = EchoProtocol


class EchoByClient(Echo):
    """A client that takes messages where they are decoded: plain text frames go the fast way."""

    @property
    def reception(self) -> Any:
        return EchoReception(self)


class EchoReception:
    """Takes what ``Reception`` takes, as it is; leaves what is not UTF-8 to Autobahn."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def begin(self) -> None:
        pass

    def refresh(self) -> None:
        pass

    def deliver_payloads(self, payloads: Sequence[bytes], protocol: object) -> int:
        return sum(1 for _ in itertools.takewhile(self.deliver_single, payloads))

    def deliver_single(self, payload: bytes) -> bool:
        try:
            payload.decode()
        except UnicodeDecodeError:
            return False
        return self.deliver_payload(payload, is_binary=False)

    def deliver_payload(self, payload: bytes, is_binary: bool) -> bool:
        protocol = self._client.line.protocol
        assert protocol is not None
        if protocol.state == protocol.STATE_OPEN:
            assert protocol.receives_fast
            protocol.sendMessage(payload, is_binary)
            return True
        return False


@pytest.mark.parametrize("client", [EchoByProtocol, EchoByClient])
async def test_all_cases_pass(fuzzing_server: subprocess.Popen[str], client: type[Echo]) -> None:
    """An echoing client gets the verdict OK, NON-STRICT or INFORMATIONAL in each case, and for each close."""
    base = f"ws://127.0.0.1:{int(fuzzing_server.stdout.readline())}"

    def visit(path: str) -> Deferred[None]:
        return client(f"{base}/{path}&agent=copra-tx").ended

    tokens = DeferredSemaphore(AT_ONCE)
    cases = [f"runCase?case={number}" for number in range(1, NUMBER_OF_CASES + 1)]
    await gatherResults([tokens.run(visit, case) for case in cases])
    await visit("updateReports?")
    verdicts = json.loads(fuzzing_server.stdout.readline())
    assert len(verdicts) == NUMBER_OF_CASES
    assert [f"{case}: {verdict}" for case, passed, verdict in verdicts if not passed] == []
