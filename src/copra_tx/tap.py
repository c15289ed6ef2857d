"""The command ``copra-tx`` of ``twistd`` and ``twist``: its options, and the service they describe."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.application.service import IService, MultiService
from twisted.logger import Logger
from twisted.python.usage import CompleteFiles, Completions, UsageError
from twisted.python.usage import Options as UsageOptions

from . import __version__
from .configuration import Configuration, Settings
from .errors import ConfigurationError, ReactorMismatchError
from .output import STDOUT, LineOutput, json_line

if TYPE_CHECKING:
    from .service import FeedService
    from .websocket import Channel, Client

__all__ = ["Options", "makeService"]


class Options(UsageOptions):
    """
    The options of the command.

    They are all checked, and the service is made, before ``twistd`` becomes a daemon: whatever is wrong is a
    ``UsageError`` that names the option.

    Attributes:
        service: What ``makeService`` returns, once the options are parsed.
    """

    _log = Logger()

    synopsis = "[options] --product ID --channel NAME"
    longdesc = """
Receives the Coinbase Exchange feed, or the Advanced Trade feed, and writes each message as a line of JSON, or hands it
to a client of your own. It reconnects and subscribes again after every loss of the connection. Without --reactor (which
stands before the command) it takes asyncio's reactor.

An API key is taken from the file --credentials (TOML, with key, secret and passphrase) or from the environment
variables COPRA_TX_KEY, COPRA_TX_SECRET and COPRA_TX_PASSPHRASE. A key for the Advanced Trade feed has no passphrase.

