"""The options of ``twistd copra-tx``, and the service that they describe, without running it."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import IService, IServiceMaker, MultiService
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, globalLogPublisher
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from zope.interface.verify import verifyObject

from copra_tx import FeedService, __version__
from copra_tx.output import LineOutput
from copra_tx.simulator import SimulatedExchange
from copra_tx.tap import Options, makeService
from copra_tx.websocket import Channel, Client
from support.peers import the_reactor, within


class Mine(Client):
    """A client of a user's, named by ``--client``."""

    seen: list[Any] = []  # noqa: RUF012

    def on_message(self, message: Any) -> Any:
        self.seen.append(message)


class MineThatWaits(Mine):
    """One whose callback is a coroutine."""

    async def on_message(self, message: Any) -> None:
        self.seen.append(message)


class MineThatPrints(Client):
    """One without an ``on_message`` of its own."""


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    Mine.seen.clear()


@pytest.fixture(autouse=True)
def streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # put back after the test


TICKER = ["--product", "BTC-USD", "--channel", "ticker"]
MINE = ["--client", f"{__name__}.Mine"]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this module, which pytest imports in a way of its own, be found by its name."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or sys.modules[Mine.__module__])


def service_of(*arguments: str) -> IService:
    options = Options()
    options.parseOptions(list(arguments))
    return makeService(options)


def feed_of(service: IService) -> FeedService:
    """Return the feed, which may stand beside an output."""
    services = service if isinstance(service, MultiService) else [service]
    (feed,) = (one for one in services if isinstance(one, FeedService))
    return feed


@pytest.fixture
def outputs() -> Iterator[list[LineOutput]]:
    """Outputs to be closed after a test that starts nothing."""
    opened: list[LineOutput] = []
    yield opened
    for output in opened:
        output.stopService()


def test_the_plugin_is_found_by_its_name() -> None:
    (ours,) = [one for one in getPlugins(IServiceMaker) if one.tapname == "copra-tx"]
    assert verifyObject(IServiceMaker, ours)
    assert ours.options is Options
    assert ours.makeService is makeService


def test_a_client_of_the_users_gets_everything() -> None:
    service = service_of(
        *TICKER,
        *MINE,
        *["-p", "ETH-USD", "-c", "status", "--account", "a", "-c", "balance"],
        *["--feed-url", "ws://127.0.0.1:1", "--name", "bitcoin", "--compression", "--proxy", "http://p:3"],
    )
    assert type(service) is FeedService
    client = service.client
    assert type(client) is Mine
    assert client.channels == {
        "ticker": Channel("ticker", ["BTC-USD", "ETH-USD"]),
        "status": Channel("status"),
        "balance": Channel("balance", account_ids="a"),
    }
    assert (client.feed_url, client.name, client.auto_connect) == ("ws://127.0.0.1:1", "bitcoin", False)
    assert client.options.compression is True
    assert client.options.proxy is not None
    assert client.options.proxy.address == "p:3"
    assert client.auth is False
    assert service.name == "bitcoin"


def test_a_client_of_the_users_needs_no_channel() -> None:
    assert feed_of(service_of(*MINE)).client.channels == {}


def test_messages_go_to_standard_output_by_default(outputs: list[LineOutput]) -> None:
    service = service_of(*TICKER)
    assert isinstance(service, MultiService)
    output, feed = service
    assert isinstance(output, LineOutput)
    outputs.append(output)
    assert output.path == "-"
    assert isinstance(feed, FeedService)
    assert type(feed.client).__name__ == "Client"


