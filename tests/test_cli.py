"""The command ``copra-tx``, as a person or a script runs it."""

from __future__ import annotations

import json
import re
import signal
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from copra_tx import __version__
from copra_tx.simulator import TEST_KEY, SimulatedExchange
from support.peers import refusing_port
from support.processes import BIN, COPRA_TX, Process, process


def messages(text: str) -> list[Any]:
    """Decode lines of JSON, all of them whole."""
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


async def outcome(*arguments: str, **options: Any) -> tuple[int, str, str]:
    """Run the command to its end."""
    async with process(*COPRA_TX, *arguments, **options) as running:
        status = await running.ended()
        return status, running.text, running.errors


def watching(exchange: SimulatedExchange, *arguments: str, **options: Any) -> AbstractAsyncContextManager[Process]:
    """Watch BTC-USD on an exchange of ours."""
    return process(*COPRA_TX, "watch", "BTC-USD", "--feed-url", exchange.url, *arguments, **options)


# -- what it says about itself


async def test_the_version() -> None:
    assert await outcome("--version") == (0, f"copra-tx {__version__}\n", "")


async def test_the_installed_command_is_the_same() -> None:
    async with process(BIN / "copra-tx", "--version") as running:
        assert await running.ended() == 0
        assert running.text == f"copra-tx {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["demo", "watch", "simulate", "Ctrl-C"]),
        (["demo"], ["PRODUCT", "--channel", "--feed", "--seconds", "--speed"]),
        (["watch"], ["PRODUCT", "--channel", "--feed-url", "--sandbox", "--credentials", "--ca-file", "COPRA_TX_KEY"]),
        (["simulate"], ["--port", "--host", "--tls", "--speed", "--products", "--seed"]),
    ],
)
async def test_help_names_everything(arguments: list[str], words: list[str]) -> None:
    status, text, errors = await outcome(*arguments, "--help")
    assert (status, errors) == (0, "")
    assert [word for word in words if word not in text] == []


async def test_help_does_not_wait_for_the_client() -> None:
    """Importing Twisted or Autobahn takes longer than everything else together."""
    code = "import sys\ntry: __import__('copra_tx.cli').cli.main(['watch', '--help'])\nexcept SystemExit: pass\n"
    code += "print([name for name in ('twisted', 'autobahn', 'msgspec', 'asyncio') if name in sys.modules])"
    async with process(COPRA_TX[0], "-c", code) as running:
        assert await running.ended() == 0
        assert running.text.endswith("\n[]\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND"),
        (["dome"], "invalid choice: 'dome'"),
        (["demo", "--speed", "0"], "--speed: 0 is not above zero"),
        (["demo", "--seconds", "inf"], "without --seconds there is no end"),
        (["demo", "--seconds", "soon"], "--seconds: 'soon' is no number"),
        (["demo", "--channel", "heartbeats"], "--channel: 'heartbeats' is a channel of the Advanced Trade feed"),
        (["watch"], "which PRODUCT? such as BTC-USD"),
        (["watch", "--channel", "ticker"], "--channel: ticker needs a product, such as BTC-USD"),
        (["watch", "BTC-USD", "--proxy", "http://me:secret@host:1"], "--proxy with a password can be seen"),
        (["watch", "BTC-USD", "--feed-url", "ws://[::1"], "--feed-url 'ws://[::1' cannot be used"),
        (["simulate", "--port", "65536"], "65536 is no port"),
        (["simulate", "--port", "http"], "--port: 'http' is no whole number"),
    ],
)
async def test_wrong_usage_is_told_with_status_2(arguments: list[str], words: str) -> None:
    status, text, errors = await outcome(*arguments)
    assert (status, text) == (2, "")
    assert errors.startswith("usage: copra-tx")
    assert words in errors.splitlines()[-1]
    assert "Traceback" not in errors


# -- messages into a pipe


async def test_the_demo_writes_lines_of_json_into_a_pipe() -> None:
    status, text, errors = await outcome("demo", "--seconds", "1.5", "--speed", "10")
    assert (status, errors) == (0, "")
    kinds = [message["type"] for message in messages(text)]
    assert kinds[0] == "subscriptions"
    assert {"ticker", "heartbeat"} == {*kinds[1:]}
    assert {message.get("product_id") for message in messages(text)[1:]} == {"BTC-USD", "ETH-USD"}


