"""What can be done wrong on purpose: to every live connection at once, and to those still to come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from twisted.logger import Logger

from .planned import Planned
from .rest_faults import RestFaults

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["ExchangeFaults", "Moment", "Plans", "Refusal"]

Moment = Literal["accepted", "opened", "subscribed"]
"""When something planned is done: TCP accepted, upgrade answered, subscribe answered."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    How an upgrade is refused.

    Attributes:
        status: HTTP status.
        reason: Reason phrase.
        retry_after: Value of the ``Retry-After`` header; ``None`` sends none.
    """

    status: int
    reason: str
    retry_after: str | None


class Plans:
    """What is planned for connections still to come."""

    _log = Logger()

    def __init__(self) -> None:
        self.upgrades: Planned[Refusal | Literal["ignore"]] = Planned()
        """How the next upgrades are treated; one that is not planned is taken."""
        self.moments: dict[Moment, Planned[Callable[[Connection], object]]] = {
            "accepted": Planned(),
            "opened": Planned(),
            "subscribed": Planned(),
        }

    def forget(self) -> None:
        """Plan nothing any more."""
        self.upgrades.clear()
        for queue in self.moments.values():
            queue.clear()

    def carry_out(self, moment: Moment, connection: Connection) -> None:
        """Do what is planned for this moment. What a fault raises is logged: it must not look like one of ours."""
        fault = self.moments[moment].take()
        if fault is None:
            return
        try:
            fault(connection)
        except Exception:  # noqa: BLE001  # whatever the user's function raises
            self._log.failure("a fault planned for {moment!r} failed", moment=moment)


class ExchangeFaults(RestFaults, ABC):
    """
    What can be done to every live connection at once, and to connections still to come.

    The methods named as those of a ``Connection`` do the same to every live one. Those with ``count`` as the first
    argument are for the next connections (``math.inf``: for all); a second call queues up behind the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._plans = Plans()

    @property
    @abstractmethod
    def connections(self) -> Sequence[Connection]:
        """The live connections."""

    # -- those to come

    def at(self, moment: Moment, fault: Callable[[Connection], object], *, count: float = 1) -> None:
        """
        Do something to each of the next connections at a given moment.

        Args:
            moment: ``"accepted"`` (TCP only, nothing read yet), ``"opened"`` (the upgrade was answered) or
                ``"subscribed"`` (a subscribe was answered, whatever the answer).
            fault: Called with the connection, for example ``Connection.ignore_close``.
            count: How often.
        """
        self._plans.moments[moment].add(fault, count)

    def refuse_upgrades(
        self,
        count: float = 1,
        *,
        status: int = 503,
        reason: str = "Service Unavailable",
        retry_after: float | str | None = None,
    ) -> None:
        """
        Answer the next upgrades with an HTTP error and end their lines.

        Args:
            count: How many.
            status: HTTP status.
            reason: Its reason phrase.
            retry_after: The ``Retry-After`` header, in seconds or as text; ``None`` sends none.
        """
        header = f"{retry_after:g}" if isinstance(retry_after, int | float) else retry_after
        self._plans.upgrades.add(Refusal(status, reason, header), count)

    def ignore_upgrades(self, count: float = 1) -> None:
        """Accept the next TCP lines and never answer their upgrade."""
        self._plans.upgrades.add("ignore", count)

    def drop_on_accept(self, count: float = 1) -> None:
        """Accept the next TCP lines and drop them before anything is read."""
        self.at("accepted", lambda connection: connection.drop(), count=count)

    def drop_on_open(self, count: float = 1) -> None:
        """Answer the upgrade of the next connections, then end their lines at once, without a close frame."""
        self.at("opened", lambda connection: connection.hang_up(), count=count)

    def drop_on_subscribe(self, count: float = 1) -> None:
        """Answer the next subscribes, ``subscriptions`` included, then end their lines without a close frame."""
        self.at("subscribed", lambda connection: connection.hang_up(), count=count)

    def stall_on_open(self, count: float = 1) -> None:
        """Answer the upgrade of the next connections, and pings, but never send a message until ``resume``."""
        self.at("opened", lambda connection: connection.stall(), count=count)

    def stall_on_subscribe(self, count: float = 1) -> None:
        """Answer the next subscribes, with their first snapshots, and pings, but send nothing more until ``resume``."""
        self.at("subscribed", lambda connection: connection.stall(), count=count)

    def behave(self) -> None:
        """Forget everything that is planned: for connections, requests and messages to come. A stall goes on."""
        self._plans.forget()
        self._rest_plans.forget()
        for connection in self.connections:
            connection.behave()

    # -- those that live

    def drop(self) -> None:
        """End every line at once: no close frame, and what was not yet on its way is lost."""
        for connection in self.connections:
            connection.drop()

    def hang_up(self) -> None:
        """End every line without a close frame, after what was sent so far."""
        for connection in self.connections:
            connection.hang_up()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close every line with a close frame."""
        for connection in self.connections:
            connection.close(code, reason)

    def stall(self, *, pongs: bool = True) -> None:
        """Send nothing more on any line until ``resume``; without ``pongs``, read nothing either."""
        for connection in self.connections:
            connection.stall(pongs=pongs)

    def resume(self) -> None:
        """End every stall."""
        for connection in self.connections:
            connection.resume()

    def skip(
        self,
        type: str | None = None,  # noqa: A002  # the wire's word
        product_id: str | None = None,
        *,
        channel: str | None = None,
        count: float = 1,
    ) -> None:
        """Do not send the next such message on any line."""
        for connection in self.connections:
            connection.skip(type, product_id, channel=channel, count=count)

    def repeat(
        self,
        type: str | None = None,  # noqa: A002  # the wire's word
        product_id: str | None = None,
        *,
        channel: str | None = None,
        count: float = 1,
    ) -> None:
        """Send the next such message twice on every line."""
        for connection in self.connections:
            connection.repeat(type, product_id, channel=channel, count=count)

    def reorder(
        self,
        type: str | None = None,  # noqa: A002  # the wire's word
        product_id: str | None = None,
        *,
        channel: str | None = None,
        count: float = 1,
        behind: int = 1,
    ) -> None:
        """Send the next such message on every line later than its turn, ``behind`` others of its kind."""
        for connection in self.connections:
            connection.reorder(type, product_id, channel=channel, count=count, behind=behind)

    def drift(self, product_id: str | None = None, *, channel: str | None = None, count: float = 1) -> None:
        """Let every client's book become another than the venue's, with no sign of it in the feed."""
        for connection in self.connections:
            connection.drift(product_id, channel=channel, count=count)

    def send(self, message: Mapping[str, Any] | list[Any]) -> None:
        """Send a message of your own on every line."""
        for connection in self.connections:
            connection.send(message)

    def send_garbage(self, payload: bytes | str, *, binary: bool = False) -> None:
        """Send one data frame with any payload on every line."""
        for connection in self.connections:
            connection.send_garbage(payload, binary=binary)

    def send_octets(self, octets: bytes) -> None:
        """Write bytes to every TCP line, beside all framing."""
        for connection in self.connections:
            connection.send_octets(octets)

    def send_snapshot(self, mebibytes: float, product_id: str = "BTC-USD") -> None:
        """Send a ``snapshot`` of exactly this size, in one frame, on every line."""
        for connection in self.connections:
            connection.send_snapshot(mebibytes, product_id)

    def ignore_close(self) -> None:
        """Answer no close frame on any live line."""
        for connection in self.connections:
            connection.ignore_close()