The file --config (TOML) may hold products, channels (names, or tables with a name and products), accounts, feed,
feed_url, sandbox, client, credentials, output and name, and in the table [options] every other keyword argument of
copra_tx.Client. Options given here win over it.
"""
    optParameters: ClassVar[list[list[Any]]] = [
        ["config", None, None, "TOML file with settings, for long lists."],
        ["client", None, None, "Dotted name of a subclass of copra_tx.Client to use."],
        ["output", "o", None, "File to append messages to, or - for stdout (the default without --client)."],
        ["credentials", None, None, "TOML file with key, secret and passphrase of an API key."],
        ["feed", None, None, "exchange (the default) or advanced: the feed of Coinbase to receive."],
        ["feed-url", None, None, "Address of the feed instead of Coinbase's."],
        ["proxy", None, None, "HTTP proxy, http://host:port; one that needs a password belongs into --config."],
        ["ca-file", None, None, "PEM file with certificates to trust beside the platform's."],
        ["name", None, None, "Name of the client in the log."],
    ]
    optFlags: ClassVar[list[list[Any]]] = [
        ["sandbox", None, "Use the sandbox's feed."],
        ["compression", None, "Offer compression (permessage-deflate) to the server."],
    ]
    compData = Completions(
        optActions={name: CompleteFiles() for name in ("config", "output", "credentials", "ca-file")}
    )

    def __init__(self) -> None:
        super().__init__()
        self._products: list[str] = []
        self._channels: list[str] = []
        self._accounts: list[str] = []
        self.service: IService | None = None

    def opt_product(self, product_id: str) -> None:
        """Product to receive, such as BTC-USD; may be given several times."""
        self._products.append(product_id)

    def opt_channel(self, name: str) -> None:
        """Channel to receive, such as ticker, matches or level2_batch; may be given several times."""
        self._channels.append(name)

    def opt_account(self, account_id: str) -> None:
        """Account to receive the channel balance of; may be given several times."""
        self._accounts.append(account_id)

    opt_p = opt_product
    opt_c = opt_channel

    def opt_version(self) -> None:
        """Display the version of copra-tx and exit."""
        print(f"copra-tx {__version__}")  # noqa: T201
        sys.exit(0)

    def parseArgs(self, *arguments: str) -> None:
        """Refuse whatever is no option."""
        if arguments:
            raise UsageError(f"{arguments[0]!r} is no option; products are named with --product")

    def postOptions(self) -> None:
        """Check everything, and make the service."""
        try:
            self.service = self._make_service()
        except (ConfigurationError, ReactorMismatchError) as error:
            raise UsageError(str(error)) from error

    def _make_service(self) -> IService:
        configuration = Configuration(self._settings(), self["config"])
        channels = configuration.channels()
        if not channels and not configuration.client:
            raise ConfigurationError("--channel is missing: say what to receive, such as --channel ticker")
        # Before anything of the user's, which may import a reactor and thereby install Twisted's default one.
        from .bridge import reactor_for
        from .names import look_up_on_daemon_threads

        reactor = reactor_for(None)
        look_up_on_daemon_threads(reactor)
        client = configuration.client_class()
        path = configuration.output or (None if configuration.client else STDOUT)
        if path is None:
            return self._feed(configuration, channels, client)
        output = self._open_output(configuration, path, reactor)
        services = MultiService()
        output.setServiceParent(services)
        self._feed(configuration, channels, _writing(client, output)).setServiceParent(services)
        return services

    def _feed(self, configuration: Configuration, channels: list[Channel], client: type[Client]) -> FeedService:
        from .service import FeedService

        arguments = configuration.arguments(lambda text: self._log.warn("{text}", text=text))
        if configuration.client is None:
            arguments["decode"] = None  # nobody looks at a message before it is written
        return configuration.made(lambda: FeedService(channels, client, **arguments))

    def _settings(self) -> Settings:
        options = {"proxy": self["proxy"], "ca_file": self["ca-file"], "compression": bool(self["compression"])}
        return Settings(
            products=self._products,
            channels=list(self._channels),
            accounts=self._accounts,
            feed=self["feed"],
            feed_url=self["feed-url"],
            sandbox=bool(self["sandbox"]),
            client=self["client"],
            credentials=self["credentials"],
            output=self["output"],
            name=self["name"],
            options={name: value for name, value in options.items() if value},
        )

    def _open_output(self, configuration: Configuration, path: str, reactor: Any) -> LineOutput:
        if path == STDOUT:
            self._keep_stdout_for_messages(configuration.label("output"))

        def failed(error: OSError) -> None:
            self._log.critical("{path} cannot be written: {error}; stopping", path=path, error=error.strerror)
            reactor.stop()

        return configuration.made(lambda: LineOutput(path, reactor, failed))

    def _keep_stdout_for_messages(self, label: str) -> None:
        """Send the log, which both runners write to standard output by default, to standard error."""
        runner: UsageOptions | dict[str, Any] = self.parent or {}
        if "nodaemon" in runner:  # twistd; it looks for the stream later
            if not runner["nodaemon"]:
                raise ConfigurationError(f"a daemon has no standard output: name a file with {label}, or use twistd -n")
            sys.stdout = sys.stderr
        elif runner.get("logFile") is sys.stdout:  # twist
            runner["logFile"] = sys.stderr


def makeService(options: Options) -> IService:  # Twisted's name
    """Return the service that the options describe: a ``FeedService``, beside its output if there is one."""
    assert options.service is not None, "the options were not parsed"
    return options.service


def _writing(client: type[Client], output: LineOutput) -> type[Client]:
    """Return a subclass that writes each message before its ``on_message`` sees it."""
    from .websocket import Client

    prints = client.on_message is Client.on_message  # the output takes the place of that

    class Writing(client):  # type: ignore[valid-type, misc]  # a class known only now
        def on_message(self, message: Any) -> Any:
            room = output.write(json_line(message))
            result = None if prints else super().on_message(message)
            return result if room is None else _after(room, result)

    Writing.__name__, Writing.__qualname__ = client.__name__, client.__qualname__
    return Writing


async def _after(room: Awaitable[None], result: object) -> None:
    """Let the next message come when there is room for it, and the user's callback is done."""
    await room
    if inspect.isawaitable(result):
        await result
