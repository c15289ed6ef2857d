"""The TCP lines of one exchange: which there are, and who waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from copra_tx.bridge import AwaitableDeferred

from .connection import MOST_REQUESTS_KEPT, Connection

if TYPE_CHECKING:
    from .connection import Terms
    from .faults import Plans
    from .wire import Wire

__all__ = ["Lines", "Tally"]

T = TypeVar("T")


class Tally(Generic[T]):
    """
    Counts things as they happen, and tells who waits for the n-th.

    Attributes:
        count: How many there were.
    """

    def __init__(self) -> None:
        self.count = 0
        self._waiting: list[tuple[int, AwaitableDeferred[T]]] = []
        self._newest: list[T] = []

    def add(self, item: T) -> None:
        """Count one more."""
        self.count += 1
        self._newest = [item]
        ready = [deferred for number, deferred in self._waiting if number <= self.count]
        self._waiting = [(number, deferred) for number, deferred in self._waiting if number > self.count]
        for deferred in ready:
            deferred.callback(item)

    def when(self, number: int) -> AwaitableDeferred[T]:
        """Return what fires when ``number`` (at least 1) were counted, with the newest by then."""
        deferred: AwaitableDeferred[T] = AwaitableDeferred()
        if number <= self.count:
            deferred.callback(self._newest[0])
        else:
            self._waiting.append((number, deferred))
        return deferred


class Lines:
    """
    Every TCP line of one exchange.

    Args:
        plans: What is to be done to the next ones.

    Attributes:
        plans: The same.
        live: Those whose upgrade was answered, oldest first.
        received: The newest requests of all, in the order they came.
        accepted, opens, requests, ended: What happened how often.
    """

    def __init__(self, plans: Plans) -> None:
        self.plans = plans
        self.live: list[Connection] = []
        self.received: list[object] = []
        self.accepted: Tally[Connection] = Tally()
        self.opens: Tally[Connection] = Tally()
        self.requests: Tally[object] = Tally()
        self.ended: Tally[Connection] = Tally()
        self._terms: Terms | None = None
        self._stopping = False
        self._all: set[Connection] = set()
        self._emptied: list[AwaitableDeferred[None]] = []

    def start(self, terms: Terms) -> None:
        """Take lines, on these terms."""
        self._terms, self._stopping = terms, False

    def stop(self) -> AwaitableDeferred[None]:
        """End every line; the result fires when none is left."""
        self._stopping = True
        emptied: AwaitableDeferred[None] = AwaitableDeferred()
        self._emptied.append(emptied)
        for connection in tuple(self._all):
            connection.shut_down()
        self._tell_if_empty()
        return emptied

    def accept(self, wire: Wire) -> Connection:
        """Return the connection for a TCP line that was accepted."""
        assert self._terms is not None
        connection = Connection(wire, self._terms, self)
        self._all.add(connection)
        if self._stopping:
            connection.drop()
        self.plans.carry_out("accepted", connection)
        self.accepted.add(connection)
        return connection

    def furthest(self) -> int:
        """Return the position of the client that is furthest in the market."""
        return max((connection.position for connection in self.live), default=0)

    # -- told by the connections

    def opened(self, connection: Connection) -> None:
        """Its upgrade was answered."""
        self.live.append(connection)
        self.plans.carry_out("opened", connection)
        self.opens.add(connection)

    def request_received(self, request: object) -> None:
        """A request came and was answered."""
        self.received.append(request)
        del self.received[:-MOST_REQUESTS_KEPT]
        self.requests.add(request)

    def subscribed(self, connection: Connection) -> None:
        """A subscribe was answered."""
        self.plans.carry_out("subscribed", connection)

    def lost(self, connection: Connection) -> None:
        """Its TCP line is gone."""
        self._all.discard(connection)
        if connection in self.live:
            self.live.remove(connection)
        self.ended.add(connection)
        self._tell_if_empty()

    def _tell_if_empty(self) -> None:
        if not self._all:
            emptied, self._emptied = self._emptied, []
            for deferred in emptied:
                deferred.callback(None)
