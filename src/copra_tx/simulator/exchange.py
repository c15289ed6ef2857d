"""The simulated exchange itself: a service that listens, and what is known about its connections."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from twisted.application.service import Service
from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred

from copra_tx.bridge import AwaitableDeferred, reactor_for
from copra_tx.errors import ConfigurationError

from .cdp_venue import CdpVenue
from .certificates import Authority
from .connection import Connection, Terms
from .desk import Desk
from .faults import ExchangeFaults
from .flow import BEGAN, FlowMarket
from .keys import TEST_CDP_KEY, TEST_KEY, ApiKey, CdpKey
from .lines import Lines
from .market import Market
from .minute import RECORDED_PRODUCTS
from .protocol import ExchangeFactory
from .replay import Pace, Played
from .translated import TranslatedMarket
from .venue import Venue
from .web import RestSite

if TYPE_CHECKING:
    from twisted.internet.interfaces import IListeningPort

__all__ = ["SimulatedExchange"]


class SimulatedExchange(ExchangeFaults, Service):
    """
    An exchange on a port of this machine that speaks the Exchange feed or, if told so, the Advanced Trade feed.

    Use it as a service (``startService``, ``stopService``, a parent), as an async context manager in a Twisted or
    an asyncio coroutine, or through the pytest fixture ``simulated_exchange``::

        async with SimulatedExchange() as exchange:
            client = Client(loop, Channel("ticker", "BTC-USD"), feed_url=exchange.url)

    Its market is a recorded minute, repeated for ever (see ``copra_tx.simulator.market``). At a finite ``speed`` all
    clients see the same market, which goes on from the first ``startService`` whether anybody listens or not. At
    infinite speed each connection has the market to itself: it begins at the beginning and goes as fast as the
    client reads.

    There is data of ``level2``, ``level2_batch``, ``matches``, ``ticker``, ``ticker_batch``, ``heartbeat`` and
    ``status``. The other channels are taken as the venue takes them, and stay silent (``level3`` sends its schema):
    of their messages nothing was recorded. ``send`` plays what a test needs of them.

    With a ``seed`` the market is made of orders instead: every product trades, and there is data of ``full``,
    ``level3`` and ``user``, too (see ``copra_tx.simulator.flow``). Every key is of the one account whose own orders are
    among them.

    With ``feed="advanced"`` the same market is told on the Advanced Trade feed: ``level2``, ``market_trades`` (those of
    a quarter of a second together, newest first), ``ticker``, ``ticker_batch``, ``status`` and ``heartbeats``; ``user``
    and ``futures_balance_summary`` begin with a snapshot of an account without orders and futures.
    REST stays that of Exchange.

    On the same port there is the public part of REST (``rest_url``): ``/time``, ``/products`` and, of each product,
    ``/book``, ``/trades`` and ``/ticker``; books order by order (``level=3``) with a ``seed`` only. At infinite speed
    it is where the client is that is furthest.

    An exchange that was stopped can be started again; it keeps its port and its certificate authority, so that
    clients find it where it was.

    Args:
        reactor: The reactor to use, or an asyncio loop; ``None`` takes the one of the running program.
        host: Address to listen on.
        port: Port to listen on; 0 takes any that is free.
        tls: Whether to speak wss, with a certificate of a throw-away authority (``ca_file``), made out to ``host``,
            ``localhost`` and the loopback addresses.
        speed: Seconds of the market in one second; ``math.inf`` is as fast as the client reads.
        products: Ids of the listed products. The default are the recorded ones, ``BTC-USD`` and ``ETH-USD``; any
            other has an empty book and heartbeats, but no trades.
        delisted: Ids that are refused as delisted.
        keys: The API keys that are known, as ``ApiKey``, ``CdpKey`` (for the Advanced Trade feed) or ``(key, secret,
            passphrase)``. The default knows ``TEST_KEY`` and ``TEST_CDP_KEY``.
        silence_limit: Seconds within which a connection must subscribe.
        silence_code: Close code for one that does not; ``None`` ends the line without a close frame. (Which code
            the venue uses is not known; lines without a close frame are what is mostly seen there.)
        slow_limit: Seconds within which a client that does not read fast enough must have caught up, else it is
            cut off with ``ErrSlowConsume``. Does not apply at infinite speed.
        close_timeout: Seconds that a client gets to answer a close frame, and ``stopService`` to end everything.
        compression: Whether an offer of permessage-deflate is accepted.
        answer_refused: Whether a request of which everything was refused is also answered with ``subscriptions``.
            What the venue does is not known.
        request_rate: Requests a second that a client may send for long, else it is cut off with ``ErrSlowRead``.
        request_burst: Requests that it may send at once. Source of both defaults: Coinbase docs, Exchange,
            "WebSocket Rate Limits" (read 2026-11).
        max_request_bytes: Size of a request above which a client is cut off with ``Message too big``. The venue's
            limit is not known.
        rest_rate: REST requests a second that an address may send for long, else they are answered with 429.
        rest_burst: REST requests that it may send at once. Source of both defaults: Coinbase docs, Exchange, "REST Rate
            Limits" (read 2026-11).
        now: Returns the exchange's time in seconds since the epoch: what ``GET /time`` says, and what the timestamps of
            signed requests are checked against.
        seed: Makes the market of a flow of orders; the same seed gives the same bytes. ``None`` for the recorded one.
        order_rate: With a seed, how many orders, cancellations and changes a second each product has.
        book_depth: With a seed, how many orders rest on each side of each book, about.
        market_minutes: With a seed, after how many minutes all orders are cancelled and the market begins anew.
        began: With a seed, when its messages say that the market began. The default is a fixed time; for messages that
            agree with ``GET /time``, give the time of ``now`` at the start.
        feed: ``"exchange"`` or ``"advanced"``.
        client_id: Whether frames of the Advanced Trade feed have the empty ``client_id`` that they had until 2025.

    Raises:
        ConfigurationError: If ``speed``, ``order_rate``, ``book_depth`` or ``market_minutes`` is not above zero, or one
            string is given for several products.
    """

    def __init__(
        self,
        reactor: Any = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: bool = False,
        speed: float = 1.0,
        products: Collection[str] = RECORDED_PRODUCTS,
        delisted: Collection[str] = (),
        keys: Iterable[ApiKey | CdpKey | tuple[str, str, str]] = (TEST_KEY, TEST_CDP_KEY),
        silence_limit: float = 5.0,
        silence_code: int | None = None,
        slow_limit: float = 10.0,
        close_timeout: float = 2.0,
        compression: bool = False,
        answer_refused: bool = False,
        request_rate: float = 10.0,
        request_burst: int = 1000,
        max_request_bytes: int = 1024 * 1024,
        rest_rate: float = 10.0,
        rest_burst: int = 15,
        now: Callable[[], float] = time.time,
        seed: int | None = None,
        order_rate: float = 10.0,
        book_depth: int = 100,
        market_minutes: int = 5,
        began: datetime = BEGAN,
        feed: str = "exchange",
        client_id: bool = False,
    ) -> None:
        super().__init__()
        if not speed > 0:
            raise ConfigurationError(f"speed must be above zero (math.inf: as the client reads), not {speed!r}")
        if isinstance(products, str) or isinstance(delisted, str):
            raise ConfigurationError("products and delisted are collections of ids, not one string")
        self._reactor, self._host, self._port, self._tls = reactor, host, port, tls
        self._speed, self._compression = speed, compression
        self._products, self._delisted = frozenset(products), frozenset(delisted)
        if seed is not None:  # the recorded one is made when it is needed: that takes a while
            flow = (seed, order_rate, book_depth, market_minutes, began)
            self.market = _made(self._products, self._delisted, *flow)
        if feed not in ("exchange", "advanced"):
            raise ConfigurationError(f"feed is 'exchange' or 'advanced', not {feed!r}")
        self._feed, self._client_id, self._time_of_beginning = feed, client_id, began
        known = [key if isinstance(key, ApiKey | CdpKey) else ApiKey(*key) for key in keys]
        exchange_keys = [key for key in known if isinstance(key, ApiKey)]
        cdp_keys = [key for key in known if isinstance(key, CdpKey)]
        venue = (
            Venue(self._products, self._delisted, exchange_keys, answer_refused=answer_refused)
            if feed == "exchange"
            else CdpVenue(self._products, cdp_keys, client_id=client_id)
        )
        self._make_terms = functools.partial(
            Terms,
            venue=venue,
            now=now,
            silence_limit=silence_limit,
            silence_code=silence_code,
            slow_limit=slow_limit,
            close_timeout=close_timeout,
            request_rate=request_rate,
            request_burst=request_burst,
            max_request_bytes=max_request_bytes,
        )
        self._lines = Lines(self._plans)
        self._desk = Desk(self._rest_plans, furthest=self._lines.furthest, now=now, rate=rest_rate, burst=rest_burst)
        self._listening: IListeningPort | None = None
        self._began: float | None = None

    def __repr__(self) -> str:
        where = self.url if self._listening is not None else "not listening"
        return f"<{type(self).__name__} {where}, {len(self.connections)} connections>"

    # -- where it is

    @property
    def url(self) -> str:
        """
        The ``feed_url`` for clients: ``ws://HOST:PORT``, or ``wss://HOST:PORT`` with TLS.

        Raises:
            ConfigurationError: If neither a port was given nor the exchange ever started.
        """
        if not self._port:
            raise ConfigurationError("the exchange has no address before startService(); or give it a port")
        host = f"[{self._host}]" if isIPv6Address(self._host) else self._host
        return f"{'wss' if self._tls else 'ws'}://{host}:{self._port}"

    @property
    def rest_url(self) -> str:
        """Where REST is served: on the same port, ``http://HOST:PORT`` or ``https://HOST:PORT``."""
        return self.url.replace("ws", "http", 1)

    @property
    def ca_file(self) -> str:
        """Path of the certificate, in PEM, of the authority that clients must trust to speak wss with us."""
        return self._authority.ca_file

    @functools.cached_property
    def _authority(self) -> Authority:
        return Authority()

    @functools.cached_property
    def market(self) -> Market | FlowMarket:
        """The market: the recorded one, or with a ``seed`` a ``FlowMarket``, which knows its books at any sequence."""
        return _recorded(self._products, self._delisted)

    @functools.cached_property
    def _played(self) -> Played:
        if self._feed == "exchange":
            return self.market
        return TranslatedMarket(self.market, self._products, self._time_of_beginning, client_id=self._client_id)

    # -- the service

    def startService(self) -> None:
        """Listen; the address is known when this returns. The market begins, unless it has begun already."""
        if self.running:
            return
        reactor = reactor_for(self._reactor)
        if self._began is None:
            self._began = reactor.seconds()
        pace = Pace(self._played, reactor, self._began, self._speed)
        self._lines.start(self._make_terms(pace=pace))
        self._desk.open(self.market, pace)
        factory = ExchangeFactory(self._lines, RestSite(self._desk, reactor), reactor, compression=self._compression)
        if self._tls:
            context = self._authority.server_context({self._host, "localhost", "127.0.0.1", "::1"})
            listening = reactor.listenSSL(self._port, factory, context, interface=self._host)
        else:
            listening = reactor.listenTCP(self._port, factory, interface=self._host)
        self._listening, self._port = listening, listening.getHost().port
        super().startService()

    def stopService(self) -> AwaitableDeferred[None]:
        """
        Stop listening and end every connection.

        Returns:
            Fires when the port and all connections are closed; with a client that does not answer, or whose line is
            stalled, ``close_timeout`` seconds later at most. Nothing is left in the reactor then.
        """
        super().stopService()
        ends: list[Deferred[Any]] = [self._lines.stop()]
        if self._listening is not None:
            ends.append(maybeDeferred(self._listening.stopListening))
            self._listening = None
        stopped: AwaitableDeferred[None] = AwaitableDeferred()
        gatherResults(ends, consumeErrors=True).addCallback(lambda _: None).chainDeferred(stopped)
        return stopped

    def __aenter__(self) -> AwaitableDeferred[Self]:
        """Start; works in Twisted's and in asyncio's coroutines."""
        self.startService()
        started: AwaitableDeferred[Self] = AwaitableDeferred()
        started.callback(self)
        return started

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> AwaitableDeferred[None]:
        """Stop, and wait until everything is closed."""
        return self.stopService()

    # -- its connections

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The live connections, oldest first: those whose upgrade was answered and whose TCP line still stands."""
        return tuple(self._lines.live)

    @property
    def received(self) -> list[object]:
        """Every client's newest requests in the order they came, decoded (raw text where one was not JSON)."""
        return self._lines.received

    @property
    def accepted_count(self) -> int:
        """How many TCP lines were ever accepted, those of refused upgrades and of REST requests included."""
        return self._lines.accepted.count

    @property
    def opened_count(self) -> int:
        """How many upgrades were ever answered."""
        return self._lines.opens.count

    @property
    def rest_requests(self) -> list[str]:
        """Path and query of the newest REST requests, in the order they came."""
        return self._desk.targets

    def when_requested(self, number: int = 1) -> AwaitableDeferred[str]:
        """Return what fires when the ``number``-th REST request ever came, with the newest by then."""
        return self._desk.requests.when(number)

    def when_accepted(self, number: int = 1) -> AwaitableDeferred[Connection]:
        """Return what fires when the ``number``-th TCP line ever was accepted, with the newest by then."""
        return self._lines.accepted.when(number)

    def when_opened(self, number: int = 1) -> AwaitableDeferred[Connection]:
        """Return what fires when the ``number``-th upgrade ever was answered, with the newest connection by then."""
        return self._lines.opens.when(number)

    def when_received(self, number: int = 1) -> AwaitableDeferred[object]:
        """Return what fires when the ``number``-th request ever came and was answered, with the newest by then."""
        return self._lines.requests.when(number)

    def when_lost(self, number: int = 1) -> AwaitableDeferred[Connection]:
        """Return what fires when the ``number``-th TCP line ever has ended, with the newest to end by then."""
        return self._lines.ended.when(number)


@functools.lru_cache(maxsize=4)
def _recorded(products: frozenset[str], delisted: frozenset[str]) -> Market:
    """Return the market of these products; making one takes a third of a second, and it can be shared."""
    return Market(products, delisted)


@functools.lru_cache(maxsize=4)
def _made(
    products: frozenset[str],
    delisted: frozenset[str],
    seed: int,
    rate: float,
    depth: int,
    minutes: int,
    began: datetime,
) -> FlowMarket:
    """Return the market made of this seed; it is made as it goes, and can be shared."""
    return FlowMarket(products, delisted, seed=seed, rate=rate, depth=depth, minutes=minutes, began=began)
