"""One client's line as the simulated exchange sees it: the venue's answers, the market, and what is done wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from copra_tx.errors import ConfigurationError

from .cdp_venue import CdpSession, CdpVenue
from .outgoing import Numbering, Outgoing, Picked, falsified
from .replay import Replay
from .venue import Allowance, Session
from .wire import Timers

if TYPE_CHECKING:
    from .minute import Key
    from .replay import Pace
    from .venue import Venue
    from .wire import Wire

__all__ = ["MOST_REQUESTS_KEPT", "Connection", "Moments", "Terms"]

MOST_REQUESTS_KEPT = 1000
"""How many requests are remembered, the newest; an exchange may run for weeks."""


class Moments(Protocol):
    """Who is told what happens on a connection."""

    def opened(self, connection: Connection) -> None:
        """The upgrade was answered."""

    def request_received(self, request: object) -> None:
        """A request came; its answers are on their way."""

    def subscribed(self, connection: Connection) -> None:
        """A subscribe was answered."""

    def lost(self, connection: Connection) -> None:
        """The TCP line is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """
    What all connections of one exchange share.

    Attributes:
        venue: The rules.
        pace: The market, and how fast it goes. Every timer runs on its clock.
        now: Seconds since the epoch, for signatures.
        silence_limit: Seconds from accepting the line within which a subscribe must come.
        silence_code: Close code for a line that stays silent; ``None``: the line ends without a close frame.
        slow_limit: Seconds within which a reader that made us wait must have caught up with the market.
        close_timeout: Seconds for the answer to a close frame, and for the last bytes of a line that ends.
        request_rate: Requests a second that a client may send for long.
        request_burst: Requests that it may send at once.
        max_request_bytes: Largest request.
    """

    venue: Venue | CdpVenue
    pace: Pace
    now: Callable[[], float]
    silence_limit: float
    silence_code: int | None
    slow_limit: float
    close_timeout: float
    request_rate: float
    request_burst: int
    max_request_bytes: int


