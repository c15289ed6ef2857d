"""How the client stands, told to who asks, who waits, and who wants to know of every change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from copra_tx.bridge import AwaitableDeferred
from copra_tx.errors import ClientClosedError, ConfigurationError, CopraError

from .hooks import Hooks
from .state import State
from .status import Status
from .tickets import each_waiting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .channel import Channel
    from .client import Client
    from .delivery import Delivery
    from .requests import Requests
    from .subscriptions import Subscriptions
    from .watch import Watch

__all__ = ["Reports"]


@dataclass(slots=True, eq=False)
class _Waiting:
    """Someone who waits for the client to be ready."""

    ready: AwaitableDeferred[None]
    fail_after: int | None
    failures: int = 0


class Reports:
    """
    The client's status, and who is to hear of it.

    Args:
        client: Whose status it is, and whose ``on_status`` is called.
        delivery: The guard around callbacks.
        subscriptions: What is wanted, held and refused.
        requests: Whether anything was asked for.
        wall_clock: Gives the seconds since the Unix epoch.
    """

    def __init__(
        self,
        client: Client,
        delivery: Delivery,
        subscriptions: Subscriptions,
        requests: Requests,
        wall_clock: Callable[[], float],
    ) -> None:
        self._client, self._delivery = client, delivery
        self._ledger, self._requests = subscriptions, requests
        self._wall_clock = wall_clock
        self._waiting: list[_Waiting] = []
        self._state, self._since = State.IDLE, wall_clock()
        self._told: tuple[object, ...] | None = None
        self._is_waiting = False
        self._has_failed = False  # this attempt, in a way that those who wait were told of

    def status(self) -> Status:
        """Return the status now."""
        client, watch = self._client, self._watch
        confirmed = self._ledger.confirmed() if client.line.state is State.OPEN else []
        counters = replace(client.counters, unusable=client.counters.unusable.copy())
        return Status(
            state=client.line.state,
            since=self._since,
            confirmed=_by_name(confirmed),
            pending=_by_name(one for one in self._ledger.missing() if one.name in self._ledger.wanted),
            refused=_by_name(self._ledger.refused()),
            is_ready=self._is_ready(),
            is_paused=client.line.flow.is_full,
            patience=watch.deadlines.patience,
            counters=counters,
            message_age=watch.message_age(),
            lag_s=watch.lag.figures(client.reactor.seconds()),
            clock_offset=watch.clock_offset(),
        )

    def when_ready(self, fail_after: int | None) -> AwaitableDeferred[None]:
        """Return what fires when all that is wanted is confirmed and data flow."""
        if fail_after is not None and (isinstance(fail_after, bool) or fail_after < 1):
            raise ConfigurationError(f"fail_after is a number of attempts, at least 1, or None, not {fail_after!r}")
        waiting = _Waiting(AwaitableDeferred(lambda _: self._waiting.remove(waiting)), fail_after)
        self._waiting.append(waiting)
        if self._client.closing:
            self.closed()
        elif self._is_ready():
            self._tell_ready()
        return waiting.ready

    # -- what happens

    def changed(self) -> None:
        """See whether there is anything new to be told."""
        state = self._client.line.state
        if state is not self._state:
            self._state, self._since = state, self._wall_clock()
            if state is State.CONNECTING:
                self._has_failed = False
        if self._waiting and self._is_ready():
            self._tell_ready()
        if getattr(self._client.on_status, "__func__", None) is not Hooks.on_status:
            self._tell_status()

    def attempt_failed(self, error: CopraError) -> None:
        """An attempt ended, or something was refused: those who wait for so many failures, wait no more."""
        if self._has_failed or (self._state is State.OPEN and self._is_ready()):
            return
        self._has_failed = True
        for waiting in each_waiting(self._waiting):
            waiting.failures += 1
            if waiting.fail_after is not None and waiting.failures >= waiting.fail_after:
                self._waiting.remove(waiting)
                waiting.ready.errback(error)

    def closed(self) -> None:
        """The client was closed."""
        self.given_up(ClientClosedError("the client to be ready"))

    def given_up(self, error: CopraError) -> None:
        """The client will not be ready."""
        for waiting in each_waiting(self._waiting):
            self._waiting.remove(waiting)
            waiting.ready.errback(error)

    # -- inside

    @property
    def _watch(self) -> Watch:
        return self._client.watch

    def _is_ready(self) -> bool:
        return (
            self._client.line.state is State.OPEN
            and (self._requests.begun or not self._ledger.wanted)
            and self._watch.is_satisfied
            and not self._ledger.unconfirmed(self._ledger.wanted.values())
        )

    def _tell_ready(self) -> None:
        for waiting in each_waiting(self._waiting):
            self._waiting.remove(waiting)
            waiting.ready.callback(None)

    def _tell_status(self) -> None:
        # One call that waits is enough: it tells what is true when its turn comes.
        if not self._is_waiting and _facts(self.status()) != self._told:
            self._is_waiting = True
            self._delivery.deliver("on_status", self._call_on_status)

    def _call_on_status(self) -> object:
        self._is_waiting = False
        status = self.status()
        self._told = _facts(status)
        return self._client.on_status(status)


def _facts(status: Status) -> tuple[object, ...]:
    subscribed = (dict(one) for one in (status.confirmed, status.pending, status.refused))
    return (status.state, *subscribed, status.is_ready, status.is_paused, status.patience)


def _by_name(channels: Iterable[Channel]) -> Mapping[str, Channel]:
    return MappingProxyType({channel.name: channel for channel in channels})
