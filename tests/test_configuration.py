"""What options, files and the environment say, and what is wrong with it, in the user's words."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from copra_tx.configuration import ENVIRONMENT, Configuration, Settings, named_client, read_credentials
from copra_tx.errors import ConfigurationError
from copra_tx.simulator import TEST_KEY
from copra_tx.websocket import SANDBOX_FEED_URL, Channel, Client

Write = Callable[..., str]

KEY = {"key": TEST_KEY.key, "secret": TEST_KEY.secret, "passphrase": TEST_KEY.passphrase}
KEY_TOML = "\n".join(f"{name} = '{value}'" for name, value in KEY.items())


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ENVIRONMENT.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file and return its path."""

    def write(text: str, name: str = "feed.toml", mode: int = 0o600) -> str:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        path.chmod(mode)
        return str(path)

    return write


def unheard(text: str) -> None:
    raise AssertionError(f"a warning: {text}")


def configuration(file: str | None = None, **given: Any) -> Configuration:
    return Configuration(Settings(**given), file)


def arguments(file: str | None = None, **given: Any) -> dict[str, Any]:
    return configuration(file, **given).arguments(unheard)


# -- channels


def test_every_channel_is_about_every_product() -> None:
    assert configuration(products=["BTC-USD", "ETH-USD"], channels=["ticker", "Matches"]).channels() == [
        Channel("ticker", ["BTC-USD", "ETH-USD"]),
        Channel("matches", ["BTC-USD", "ETH-USD"]),
    ]


def test_channels_that_are_about_everything_get_no_products() -> None:
    channels = configuration(products=["BTC-USD"], channels=["ticker", "status", "rfq_matches"]).channels()
    assert channels == [Channel("ticker", "BTC-USD"), Channel("status"), Channel("rfq_matches")]


def test_the_balance_is_about_accounts() -> None:
    given = configuration(products=["BTC-USD"], accounts=["a", "b"], channels=["user", "balance"])
    assert given.channels() == [Channel("user", "BTC-USD"), Channel("balance", account_ids=["a", "b"])]


def test_a_file_may_give_a_channel_products_of_its_own(write: Write) -> None:
    file = write(
        """
        products = ["BTC-USD"]
        channels = [
            "ticker",
            {name = "matches", products = ["SOL-USD"]},
            {name = "balance", accounts = ["a"]},
        ]
        """
    )
    given = configuration(file, products=["ETH-USD"], channels=["heartbeat"])
    assert given.products == ["ETH-USD", "BTC-USD"]
    assert given.channels() == [
        Channel("heartbeat", ["ETH-USD", "BTC-USD"]),
        Channel("ticker", ["ETH-USD", "BTC-USD"]),
        Channel("matches", "SOL-USD"),
        Channel("balance", account_ids="a"),
    ]


def test_none_is_none() -> None:
    assert configuration().channels() == []


# -- everything else


def test_what_is_not_said_is_left_to_the_client() -> None:
    assert arguments() == {}


def test_the_command_line_wins_over_the_file(write: Write) -> None:
    file = write(
        """
        feed_url = "wss://file"
        name = "file"
        client = "file.Client"
        output = "/file"
        [options]
        compression = true
        ping_interval = 5
        """
    )
    assert arguments(file) == {
        "feed_url": "wss://file",
        "name": "file",
        "compression": True,
        "ping_interval": 5,
    }
    given = configuration(
        file,
        feed_url="wss://line",
        name="line",
        client="line.Client",
        output="/line",
        options={"ping_interval": 7},
    )
    assert given.arguments(unheard) == {
        "feed_url": "wss://line",
        "name": "line",
        "compression": True,
        "ping_interval": 7,
    }
    assert (given.client, given.output) == ("line.Client", "/line")
    assert (configuration(file).client, configuration(file).output) == ("file.Client", "/file")


@pytest.mark.parametrize(
    ("filed", "given", "url"),
    [
        ("", {"sandbox": True}, SANDBOX_FEED_URL),
        ("sandbox = true", {}, SANDBOX_FEED_URL),
        ("feed_url = 'ws://file'", {"sandbox": True}, SANDBOX_FEED_URL),
        ("sandbox = true", {"feed_url": "ws://line"}, "ws://line"),
    ],
)
def test_the_sandbox_is_an_address(write: Write, filed: str, given: dict[str, Any], url: str) -> None:
    assert configuration(write(filed), **given).feed_url() == url


