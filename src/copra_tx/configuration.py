"""What the plugin and the command are told: by options, by a TOML file, by the environment."""

from __future__ import annotations

import os
import re
import stat
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from .errors import ConfigurationError
from .feed import exchange
from .feed.advanced_trade import ADVANCED_TRADE_URL
from .feed.both import dialect_at
from .feed.dialect import Dialect
from .feed.exchange import SANDBOX_FEED_URL
from .keys import signer_of

if TYPE_CHECKING:
    from .websocket import Channel, Client

__all__ = ["ENVIRONMENT", "ChannelTable", "Configuration", "Settings", "named_client", "read_credentials"]

T = TypeVar("T")

ENVIRONMENT = {"key": "COPRA_TX_KEY", "secret": "COPRA_TX_SECRET", "passphrase": "COPRA_TX_PASSPHRASE"}
"""The environment variables that an API key is taken from, if no file with one is named."""

_IN_A_LIST = {"products": "product", "channels": "channel", "accounts": "account"}  # option of each
_NO_OPTIONS = frozenset({"channels", "client", "loop", "pacer", "reactor"})  # the first two stand outside of [options]


class ChannelTable(msgspec.Struct, forbid_unknown_fields=True):
    """
    A channel with products of its own, in the list ``channels`` of a TOML file.

    Attributes:
        name: The channel.
        products: Its products, in place of the file's.
        accounts: Its accounts, for ``balance``.
    """

    name: str
    products: list[str] = []
    accounts: list[str] = []


class Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """
    Everything that can be told; the names are those of the TOML file's entries and, with dashes, of the options.

    Attributes:
        products: Products of every channel that has none of its own.
        channels: Names of channels, or tables with a name and products.
        accounts: Accounts of the channel ``balance``.
        feed: ``exchange`` or ``advanced``, the feed that is spoken; else it goes by the address.
        feed_url: Address of the feed.
        sandbox: Use the sandbox's public feed.
        client: Dotted name of a subclass of ``Client``.
        credentials: Path of a TOML file with ``key``, ``secret`` and, of a key of Exchange, ``passphrase``.
        output: Where messages go as JSON lines; ``-`` is standard output.
        name: Name of the client.
        options: Keyword-only arguments of ``Client`` by their names, such as ``ca_file`` or ``ping_interval``.
    """

    products: list[str] = []
    channels: list[str | ChannelTable] = []
    accounts: list[str] = []
    feed: str | None = None
    feed_url: str | None = None
    sandbox: bool = False
    client: str | None = None
    credentials: str | None = None
    output: str | None = None
    name: str | None = None
    options: dict[str, Any] = {}

    def told(self) -> dict[str, Any]:
        """Return what is set, the ``options`` among the rest."""
        entries = {name: value for name, value in msgspec.structs.asdict(self).items() if value}
        options: dict[str, Any] = entries.pop("options", {})
        return entries | options


