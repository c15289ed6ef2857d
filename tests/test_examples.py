"""Every example runs as it stands, against the simulated exchange; a person's Ctrl-C ends it in good order."""

from __future__ import annotations

import json
import re
import signal
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from twisted.internet.threads import deferToThread

from copra_tx.simulator import TEST_KEY, SimulatedExchange
from support.documents import ROOT
from support.processes import Process, process

# The programs choose their reactor themselves.
pytestmark = [pytest.mark.asyncio_only, pytest.mark.simulated_exchange(speed=10)]

EXAMPLES = ROOT / "examples"
MOST_LINES = 40


def run(
    name: str, *arguments: str | Path, exchange: SimulatedExchange, **env: str
) -> AbstractAsyncContextManager[Process]:
    """Run an example, with every warning an error."""
    env |= {"COPRA_TX_FEED_URL": exchange.url, "PYTHONUNBUFFERED": "1"}
    return process(sys.executable, "-W", "error", EXAMPLES / name, *arguments, env=env)


async def interrupt(running: Process) -> None:
    """Press Ctrl-C: the program ends without a word."""
    running.signal(signal.SIGINT)
    assert await running.ended() == 0
    assert "Traceback" not in running.errors


async def test_heartbeat(simulated_exchange: SimulatedExchange) -> None:
    async with run("heartbeat.py", exchange=simulated_exchange) as running:
        await running.wrote("'type': 'heartbeat'", times=2)
        simulated_exchange.drop()
        await simulated_exchange.when_received(2)
        await running.wrote("'type': 'heartbeat'", times=3)
        await interrupt(running)
    assert running.errors == ""


async def test_ticker(simulated_exchange: SimulatedExchange) -> None:
    async with run("ticker.py", "BTC-USD", "ETH-USD", exchange=simulated_exchange) as running:
        await running.wrote("BTC-USD  ")
        await running.wrote("ETH-USD  ")
        simulated_exchange.close(1001, "going away")
        await running.wrote("no prices: going away")
        await simulated_exchange.when_received(2)
        await interrupt(running)
    assert re.search(r"BTC-USD +[\d.]+  bid [\d.]+  ask [\d.]+  spread [\d.]+\n", running.text)


async def test_book(simulated_exchange: SimulatedExchange) -> None:
    async with run("book.py", exchange=simulated_exchange) as running:
        await running.wrote("BTC-USD    syncing")
        await running.wrote(" | ", times=2)
        simulated_exchange.drop()
        await running.wrote("BTC-USD    empty")
        await running.wrote(" spread ", times=3)
        running.signal(signal.SIGINT)
        await running.ended()
    assert re.search(r"BTC-USD +[\d.]+ @ ([\d.]+) \| ([\d.]+) @ [\d.]+ +spread [\d.]+\n", running.text)


async def test_watchful(simulated_exchange: SimulatedExchange) -> None:
    async with run("watchful.py", exchange=simulated_exchange) as running:
        await running.wrote("open and ready Channel('matches', ['BTC-USD'])")
        simulated_exchange.send({"type": "match", "product_id": "BTC-USD", "trade_id": 10**12})
        await running.wrote("missing (a number was skipped; expected")
        simulated_exchange.stall()
        await running.wrote("no heartbeat for 2 s")
        await running.wrote("waiting")
        await interrupt(running)
    assert running.errors == ""


async def test_user_channel(simulated_exchange: SimulatedExchange) -> None:
    key = {
        "COPRA_TX_KEY": TEST_KEY.key,
        "COPRA_TX_SECRET": TEST_KEY.secret,
        "COPRA_TX_PASSPHRASE": TEST_KEY.passphrase,
    }
    async with run("user_channel.py", exchange=simulated_exchange, **key) as running:
        await running.wrote("listening to BTC-USD")
        simulated_exchange.send(
            {
                "type": "received",
                "time": "2026-08-25T08:19:27.028459Z",
                "product_id": "BTC-USD",
                "order_id": "d50ec984-77a8-460a-b958-66f114b0de9b",
            }
        )
        await running.wrote("2026-08-25T08:19:27.028459Z BTC-USD received d50ec984")
        await interrupt(running)
    assert running.errors == ""


