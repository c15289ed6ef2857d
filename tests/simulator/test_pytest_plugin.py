"""A user's project gets the fixture by installing us, and no user's project is disturbed by it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from copra_tx.simulator import SimulatedExchange
from support.exchange import dial


def test_it_is_an_entry_point_of_pytest() -> None:
    [entry_point] = [one for one in entry_points(group="pytest11") if one.name == "copra-tx"]
    assert entry_point.value == "copra_tx.simulator.pytest_plugin"


@pytest.mark.simulated_exchange(speed=10, products={"SOL-EUR"})
async def test_the_fixture_is_a_running_exchange(simulated_exchange: SimulatedExchange) -> None:
    client = await dial(simulated_exchange.url)
    client.ask("subscribe", "heartbeat", "SOL-EUR")
    assert (await client.next("heartbeat"))["product_id"] == "SOL-EUR"
    assert simulated_exchange.running


def _run(folder: Path, program: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_users.py").write_text(textwrap.dedent(program))
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


TWISTED_TESTS = """
    import pytest
    import pytest_twisted
    from twisted.internet.defer import Deferred
    from twisted.internet.endpoints import clientFromString, connectProtocol
    from twisted.internet.protocol import Protocol

    EXCHANGES = []

    class Upgrading(Protocol):
        def __init__(self):
            self.answer = Deferred()

        def connectionMade(self):
            self.transport.write(
                b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n"
            )

        def dataReceived(self, data):
            if not self.answer.called:
                self.answer.callback(data)

    @pytest.mark.simulated_exchange(silence_limit=0.1, silence_code=1008)
    @pytest_twisted.ensureDeferred
    async def test_a_line(simulated_exchange):
        from twisted.internet import reactor

        EXCHANGES.append(simulated_exchange)
        host, port = simulated_exchange.url.rpartition("/")[2].split(":")
        protocol = await connectProtocol(clientFromString(reactor, f"tcp:{host}:{port}"), Upgrading())
        assert (await protocol.answer).startswith(b"HTTP/1.1 101 ")
        await simulated_exchange.when_opened(1)

    def test_the_one_before_is_stopped(simulated_exchange):
        assert not EXCHANGES[0].running
        assert EXCHANGES[0].connections == ()
        assert simulated_exchange.url != ""
"""


@pytest.mark.parametrize("reactor", ["asyncio", "default"])
def test_a_users_project_gets_it(tmp_path: Path, reactor: str) -> None:
    done = _run(tmp_path, TWISTED_TESTS, f"--reactor={reactor}")
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_without_pytest_twisted_the_fixture_says_what_to_do(tmp_path: Path) -> None:
    program = """
        def test_mine(simulated_exchange):
            pass
    """
    done = _run(tmp_path, program, "-p", "no:twisted")
    assert "1 error" in done.stdout
    assert "needs pytest-twisted; else: async with SimulatedExchange()" in done.stdout


def test_arguments_of_the_marker_without_names_are_refused(tmp_path: Path) -> None:
    program = """
        import pytest

        @pytest.mark.simulated_exchange(60)
        def test_mine(simulated_exchange):
            pass
    """
    done = _run(tmp_path, program, "--reactor=asyncio")
    assert "1 error" in done.stdout
    assert "the marker simulated_exchange takes arguments by their names only" in done.stdout


def test_who_does_not_use_it_pays_nothing(tmp_path: Path) -> None:
    """Neither Twisted's reactor nor Autobahn is imported: either would decide things for the user's program."""
    program = """
        import sys

        def test_mine():
            ours = {name for name in sys.modules if name.partition(".")[0] == "copra_tx"}
            assert ours == {"copra_tx", "copra_tx.simulator", "copra_tx.simulator.pytest_plugin"}
            assert not {"autobahn", "msgspec", "twisted.internet.reactor"} & sys.modules.keys()
    """
    done = _run(tmp_path, program, "-p", "no:twisted")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_its_marker_is_known(tmp_path: Path) -> None:
    done = _run(tmp_path, "def test_mine(): pass", "--markers")
    assert "@pytest.mark.simulated_exchange(**arguments)" in done.stdout
