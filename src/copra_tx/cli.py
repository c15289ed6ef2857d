"""The command ``copra-tx``: parses the command line and calls what it names."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from . import __version__

if TYPE_CHECKING:
    from .configuration import Configuration

__all__ = ["main"]

T = TypeVar("T")

DESCRIPTION = """\
Coinbase market data. On a terminal it is shown as a table; into a pipe or a file go the messages, a line of JSON
each. Ctrl-C ends every command."""

KEY = """\
An API key of Coinbase Exchange, where a channel needs one, is taken from the file of --credentials (TOML, with key,
secret and passphrase) or from the environment variables COPRA_TX_KEY, COPRA_TX_SECRET and COPRA_TX_PASSPHRASE. A CDP
API key, for --feed advanced, has no passphrase."""

CHANNELS = ("ticker", "heartbeat")
"""What is watched if no channel is named, as far as the feed has it."""

FEEDS = ("exchange", "advanced")
"""What can be watched and simulated."""


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    Args:
        arguments: The command line without the program's name; ``None`` takes the process's.

    Returns:
        The status: 0 also after Ctrl-C and SIGTERM, 1 for what the user has to mend; wrong usage exits with 2.
    """
    for number in signal.SIGTERM, signal.SIGHUP:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit)
    try:
        parsed = _parser().parse_args(arguments)
        status: int = parsed.run(parsed)
    except KeyboardInterrupt:  # before, or after, the command's own way to end
        status = 0
    except BrokenPipeError:
        status = 0
    finally:
        _flush()
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="copra-tx", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"copra-tx {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = _command(commands, "demo", _demo, "show the simulated exchange")
    demo.add_argument("products", nargs="*", metavar="PRODUCT", help="BTC-USD and ETH-USD, which are the default")
    _add_channels(demo)
    demo.add_argument("--feed", choices=FEEDS, default=FEEDS[0], help="the feed that is spoken (%(default)s)")
    _add_speed(demo)
    _add_seconds(demo)

    watch = _command(commands, "watch", _watch, "show the real feed", epilog=KEY)
    watch.add_argument("products", nargs="*", metavar="PRODUCT", help="such as BTC-USD")
    _add_channels(watch)
    watch.add_argument("--account", action="append", default=[], metavar="ID", help="for the channel balance")
    watch.add_argument("--feed", choices=FEEDS, help="Coinbase Exchange (the default), or Advanced Trade")
    watch.add_argument("--feed-url", metavar="URL", help="address of the feed instead of Coinbase's")
    watch.add_argument("--sandbox", action="store_true", help="use the sandbox's feed")
    watch.add_argument("--credentials", metavar="FILE", help="file with an API key")
    watch.add_argument("--proxy", metavar="URL", help="HTTP proxy: http://host:port")
    watch.add_argument("--ca-file", metavar="FILE", help="certificates to trust beside the platform's")
    watch.add_argument("--config", metavar="FILE", help="TOML file with settings, as for twistd copra-tx")
    _add_seconds(watch)

    simulate = _command(commands, "simulate", _simulate, "serve the simulated exchange")
    simulate.add_argument("--port", type=_port, default=0, help="port to listen on; any that is free by default")
    simulate.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    simulate.add_argument("--tls", action="store_true", help="speak wss, with a throw-away certificate authority")
    simulate.add_argument(
        "--products", nargs="+", default=[], metavar="ID", help="what it lists; BTC-USD and ETH-USD have a market"
    )
    simulate.add_argument("--feed", choices=FEEDS, default=FEEDS[0], help="the feed to speak (%(default)s)")
    simulate.add_argument(
        "--seed", type=int, metavar="N", help="a market made of orders, for full, level3 and user, too; N is any number"
    )
    _add_speed(simulate)
    _add_seconds(simulate)

    _command(commands, "doctor", _doctor, "tell which ways in this installation has, and try each")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    description: str,
    epilog: str = "",
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=description,
        description=f"{description[0].upper()}{description[1:]}. Ctrl-C ends it.",
        epilog=epilog,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def _add_channels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--channel",
        action="append",
        default=[],
        metavar="NAME",
        help=f"such as matches or level2_batch; may be given several times ({', '.join(CHANNELS)})",
    )


