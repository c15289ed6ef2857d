"""``twistd copra-tx`` and ``twist copra-tx``, run for real against the simulated exchange."""

from __future__ import annotations

import json
import os
import signal
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from copra_tx import __version__
from copra_tx.simulator import TEST_KEY, SimulatedExchange
from support.peers import within
from support.processes import BIN, Process, process, until

pytestmark = pytest.mark.asyncio_only  # the programs choose their own reactor: once is enough

CLIENT = """
    from copra_tx import Client
    from twisted.logger import Logger

    log = Logger()

    class Mine(Client):
        def on_message(self, message):
            log.info("Mine got {type}", type=message["type"])

    class Theirs(Mine):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            from twisted.internet import reactor
            log.info("on a {reactor}", reactor=type(reactor).__name__)
"""

TICKER = "--product", "BTC-USD", "--channel", "ticker"
BEATS = *TICKER, "--channel", "heartbeat"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a module of the user's, in which the programs run."""
    (tmp_path / "mine.py").write_text(textwrap.dedent(CLIENT))
    return tmp_path


def twistd(place: Path, *arguments: str, **options: Any) -> AbstractAsyncContextManager[Process]:
    return process(BIN / "twistd", *arguments, cwd=place, **options)


def twist(place: Path, *arguments: str, **options: Any) -> AbstractAsyncContextManager[Process]:
    return process(BIN / "twist", *arguments, cwd=place, **options)


def messages(text: str) -> list[Any]:
    """Decode lines of JSON, all of them whole."""
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


# -- before anything runs


@pytest.mark.parametrize("command", ["twistd", "twist"])
async def test_it_is_listed_without_importing_the_client(place: Path, command: str) -> None:
    code = (
        "import sys, runpy\n"
        f"sys.argv[:] = ['{command}', '--help']\n"
        f"try: runpy.run_path({str(BIN / command)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith(('copra_tx', 'autobahn'))])\n"
    )
    async with process(BIN / "python", "-c", code, cwd=place) as running:
        assert await running.ended() == 0
        assert any(line.split()[:1] == ["copra-tx"] for line in running.text.splitlines())
        assert running.text.endswith("\n[]\n")


async def test_its_version_is_ours(place: Path) -> None:
    async with twistd(place, "copra-tx", "--version") as running:
        assert await running.ended() == 0
        assert running.text == f"copra-tx {__version__}\n"


async def test_help_does_not_import_the_client(place: Path) -> None:
    async with twistd(place, "copra-tx", "--help", env={"PYTHONVERBOSE": "1"}) as running:
        assert await running.ended() == 0
        assert "--product" in running.text
        assert "import 'copra_tx.tap'" in running.errors
        assert "import 'autobahn" not in running.errors
        assert "import 'twisted.internet.reactor'" not in running.errors


async def test_mistakes_are_told_before_it_becomes_a_daemon(place: Path) -> None:
    async with twistd(place, "copra-tx", *TICKER, "--output", "out", "--client", "mine.Nobody") as running:
        assert await running.ended() == 1
        last = running.text.splitlines()[-1]
        assert last.endswith(
            "twistd copra-tx: --client: 'mine.Nobody' cannot be imported: AttributeError: "
            "module 'mine' has no attribute 'Nobody'"
        )
        assert not (place / "twistd.pid").exists()
    async with twist(place, "copra-tx", "--product", "BTC-USD") as running:
        assert await running.ended() == os.EX_USAGE
        assert "Error: --product needs a channel" in running.text + running.errors


# -- running


async def test_messages_go_to_standard_output_and_the_log_to_standard_error(place: Path) -> None:
    async with SimulatedExchange() as exchange:
        arguments = *BEATS, "--feed-url", exchange.url
        async with twistd(place, "-n", "copra-tx", *arguments) as running:
            await running.wrote("heartbeat", times=2)
            running.signal(signal.SIGTERM)
            assert await running.ended() == -signal.SIGTERM  # Twisted's way to end
            assert messages(running.text)[0]["type"] == "subscriptions"
            assert "reactor class: copra_tx.bridge.guest.GuestReactor" in running.errors
            assert "connected to ws://" in running.errors
            assert "Traceback" not in running.errors
            assert exchange.connections == ()


async def test_a_client_of_the_users_under_twist(place: Path) -> None:
    async with SimulatedExchange() as exchange:
        arguments = "copra-tx", "--client", "mine.Theirs", *BEATS, "--feed-url", exchange.url
        async with twist(place, "--log-format=text", *arguments) as running:
            await running.wrote("Mine got heartbeat")
            running.signal(signal.SIGINT)
            assert await running.ended() == -signal.SIGINT
            assert "on a GuestReactor" in running.text
            assert "Traceback" not in running.text + running.errors


@pytest.mark.parametrize("reactor", ["epoll", "asyncio"])
async def test_a_reactor_that_was_named_is_kept(place: Path, reactor: str) -> None:
    async with SimulatedExchange() as exchange:
        arguments = "copra-tx", "--client", "mine.Theirs", *BEATS, "--feed-url", exchange.url
        async with twistd(place, "-n", f"--reactor={reactor}", *arguments) as running:
            await running.wrote("Mine got heartbeat")
            running.signal(signal.SIGTERM)
            assert await running.ended() == -signal.SIGTERM
            assert f"on a {'EPollReactor' if reactor == 'epoll' else 'AsyncioSelectorReactor'}" in running.text
            assert "Traceback" not in running.text + running.errors