async def test_the_demo_shows_what_it_is_asked_for_as_fast_as_it_is_asked_to() -> None:
    async with process(*COPRA_TX, "demo", "ETH-USD", "--channel", "matches", "--speed", "inf") as running:
        await running.wrote("T22:59:17")  # the end of the recorded minute
        running.signal(signal.SIGINT)
        assert await running.ended() == 0
        assert {message.get("product_id", "ETH-USD") for message in messages(running.text)} == {"ETH-USD"}


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (["demo"], signal.SIGINT),
        (["demo"], signal.SIGTERM),
        (["simulate"], signal.SIGINT),
        (["simulate"], signal.SIGHUP),
    ],
)
async def test_a_signal_ends_it_in_good_order(arguments: list[str], number: signal.Signals) -> None:
    async with process(*COPRA_TX, *arguments) as running:
        await running.when(lambda: bool(running.out))
        running.signal(number)
        assert await running.ended() == 0
        assert running.errors == ""
        assert running.text.endswith("\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_a_signal_ends_it_while_it_still_starts(number: signal.Signals) -> None:
    """The imports take half a second; a hook on one of them sends the signal right then."""
    code = (
        "import os, sys\n"
        "from copra_tx.cli import main\n"
        "class Hook:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'autobahn': os.kill(os.getpid(), int(sys.argv[1]))\n"
        "sys.meta_path.insert(0, Hook())\n"
        "sys.exit(main(['demo']))\n"
    )
    async with process(COPRA_TX[0], "-c", code, str(int(number))) as running:
        assert await running.ended() == 0
        assert (running.text, running.errors) == ("", "")


async def test_a_look_up_that_never_ends_does_not_hold_up_the_end() -> None:
    code = (
        "import socket, sys, threading\n"
        "socket.getaddrinfo = lambda *_, **__: (print('looking up'), threading.Event().wait())\n"
        "from copra_tx.cli import main\n"
        "sys.exit(main(['watch', 'BTC-USD', '--feed-url', 'ws://feed.example']))\n"
    )
    async with process(COPRA_TX[0], "-u", "-c", code) as running:
        await running.wrote("looking up")
        began = time.monotonic()
        running.signal(signal.SIGINT)
        assert await running.ended() == 0
        assert time.monotonic() - began < 3
        assert running.errors == ""


async def test_head_ends_it_quietly() -> None:
    async with process(*COPRA_TX, "demo", "--speed", "100") as running:
        await running.wrote("ticker")
        running.close_output()
        assert await running.ended() == 0
        assert running.errors == ""


@pytest.mark.parametrize("arguments", [["--help"], ["simulate"]])
async def test_a_reader_that_is_gone_already_is_no_error(arguments: list[str]) -> None:
    async with process(*COPRA_TX, *arguments, env={"PYTHONUNBUFFERED": ""}) as running:
        running.close_output()
        assert await running.ended() == 0
        assert running.errors == ""


async def test_without_standard_output_it_says_so() -> None:
    async with process("/bin/sh", "-c", f"{' '.join(COPRA_TX)} demo >&-") as running:
        assert await running.ended() == 2
        assert running.errors.endswith("cannot be written: this program was started without standard output\n")


async def test_nohup_is_honoured() -> None:
    async with process("/bin/sh", "-c", f"trap '' HUP; exec {' '.join(COPRA_TX)} demo --seconds 1") as running:
        await running.wrote("heartbeat")
        running.signal(signal.SIGHUP)
        await running.wrote("heartbeat", times=2)
        assert await running.ended() == 0


async def test_a_full_disk_is_told() -> None:
    async with process("/bin/sh", "-c", f"{' '.join(COPRA_TX)} demo >/dev/full") as running:
        assert await running.ended() == 1
        assert running.errors == "copra-tx: cannot write to standard output: No space left on device\n"


async def test_a_reader_that_does_not_read_delays_the_end_by_less_than_3_seconds() -> None:
    async with process(*COPRA_TX, "demo", "--speed", "inf") as running:
        await running.wrote("ticker")
        running.stop_reading()
        began = time.monotonic()
        running.signal(signal.SIGTERM)
        assert await running.ended() == 0
        assert time.monotonic() - began < 3


# -- the feed


async def test_watching_goes_on_over_a_lost_connection_and_errors_of_the_server() -> None:
    async with SimulatedExchange() as exchange, watching(exchange) as running:
        await running.wrote("heartbeat")
        exchange.send({"type": "error", "message": "something", "reason": "of\nno\x1b[31m consequence"})
        await running.wrote("something")
        exchange.drop()
        await running.wrote('"subscriptions"', times=2)
        running.signal(signal.SIGTERM)
        assert await running.ended() == 0
        first, second = running.errors.splitlines()
        assert first == "copra-tx: something: of no?[31m consequence"
        assert second.startswith("copra-tx: connection lost, reconnecting: ")
        messages(running.text)


async def test_an_error_that_refuses_nothing_is_told_and_ends_nothing() -> None:
    async with SimulatedExchange() as exchange:
        exchange.at("opened", lambda connection: connection.send({"type": "error", "message": "read the news"}))
        async with watching(exchange) as running:
            await running.wrote("read the news")
            await running.wrote("heartbeat")
            running.signal(signal.SIGTERM)
            assert await running.ended() == 0
            assert running.errors == "copra-tx: read the news\n"


async def test_what_a_later_connection_refuses_is_told_and_ends_nothing() -> None:
    async with SimulatedExchange() as exchange:
        url, port = exchange.url, int(exchange.url.rpartition(":")[2])
        arguments = "watch", "BTC-USD", "ETH-USD", "--channel", "heartbeat", "--feed-url", url
        async with process(*COPRA_TX, *arguments) as running:
            await running.wrote("heartbeat")
            await exchange.stopService()
            async with SimulatedExchange(port=port, products=["BTC-USD"]):
                await running.wrote("subscription to 'heartbeat' for ETH-USD refused")
                await running.wrote('"subscriptions"', times=2)
                running.signal(signal.SIGTERM)
                assert await running.ended() == 0


async def test_watching_over_tls_with_a_key(tmp_path: Path) -> None:
    key = tmp_path / "key.toml"
    key.write_text(f"key='{TEST_KEY.key}'\nsecret='{TEST_KEY.secret}'\npassphrase='{TEST_KEY.passphrase}'\n")
    key.chmod(0o604)
    async with SimulatedExchange(tls=True) as exchange:
        where = "--feed-url", exchange.url, "--ca-file", exchange.ca_file, "--credentials", str(key)
        status, text, errors = await outcome("watch", "BTC-USD", "--channel", "level2", *where, "--seconds", "1")
        assert status == 0
        assert errors == f"copra-tx: --credentials {key}: everybody on this machine can read it: chmod 600 {key}\n"
        assert [message["type"] for message in messages(text)][:2] == ["subscriptions", "snapshot"]


async def test_what_to_watch_may_stand_in_a_file(tmp_path: Path) -> None:
    async with SimulatedExchange() as exchange:
        config = tmp_path / "watch.toml"
        config.write_text(f"feed_url='{exchange.url}'\nproducts=['ETH-USD']\nchannels=['heartbeat']\n")
        status, text, errors = await outcome("watch", "--config", str(config), "--seconds", "1.2")
        assert (status, errors) == (0, "")
        assert [message.get("product_id") for message in messages(text)][:2] == [None, "ETH-USD"]


async def complaint(*arguments: str, **options: Any) -> str:
    """Return the one line of a command that ends with status 1."""
    status, _, errors = await outcome(*arguments, **options)
    assert status == 1
    assert errors.startswith("copra-tx: ")
    assert errors.count("\n") == 1
    assert errors.endswith("\n")
    return errors.removeprefix("copra-tx: ").removesuffix("\n")


async def test_no_network_is_told() -> None:
    port = refusing_port()
    assert await complaint("watch", "BTC-USD", "--feed-url", f"ws://127.0.0.1:{port}") == (
        f"no connection to 127.0.0.1:{port}: connection refused; check the network and the feed's address"
    )


async def test_an_unknown_host_is_told() -> None:
    told = await complaint("watch", "BTC-USD", "--feed-url", "wss://nowhere.invalid")
    assert told.startswith("host name 'nowhere.invalid' not found")
    assert "check the URL and the network" in told


async def test_a_certificate_that_does_not_verify_is_told() -> None:
    async with SimulatedExchange(tls=True) as exchange:
        told = await complaint("watch", "BTC-USD", "--feed-url", exchange.url)
        assert re.match(r"certificate of '(127\.0\.0\.1|localhost)' not accepted: ", told)
        assert "--ca-file" in told


async def test_a_refused_upgrade_is_told() -> None:
    async with SimulatedExchange() as exchange:
        exchange.refuse_upgrades(status=403, reason="Forbidden")
        told = await complaint("watch", "BTC-USD", "--feed-url", exchange.url)
        assert told == (
            "the server refused the upgrade with HTTP status 403: Forbidden; check the network and the feed's address"
        )


async def test_a_wrong_product_is_told_even_beside_a_right_one() -> None:
    assert await complaint("demo", "BTC-USD", "NOPE-USD", "--channel", "ticker") == (
        "subscription to 'ticker' for NOPE-USD refused: Failed to subscribe: NOPE-USD is not a valid product; "
        "check its spelling: product ids look like BTC-USD"
    )


async def test_a_missing_key_is_told() -> None:
    async with SimulatedExchange() as exchange:
        told = await complaint("watch", "BTC-USD", "--channel", "full", "--feed-url", exchange.url)
        assert told.startswith("subscription to 'full' for BTC-USD refused: ")
        assert told.endswith("; name an API key of Coinbase Exchange with --credentials FILE")


async def test_a_refused_key_is_told_without_its_secret() -> None:
    key = {"COPRA_TX_KEY": TEST_KEY.key, "COPRA_TX_SECRET": "d3JvbmcgYXMgY2FuIGJl", "COPRA_TX_PASSPHRASE": "hush"}
    async with SimulatedExchange() as exchange:
        arguments = "watch", "BTC-USD", "--channel", "full", "--feed-url", exchange.url
        told = await complaint(*arguments, env=key)
        assert told.endswith("; check key, secret and passphrase in the file of --credentials")
        assert not [secret for secret in key.values() if secret in told]


async def test_a_server_that_ends_the_line_at_once_is_told() -> None:
    async with SimulatedExchange() as exchange:
        exchange.at("opened", lambda connection: connection.close(1001, "closed for today"))
        told = await complaint("watch", "BTC-USD", "--feed-url", exchange.url)
        assert told == "closed for today; check the network and the feed's address"


async def test_no_connection_by_the_deadline_is_told() -> None:
    async with SimulatedExchange() as exchange:
        exchange.ignore_upgrades()
        told = await complaint("watch", "BTC-USD", "--feed-url", exchange.url, "--seconds", "0.5")
        assert told == "the time is over, and there is no connection yet; check the network and the feed's address"


# -- the simulated exchange


async def test_the_simulated_exchange_serves_others() -> None:
    async with process(*COPRA_TX, "simulate", "--tls", "--products", "BTC-USD", "SOL-USD", "--speed", "5") as serving:
        await serving.wrote("To see it")
        first, rest, second, third = serving.text.splitlines()
        url = first.removeprefix("Simulated exchange at ")
        assert rest == f"REST at {url.replace('wss', 'https')}"
        ca_file = second.removeprefix("Certificate authority in ")
        assert third == f"To see it: copra-tx watch BTC-USD --feed-url {url} --ca-file {ca_file}"
        status, text, errors = await outcome("watch", "SOL-USD", *third.split()[5:], "--seconds", "1")
        assert (status, errors) == (0, "")
        assert {message.get("product_id") for message in messages(text)} == {None, "BTC-USD", "SOL-USD"}
        serving.signal(signal.SIGINT)
        assert await serving.ended() == 0
        assert not Path(ca_file).exists()  # noqa: ASYNC240


async def test_a_port_in_use_is_told() -> None:
    async with SimulatedExchange() as exchange:
        port = exchange.url.rpartition(":")[2]
        assert await complaint("simulate", "--port", port) == (
            f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another --port (0 takes any that is "
            f"free)"
        )


async def test_the_simulated_exchange_ends_after_its_seconds() -> None:
    status, text, errors = await outcome("simulate", "--seconds", "0.2")
    assert (status, errors) == (0, "")
    assert len(text.splitlines()) == 3


async def test_a_market_made_of_orders_trades_whatever_is_listed() -> None:
    async with process(*COPRA_TX, "simulate", "--products", "SOL-USD", "--seed", "3", "--speed", "20") as serving:
        await serving.wrote("To see it")
        url = serving.text.splitlines()[0].removeprefix("Simulated exchange at ")
        arguments = ("--channel", "matches", "--feed-url", url, "--seconds", "1")
        status, text, errors = await outcome("watch", "SOL-USD", *arguments)
        assert (status, errors) == (0, "")
        assert {"last_match", "match"} <= {message["type"] for message in messages(text)}