class Connection:
    """
    One live line of a simulated exchange; found in ``SimulatedExchange.connections``.

    Attributes:
        received: The client's newest requests in the order they came, decoded; raw text where one was not JSON.
        session: What the client is subscribed to.
        upgrade_headers: HTTP headers of the client's upgrade request, names in lower case.
        ignores_close: Whether the client's close frame is ignored; see ``ignore_close``.
    """

    def __init__(self, wire: Wire, terms: Terms, moments: Moments) -> None:
        clock = terms.pace.clock
        self.received: list[object] = []
        self.session: Session | CdpSession = terms.venue.new_session()
        self.upgrade_headers: dict[str, str] = {}
        self.ignores_close = False
        self._wire, self._terms, self._moments = wire, terms, moments
        self._stalled = self._frozen = self._lost = False
        self._allowance = Allowance(terms.request_rate, terms.request_burst, clock.seconds())
        self._outgoing = Numbering(wire) if isinstance(terms.venue, CdpVenue) else Outgoing(wire)
        self._timers = Timers(clock)
        self._replay = Replay(
            terms.pace, self._outgoing, self._timers, slow_limit=terms.slow_limit, too_slow=self._too_slow
        )
        self._timers.start("silence", terms.silence_limit, self._too_silent)

    def __repr__(self) -> str:
        state = "lost" if self._lost else "open" if self._wire.can_send else "not open"
        requests, keys = len(self.received), len(self.session.keys)
        return f"<{type(self).__name__} {state}, {requests} requests, {keys} subscriptions>"

    @property
    def position(self) -> int:
        """How far this client is in the market, in messages from its beginning."""
        return self._replay.position

    # -- told by the wire

    def wire_opened(self, headers: dict[str, str]) -> None:
        """The upgrade was answered."""
        self.upgrade_headers = headers
        self._moments.opened(self)

    def wire_serves_rest(self) -> None:
        """The line is one for REST requests: nobody subscribes on it."""
        self._timers.stop("silence")

    def wire_received(self, payload: bytes) -> None:
        """A data frame came: answer it."""
        terms = self._terms
        if len(payload) > terms.max_request_bytes:
            self._cut("Message too big")
            return
        if not self._allowance.take(terms.pace.clock.seconds()):
            self._too_fast()
            return
        self._replay.join()
        answer = terms.venue.answer(self.session, payload, terms.now())  # type: ignore[arg-type]  # its own session
        self.received.append(answer.request)
        del self.received[:-MOST_REQUESTS_KEPT]
        if terms.venue.greets_first:
            self._greet(answer.joined)
        for kind, message in answer.messages:
            self._outgoing.send(message, kind)
        if not terms.venue.greets_first:
            self._greet(answer.joined)
        self._replay.want(self.session.keys)
        self._moments.request_received(answer.request)
        if answer.is_subscribe:
            self._timers.stop("silence")
            self._moments.subscribed(self)
        self._replay.pump()

    def _greet(self, joined: Iterable[Key]) -> None:
        for key in joined:
            if (greeting := self._terms.pace.market.greeting(key, self.position)) is not None:
                kind, message = greeting
                self._outgoing.send(message, kind, key[1], (key,))

    def wire_paused(self) -> None:
        """The transport has enough to write for now."""
        self._replay.pause()

    def wire_resumed(self) -> None:
        """The transport can take more."""
        self._replay.resume()

    def wire_closing(self) -> None:
        """The client closes, and was answered: the TCP line ends soon, or is ended."""
        self._end_soon()

    def wire_lost(self) -> None:
        """The TCP line is gone: no timer of ours is left behind."""
        self._lost = True
        self._timers.stop_all()
        self._moments.lost(self)

    # -- what can be done to it

    def drop(self) -> None:
        """End the TCP line at once: no close frame, and what was not yet on its way is lost."""
        self._wire.abort()

    def hang_up(self) -> None:
        """End the TCP line without a close frame, after what was sent so far."""
        self._wire.hang_up()
        self._end_soon()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """
        Close with a close frame; without an answer in time the TCP line is ended.

        Args:
            code: Any number, also one that the protocol reserves.
            reason: At most 123 bytes of UTF-8.
        """
        self._wire.send_close(code, reason)
        self._end_soon()

    def shut_down(self) -> None:
        """End the line because the exchange stops; with a close frame, if the client can be expected to answer it."""
        if self._wire.can_send and not (self._stalled or self.ignores_close):
            self.close(1001, "going away")
        else:
            self.drop()

    def stall(self, *, pongs: bool = True) -> None:
        """
        Send nothing more until ``resume``; what would have been sent is sent then.

        Args:
            pongs: Whether pings and a close frame are still answered. If not, nothing is even read: the line looks
                like one whose other end is frozen.
        """
        self._stalled = True
        self._outgoing.stall()
        self._replay.stalled()
        if not pongs:
            self._frozen = True
            self._wire.pause_reading()

    def resume(self) -> None:
        """End a stall: answer and send what was held back."""
        if self._frozen:
            self._wire.resume_reading()
        self._stalled = self._frozen = False
        self._outgoing.resume()
        self._replay.unstalled()

    def skip(
        self,
        type: str | None = None,  # noqa: A002  # the wire's word
        product_id: str | None = None,
        *,
        channel: str | None = None,
        count: float = 1,
    ) -> None:
        """
        Do not send the next message.

        Args:
            type: Only a message of this ``type`` counts (of a ``level3`` row, its first member); ``None`` for any,
                answers included.
            product_id: Only a message of this product counts; ``None`` for any.
            channel: Only a message sent for this channel counts; ``None`` for any.
            count: How many messages; ``math.inf`` for all.
        """
        self._outgoing.tamper(self._picked(type, product_id, channel), count=count, alter=lambda _: [])

    def repeat(
        self,
        type: str | None = None,  # noqa: A002  # the wire's word
        product_id: str | None = None,
        *,
        channel: str | None = None,
        count: float = 1,
    ) -> None:
        """Send the next message twice; arguments as in ``skip``."""
        self._outgoing.tamper(self._picked(type, product_id, channel), count=count, alter=lambda payload: [payload] * 2)

    def reorder(
        self,
        type: str | None = None,  # noqa: A002  # the wire's word
        product_id: str | None = None,
        *,
        channel: str | None = None,
        count: float = 1,
        behind: int = 1,
    ) -> None:
        """
        Send the next message later than its turn, after others that it would have come before.

        Args:
            type: As in ``skip``.
            product_id: As in ``skip``.
            channel: As in ``skip``.
            count: As in ``skip``.
            behind: How many messages of the same kind overtake it; if they never come, neither does it.
        """
        if behind < 1:
            raise ConfigurationError(f"a message is overtaken by at least one other, not by {behind!r}")
        self._outgoing.tamper(self._picked(type, product_id, channel), count=count, behind=behind)

    def drift(self, product_id: str | None = None, *, channel: str | None = None, count: float = 1) -> None:
        """
        Let the client's book become another than the venue's, with no sign of it in the feed.

        The next ``l2update`` (or ``l2_data``) has a level more, a bid at 0.01 that never goes away; or the next
        ``open``, of ``full`` or ``level3``, has another size. Arguments as in ``skip``.
        """
        picked = replace(self._picked(None, product_id, channel), types=frozenset({"l2update", "open", "l2_data"}))
        self._outgoing.tamper(picked, count=count, alter=falsified)

    def behave(self) -> None:
        """Forget what is planned for messages to come; what was to be overtaken is sent now."""
        self._outgoing.behave()

    def send(self, message: Mapping[str, Any] | list[Any]) -> None:
        """
        Send a message of your own, as JSON; whatever is not recorded can be played so.

        On the Advanced Trade feed ``channel`` and ``events`` are put into an envelope with the next number, unless the
        message has a ``sequence_num`` of its own.
        """
        self._outgoing.send(*self._terms.venue.framed(message, self._terms.now()))

    def send_garbage(self, payload: bytes | str, *, binary: bool = False) -> None:
        """
        Send one data frame with any payload: not JSON, JSON without a type, bad UTF-8, nothing.

        Args:
            payload: What the frame carries; text is encoded as UTF-8.
            binary: Whether it is a binary frame; else it is a text frame, whatever is in it.
        """
        self._outgoing.send_frame(payload.encode() if isinstance(payload, str) else payload, binary=binary)

    def send_octets(self, octets: bytes) -> None:
        """Write bytes to the TCP line beside all framing, to break the WebSocket protocol itself."""
        self._wire.send_octets(octets)

    def send_snapshot(self, mebibytes: float, product_id: str = "BTC-USD") -> None:
        """Send a ``snapshot`` of exactly this size, in one frame, asked for or not."""
        size = int(mebibytes * 1024 * 1024)
        self._outgoing.send(*self._terms.venue.snapshot_of_size(size, product_id), product_id)

    def ignore_close(self) -> None:
        """Never answer the client's close frame, nor end the TCP line because of it."""
        self.ignores_close = True

    def _picked(self, kind: str | None, product_id: str | None, channel: str | None) -> Picked:
        types = None if kind is None else frozenset({kind})
        return Picked(types, product_id, None if channel is None else self._terms.venue.name_of(channel))

    # -- ending

    def _too_silent(self) -> None:
        if self._wire.can_send and self._terms.silence_code is not None:
            self.close(self._terms.silence_code)
        else:
            self.drop()

    def _too_slow(self) -> None:
        self._cut("ErrSlowConsume")

    def _too_fast(self) -> None:
        warning = self._terms.venue.too_fast()
        if warning is None:
            self._cut("ErrSlowRead")
        else:
            self._outgoing.send(*warning[::-1])

    def _cut(self, reason: str) -> None:
        """Tell why and end the line. The docs name the words; the close code is not known."""
        self._outgoing.send(*self._terms.venue.error(reason)[::-1])
        self.hang_up()

    def _end_soon(self) -> None:
        self._timers.start("end", self._terms.close_timeout, self._wire.abort)
