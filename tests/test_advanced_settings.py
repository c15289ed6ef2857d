"""The Advanced Trade feed by option, file and environment: ``copra-tx watch``, ``simulate`` and ``twistd copra-tx``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from copra_tx.configuration import ENVIRONMENT, Configuration, Settings
from copra_tx.errors import ConfigurationError
from copra_tx.feed import advanced_trade, exchange
from copra_tx.simulator import TEST_CDP_KEY, TEST_KEY, SimulatedExchange
from copra_tx.tap import Options
from copra_tx.websocket import ADVANCED_TRADE_URL, ADVANCED_TRADE_USER_URL, Channel
from support.processes import COPRA_TX, process

KEY = {"key": TEST_CDP_KEY.key, "secret": TEST_CDP_KEY.secret}


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ENVIRONMENT.values():
        monkeypatch.delenv(variable, raising=False)


def unheard(text: str) -> None:
    raise AssertionError(f"a warning: {text}")


def configuration(file: str | None = None, **given: Any) -> Configuration:
    return Configuration(Settings(**given), file)


def key_file(folder: Path, **parts: str) -> str:
    path = folder / "key.toml"
    path.write_text("".join(f"{name} = '''{value}'''\n" for name, value in parts.items()))
    path.chmod(0o600)
    return str(path)


# What the settings come to


def test_the_feed_has_an_address() -> None:
    assert configuration(feed="advanced").arguments(unheard) == {"feed": "advanced", "feed_url": ADVANCED_TRADE_URL}
    own = {"feed": "advanced", "feed_url": "ws://localhost:8080"}
    assert configuration(**own).arguments(unheard) == own
    assert configuration(feed="exchange").arguments(unheard) == {"feed": "exchange"}


@pytest.mark.parametrize(
    ("given", "dialect"),
    [
        ({}, exchange.DIALECT),
        ({"feed": "advanced"}, advanced_trade.DIALECT),
        ({"feed_url": ADVANCED_TRADE_URL}, advanced_trade.DIALECT),
        ({"feed_url": ADVANCED_TRADE_USER_URL}, advanced_trade.USER_DIALECT),
        ({"feed_url": "wss://feed.example.org/advanced"}, exchange.DIALECT),
        ({"feed_url": "ws://[::1"}, exchange.DIALECT),  # which the client refuses
        ({"options": {"feed": "advanced"}}, advanced_trade.DIALECT),
        ({"feed": "exchange", "feed_url": ADVANCED_TRADE_URL}, exchange.DIALECT),
    ],
)
def test_what_is_spoken_follows(given: dict[str, Any], dialect: object) -> None:
    assert configuration(**given).dialect is dialect


def test_a_file_may_say_it(tmp_path: Path) -> None:
    file = tmp_path / "feed.toml"
    file.write_text("feed = 'advanced'\nchannels = ['heartbeats']\n")
    assert configuration(str(file)).channels() == [Channel("heartbeats")]
    assert configuration(str(file)).arguments(unheard)["feed_url"] == ADVANCED_TRADE_URL


def test_channels_get_products_where_they_take_them() -> None:
    names = ["level2", "heartbeats", "user", "futures_balance_summary", "status"]
    assert configuration(feed="advanced", products=["BTC-USD"], channels=names).channels() == [
        Channel("level2", "BTC-USD"),
        Channel("heartbeats"),
        Channel("user", "BTC-USD"),
        Channel("futures_balance_summary"),
        Channel("status", "BTC-USD"),
    ]
    assert configuration(feed="advanced", channels=["user"]).channels() == [Channel("user", "ALL")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"feed": "advanced", "channels": ["heartbeat"], "products": ["A"]}, "here it is 'heartbeats'"),
        ({"channels": ["market_trades"], "products": ["A"]}, "here it is 'matches'"),
        ({"feed": "advanced", "channels": ["status"]}, "status needs a product"),
    ],
)
def test_names_of_the_other_feed_are_told(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        configuration(**given).channels()


def test_there_is_no_sandbox() -> None:
    with pytest.raises(ConfigurationError, match="--feed: the Advanced Trade feed has no sandbox"):
        configuration(feed="advanced", sandbox=True).arguments(unheard)


def test_keys_have_two_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {"feed": "advanced", "feed_url": ADVANCED_TRADE_URL, "auth": True, **KEY}
    assert configuration(feed="advanced", credentials=key_file(tmp_path, **KEY)).arguments(unheard) == expected
    for name, value in KEY.items():
        monkeypatch.setenv(ENVIRONMENT[name], value)
    assert configuration(feed="advanced").arguments(unheard) == expected
    monkeypatch.delenv("COPRA_TX_KEY")
    with pytest.raises(ConfigurationError, match=r"lacks COPRA_TX_KEY$"):
        configuration(feed="advanced").arguments(unheard)


def test_keys_of_the_other_feed_are_told(tmp_path: Path) -> None:
    whole = {"key": TEST_KEY.key, "secret": TEST_KEY.secret, "passphrase": TEST_KEY.passphrase}
    with pytest.raises(ConfigurationError, match="key with a passphrase is one of Coinbase Exchange"):
        configuration(feed="advanced", credentials=key_file(tmp_path, **whole)).arguments(unheard)
    with pytest.raises(ConfigurationError, match="CDP API key, which only the Advanced Trade feed takes"):
        configuration(credentials=key_file(tmp_path, **KEY, passphrase="x")).arguments(unheard)
    with pytest.raises(ConfigurationError, match="key, secret and passphrase must stand in it"):
        configuration(credentials=key_file(tmp_path, **KEY)).arguments(unheard)
    with pytest.raises(ConfigurationError, match="key and secret must stand in it"):
        configuration(feed="advanced", credentials=key_file(tmp_path, key="x")).arguments(unheard)


# The programs


def test_twistd_takes_the_option() -> None:
    options = Options()
    options.parseOptions(["--feed", "advanced", "--product", "BTC-USD", "--channel", "level2", "--output", "/dev/null"])
    assert options.service is not None
    [feed] = [one for one in options.service if hasattr(one, "client")]  # type: ignore[attr-defined]
    assert feed.client.feed_url == ADVANCED_TRADE_URL
    assert feed.client.dialect is advanced_trade.DIALECT


@pytest.mark.asyncio_only
@pytest.mark.simulated_exchange(feed="advanced", speed=20)
async def test_watch_shows_it(simulated_exchange: SimulatedExchange) -> None:
    where = ["--feed", "advanced", "--feed-url", simulated_exchange.url]
    async with process(*COPRA_TX, "watch", "BTC-USD", *where, "--seconds", "2") as running:
        assert await running.ended() == 0
    messages = [json.loads(line) for line in running.text.splitlines()]
    assert {message["channel"] for message in messages} == {"subscriptions", "ticker"}
    assert running.errors == ""


@pytest.mark.asyncio_only
async def test_simulate_serves_it() -> None:
    async with process(*COPRA_TX, "simulate", "--feed", "advanced", "--seconds", "1") as running:
        assert await running.ended() == 0
    assert running.text.splitlines()[-1].endswith("--feed advanced")


@pytest.mark.asyncio_only
async def test_a_private_channel_without_a_key_says_what_to_do() -> None:
    async with SimulatedExchange(feed="advanced") as exchange:
        where = ["--feed", "advanced", "--feed-url", exchange.url]
        async with process(*COPRA_TX, "watch", "--channel", "user", *where) as running:
            assert await running.ended() == 1
    assert "name a CDP API key with --credentials FILE" in running.errors