@pytest.mark.simulated_exchange(feed="advanced", speed=10)
async def test_advanced_trade(simulated_exchange: SimulatedExchange) -> None:
    async with run("advanced_trade.py", "ETH-USD", exchange=simulated_exchange) as running:
        await running.wrote("a fresh book of ETH-USD with ")
        await running.wrote(" ETH-USD BUY ")
        simulated_exchange.skip()
        await running.wrote("the connection: 1 message missing (sequence_num skipped; expected ")
        await running.wrote("a fresh book of ETH-USD with ", times=2)
        await interrupt(running)
    assert running.errors == ""


async def test_subscribing_on_the_fly(simulated_exchange: SimulatedExchange) -> None:
    async with run("subscribe_on_the_fly.py", exchange=simulated_exchange) as running:
        assert await running.ended() == 0
    first, both, one, refused = re.split("^(?=both|one|refused)", running.text, flags=re.MULTILINE)
    assert "both: Channel('matches', ['BTC-USD', 'ETH-USD']) Channel('heartbeat', ['ETH-USD'])" in both
    assert {line.split()[0] for line in both.splitlines()[1:]} == {"BTC-USD", "ETH-USD"}
    assert {line.split()[0] for line in one.splitlines()[1:]} == {"ETH-USD"}
    assert refused.startswith("refused: subscription to 'matches' for NO-SUCH refused:")
    assert "ETH-USD" not in first


async def test_async_for(simulated_exchange: SimulatedExchange) -> None:
    async with run("async_for.py", exchange=simulated_exchange) as running:
        assert await running.ended() == 0
    assert running.errors == ""
    lines = running.text.splitlines()
    assert len(lines) == 10
    assert all(re.fullmatch(r"\S+Z (buy|sell) [\d.]+ at [\d.]+", line) for line in lines)


async def test_raw_payloads(simulated_exchange: SimulatedExchange, tmp_path: Path) -> None:
    recording = tmp_path / "recording.jsonl"
    async with run("raw_payloads.py", recording, exchange=simulated_exchange) as running:
        await running.wrote("\nmatch BTC-USD ")
        await running.wrote("\nheartbeat ETH-USD ")
        await interrupt(running)
    recorded = [json.loads(line)["type"] for line in recording.read_bytes().splitlines()]
    assert recorded[0] == "subscriptions"
    printed = [line.split()[0] for line in running.text.splitlines()]
    assert printed == recorded[: len(printed)]
    assert len(recorded) - len(printed) <= 1  # a message is recorded first, and Ctrl-C may come between


async def test_fastapi_application(simulated_exchange: SimulatedExchange) -> None:
    command = [sys.executable, "-m", "uvicorn", "fastapi_app:app", "--port", "0"]
    env = {"COPRA_TX_FEED_URL": simulated_exchange.url}
    async with process(*command, env=env, cwd=EXAMPLES) as running:
        await running.wrote("Uvicorn running on http")
        [address] = re.findall(r"running on (\S+)", running.errors)
        await simulated_exchange.when_received(1)
        price = None
        while price is None:
            body = await _get(f"{address}/prices/BTC-USD")
            assert body["product_id"] == "BTC-USD"
            price = body["price"]
        assert float(price) > 0
        running.signal(signal.SIGINT)
        await simulated_exchange.when_lost(1)
        await running.wrote("Application shutdown complete")
        assert await running.ended() in (0, -signal.SIGINT)
    assert "Traceback" not in running.errors


async def _get(url: str) -> dict[str, str | None]:
    import urllib.request

    def get() -> bytes:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()

    return json.loads(await deferToThread(get))


async def test_notebook(simulated_exchange: SimulatedExchange) -> None:
    script = Path(__file__).parent / "support" / "notebook.py"
    env = {"COPRA_TX_FEED_URL": simulated_exchange.url}
    async with process(sys.executable, script, EXAMPLES / "notebook.ipynb", env=env) as running:
        status = await running.ended()
    assert status == 0, running.text + running.errors
    price = r"'\d+\.\d+'"
    assert re.fullmatch(
        rf"True\n\[(\('\S+Z', {price}, {price}\)[,\s]*){{3}}\]\n\({price}, True, \d+\)\n"
        rf"<Ticker 'WebSocket Client' {re.escape(simulated_exchange.url)} closed>\n",
        running.text,
    ), running.text


def test_every_example_is_tested_and_short() -> None:
    tests = "\n".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    for path in EXAMPLES.iterdir():
        if path.suffix != ".pyc" and path.is_file():
            assert path.name in tests or path.stem + ":app" in tests, f"nothing runs {path.name}"
            lines = len(path.read_text("utf-8").splitlines())
            assert path.suffix == ".ipynb" or lines <= MOST_LINES, f"{path.name} has {lines} lines"