async def test_over_tls_with_a_file_of_settings(place: Path) -> None:
    async with SimulatedExchange(tls=True) as exchange:
        (place / "key.toml").write_text("".join(f"{name} = '{getattr(TEST_KEY, name)}'\n" for name in KEY_PARTS))
        (place / "feed.toml").write_text(
            f"products = ['BTC-USD', 'ETH-USD']\n"
            f"channels = ['heartbeat', {{name = 'level2', products = ['BTC-USD']}}]\n"
            f"feed_url = '{exchange.url}'\n"
            f"credentials = 'key.toml'\n"
            f"output = 'out.jsonl'\n"
            f"[options]\n"
            f"ca_file = '{exchange.ca_file}'\n"
        )
        async with twistd(place, "-n", "copra-tx", "--config", "feed.toml") as running:
            out = place / "out.jsonl"
            await within(exchange.when_received())
            await running.wrote("connected to wss://")
            await until(lambda: out.exists() and '"heartbeat","last' in out.read_text())
            running.signal(signal.SIGTERM)
            assert await running.ended() == -signal.SIGTERM
            assert "--credentials key.toml: everybody on this machine can read it" in running.text
            assert TEST_KEY.secret not in running.text
            kinds = {message["type"] for message in messages(out.read_text())}
            assert {"subscriptions", "snapshot", "heartbeat"} <= kinds


KEY_PARTS = "key", "secret", "passphrase"


@asynccontextmanager
async def daemon(place: Path, *arguments: str) -> AsyncIterator[int]:
    """Run ``twistd`` as a daemon; yields its process id, and sees to its end."""
    async with twistd(place, *arguments) as starting:
        assert await starting.ended() == 0, starting.text + starting.errors
    number = int((place / "twistd.pid").read_text())
    try:
        yield number
    finally:
        if alive(number):
            os.kill(number, signal.SIGKILL)


def alive(number: int) -> bool:
    """Return whether a process, which need not be a child of ours, is still there."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("reactor", [[], ["--reactor=epoll"]], ids=["default", "epoll"])
async def test_as_a_daemon_it_writes_a_file_and_ends_within_3_seconds(place: Path, reactor: list[str]) -> None:
    out, log = place / "out.jsonl", place / "twistd.log"
    out.write_text("{}\n")
    async with SimulatedExchange(speed=20) as exchange:
        arguments = "copra-tx", *BEATS, "--feed-url", exchange.url, "--output", "out.jsonl"
        async with daemon(place, *reactor, *arguments) as number:
            await until(lambda: "heartbeat" in out.read_text())
            exchange.stall(pongs=False)  # the close is not answered
            began = time.monotonic()
            os.kill(number, signal.SIGTERM)
            await until(lambda: not alive(number))
            assert time.monotonic() - began < 3
    assert messages(out.read_text())[1]["type"] == "subscriptions"
    assert "Server Shut Down" in log.read_text()
    assert "Traceback" not in log.read_text()


async def test_a_full_disk_ends_it_with_words(place: Path) -> None:
    async with SimulatedExchange() as exchange:
        arguments = *TICKER, "--feed-url", exchange.url, "--output", "/dev/full"
        async with twistd(place, "-n", "copra-tx", *arguments) as running:
            assert await running.ended() == 0
            assert "/dev/full cannot be written: No space left on device; stopping" in running.text
            assert "Traceback" not in running.text + running.errors
            assert exchange.connections == ()


async def test_it_waits_for_a_feed_that_is_not_there_yet(place: Path) -> None:
    exchange = SimulatedExchange()
    exchange.startService()
    await exchange.stopService()
    async with twistd(place, "-n", "copra-tx", *BEATS, "--feed-url", exchange.url) as running:
        await running.wrote("attempting to reconnect")
        async with exchange:
            await running.wrote('"heartbeat"')
            running.signal(signal.SIGTERM)
            assert await running.ended() == -signal.SIGTERM


async def test_a_look_up_that_never_ends_does_not_hold_up_the_end(place: Path) -> None:
    """Without a network, the system's resolver may take very long to give up."""
    (place / "sitecustomize.py").write_text(textwrap.dedent(RESOLVER_WITHOUT_END))
    arguments = "--client", "mine.Mine", *TICKER, "--feed-url", "ws://feed.example"
    for reactor in [], ["--reactor=epoll"]:
        env = {"PYTHONPATH": str(place)}
        async with twistd(place, "-n", *reactor, "copra-tx", *arguments, env=env) as running:
            await running.wrote("looking up feed.example")
            began = time.monotonic()
            running.signal(signal.SIGTERM)
            assert await running.ended() == -signal.SIGTERM
            assert time.monotonic() - began < 3


RESOLVER_WITHOUT_END = """
    import socket, sys, threading

    def getaddrinfo(host, *arguments, **options):
        print("looking up", host if isinstance(host, str) else host.decode(), file=sys.stderr, flush=True)
        threading.Event().wait()

    socket.getaddrinfo = getaddrinfo
"""