class Configuration:
    """
    Settings of the command line and, behind them, those of a file.

    Lists of the two are put together; of everything else the command line's holds.

    Args:
        given: What the command line says.
        file: Path of a TOML file, or ``None``.

    Raises:
        ConfigurationError: Here and from every method: what cannot work, naming the option or the file's entry.
    """

    def __init__(self, given: Settings, file: str | None = None) -> None:
        filed = Settings() if file is None else _read_settings(file)
        if "@" in given.options.get("proxy", ""):
            raise ConfigurationError("--proxy with a password can be seen by everybody; put it into --config instead")
        self._in_file = f"--config {file}"
        self._channels = [("--channel", given.channels), (f"{self._in_file}: channels", filed.channels)]
        self._labels = {name: f"{self._in_file}: {name}" for name in filed.told()}
        self._labels |= {name: _option(name) for name in given.told()}
        self.products = given.products + filed.products
        """Products of the channels that have none of their own, in their order."""
        self._accounts = given.accounts + filed.accounts
        self._options = filed.options | given.options
        self._feed_urls, self._sandboxes = (given.feed_url, filed.feed_url), (given.sandbox, filed.sandbox)
        self._feed = given.feed or filed.feed or self._options.get("feed") or "auto"
        self._credentials = given.credentials or filed.credentials
        self._name = given.name or filed.name
        self.client = given.client or filed.client
        """Dotted name of the client's class, or ``None`` for our own."""
        self.output = given.output or filed.output
        """Where messages go, or ``None``."""

    def channels(self) -> list[Channel]:
        """Return the channels; none if none are named."""
        channels, dialect = [], self.dialect
        for label, entries in self._channels:
            for entry in entries:
                with _naming(label):
                    channels.append(self._channel(entry, dialect))
        if self.products and not channels:
            raise ConfigurationError(
                f"{self.label('products')} needs a channel: say what to hear of it, such as --channel ticker"
            )
        return channels

    def _channel(self, entry: str | ChannelTable, dialect: Dialect) -> Channel:
        from .websocket import Channel

        if isinstance(entry, ChannelTable):
            return Channel(entry.name, entry.products, account_ids=entry.accounts)
        rule = dialect.channels.get(entry.lower())
        if rule is None:
            raise ConfigurationError(dialect.unknown_channel(entry))
        if self.products and (rule.needs_products or rule.is_private) and rule.takes_products:
            return Channel(entry, self.products)
        if rule.needs_products:
            raise ConfigurationError(f"{rule.name} needs a product, such as --product BTC-USD")
        if rule.takes_accounts and not self._accounts:
            raise ConfigurationError(f"{rule.name} needs an --account")
        # The others are about everything, whichever products are named.
        everything = exchange.ALL_PRODUCTS if rule.takes_products else ()
        return Channel(entry, everything, account_ids=self._accounts if rule.takes_accounts else ())

    def client_class(self) -> type[Client]:
        """Import the client's class."""
        from .websocket import Client

        if self.client is None:
            return Client
        with _naming(self.label("client")):
            return named_client(self.client)

    @property
    def dialect(self) -> Dialect:
        """What is spoken at the feed's address."""
        return dialect_at(self.feed_url() or "", self._feed)

    def feed_url(self) -> str | None:
        """Return the address of the feed, or ``None`` for the client's own."""
        for url, sandbox in zip(self._feed_urls, self._sandboxes, strict=True):
            if url and sandbox:
                raise ConfigurationError("--feed-url and --sandbox name two different feeds: use one of them")
            if url or sandbox:
                if sandbox and self._feed == "advanced":
                    raise ConfigurationError(f"{self.label('feed')}: the Advanced Trade feed has no sandbox")
                return SANDBOX_FEED_URL if sandbox else url
        return ADVANCED_TRADE_URL if self._feed == "advanced" else None

    def arguments(self, warn: Callable[[str], object]) -> dict[str, Any]:
        """
        Return the arguments of the client that are set, but for its channels.

        Args:
            warn: Called with what works, but should be mended.
        """
        arguments: dict[str, Any] = dict(self._options)
        if url := self.feed_url():
            arguments["feed_url"] = url
        if self._feed != "auto":
            arguments["feed"] = self._feed
        if self._name:
            arguments["name"] = self._name
        return arguments | read_credentials(self._credentials, os.environ, warn, self.dialect)

    def made(self, make: Callable[[], T]) -> T:
        """Return what ``make`` makes of the settings; what is wrong with them is said in the user's words."""
        try:
            return make()
        except ConfigurationError as error:
            # The text begins with the name of the argument, which here is an option or an entry.
            text = re.sub(r"^\w+", lambda word: self._labels.get(word[0], word[0]), str(error))
            raise ConfigurationError(text) from error
        except TypeError as error:
            if str(error).startswith("unknown argument"):  # Options' words
                raise ConfigurationError(f"{self._in_file}: options: {error}") from error
            if self.client is None:
                raise
            wrong = f"{self.label('client')}: {self.client!r} cannot be called as copra_tx.Client is: {error}"
            raise ConfigurationError(wrong) from error

    def label(self, setting: str) -> str:
        """Return what the user has to look at: the option, or the entry in the file."""
        return self._labels.get(setting, _option(setting))