def _add_speed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--speed", type=_above_zero, default=1.0, metavar="X", help="of the market; inf is as fast as possible (1)"
    )


def _add_seconds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=_finite, metavar="N", help="end after so many seconds")


def _number(text: str, kind: Callable[[str], T]) -> T:
    try:
        return kind(text)
    except ValueError:  # argparse would name our function
        raise argparse.ArgumentTypeError(f"{text!r} is no {'whole ' if kind is int else ''}number") from None


def _above_zero(text: str) -> float:
    number = _number(text, float)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number


def _finite(text: str) -> float:
    number = _above_zero(text)
    if number == float("inf"):
        raise argparse.ArgumentTypeError("without --seconds there is no end")
    return number


def _port(text: str) -> int:
    number = _number(text, int)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: they go from 0 to 65535")
    return number


# The commands. Whatever they need is imported here, so that --help does not wait for it.


def _demo(parsed: argparse.Namespace) -> int:
    from .commands.watching import demo
    from .simulator.minute import RECORDED_PRODUCTS

    given = {
        "products": parsed.products or sorted(RECORDED_PRODUCTS),
        "channels": parsed.channel or _usual_channels(parsed.feed, None),
        "feed": parsed.feed,
    }
    return _configured(parsed, given, None, lambda configuration: demo(configuration, parsed.seconds, parsed.speed))


def _watch(parsed: argparse.Namespace) -> int:
    from .commands.watching import watch

    if not (parsed.products or parsed.channel or parsed.config):
        parsed.parser.error("which PRODUCT? such as BTC-USD; or name a --channel that needs none, such as status")
    options = {"proxy": parsed.proxy, "ca_file": parsed.ca_file}
    given = {
        "products": parsed.products,
        "channels": parsed.channel or ([] if parsed.config else _usual_channels(parsed.feed, parsed.feed_url)),
        "accounts": parsed.account,
        "feed": parsed.feed,
        "feed_url": parsed.feed_url,
        "sandbox": parsed.sandbox,
        "credentials": parsed.credentials,
        "options": {name: value for name, value in options.items() if value},
    }
    return _configured(parsed, given, parsed.config, lambda configuration: watch(configuration, parsed.seconds))


def _simulate(parsed: argparse.Namespace) -> int:
    from .commands.simulating import simulate

    names = ("host", "port", "tls", "speed", "products", "feed", "seed", "seconds")
    return simulate(**{name: getattr(parsed, name) for name in names})


def _doctor(_: argparse.Namespace) -> int:
    from .commands.doctor import examine

    return examine()


def _usual_channels(feed: str | None, feed_url: str | None) -> list[str]:
    from .feed.both import dialect_at

    known = dialect_at(feed_url or "", feed or "auto").channels
    return [name for name in CHANNELS if name in known] or [CHANNELS[0]]


def _configured(
    parsed: argparse.Namespace, given: dict[str, Any], file: str | None, command: Callable[[Configuration], int]
) -> int:
    from .configuration import Configuration, Settings
    from .errors import ConfigurationError

    try:
        return command(Configuration(Settings(**given), file))
    except ConfigurationError as error:
        parser: argparse.ArgumentParser = parsed.parser
        parser.error(str(error).replace("--product ", ""))  # here they are named without it


def _exit(*_: object) -> NoReturn:
    raise SystemExit(0)


def _flush() -> None:
    """Write what Python still has for standard output, whose reader may have gone."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:  # a pipe without a reader, or a terminal that is gone
        # So that the interpreter's own attempt to do the same does not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