def test_paths_in_a_file_are_relative_to_it(write: Write, tmp_path: Path) -> None:
    write(KEY_TOML, "key.toml")
    file = write("credentials = 'key.toml'\noutput = 'out'\noptions.ca_file = 'ca.pem'\n")
    given = configuration(file)
    assert given.output == str(tmp_path / "out")
    assert given.arguments(unheard) == {"ca_file": str(tmp_path / "ca.pem"), "auth": True, **KEY}
    assert configuration(write("output = '-'")).output == "-"


# -- keys


def test_a_key_comes_from_a_file(write: Write) -> None:
    assert arguments(credentials=write(KEY_TOML)) == {"auth": True, **KEY}


def test_a_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for part, variable in ENVIRONMENT.items():
        monkeypatch.setenv(variable, KEY[part])
    assert arguments() == {"auth": True, **KEY}


def test_a_file_wins_over_the_environment(write: Write) -> None:
    environment = dict.fromkeys(ENVIRONMENT.values(), "other")
    assert read_credentials(write(KEY_TOML), environment, unheard) == {"auth": True, **KEY}


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o604, True), (0o640, False), (0o600, False)])
def test_a_key_that_everybody_can_read_is_warned_of(write: Write, mode: int, warned: bool) -> None:
    warnings: list[str] = []
    file = write(KEY_TOML, mode=mode)
    assert read_credentials(file, {}, warnings.append) == {"auth": True, **KEY}
    text = f"--credentials {file}: everybody on this machine can read it: chmod 600 {file}"
    assert warnings == ([text] if warned else [])


SECRETS = [KEY["secret"], KEY["passphrase"], "hunter2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "key, secret and passphrase must stand in it"),
        (f"{KEY_TOML}\nhunter2 = 'x'", "and nothing else"),
        (f"key = 1\nsecret = '{KEY['secret']}'\npassphrase = 'hunter2'", "each as a text"),
        (f"{KEY_TOML}\nhunter2", r"is not TOML \(at end of document\)"),
        (f"key = '1'\nsecret = {KEY['secret']}\n", r"is not TOML \(at line 2, column 10\)"),
        ("key = '1'\nsecret = 'hunter2'\npassphrase = 'hunter2'\n", "the secret is not base64"),
        ("key = ''\nsecret = 'AAAA'\npassphrase = 'hunter2'\n", "key is missing"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_without_its_secrets(write: Write, text: str, words: str) -> None:
    file = write(text)
    with pytest.raises(ConfigurationError, match=rf"^--credentials {file}: .*{words}") as caught:
        arguments(credentials=file)
    assert [secret for secret in SECRETS if secret in str(caught.value)] == []


def test_a_key_needs_three_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPRA_TX_SECRET", "hunter2")
    with pytest.raises(ConfigurationError, match=r"lacks COPRA_TX_KEY and COPRA_TX_PASSPHRASE$"):
        arguments()
    monkeypatch.setenv("COPRA_TX_KEY", "k")
    monkeypatch.setenv("COPRA_TX_PASSPHRASE", "p")
    with pytest.raises(ConfigurationError, match=r"^COPRA_TX_SECRET: the secret is not base64") as caught:
        arguments()
    assert "hunter2" not in str(caught.value)


# -- what is wrong, by the option's name or the file's entry


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"channels": ["heartbeats"]}, "--channel: 'heartbeats' is a channel of the Advanced Trade feed"),
        ({"channels": ["ticker"]}, "--channel: ticker needs a product, such as --product BTC-USD"),
        ({"channels": ["balance"]}, "--channel: balance needs an --account"),
        ({"channels": ["ticker"], "products": [" "]}, "--channel: ' ' in product_ids is no id"),
        ({"products": ["BTC-USD"]}, "--product needs a channel"),
    ],
)
def test_wrong_channels(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{words}"):
        configuration(**given).channels()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("channels = ['x']", ": channels: there is no channel 'x'"),
        ("products = ['BTC-USD']", ": products needs a channel"),
        ("channels = [{name = 'ticker'}]", ": channels: channel 'ticker' needs at least one product id"),
    ],
)
def test_wrong_channels_in_a_file(write: Write, text: str, words: str) -> None:
    file = write(text)
    with pytest.raises(ConfigurationError, match=rf"^--config {file}{words}"):
        configuration(file).channels()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("= 1", r"is not TOML \(at line 1, column 1\)"),
        ("product = ['x']", "Object contains unknown field `product`; there are products, channels, accounts"),
        ("products = 'x'", r"Expected `array`, got `str` - at `\$.products`"),
        ("channels = [{name = 'x', product = 'y'}]", "Object contains unknown field `product`"),
    ],
)
def test_a_wrong_file(write: Write, text: str, words: str) -> None:
    file = write(text)
    with pytest.raises(ConfigurationError, match=rf"^--config {file}: {words}"):
        configuration(file)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "binary"
    file.write_bytes(b"x = '\xff'")
    with pytest.raises(ConfigurationError, match="is not TOML: it is not UTF-8"):
        configuration(str(file))
    with pytest.raises(ConfigurationError, match=r"^--config /nowhere: cannot be read: No such file or directory"):
        configuration("/nowhere")


