"""The examples of services: a .tac, a program, and a systemd unit with its file of settings."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from copra_tx.simulator import SimulatedExchange
from support.documents import ROOT
from support.peers import refusing_port, the_reactor, within
from support.processes import BIN, process, until

pytestmark = [pytest.mark.asyncio_only, pytest.mark.simulated_exchange(speed=10)]

EXAMPLES = ROOT / "examples"


async def test_the_tac_runs_two_feeds(simulated_exchange: SimulatedExchange, tmp_path: Path) -> None:
    command = BIN / "twistd", "--nodaemon", "--python", EXAMPLES / "copra_tx.tac"
    async with process(*command, env={"COPRA_TX_FEED_URL": simulated_exchange.url}, cwd=tmp_path) as running:
        await running.wrote("[market#info] BTC-USD 0.")
        await running.wrote("[market#info] ETH-USD is at ")
        running.signal(signal.SIGTERM)
        assert await running.ended() == -signal.SIGTERM
        assert "reactor class: copra_tx.bridge.guest.GuestReactor" in running.text
        assert "Traceback" not in running.text + running.errors
    assert simulated_exchange.connections == ()


async def test_the_program_answers_with_prices(simulated_exchange: SimulatedExchange) -> None:
    port = refusing_port()
    command = sys.executable, "-W", "error", EXAMPLES / "twisted_service.py", port
    async with process(*map(str, command), env={"COPRA_TX_FEED_URL": simulated_exchange.url}) as running:
        await within(simulated_exchange.when_received())
        answer = ""
        while not re.fullmatch(r"((BTC|ETH)-USD \d+(\.\d+)?\n){2}", answer):
            answer = await ask(port)
        running.signal(signal.SIGINT)
        assert await running.ended() == 0
        assert (running.text, running.errors) == ("", "")
    assert simulated_exchange.connections == ()


async def ask(port: int) -> str:
    """Connect and read to the end; nothing if nobody listens yet."""

    class Asking(Protocol):
        received = b""

        def dataReceived(self, data: bytes) -> None:
            self.received += data

        def connectionLost(self, reason: Failure = connectionDone) -> None:
            lost.callback(None)

    from twisted.internet.defer import Deferred

    lost: Deferred[None] = Deferred()
    asking = Asking()
    try:
        await connectProtocol(TCP4ClientEndpoint(the_reactor(), "127.0.0.1", port), asking)
    except ConnectionRefusedError:
        return ""
    await within(lost)
    return asking.received.decode()


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(EXAMPLES / "copra-tx.service")
    return parser


async def test_the_unit_starts_what_works_with_the_example_of_settings(
    simulated_exchange: SimulatedExchange, tmp_path: Path
) -> None:
    """Its command as it stands, but for where things are."""
    program, *arguments = shlex.split(unit()["Service"]["ExecStart"].replace("${STATE_DIRECTORY}", str(tmp_path)))
    assert program == "/opt/copra-tx/bin/twistd"
    arguments[arguments.index("/etc/copra-tx/copra-tx.toml")] = str(EXAMPLES / "copra-tx.toml")
    messages = tmp_path / "messages.jsonl"
    async with SimulatedExchange(products=["BTC-USD", "ETH-USD", "SOL-USD"], speed=10) as exchange:
        async with process(BIN / "twistd", *arguments, "--feed-url", exchange.url, cwd=tmp_path) as running:
            await running.wrote("market data connected to")
            await until(lambda: '"ticker"' in messages.read_text())
            running.signal(signal.SIGTERM)
            assert await running.ended() == -signal.SIGTERM
        assert "Traceback" not in running.text + running.errors
    request = exchange.received[0]
    assert [(channel["name"], channel["product_ids"]) for channel in request["channels"]] == [  # type: ignore[index]
        ("heartbeat", ["BTC-USD", "ETH-USD"]),
        ("matches", ["SOL-USD"]),
        ("ticker", ["BTC-USD", "ETH-USD"]),
    ]


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    assert unit()["Install"]["WantedBy"] == "multi-user.target"
    if analyze is None:
        return  # then the test above, which reads it and runs its command, has to do
    copy = tmp_path / "copra-tx.service"
    copy.write_text((EXAMPLES / "copra-tx.service").read_text().replace("/opt/copra-tx/bin", str(BIN)))
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )
    about_it = [line for line in (done.stdout + done.stderr).splitlines() if "copra-tx" in line]
    assert (done.returncode, about_it) == (0, [])
