"""Autobahn's and Twisted's client factories in one, with their traps closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from autobahn.twisted.websocket import WebSocketClientFactory
from autobahn.websocket.util import parse_url
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.python.failure import Failure

from copra_tx.errors import ConfigurationError

from .compression import PerMessageDeflateOffer, accept
from .protocol import ClientProtocol
from .state import State

if TYPE_CHECKING:
    from .line import Line
    from .options import Options

__all__ = ["FeedFactory", "host_of"]


def host_of(url: str) -> str:
    """
    Return the host of a feed's address.

    Raises:
        ConfigurationError: If the URL cannot be used.
    """
    if not url:
        raise ConfigurationError("feed_url is missing")  # Autobahn would take ws://localhost
    if "@" in str(url).partition("://")[2].partition("/")[0]:  # which is not repeated: it holds a password
        raise ConfigurationError("feed_url takes no user and no password: the feed takes an API key, key=")
    try:
        return str(parse_url(url)[1])
    except Exception as error:  # noqa: BLE001  # Autobahn raises plain Exception for a bad URL
        raise ConfigurationError(f"feed_url {url!r} cannot be used: {error}") from None


class FeedFactory(WebSocketClientFactory, ReconnectingClientFactory):  # type: ignore[misc]  # Autobahn is not looked at
    """
    The factory half of the client: hooks of Autobahn and Twisted, passed on to the ``Line``.

    As in Twisted, a subclass may set ``initialDelay``, ``maxDelay``, ``factor``, ``jitter`` and ``maxRetries``; the
    first two are also arguments of the client, which then rule.

    Args:
        url: Address of the server.
        reactor: Whatever provides Twisted's reactor interfaces.
        options: The client's options, checked.

    Raises:
        ConfigurationError: If the URL cannot be used.
    """

    protocol = ClientProtocol
    noisy = False
    factor = 2.0
    jitter = 0.5
    initialDelay = 1.0
    maxDelay = 30

    @property
    def line(self) -> Line:
        """The connection, or the way to the next one."""
        raise NotImplementedError

    def __init__(self, url: str, reactor: Any, options: Options) -> None:
        host_of(url)
        super().__init__(url, reactor=reactor)
        self.clock = reactor
        # Both: the first wait reads ``delay``, whatever ``initialDelay`` is.
        self.initialDelay = self.delay = options.initial_delay
        self.maxDelay = options.max_delay  # type: ignore[assignment]  # Twisted annotates its default only
        # Autobahn's own timers run on the global reactor and in coarse steps: the line's replace them all.
        self.openHandshakeTimeout = self.closeHandshakeTimeout = self.serverConnectionDropTimeout = 0
        self.maxMessagePayloadSize = self.maxFramePayloadSize = options.max_message_bytes
        if options.compression:
            self.setProtocolOptions(
                perMessageCompressionOffers=[PerMessageDeflateOffer()], perMessageCompressionAccept=accept
            )

    def reopen(self) -> None:
        """Make a closed factory fit for a new dial."""
        self.continueTrying = 1

    def startedConnecting(self, connector: IConnector) -> None:
        """Take note of a dial; a caller's takes the place of our own."""
        if self.line.state is State.CLOSED:
            self.reopen()
        if self.line.started(connector):
            self.connector = connector

    def buildProtocol(self, addr: IAddress | None) -> ClientProtocol | None:
        """Make the protocol of a new connection; none if there is one already."""
        if not self.line.building():
            return None
        return cast("ClientProtocol | None", super().buildProtocol(addr))

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Take note of a dial that brought no connection; ``on_close`` is called."""
        self.line.failed(connector, reason)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """Do nothing: the protocol has told already."""

    def retry(self, connector: IConnector | None = None) -> None:
        """Try again after the wait that is due, with a connector or the one at hand; ``on_close`` calls it."""
        if self.continueTrying:
            self.line.retry(connector)

    def resetDelay(self) -> None:
        """Begin again with the shortest wait. Unlike Twisted's, it does not undo ``stopTrying()``."""
        self.delay = self.initialDelay
        self.retries = 0

    def stopTrying(self) -> None:
        """Make no further attempt; a connection that is open stays."""
        self.continueTrying = 0
        self.line.stop_trying()