def test_a_feed_and_the_sandbox_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match="--feed-url and --sandbox name two different feeds"):
        arguments(feed_url="wss://x", sandbox=True)


def test_a_password_is_not_taken_from_the_command_line(write: Write) -> None:
    with pytest.raises(ConfigurationError, match=r"^--proxy with a password") as caught:
        configuration(options={"proxy": "http://me:hunter2@host:1"})
    assert "hunter2" not in str(caught.value)
    file = write("options.proxy = 'http://me:hunter2@host:1'")
    assert arguments(file) == {"proxy": "http://me:hunter2@host:1"}


def made(given: Configuration) -> Client:
    """Make the client, which checks what the configuration does not."""
    return given.made(lambda: Client(None, [], auto_connect=False, **given.arguments(unheard)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"feed_url": "http://x"}, "--feed-url 'http://x' cannot be used"),
        ({"options": {"ca_file": "/nowhere"}}, "--ca-file '/nowhere' cannot be read"),
        ({"options": {"proxy": "socks5://x"}}, "--proxy speaks socks"),
    ],
)
def test_what_the_client_refuses_is_told_by_the_options_name(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{words}"):
        made(configuration(**given))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("feed_url = 'x'", ": feed_url 'x' cannot be used"),
        ("[options]\nping_interval = '5'", ": ping_interval is a number of seconds, not '5'"),
        ("[options]\nchannels = ['ticker']\nclient = 'x'", ": options: channels and client cannot stand among them"),
        ("[options]\nreactor = 1", ": options: reactor cannot stand among them"),
        ("[options]\npong = 1", ": options: unknown argument pong; there are proxy, ca_file, "),
    ],
)
def test_what_the_client_refuses_is_told_by_the_files_entry(write: Write, text: str, words: str) -> None:
    file = write(text)
    with pytest.raises(ConfigurationError, match=rf"^--config {file}{words}"):
        made(configuration(file))


def test_a_mistake_of_ours_stays_one() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        configuration().made(lambda: Client(None))  # type: ignore[call-arg]


# -- clients


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of the user's, in the current directory, which is not on the path."""
    (tmp_path / "users_package").mkdir()
    (tmp_path / "users_package" / "__init__.py").write_text(
        "from copra_tx import Client\n"
        "class Mine(Client): pass\n"
        "class Narrow(Client):\n"
        "    def __init__(self, loop, channels): super().__init__(loop, channels)\n"
        "number = 1\n"
    )
    (tmp_path / "users_package" / "broken.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    for name in [name for name in sys.modules if name.startswith("users_package")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("package")
def test_a_client_is_found_in_the_current_directory() -> None:
    mine = configuration(client="users_package.Mine").client_class()
    assert mine.__name__ == "Mine"
    assert issubclass(mine, Client)
    assert named_client("users_package.Mine") is mine
    assert configuration().client_class() is Client


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("users_package.Theirs", "'users_package.Theirs' cannot be imported: AttributeError"),
        ("nowhere.Mine", "'nowhere.Mine' cannot be imported: .*nowhere"),
        ("users_package.broken.Mine", "'users_package.broken.Mine' cannot be imported: ZeroDivisionError"),
        ("..", "'..' cannot be imported: InvalidName"),
        ("users_package.number", "'users_package.number' is not a subclass of copra_tx.Client"),
        ("collections.Counter", "'collections.Counter' is not a subclass of copra_tx.Client"),
    ],
)
def test_what_is_no_client_is_told(name: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^--client: {words}"):
        configuration(client=name).client_class()


@pytest.mark.usefixtures("package")
def test_a_client_that_takes_other_arguments_is_told() -> None:
    given = configuration(client="users_package.Narrow")
    narrow = given.client_class()
    with pytest.raises(ConfigurationError, match=r"^--client: 'users_package\.Narrow' cannot be called as copra_tx"):
        given.made(lambda: narrow(None, [], auto_connect=False))
