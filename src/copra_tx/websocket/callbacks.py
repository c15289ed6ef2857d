"""From what happens on the line to the user's callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger
from twisted.python.failure import Failure

from copra_tx.errors import LineError, SubscriptionError

from .state import State

if TYPE_CHECKING:
    from .client import Client
    from .delivery import Delivery
    from .iteration import MessageBuffer
    from .requests import Requests

__all__ = ["Callbacks"]

_log = Logger()


class Callbacks:
    """
    What happens on the line, in the order of rule: bookkeeping at once, callbacks through the guard.

    Args:
        client: Whose callbacks are called.
        delivery: The guard.
        requests: Is told when there is a line, and when there is none.
        buffer: Feeds ``async for``; is told when nothing more comes.
    """

    def __init__(
        self,
        client: Client,
        delivery: Delivery,
        requests: Requests,
        buffer: MessageBuffer,
    ) -> None:
        self._client = client
        self._delivery = delivery
        self._requests = requests
        self._buffer = buffer
        self._open_told = self._close_told = False

    # -- what the default callbacks do

    @property
    def is_iterated(self) -> bool:
        """Whether ``async for`` takes the messages."""
        return self._buffer.active

    def begin(self) -> None:
        """Subscribe to what is wanted."""
        self._requests.begin()

    # -- the line

    def opened(self) -> None:
        """Take note of an open line."""
        self._open_told = False
        self._client.disconnected.clear()
        self._client.connected.set()
        self._requests.connected()
        if self._client.line.protocol is not None:
            self._client.watch.connected(self._client.line.protocol)

    def ended(self) -> None:
        """Take note that an attempt is over."""
        self._close_told = False
        self._client.connected.clear()
        self._client.disconnected.set()
        self._requests.lost()
        self._client.watch.lost()
        self._delivery.discard("_warn_if_mute")

    def deliver_open(self) -> None:
        """Call ``on_open``; once for each open line, and not if it was closed meanwhile."""
        if self._client.line.state is State.OPEN and not self._open_told:
            self._open_told = True
            self._delivery.deliver("on_open", self._client.on_open)

    def after_open(self) -> None:
        """See whether anything was subscribed, once ``on_open`` is done."""
        self._delivery.deliver("_warn_if_mute", self._warn_if_mute)

    def deliver_close(self, was_clean: bool, code: int, reason: str) -> None:
        """Call ``on_close``; once for each attempt."""
        if self._close_told:
            return
        self._close_told = True
        self._delivery.deliver("on_close", self._client.on_close, was_clean, code, reason)

    def interrupt(self) -> None:
        """Let whoever delivers many messages in a row look anew whether, and which, are still to be delivered."""
        self._delivery.deliver("", _nothing)

    def after_callbacks(self, action: Callable[[], None]) -> None:
        """Do something once the callbacks due by now are done."""
        self._delivery.deliver("", action)

    def subscriptions_changed(self) -> None:
        """What is wanted, held or refused may be something else than before."""
        self._client.watch.subscribed()
        self._client.reception.look_closely()
        self._client.reports.changed()

    def attempt_failed(self, error: LineError) -> None:
        """Tell those who wait for a number of failures."""
        self._client.reports.attempt_failed(error)

    def moved(self) -> None:
        """Tell of a changed status."""
        self._client.reports.changed()

    def stalled(self, what: str, seconds: float) -> None:
        """Call ``on_stall``."""
        self._client.watch.stalled(what, seconds)

    def given_up(self, error: LineError) -> None:
        """No further attempt follows: whoever waits is told why."""
        self._requests.closed()
        self._client.reports.given_up(error)
        self._buffer.end(error)

    def closing(self) -> None:
        """Nothing is delivered from now on but ``on_close``."""
        told = ("on_open", "on_message", "on_error", "on_gap", "on_backfill", "on_stall")
        self._delivery.bar(*told, "_warn_if_mute")
        self._client.watch.closing()
        self._requests.closed()
        self._client.reports.closed()
        self._buffer.end()

    def _warn_if_mute(self) -> None:
        client, protocol = self._client, self._client.line.protocol
        if client.line.state is State.OPEN and protocol is not None and client.channels and not self._requests.begun:
            if self._open_told:
                self._warn(type(client), "on_open")
            elif not protocol.trafficStats.outgoingWebSocketMessages:
                self._warn(type(protocol), "onOpen")

    def _warn(self, overriding: type, hook: str) -> None:
        _log.warn(
            "{name}: nothing is subscribed on the new connection, which the server will drop after 5 s: "
            "{klass}.{hook} must call super().{hook}()",
            name=self._client.name,
            klass=overriding.__qualname__,
            hook=hook,
        )

    def make_amends(self, name: str) -> None:
        """Do what a callback that failed may not have come to: a mistake of the user's is no decision of his."""
        if name == "on_open":
            self._requests.begin()
        elif name == "on_close" and self._client.line.state is State.LOST:
            self._client.bring_reconnection()

    def call(self, name: str, callback: Callable[..., object], *arguments: object) -> None:
        """Call a further callback of the user's, guarded and in its turn."""
        self._delivery.deliver(name, callback, *arguments)

    def failed(self, name: str, *arguments: object) -> None:
        """Log and count the exception that is being handled; a callback raised it that another one called."""
        self._delivery.failed(Failure(), name, arguments)

    def tell(self, error: SubscriptionError) -> None:
        """Call ``on_error`` with an error of ours that no caller waits for."""
        self._delivery.deliver("on_error", self._client.on_error, str(error), "")


def _nothing() -> None:
    pass
