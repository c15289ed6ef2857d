"""The life of a client's connections: dialling, opening, losing, waiting, closing."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import NotConnectingError
from twisted.internet.interfaces import IConnector, IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from copra_tx.bridge import AwaitableDeferred
from copra_tx.errors import (
    ClientClosedError,
    LineError,
    OpenTimeoutError,
    PongTimeoutError,
    UpgradeRefusedError,
)
from copra_tx.integrity.deadlines import OPEN, PONG

from .backoff import jittered
from .causes import describe
from .counters import Counters
from .flow import FlowControl
from .keepalive import Keepalive
from .options import Options
from .pacing import Priority
from .state import TRANSITIONS, Event, State

if TYPE_CHECKING:
    from .client import Client
    from .protocol import ClientProtocol

__all__ = ["Line", "LineEvents"]


class LineEvents(Protocol):
    """Who is told what happens to a line. Bookkeeping comes first, the user's callbacks after it."""

    def opened(self) -> None:
        """The upgrade succeeded."""

    def ended(self) -> None:
        """An attempt, opened or not, is over."""

    def deliver_close(self, was_clean: bool, code: int, reason: str) -> None:
        """The user is to be told that an attempt which never had a transport is over."""

    def after_callbacks(self, action: Callable[[], None]) -> None:
        """Do something once the callbacks due by now are done."""

    def attempt_failed(self, error: LineError) -> None:
        """An attempt, opened or not, ended for this reason; after ``ended``."""

    def moved(self) -> None:
        """The state may be another one."""

    def stalled(self, what: str, seconds: float) -> None:
        """Something that should have come within so many seconds has not; the line is aborted."""

    def given_up(self, error: LineError) -> None:
        """No further attempt follows, and nobody asked to close."""


LONGEST_RETRY_AFTER = 3600.0
"""A server's ``Retry-After`` is honoured up to this many seconds."""


