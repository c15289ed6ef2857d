"""The keyword-only arguments of a client, checked at birth."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields

from copra_tx.errors import ConfigurationError
from copra_tx.feed.advanced_trade import MOST_LEVEL2_PRODUCTS
from copra_tx.feed.both import FEEDS
from copra_tx.feed.rest_address import taken_apart

from .proxy import Proxy
from .transports import TRANSPORTS

__all__ = ["Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    How a client connects and keeps its line. Times are in seconds, sizes in bytes.

    Attributes:
        proxy: ``http://user:password@host:port`` of an HTTP proxy to tunnel through (CONNECT), or ``None``. The
            text is taken apart at once; the password is in no ``repr``.
        ca_file: Path of a PEM file with certificates to trust beside the platform's.
        compression: Offer permessage-deflate. It costs CPU on every message; the feed is small without it.
        max_message_bytes: A larger message ends the line with a reason that names size and setting. The venue's
            largest known messages have about 5 MB.
        ping_interval: Between two pings; 0 sends none.
        pong_timeout: A line on which nothing at all arrives for so long after a ping is dropped.
        open_timeout: From the beginning of a dial to the end of the upgrade.
        close_timeout: ``close()`` waits so long for the close handshake, then aborts; a callback that still runs
            after it is cancelled.
        answer_timeout: A request without answer for so long has failed; a line on which nothing at all came for so
            long after the first request has stalled.
        first_data_timeout: A line that brought no message of a channel for so long has stalled, unless its channels are
            quiet by nature (``user``, ``status``, ``balance``, ``auctionfeed``, ``rfq_matches``); 0 for no limit.
        heartbeat_timeout: A product whose heartbeats are subscribed to has stalled if there is none for so long; 0 for
            no limit.
        cadence_timeout: A channel that brought nothing for so long after a trade (heartbeats tell of trades) has
            stalled; 0 for no limit.
        initial_delay: Nominal wait before the first reconnection; it doubles up to ``max_delay``. Jitter only
            shortens a wait, to no less than half.
        max_delay: No wait is longer, unless the server asked for it (``Retry-After``).
        stable_after: A line that lived for so long after the server's first answer resets the wait to
            ``initial_delay``.
        max_buffered: Messages that may wait for ``async for`` or for a slow callback before the line is paused.
        decode: What ``on_message`` gets. ``"dict"``; ``"lazy"``, a ``LazyMessage``, which is cheaper as long as only
            its ``type``, ``product_id`` and ``sequence`` are looked at; ``None``, the bytes as received; a
            ``msgspec.Struct`` type (or a union of tagged ones) for the messages of all channels; or a dict of message
            types to such types, in which prices may be ``Decimal``. What no type is given for stays a dict.
        transport: What reads and writes: ``"twisted"``; ``"asyncio"``, the transports of the asyncio loop, which are
            cheaper and need asyncio's reactor (over TLS they read and write below Twisted's TLS); ``"fastnet"``, those
            of aiofastnet, TLS included, which are cheaper still and need the extra ``copra-tx[fast]``, too; or
            ``"auto"``, the best of these that can be used. A caller's own dial (``connectTCP`` and the like) brings its
            own.
        feed: ``"exchange"`` or ``"advanced"``, the feed that is spoken at ``feed_url``; ``"auto"`` goes by its host,
            and takes one that is not Coinbase's for Exchange.
        heartbeats: Subscribe to the heartbeats, too: to those of every product on the Exchange feed, where nothing else
            tells a quiet market from a feed that has stopped; to those of the connection on the Advanced Trade feed,
            which else may close quiet channels. They are delivered only if they were asked for.
        max_level2_products: How many products of ``level2`` a connection to the Advanced Trade feed may hold. The
            server refuses the 31st.
        sign_public: Sign requests for public channels of the Advanced Trade feed, too. The server refuses a doubtful
            signature, and needs none there.
        backfill: Fetch the trades that are missing in gaps of ``matches`` over REST, for ``on_backfill``; on the
            Exchange feed only.
        rest_url: Address of the REST interface, ``https://HOST`` or ``http://HOST:PORT``; ``None`` takes the one that
            belongs to the feed's address, where that is the venue's.

    Raises:
        ConfigurationError: If a value cannot work; the text names it.
    """

    proxy: Proxy | None = None
    ca_file: str | None = None
    compression: bool = False
    max_message_bytes: int = 64 * 1024 * 1024
    ping_interval: float = 20.0
    pong_timeout: float = 10.0
    open_timeout: float = 10.0
    close_timeout: float = 2.0
    answer_timeout: float = 10.0
    first_data_timeout: float = 15.0
    heartbeat_timeout: float = 5.0
    cadence_timeout: float = 15.0
    initial_delay: float = 1.0
    max_delay: float = 30.0
    stable_after: float = 10.0
    max_buffered: int = 10_000
    decode: object = "dict"
    transport: str = "auto"
    feed: str = "auto"
    heartbeats: bool = True
    max_level2_products: int = MOST_LEVEL2_PRODUCTS
    sign_public: bool = False
    backfill: bool = False
    rest_url: str | None = None

    @classmethod
    def from_arguments(
        cls, *, proxy: str | None = None, ca_file: str | os.PathLike[str] | None = None, **others: object
    ) -> Options:
        """Take the arguments as a user gives them: the proxy as a URL, the file as any kind of path."""
        unknown = others.keys() - {field.name for field in fields(cls)}
        if unknown:
            names = ", ".join(sorted(unknown))
            raise TypeError(f"unknown argument {names}; there are {', '.join(f.name for f in fields(cls))}")
        if not isinstance(ca_file, str | os.PathLike | None):
            raise ConfigurationError(f"ca_file is a path, not {ca_file!r}")
        return cls(
            proxy=None if proxy is None else Proxy.parse(proxy),
            ca_file=None if ca_file is None else os.fspath(ca_file),
            **others,  # type: ignore[arg-type]  # checked below, field by field
        )

    def __post_init__(self) -> None:
        for name in (*_POSITIVE_SECONDS, *_SECONDS_OR_NONE):
            _check_number(name, getattr(self, name), above_zero=name in _POSITIVE_SECONDS)
        for name in ("max_message_bytes", "max_buffered", "max_level2_products"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigurationError(f"{name} is a whole number above zero, not {value!r}")
        for name in ("compression", "heartbeats", "sign_public", "backfill"):
            if not isinstance(value := getattr(self, name), bool):
                raise ConfigurationError(f"{name} is True or False, not {value!r}")
        for name, choices in (("feed", FEEDS), ("transport", TRANSPORTS)):
            if (value := getattr(self, name)) not in choices:
                raise ConfigurationError(f"{name} is one of {', '.join(choices)}, not {value!r}")
        if self.rest_url is not None:
            taken_apart(self.rest_url)
        if self.max_delay < self.initial_delay:
            raise ConfigurationError(f"max_delay={self.max_delay!r} is less than initial_delay={self.initial_delay!r}")


_POSITIVE_SECONDS = (
    "pong_timeout",
    "open_timeout",
    "close_timeout",
    "answer_timeout",
    "initial_delay",
    "max_delay",
    "stable_after",
)

_SECONDS_OR_NONE = ("ping_interval", "first_data_timeout", "heartbeat_timeout", "cadence_timeout")


def _check_number(name: str, value: object, *, above_zero: bool) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigurationError(f"{name} is a number of seconds, not {value!r}")
    if value < 0 or (above_zero and value == 0):
        raise ConfigurationError(f"{name} must be {'above' if above_zero else 'at least'} zero, not {value!r}")
