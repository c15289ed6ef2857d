"""The client: the documented API, on Autobahn's and Twisted's client factories."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from twisted.internet.address import HostnameAddress
from twisted.logger import Logger

from copra_tx.bridge import (
    AwaitableDeferred,
    ConnectionEvent,
    asyncio_loop_of,
    check_thread,
    reactor_for,
)
from copra_tx.feed.both import dialect_of
from copra_tx.feed.dialect import Dialect, Kind
from copra_tx.feed.exchange import FEED_URL
from copra_tx.keys import signer_of

from .callbacks import Callbacks
from .channel import Channel
from .counters import Counters
from .delivery import Delivery
from .dialing import EndpointConnector, make_endpoint
from .factory import FeedFactory, host_of
from .fitting import check_room, fitting
from .hooks import Hooks
from .iteration import MessageBuffer
from .line import Line
from .numbered import NumberedReception
from .options import Options
from .pacing import Pacer, shared_pacer
from .reception import Reception
from .reports import Reports
from .requests import Requests
from .state import State
from .status import Status
from .subscriptions import Subscriptions
from .watch import Watch

__all__ = ["Client"]

_log = Logger()  # not the class' own: Twisted would log under a subclass' name, outside of our namespace


class Client(Hooks, FeedFactory):
    """
    A client of one of Coinbase's feeds, to be used as it is or subclassed for its callbacks.

    It is at once Autobahn's ``WebSocketClientFactory`` and Twisted's ``ReconnectingClientFactory``. With
    ``auto_connect`` it dials by itself; it may also be handed to ``reactor.connectTCP``, ``connectSSL`` or
    Autobahn's ``connectWS``, whose dial then takes the place of its own.

    Every method may be called in every state, from the thread that runs the loop. Those that return an
    ``AwaitableDeferred`` serve ``await`` in asyncio and in Twisted coroutines as well as ``addCallback``.

    Args:
        loop: The asyncio loop the client runs in. ``None`` takes the Twisted reactor that is installed.
        channels: One ``Channel`` or a list of them, to subscribe to at first.
        feed_url: Address of the server, ``wss://`` or ``ws://``. Its host tells which feed it is; ``feed`` tells of
            a host of your own.
        auth: Sign requests. On the Exchange feed that is every one, with ``key``, ``secret`` and ``passphrase`` of
            an Exchange API key; on the Advanced Trade feed those for private channels, with the ``key`` (its name)
            and ``secret`` (the private key) of a CDP API key.
        key, secret, passphrase: The API key as Coinbase shows it.
        auto_connect: Join the loop now: connect at once if it runs, else as soon as it starts. Otherwise
            ``add_as_task_to_loop()`` does it.
        auto_reconnect: Reconnect and subscribe again after any end of a connection that ``close()`` did not ask
            for.
        name: A name for the log.
        reactor: A Twisted reactor to use instead of the one that ``loop`` stands for.
        pacer: The limiter of dials and requests; by default the one that all clients of the reactor share
            (8 a second).
        options: The keyword arguments that ``Options`` describes: ``proxy``, ``ca_file``, ``compression``,
            ``max_message_bytes``, ``ping_interval``, ``pong_timeout``, ``open_timeout``, ``close_timeout``,
            ``answer_timeout``, ``first_data_timeout``, ``heartbeat_timeout``, ``cadence_timeout``,
            ``initial_delay``, ``max_delay``, ``stable_after``, ``max_buffered``, ``decode``,
            ``transport``, ``feed``, ``heartbeats``, ``max_level2_products``, ``sign_public``,
            ``backfill``, ``rest_url``.

    Attributes:
        connected: A ``ConnectionEvent``, with ``is_set()``, ``await wait()`` and ``when_set()``.
        disconnected: Its opposite, likewise.
        closing: Whether ``close()`` was called since the client last joined its loop.

    Raises:
        ConfigurationError: (a ``ValueError``) If an argument cannot work.
        ReactorMismatchError: If another loop or reactor runs this process.
    """

    def __init__(
        self,
        loop: Any,
        channels: Channel | Iterable[Channel],
        feed_url: str = FEED_URL,
        auth: bool = False,
        key: str = "",
        secret: str = "",
        passphrase: str = "",
        auto_connect: bool = True,
        auto_reconnect: bool = True,
        name: str = "WebSocket Client",
        *,
        reactor: Any = None,
        pacer: Pacer | None = None,
        **options: Any,
    ) -> None:
        # As in Twisted, a subclass may set these two for all its instances.
        options = {"initial_delay": self.initialDelay, "max_delay": self.maxDelay} | options
        self.__options = Options.from_arguments(**options)
        self.__dialect = dialect_of(host_of(feed_url), self.__options.feed)
        self.__subscriptions = Subscriptions(dialect=self.__dialect, silently=self.__options.heartbeats)
        self.__subscriptions.want(self._fitting(channels))
        self.__signer = signer_of(self.__dialect, key, secret, passphrase) if auth else None
        reactor = reactor_for(loop) if reactor is None else reactor
        self.loop = asyncio_loop_of(reactor) if loop is None else loop
        self.feed_url = feed_url
        self.auth, self.key, self.secret, self.passphrase = auth, key, secret, passphrase
        self.auto_connect, self.auto_reconnect, self.name = auto_connect, auto_reconnect, name
        self.closing = False
        self.connected, self.disconnected = ConnectionEvent(), ConnectionEvent()
        self.disconnected.set()
        self.__counters = Counters()
        self.__pacer = shared_pacer(reactor) if pacer is None else pacer
        super().__init__(feed_url, reactor, self.options)
        self._assemble(reactor)
        if auto_connect:
            self.add_as_task_to_loop()

    def _assemble(self, reactor: Any) -> None:
        options = self.options
        endpoint = make_endpoint(reactor, self.host, self.port, self.isSecure, options)
        connector = EndpointConnector(endpoint, self, HostnameAddress(self.host.encode(), self.port))
        self.__delivery = Delivery(
            reactor,
            self.counters,
            options.max_buffered,
            full=lambda: self.line.flow.full("callbacks", options.max_buffered),
            drained=lambda: self.line.flow.drained("callbacks"),
            make_amends=lambda name: self.callbacks.make_amends(name),  # noqa: PLW0108  # made below
            hold=lambda: self.line.flow.hold("turns"),
            emptied=lambda: self.line.flow.drained("turns"),
        )
        self.__buffer = MessageBuffer(
            options.max_buffered,
            full=lambda: self.line.flow.full("iteration", options.max_buffered),
            drained=lambda: self.line.flow.drained("iteration"),
        )
        self.__requests = Requests(
            reactor,
            self.pacer,
            self.__subscriptions,
            self._send_request,
            lambda error: self.callbacks.tell(error),  # noqa: PLW0108  # made below
            options.answer_timeout,
            self.dialect,
            failed=lambda error: self.reports.attempt_failed(error),  # noqa: PLW0108  # made below
            changed=lambda: self.callbacks.subscriptions_changed(),  # noqa: PLW0108  # made below
        )
        self.__reports = Reports(self, self.__delivery, self.__subscriptions, self.__requests, time.time)
        self.__watch = Watch(
            self, reactor, self.__delivery, self.__subscriptions, self.__requests, self.reports.changed, time.time
        )
        self.__callbacks = Callbacks(self, self.__delivery, self.__requests, self.__buffer)
        self.__reception = (NumberedReception if self.dialect.is_numbered else Reception)(
            self, reactor, self.__delivery, self.__subscriptions, self.__requests, self.__buffer
        )
        self.__line = Line(self, reactor, connector, options, self.counters, self.callbacks)

    # What the client is made of is out of the way of a subclass' own attributes: two underscores, or a property that
    # cannot be set.

    @property
    def options(self) -> Options:
        """The options, checked."""
        return self.__options

    @property
    def dialect(self) -> Dialect:
        """What tells the feed from the other one."""
        return self.__dialect

    @property
    def counters(self) -> Counters:
        """What happened so far, as numbers."""
        return self.__counters

    @property
    def pacer(self) -> Pacer:
        """The limiter of dials and requests."""
        return self.__pacer

    @property
    def line(self) -> Line:
        """The connection, or the way to the next one; ``line.state`` tells."""
        return self.__line

    @property
    def callbacks(self) -> Callbacks:
        """For the protocol: takes what happens on the line."""
        return self.__callbacks

    @property
    def reception(self) -> Reception:
        """For the protocol: takes what comes in."""
        return self.__reception

    @property
    def watch(self) -> Watch:
        """For the protocol's reception: takes what messages tell beside their content."""
        return self.__watch

    @property
    def reports(self) -> Reports:
        """For the line and the requests: takes what changes the status."""
        return self.__reports

    # -- how it stands

    @property
    def status(self) -> Status:
        """How the client stands now; a value that does not change."""
        return self.reports.status()

    def when_ready(self, fail_after: int | None = None) -> AwaitableDeferred[None]:
        """
        Wait until all that is wanted is confirmed by the server and data flow.

        Args:
            fail_after: After so many failed attempts wait no longer. An attempt has failed if its line ended before
                the client was ready, or if something was refused or left unanswered on it. ``None`` goes on waiting
                as long as the client tries.

        Returns:
            Fires with ``None``. Fails with the cause of the last failed attempt (a ``LineError`` or a
            ``SubscriptionError``), with a ``LineError`` if no attempt follows, or with ``ClientClosedError``.
        """
        self._check_thread("when_ready()")
        return self.reports.when_ready(fail_after)

    # -- the documented methods

    @property
    def channels(self) -> Mapping[str, Channel]:
        """Channel name to what is wanted of it now; a live read-only view."""
        return self.__subscriptions.wanted

    def add_as_task_to_loop(self) -> None:
        """
        Join the loop: connect now if it runs, or as soon as it starts.

        Does nothing while there is a connection or one is under way. After ``close()`` it opens the client again.
        """
        self._check_thread("add_as_task_to_loop()")
        if self.line.state is not State.CLOSING:
            self.reopen()
        self.line.join()

    def subscribe(self, channels: Channel | Iterable[Channel]) -> AwaitableDeferred[None]:
        """
        Subscribe to more channels, or to more products of a channel.

        What is held already is not asked for again. Without a connection, the channels are subscribed to when
        there is one.

        Returns:
            Fires with ``None`` when the server confirmed all of it. Fails with ``SubscriptionRefusedError`` or
            ``SubscriptionTimeoutError`` (what failed stays wanted: it is asked for again on the next connection)
            or ``ClientClosedError``. A failure that nobody looks at is told through ``on_error``.
        """
        self._check_thread("subscribe()")
        return self.__requests.subscribe(self._fitting(channels))

    def unsubscribe(self, channels: Channel | Iterable[Channel]) -> AwaitableDeferred[None]:
        """
        Unsubscribe from channels, or from some products of a channel.

        Their data stop at once: what still arrives and no wanted channel explains is not delivered.

        Returns:
            Fires with ``None`` when the server has taken note.
        """
        self._check_thread("unsubscribe()")
        unsubscribed = self.__requests.unsubscribe(fitting(channels, self.dialect))
        self.__callbacks.interrupt()
        return unsubscribed

    def renew(self, channels: Channel | Iterable[Channel]) -> AwaitableDeferred[None]:
        """
        Ask anew for what is subscribed to already, which brings a fresh snapshot.

        Returns:
            As ``subscribe``.
        """
        self._check_thread("renew()")
        return self.__requests.renew(fitting(channels, self.dialect))

    def close(self) -> AwaitableDeferred[None]:
        """
        Close the connection, or stop trying to get one. Nothing is delivered any more, and nothing reconnects.

        Returns:
            Fires with ``None`` when the line is closed, after ``close_timeout`` (2 s) at the latest.
        """
        self._check_thread("close()")
        self.closing = True
        self.continueTrying = 0
        self.callbacks.closing()
        return self._closed_and_idle(self.line.close())

    # -- asyncio's idioms

    async def __aenter__(self) -> Self:
        """Connect, if that has not begun, and wait for an open line."""
        self.add_as_task_to_loop()
        try:
            await self.line.opened_or_given_up()
        except BaseException:  # whoever gave up waiting has no client to close
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    def __aiter__(self) -> Self:
        """
        Begin to collect messages for ``async for``; callbacks go on as before.

        Iteration goes on over reconnections and ends at ``close()``. It raises a ``LineError`` if the line is lost
        and not made again. At most ``max_buffered`` messages wait; then the line is paused until half are taken. That
        holds when the loop was left, too: messages are kept for the next one, until ``close()``.
        """
        self.__buffer.begin()
        self.__callbacks.interrupt()
        return self

    async def __anext__(self) -> Any:
        """Return the next message."""
        return await self.__buffer.take()

    # -- inside

    def bring_reconnection(self) -> None:
        """Try again after the wait that is due, if that is wanted; the default ``on_close`` does it."""
        if self.auto_reconnect and not self.closing and self.continueTrying:
            _log.info("{name} attempting to reconnect to {url}.", name=self.name, url=self.feed_url)
            self.retry()

    def reopen(self) -> None:
        """Undo ``close()``: the next dial is welcome."""
        super().reopen()
        self.closing = False
        self.__delivery.unbar()
        self.__buffer.reopen()

    def _closed_and_idle(self, closed: AwaitableDeferred[None]) -> AwaitableDeferred[None]:
        inside = self.__delivery.inside
        deadline = self.reactor.seconds() + self.options.close_timeout
        done: AwaitableDeferred[None] = AwaitableDeferred()

        def wind_down(_: object) -> None:
            idle = self.__delivery.wind_down(max(0.0, deadline - self.reactor.seconds()))
            if inside:
                done.callback(None)  # called by the very callback that would be waited for
            else:
                idle.addCallback(done.callback)

        closed.addCallback(wind_down)
        return done

    def _send_request(self, kind: Kind, channels: Sequence[Channel]) -> None:
        if self.line.protocol is not None:
            is_signed = self.options.sign_public or self.dialect.must_sign(channels)
            signer = self.__signer if is_signed else None
            self.watch.asked()
            self.line.protocol.sendMessage(self.dialect.request(kind, channels, signer, f"{time.time():.6f}"))

    def _fitting(self, channels: Channel | Iterable[Channel]) -> list[Channel]:
        asked = fitting(channels, self.dialect)
        check_room(self.channels, asked, self.dialect, self.options.max_level2_products)
        return asked

    def _check_thread(self, call: str) -> None:
        check_thread(self.reactor, f"{type(self).__name__}.{call}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.feed_url} {self.line.state.value}>"