class Line:
    """
    What a client has at most one of: a connection, or the way to the next one.

    It owns every timer of a connection and moves by the table of ``state``.

    Args:
        client: The factory whose connections these are; its ``ReconnectingClientFactory`` attributes
            (``delay``, ``initialDelay``, ``maxDelay``, ``factor``, ``jitter``, ``maxRetries``) rule the waits.
        reactor: Dials and runs the timers.
        connector: Dials the feed, over and over.
        options: The client's.
        counters: The client's.
        told: Who is told what happens.
    """

    _log = Logger()

    def __init__(
        self,
        client: Client,
        reactor: Any,
        connector: IConnector,
        options: Options,
        counters: Counters,
        told: LineEvents,
    ) -> None:
        self.state = State.IDLE
        self.protocol: ClientProtocol | None = None
        self.flow = FlowControl(reactor, counters, told.moved)
        self._client = client
        self._reactor = reactor
        self._options = options
        self._counters = counters
        self._told = told
        self._connector: IConnector = connector
        self._cause: LineError | None = None
        self._last_error: LineError | None = None
        self._pace: Deferred[None] | None = None
        self._timers: dict[str, IDelayedCall] = {}
        self._joins_when_closed = False
        self._closers: list[AwaitableDeferred[None]] = []
        self._openers: list[AwaitableDeferred[None]] = []
        self._keepalive = Keepalive(
            reactor,
            options.ping_interval,
            options.pong_timeout,
            octets_received=self._octets_received,
            suspended=lambda: self.flow.paused,
            dead=self._pong_expired,
        )

    # -- towards a connection

    def join(self) -> None:
        """
        Connect as soon as the reactor runs; while the line closes, when that is done.

        Does nothing while there is a connection or a way to one.
        """
        before = self.state
        if before is State.CLOSING:
            self._joins_when_closed = True
        if not self._move(Event.JOIN):
            return
        if self.state is State.SCHEDULED and before is not State.SCHEDULED:
            self._reactor.callWhenRunning(self._running)
        self._told.moved()

    def _running(self) -> None:
        # A turn later, so that a caller who made the client can still dial it himself.
        if self.state is State.SCHEDULED and "dial" not in self._timers and self._pace is None:
            self._after(0, "dial", self._dial)

    def retry(self, connector: IConnector | None = None) -> None:
        """Try again after the wait that is due, with another connector if one is given."""
        factory, error = self._client, self._last_error
        most = cast("int | None", factory.maxRetries)  # Twisted annotates the default only
        if most is not None and factory.retries >= most:
            self._log.warn("Given up after {retries} retries", retries=most)
            return
        if not self._move(Event.RETRY):
            return
        factory.retries += 1
        self._connector = connector or self._connector
        wait = jittered(factory.delay, factory.jitter or 0.0, factory.maxDelay, random.random())  # noqa: S311
        factory.delay = min(factory.delay * factory.factor, factory.maxDelay)
        if isinstance(error, UpgradeRefusedError) and error.retry_after is not None:
            wait = max(wait, min(error.retry_after, LONGEST_RETRY_AFTER))
        self._after(wait, "dial", self._dial)
        self._told.moved()

    def stop_trying(self) -> None:
        """Make no further attempt; one that is under way, or open, goes on."""
        self._stop_dialling()
        if self._move(Event.GIVE_UP):
            self._tell_given_up(self._last_error or LineError("no attempt was made"))

    def opened_or_given_up(self) -> AwaitableDeferred[None]:
        """Fire when the line is open; fail with the reason when no attempt follows any more."""
        waiting: AwaitableDeferred[None] = AwaitableDeferred()
        if self.state is State.OPEN:
            waiting.callback(None)
        else:
            self._openers.append(waiting)
        return waiting

    def _tell_openers(self, error: Exception | None) -> None:
        openers, self._openers = self._openers, []
        for waiting in openers:
            if error is None:
                waiting.callback(None)
            else:
                waiting.errback(error)

    def _tell_given_up(self, error: LineError) -> None:
        self._told.moved()
        self._tell_openers(error)
        self._told.given_up(error)

    def _dial(self) -> None:
        self._pace = pace = self._client.pacer.acquire(Priority.DIAL)
        pace.addBoth(self._paced)

    def _paced(self, outcome: object) -> None:
        self._pace = None
        if outcome is None and self.state in (State.SCHEDULED, State.WAITING):
            self._connector.connect()

    def _stop_dialling(self) -> None:
        self._cancel("dial")
        if self._pace is not None:
            self._pace.cancel()

    # -- what the connector and the protocol tell

    def started(self, connector: IConnector) -> bool:
        """An attempt begins: ours, or a caller's, which then takes the place of ours. Tells whether it may."""
        if self.state in (State.OPEN, State.CLOSING):
            self._log.warn("This client has a connection already; the second dial is stopped")
            connector.stopConnecting()
            return False
        mine, self._connector = self._connector, connector
        if self.state is State.CONNECTING and mine is not connector:
            self._drop_attempt(mine)
        self._begin_attempt()
        return True

    def building(self) -> bool:
        """
        Tell whether a protocol may be built; an endpoint asks for one without ``startedConnecting``.

        Not after ``close()``: nobody knows whether such a dial began before it.
        """
        if self.protocol is not None or self.state in (State.OPEN, State.CLOSING, State.CLOSED):
            return False
        if self.state is not State.CONNECTING:
            self._begin_attempt()
        return True

    def _begin_attempt(self) -> None:
        self._stop_dialling()
        if self._move(Event.DIAL):
            self._counters.attempts += 1
            self._cause = self._last_error = None
            self._after(self._options.open_timeout, "open", self._open_expired)
        self._told.moved()

    def _drop_attempt(self, connector: IConnector) -> None:
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.dropConnection(abort=True)
        else:
            _stop_connecting(connector)

    def failed(self, connector: IConnector, reason: Failure) -> None:
        """No transport came of an attempt."""
        if connector is self._connector and self.protocol is None and self.state in (State.CONNECTING, State.CLOSING):
            error = self._cause or describe(reason, self._client.host, self._client.port)
            self.ended(error)
            self._told.deliver_close(False, 1006, str(error))
            self.settle()

    def connected(self, protocol: ClientProtocol) -> None:
        """A transport came of an attempt; the upgrade follows."""
        self.protocol = protocol

    def opened(self, protocol: ClientProtocol) -> bool:
        """The upgrade succeeded. Tells whether the line is open; it is not if it was closed meanwhile."""
        if protocol is not self.protocol or not self._move(Event.OPENED):
            return False
        self._cancel("open")
        self._counters.connections += 1
        self.flow.connected(protocol.transport)
        self._keepalive.start(protocol)
        self._told.opened()
        self._tell_openers(None)
        self._told.moved()
        return self.state is State.OPEN  # not if one of those who were told has closed it

    def answered(self) -> None:
        """The server answered a subscription: from now on the line only has to last to be called healthy."""
        if "stable" not in self._timers and self.state is State.OPEN:
            self._after(self._options.stable_after, "stable", self._client.resetDelay)

    def ending(self, protocol: ClientProtocol) -> None:
        """A close frame was sent, or the transport told to finish: it is not given for ever to do so."""
        if protocol is self.protocol and "close" not in self._timers:
            self._after(self._options.close_timeout, "close", self._close_expired)

    def ended(self, error: LineError) -> None:
        """The transport, or the attempt to get one, is gone."""
        for name in list(self._timers):
            self._cancel(name)
        self._keepalive.stop()
        self.flow.disconnected()
        self.protocol = None
        self._last_error = error
        self._move(Event.ENDED)
        self._told.ended()
        self._told.attempt_failed(error)
        self._told.moved()

    def settle(self) -> None:
        """``on_close`` was called, or waits for a slow callback: what it asked for holds, or nothing comes."""
        self._told.after_callbacks(self._decide)
        if self.state is State.CLOSED:
            self._tell_closed()

    def _decide(self) -> None:
        error = self._last_error
        if self.state is State.LOST and error is not None and self._move(Event.GIVE_UP):
            self._tell_given_up(error)

    # -- away from a connection

    def close(self) -> AwaitableDeferred[None]:
        """End whatever there is; fires when it has ended, at most ``close_timeout`` later."""
        done: AwaitableDeferred[None] = AwaitableDeferred()
        self._closers.append(done)
        self._joins_when_closed = False
        before = self.state
        self._move(Event.CLOSE)
        if self.state is State.CLOSED:
            self._stop_dialling()
            self._tell_closed()
        elif before is State.CONNECTING:
            self.abort(LineError("closed by us while connecting"))
        elif before is State.OPEN and self.protocol is not None:
            self.flow.release()
            self._keepalive.stop()
            self.protocol.sendClose(self.protocol.CLOSE_STATUS_CODE_NORMAL)
            self.ending(self.protocol)
        self._told.moved()
        return done

    def abort(self, cause: LineError) -> None:
        """End the attempt or the connection at once, for a reason of our own."""
        self._cause = cause
        if self.protocol is not None:
            self.protocol.give_up(cause)
        else:
            _stop_connecting(self._connector)

    def _tell_closed(self) -> None:
        if not self._joins_when_closed:
            self._tell_openers(ClientClosedError("the line to open"))
        closers, self._closers = self._closers, []
        for done in closers:
            done.callback(None)
        if self._joins_when_closed:  # nobody who was told has closed it again
            self._joins_when_closed = False
            self._client.add_as_task_to_loop()

    # -- deadlines

    def _open_expired(self) -> None:
        stage = "no answer to the upgrade" if self.protocol is not None else "no connection"
        self._told.stalled(OPEN, self._options.open_timeout)
        self.abort(OpenTimeoutError(self._options.open_timeout, stage))

    def _pong_expired(self) -> None:
        self._told.stalled(PONG, self._options.pong_timeout)
        self.abort(PongTimeoutError(self._options.pong_timeout))

    def _close_expired(self) -> None:
        self.abort(LineError(f"the server did not finish the close handshake within {self._options.close_timeout:g} s"))

    def _octets_received(self) -> int:
        return self.protocol.trafficStats.incomingOctetsWireLevel if self.protocol is not None else 0

    def _after(self, seconds: float, name: str, action: Any) -> None:
        def due() -> None:
            del self._timers[name]
            action()

        self._cancel(name)
        self._timers[name] = self._reactor.callLater(seconds, due)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _move(self, event: Event) -> bool:
        after = TRANSITIONS[self.state].get(event)
        if after is None:
            return False
        self.state = after
        return True


def _stop_connecting(connector: IConnector) -> None:
    try:
        connector.stopConnecting()
    except NotConnectingError:
        connector.disconnect()
