"""The feed as a Twisted service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from .bridge import AwaitableDeferred
from .errors import ConfigurationError
from .websocket import Channel, Client

__all__ = ["FeedService"]


class FeedService(Service):
    """
    An ``IService`` around a client: it connects when started and closes the line when stopped.

    It can be a program's only service or one of a ``MultiService``, and be started again after it was stopped::

        class Trades(Client):
            def on_message(self, message): ...

        service = FeedService(Channel("matches", "BTC-USD"), client=Trades)
        service.setServiceParent(application)

    The client is made at once, so that a mistake is told here and ``service.client`` is there from the beginning.
    Making it takes the reactor that is installed; where none is, it installs asyncio's.

    Args:
        channels: One ``Channel`` or a list of them, to subscribe to at first.
        client: A subclass of ``Client``, or whatever else makes a client when called with the same arguments.
        loop: As for ``Client``: an asyncio loop, or ``None`` for the installed reactor.
        options: Every other argument of ``Client``, by its name, but ``auto_connect``: starting the service connects.
            ``name`` becomes the service's name, too.

    Attributes:
        client: The client.

    Raises:
        ConfigurationError: (a ``ValueError``) If an argument cannot work.
        ReactorMismatchError: If another loop or reactor runs this process.
    """

    def __init__(
        self,
        channels: Channel | Iterable[Channel],
        client: Callable[..., Client] = Client,
        *,
        loop: Any = None,
        **options: Any,
    ) -> None:
        if "auto_connect" in options:
            raise ConfigurationError("auto_connect is not for a service: startService() connects; leave it out")
        self.client = client(loop, channels, auto_connect=False, **options)
        if "name" in options:
            self.setName(options["name"])
        self._closing: list[AwaitableDeferred[None]] = []

    def startService(self) -> None:
        """Connect as soon as the reactor runs; if the line is still being closed, when that is done."""
        super().startService()
        if not self._closing:
            self.client.add_as_task_to_loop()

    def stopService(self) -> AwaitableDeferred[None]:
        """
        Close the line, in whichever state it is.

        Returns:
            Fires with ``None`` when it is closed, after the client's ``close_timeout`` (2 s) at the latest.
        """
        super().stopService()
        stopped: AwaitableDeferred[None] = AwaitableDeferred()
        self._closing.append(stopped)
        if len(self._closing) == 1:
            closed: Deferred[None] = self.client.close()
            closed.addCallback(self._closed)
        return stopped

    def _closed(self, _: None) -> None:
        closing, self._closing = self._closing, []
        if self.running:
            self.client.add_as_task_to_loop()
        for stopped in closing:
            stopped.callback(None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'started' if self.running else 'stopped'}, {self.client!r}>"