def named_client(name: str) -> type[Client]:
    """
    Import a client class. Unlike for ``twistd`` itself, the current directory is looked in, too.

    Args:
        name: ``package.module.Class``.

    Raises:
        ConfigurationError: If there is no such class, its module cannot be imported, or it is no ``Client``.
    """
    from twisted.python.reflect import namedAny

    from .websocket import Client

    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = namedAny(name)
    except Exception as error:  # whatever the user's module raises
        raise ConfigurationError(f"{name!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(found, type) or not issubclass(found, Client):
        raise ConfigurationError(f"{name!r} is not a subclass of copra_tx.Client")
    return found


def read_credentials(
    file: str | None,
    environment: Mapping[str, str],
    warn: Callable[[str], object],
    dialect: Dialect = exchange.DIALECT,
) -> dict[str, Any]:
    """
    Return the client's arguments for an API key; none if there is no key.

    Args:
        file: A TOML file with ``key``, ``secret`` and ``passphrase``; it wins over the environment. A key for the
            Advanced Trade feed has no passphrase.
        environment: Where to look for ``COPRA_TX_KEY``, ``COPRA_TX_SECRET`` and ``COPRA_TX_PASSPHRASE``.
        warn: Called with a text if everybody on the machine can read the file.
        dialect: Of the feed that the key is for.

    Raises:
        ConfigurationError: If the file cannot be used, or the key is not complete. No text holds a secret.
    """
    needed = [part for part in ENVIRONMENT if not (dialect.is_numbered and part == "passphrase")]
    if file is not None:
        with _naming(f"--credentials {file}"):
            parts = _read_key(file, needed)
            _check_key(dialect, parts)
        if os.stat(file).st_mode & stat.S_IROTH:
            warn(f"--credentials {file}: everybody on this machine can read it: chmod 600 {file}")
        return {"auth": True, **parts}
    parts = {part: environment[variable] for part, variable in ENVIRONMENT.items() if environment.get(variable)}
    if not parts:
        return {}
    missing = " and ".join(ENVIRONMENT[part] for part in needed if part not in parts)
    if missing:
        raise ConfigurationError(f"the environment has a part of an API key, but lacks {missing}")
    with _naming(ENVIRONMENT["secret"]):
        _check_key(dialect, parts)
    return {"auth": True, **parts}


def _check_key(dialect: Dialect, parts: Mapping[str, str]) -> None:
    signer_of(dialect, parts["key"], parts["secret"], parts.get("passphrase", ""))


def _read_key(file: str, needed: list[str]) -> dict[str, str]:
    values = _read_toml(file)
    is_whole = set(needed) <= values.keys() <= ENVIRONMENT.keys()
    if not is_whole or not all(isinstance(value, str) for value in values.values()):
        names = f"{', '.join(needed[:-1])} and {needed[-1]}"
        raise ConfigurationError(f"{names} must stand in it, each as a text, and nothing else")
    return values


def _read_settings(file: str) -> Settings:
    with _naming(f"--config {file}"):
        try:
            settings = msgspec.convert(_read_toml(file), Settings)
        except msgspec.ValidationError as error:
            hint = f"; there are {', '.join(Settings.__struct_fields__)}" if "unknown field" in str(error) else ""
            raise ConfigurationError(f"{error}{hint}") from error
        if misplaced := sorted(_NO_OPTIONS & settings.options.keys()):
            raise ConfigurationError(f"options: {' and '.join(misplaced)} cannot stand among them")
    beside = Path(file).parent
    for name in ("credentials", "output"):
        path = getattr(settings, name)
        if path and path != "-":
            setattr(settings, name, str(beside / path))
    if isinstance(ca_file := settings.options.get("ca_file"), str):
        settings.options["ca_file"] = str(beside / ca_file)
    return settings


def _read_toml(file: str) -> dict[str, Any]:
    try:
        with open(file, "rb") as opened:
            return tomllib.load(opened)
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigurationError("is not TOML: it is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at [^)]*\)", str(error))  # only where: the rest could quote a secret
        raise ConfigurationError(f"is not TOML {where[0] if where else ''}".rstrip()) from None


def _option(setting: str) -> str:
    return "--" + _IN_A_LIST.get(setting, setting).replace("_", "-")


@contextmanager
def _naming(label: str) -> Iterator[None]:
    """Say which option or entry an error is about."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{label}: {error}") from error