def test_the_version_is_ours(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        Options().parseOptions(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"copra-tx {__version__}\n"


def test_help_names_what_is_not_an_option_too() -> None:
    text = " ".join(str(Options()).split())
    for word in ("COPRA_TX_KEY", "TOML", "--product", "--reactor", "--output"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--channel is missing"),
        (["BTC-USD"], "'BTC-USD' is no option; products are named with --product"),
        (["--product", "BTC-USD"], "--product needs a channel"),
        (["--channel", "heartbeats"], "--channel: 'heartbeats' is a channel of the Advanced Trade feed"),
        ([*TICKER, "--feed-url", "http://x"], "--feed-url 'http://x' cannot be used"),
        ([*TICKER, "--feed-url", "ws://x", "--sandbox"], "--feed-url and --sandbox"),
        ([*TICKER, "--client", "nowhere.Client"], "--client: 'nowhere.Client' cannot be imported"),
        ([*TICKER, "--output", "/nowhere/out"], "--output '/nowhere/out' cannot be written"),
        ([*TICKER, "--ca-file", "/nowhere"], "--ca-file '/nowhere' cannot be read"),
        ([*TICKER, "--credentials", "/nowhere"], "--credentials /nowhere: cannot be read"),
        (["--config", "/nowhere"], "--config /nowhere: cannot be read"),
        ([*TICKER, "--proxy", "http://me:hunter2@x:1"], "--proxy with a password"),
        ([*TICKER, "--proxy", "x"], "--proxy is http://"),
    ],
)
def test_what_is_wrong_is_told_by_the_options_name(arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=rf"^{words}"):
        service_of(*arguments)


def test_a_daemon_needs_a_file(tmp_path: Path, outputs: list[LineOutput]) -> None:
    def options_under(runner: dict[str, Any]) -> Options:
        options = Options()
        options.parent = runner  # type: ignore[assignment]
        return options

    for arguments in (TICKER, [*TICKER, "--output", "-"]):
        with pytest.raises(UsageError, match=r"^a daemon has no standard output: name a file with --output"):
            options_under({"nodaemon": False}).parseOptions(arguments)
    options = options_under({"nodaemon": False})
    options.parseOptions([*TICKER, "--output", str(tmp_path / "out")])
    outputs += [one for one in makeService(options) if isinstance(one, LineOutput)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("runner", "after"),
    [
        ({"nodaemon": True}, {"nodaemon": True}),
        ({"logFile": "stdout"}, {"logFile": "stderr"}),
        ({"logFile": "a file"}, {"logFile": "a file"}),
    ],
    ids=["twistd", "twist", "twist --log-file"],
)
def test_the_log_gives_way_to_messages_on_standard_output(
    runner: dict[str, Any], after: dict[str, Any], outputs: list[LineOutput]
) -> None:
    """``twistd`` will look at ``sys.stdout``; ``twist`` has looked already."""
    streams = {"stdout": sys.stdout, "stderr": sys.stderr}
    options = Options()
    options.parent = {name: streams.get(value, value) for name, value in runner.items()}  # type: ignore[assignment]
    options.parseOptions(TICKER)
    outputs += [one for one in makeService(options) if isinstance(one, LineOutput)]  # type: ignore[attr-defined]
    assert options.parent == {name: streams.get(value, value) for name, value in after.items()}
    assert sys.stdout is (streams["stderr"] if "nodaemon" in runner else streams["stdout"])


def test_a_key_that_everybody_can_read_is_logged(tmp_path: Path) -> None:
    key = tmp_path / "key.toml"
    key.write_text("key='k'\nsecret='AAAA'\npassphrase='p'\n")
    key.chmod(0o644)
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    service = service_of(*TICKER, *MINE, "--credentials", str(key))
    globalLogPublisher.removeObserver(events.append)
    assert feed_of(service).client.auth is True
    assert [event["text"] for event in events if event["log_level"] is LogLevel.warn] == [
        f"--credentials {key}: everybody on this machine can read it: chmod 600 {key}"
    ]


@pytest.mark.parametrize("client", [Mine, MineThatWaits, MineThatPrints, None])
async def test_messages_go_to_a_file_and_to_the_client(
    tmp_path: Path, client: type[Client] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A client of the user's sees them as well; what only prints them has nothing to do."""
    path = tmp_path / "out.jsonl"
    async with SimulatedExchange(speed=20) as exchange:
        named = [] if client is None else ["--client", f"{__name__}.{client.__name__}"]
        service = service_of(*TICKER, *named, "--feed-url", exchange.url, "--output", str(path))
        service.startService()
        await within(exchange.when_received())
        while path.stat().st_size < 5000:
            await turn()
        await service.stopService()
    messages = [json.loads(line) for line in path.read_text().splitlines()]
    assert messages[0]["type"] == "subscriptions"
    assert {message["type"] for message in messages[1:]} == {"ticker"}
    assert Mine.seen == (messages if client in (Mine, MineThatWaits) else [])
    assert capsys.readouterr().out == ""
    assert type(feed_of(service).client).__name__ == (client or Client).__name__


@pytest.mark.parametrize("client", [None, Mine, MineThatWaits])
async def test_a_slow_reader_slows_the_feed_down_and_loses_nothing(tmp_path: Path, client: type[Client] | None) -> None:
    path, config = tmp_path / "fifo", tmp_path / "feed.toml"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    config.write_text("products=['BTC-USD']\nchannels=['level2_batch']\n[options]\nmax_buffered=50\n")
    async with SimulatedExchange(speed=math.inf) as exchange:
        named = [] if client is None else ["--client", f"{__name__}.{client.__name__}"]
        where = "--feed-url", exchange.url, "--output", str(path), "--config", str(config)
        service = service_of(*where, *named)
        counters = feed_of(service).client.counters
        service.startService()
        while not counters.pauses:
            await turn()
        data = b""
        while len(data) < 3_000_000:
            await turn()
            data += read_all(reader)
        stopped = service.stopService()
        assert isinstance(stopped, Deferred)
        fired: list[object] = []
        within(stopped).addCallback(fired.append)
        while not fired:
            await turn()
            data += read_all(reader)
    data += read_all(reader)
    os.close(reader)
    assert data.endswith(b"\n")
    messages = [json.loads(line) for line in data.splitlines()]
    times = [message["time"] for message in messages[1:]]
    assert times == sorted(times)
    if client is not None:  # at the end, the reader may have been too slow for the last of them
        assert Mine.seen[: len(messages)] == messages


def read_all(reader: int) -> bytes:
    try:
        return os.read(reader, 16 * 1024 * 1024)
    except BlockingIOError:
        return b""


async def turn() -> None:
    """Let the reactor turn, and other processes have a chance."""
    await deferLater(the_reactor(), 0.001)
