"""What comes in: decoded, told apart, and handed to the callbacks it is for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from copra_tx.bridge.coroutines import FAILURES
from copra_tx.feed.dialect import error_words
from copra_tx.feed.exchange import UNREADABLE_REQUEST

from .decoding import LARGE, NOT_JSON, Decoding, look_at
from .delivery import SLICE
from .looking import BEAT, Looking

if TYPE_CHECKING:
    from .client import Client
    from .delivery import Delivery
    from .iteration import MessageBuffer
    from .protocol import ClientProtocol
    from .requests import Requests
    from .subscriptions import Subscriptions

__all__ = ["Reception"]

OPEN = WebSocketProtocol.STATE_OPEN

CHUNK = 32
"""Messages between two looks at the clock."""

NOTHING = object()
"""In place of a message: there is none to hand over."""

_QUOTED = 200  # characters shown of input that is of no use


class Reception(Looking):
    """
    The way of a message from the wire to ``on_message`` or ``on_error``.

    Our own bookkeeping is done at receipt; the callback is called at once, unless another one still runs or waits.
    ``deliver_payloads`` is the fast way, for many plain messages at once, ``deliver_payload`` the careful one for the
    rest. Both do the same.

    Args:
        client: Whose callbacks are called.
        clock: Gives the time.
        delivery: The guard around callbacks.
        subscriptions: Says what is wanted.
        requests: Is told what the server answers.
        buffer: Feeds ``async for``.
    """

    def __init__(
        self,
        client: Client,
        clock: IReactorTime,
        delivery: Delivery,
        subscriptions: Subscriptions,
        requests: Requests,
        buffer: MessageBuffer,
    ) -> None:
        self._client = client
        self._clock = clock
        self._delivery = delivery
        self._subscriptions = subscriptions
        self._requests = requests
        self._buffer = buffer
        self._counters = client.counters
        self._dialect = client.dialect
        self._data_types = self._dialect.message_types
        self._decoding = Decoding(client.options.decode, self._dialect)
        self._decode = self._decoding.decode
        self._takes_plain = self._decoding.is_dict and not self._dialect.is_numbered
        # The types whose messages are nothing but data now, and whether these are numbered.
        self._ways: dict[str, int] = {}
        self._watch = client.watch
        self._checks = client.watch.checks
        self._watch.begin(self.look_closely)

    def begin(self) -> None:
        """A connection begins."""

    # -- many at once

    def deliver_payloads(self, payloads: Sequence[bytes], protocol: ClientProtocol) -> int:
        """
        Take messages, each the payload of a text frame, and return how many were taken.

        Only the first may be a large one: its frame was put together from several reads.

        Fewer than all, if one is not JSON (which may be bad UTF-8: ``deliver_payload`` or the protocol must judge it),
        or if the line is not open any more.
        """
        left: Any = iter(payloads)
        try:
            if len(payloads[0]) > LARGE:
                self._deliver_message(self._decoding.decode_large(next(left)))
            while protocol.state == OPEN and left.__length_hint__():
                if self._delivery.is_straight("on_message"):
                    self._deliver_straight(left)
                else:
                    self._deliver_queued(left, protocol)
        except NOT_JSON:
            return len(payloads) - int(left.__length_hint__()) - 1
        return len(payloads) - int(left.__length_hint__())

    def _deliver_straight(self, left: Any) -> None:  # noqa: C901, PLR0912, PLR0915  # all that may happen
        """
        Call ``on_message`` for one message after the other, until all are taken or something intervenes.

        Everything in here is paid for by each message: what can be looked at once per read is looked at once, and
        whatever intervenes (a close, an unsubscribe, another callback that is due) leaves something in ``waiting``.
        """
        delivery, on_message, waiting = self._delivery, self._client.on_message, self._delivery.waiting
        put = self._buffer.put if self._buffer.active else None
        is_plain, ways = self._takes_plain and not self._subscriptions.is_selective, self._ways
        beats = self._watch.beats
        (member, last), rows = self._checks.track, self._checks.rows
        has_rows = is_plain and bool(rows)
        messages = map(self._decode, left) if is_plain else self._selected(left)
        before = left.__length_hint__()
        now = self._clock.seconds()
        until = now + SLICE
        delivery.begin()
        try:
            while left.__length_hint__() and not waiting:
                for message in islice(messages, CHUNK):
                    # As _is_regular, which would be a call for each message.
                    try:
                        if has_rows and type(message) is list:
                            cell, number = rows[message[1]], int(message[2])
                            if number - cell[0] != 1 or "level3" not in ways:
                                raise KeyError(number)  # noqa: TRY301
                            cell[0] = number
                        elif is_plain and (way := ways[message["type"]]):
                            if way is BEAT:
                                beat = beats[message["product_id"]]
                                if not beat.keeps_up(message, now):
                                    raise KeyError(way)  # noqa: TRY301
                                if beat.is_hidden:
                                    self._counters.messages -= 1
                                    continue
                            else:
                                cell, number = last[message["product_id"]], message[member]
                                if number - cell[0] != 1:
                                    raise KeyError(number)  # noqa: TRY301
                                cell[0] = number
                    except (KeyError, TypeError, IndexError, ValueError):
                        is_wanted = self._look(message)
                        if waiting or not is_wanted:
                            self._counters.messages -= 1  # it is counted where it is delivered
                            if is_wanted:
                                self._deliver_presented(message)
                            return
                    if put is not None:
                        put(message)
                    try:
                        result = on_message(message)
                    except FAILURES:
                        delivery.failed(Failure(), "on_message", (message,))
                    else:
                        if result is not None:
                            delivery.took(result, "on_message", (message,))
                            return
                    if waiting:
                        return
                if left.__length_hint__() and (now := self._clock.seconds()) > until:
                    delivery.end_turn()
                    return
        except NOT_JSON:
            self._counters.messages -= 1
            raise
        finally:
            self._counters.messages += before - left.__length_hint__()
            delivery.end()

    def _selected(self, left: Iterator[bytes]) -> Iterator[Any]:
        """Yield what ``on_message`` gets, where that takes more than a look at the type; until something waits."""
        if self._decoding.is_shallow and not self._subscriptions.is_selective:
            return self._looked_at(left)
        return self._presented_of(left)

    def _looked_at(self, left: Iterator[bytes]) -> Iterator[Any]:
        # As below, without a call of ours for each message.
        ways, as_bytes, waiting = self._ways, self._decoding.present is not None, self._delivery.waiting
        (member, last), rows = self._checks.track, self._checks.rows
        by_sequence = member == "sequence"
        for payload in left:
            if not payload.isascii():
                payload.decode()  # a decoder that skips fields does not look at their UTF-8
            try:
                message = look_at(payload)
                message.payload = payload
            except msgspec.ValidationError:  # no object
                message = self._decode(payload)
            try:
                if ways[message.type]:
                    is_row = message.type == "level3"
                    cell = (rows if is_row else last)[message.product_id]
                    number = message.sequence if is_row or by_sequence else message.trade_id
                    if number - cell[0] != 1:
                        raise KeyError(number)  # noqa: TRY301
                    cell[0] = number
            except (KeyError, TypeError):
                is_wanted = self._look(message)
                if waiting or not is_wanted:
                    if is_wanted:
                        self._deliver_presented(message)
                    self._counters.messages -= 1  # it was counted where it was looked at, or is of no use
                    if waiting:
                        return
                    continue
            yield payload if as_bytes else message

    def _presented_of(self, left: Iterator[bytes]) -> Iterator[Any]:
        waiting = self._delivery.waiting
        for payload in left:
            message = self._decode(payload)
            if self._is_regular(message) or self._look(message):
                if waiting:
                    self._deliver_presented(message)
                elif (presented := self._presented(message)) is not NOTHING:
                    yield presented
                    continue
            self._counters.messages -= 1  # it was counted where it was looked at, or is of no use
            if waiting:
                return

    def _deliver_queued(self, left: Iterator[bytes], protocol: ClientProtocol) -> None:
        """Take messages while callbacks wait or take their time; until the straight way is free again."""
        until = self._clock.seconds() + SLICE
        for payload in left:
            self._deliver_message(self._decode(payload))
            if self._clock.seconds() > until:
                self._delivery.end_turn()
            if self._delivery.is_straight("on_message") or protocol.state != OPEN:
                return

    # -- one

    def deliver_single(self, payload: bytes) -> bool:
        """
        Take a message of an open line, and tell whether it was taken: not if it is not JSON.

        Args:
            payload: Of a text frame; not large.
        """
        try:
            message = self._decode(payload)
        except NOT_JSON:
            return False
        if not self._takes_plain or self._subscriptions.is_selective:
            self._deliver_decoded(message, payload)
            return True
        # As _deliver_message, and less: at real rates each read brings one message.
        try:
            way = self._ways[message["type"]]
        except (KeyError, TypeError):  # one to be looked at, a row, or nothing of use
            way = True
        if not way or self._is_regular(message):
            self._counters.messages += 1
            if self._buffer.active:
                self._buffer.put(message)
            self._delivery.deliver_message(self._client, message)
        elif self._look(message):
            self._deliver_presented(message)
        return True

    def deliver_payload(self, payload: bytes, is_binary: bool) -> None:
        """Take one message as it came, whatever it is."""
        if is_binary:
            self._unusable("binary", repr(payload[:_QUOTED]))
            return
        try:
            message = self._decode(payload) if len(payload) <= LARGE else self._decoding.decode_large(payload)
        except NOT_JSON as error:
            self._not_json(payload.decode("utf-8", "backslashreplace"), str(error))
        else:
            self._deliver_decoded(message, payload)

    def _deliver_decoded(self, message: Any, payload: bytes) -> None:
        try:
            self._deliver_message(message)
        except NOT_JSON as error:  # of what was not looked at before
            self._not_json(payload.decode(), str(error))

    def _deliver_message(self, message: Any) -> None:
        if self._is_regular(message) or self._look(message):
            self._deliver_presented(message)

    def _deliver_presented(self, message: Any) -> None:
        presented = self._presented(message)
        if presented is not NOTHING:
            self._hand_over(presented)

    def _hand_over(self, message: Any) -> None:
        if self._client.closing:  # by what was told of this very message, or of what is missing before it
            return
        self._counters.messages += 1
        if self._buffer.active:
            self._buffer.put(message)
        self._delivery.deliver_message(self._client, message)

    def _presented(self, message: Any) -> Any:
        """Return what ``on_message`` gets of a message; ``NOTHING`` if it is unwanted, or does not fit its type."""
        if self._subscriptions.is_selective and not self._is_wanted(message):
            self._counters.unwanted += 1
            return NOTHING
        present = self._decoding.present
        if present is None:
            return message
        try:
            return present(message)
        except msgspec.ValidationError as error:
            self._does_not_fit(message, error)
            return NOTHING

    def _is_wanted(self, message: Any) -> bool:
        message_type = "level3" if type(message) is list else self._decoding.type_of(message)
        return self._subscriptions.accepts(message_type, self._decoding.product_of(message))

    def _take_note(self, message: Any) -> bool:
        """Do what a message is to us that brings no data of a channel; tell whether it is for ``on_message``."""
        if type(message) is not dict:
            kind = "neither object nor row" if self._dialect.has_rows else "no object"
            self._unusable(kind, _quoted(message))
            return False
        message_type = message.get(self._dialect.type_key)
        if message.get("type") == "error":
            self._server_error(*error_words(message))
            return False
        if type(message_type) is not str:
            self._unusable(f"no {self._dialect.type_key}", _quoted(message))
            return False
        if message_type == "subscriptions":
            self._client.line.answered()
            return self._requests.answered(self._dialect.listed(message))
        return True

    def _server_error(self, message: str, reason: str) -> None:
        self._counters.errors += 1
        hint = self._watch.clock_hint(f"{message} {reason}")
        reason = "; ".join(part for part in (reason, hint) if part)
        self._requests.refused(f"{message}: {reason}" if reason else message)
        self._delivery.deliver("on_error", self._client.on_error, message, self._more_about(message, reason))

    def _more_about(self, message: str, reason: str) -> str:  # noqa: ARG002
        return reason

    def _not_json(self, text: str, error: str) -> None:
        if text.strip() == UNREADABLE_REQUEST:
            self._server_error(text.strip(), "")
        else:
            self._unusable("not JSON", f"{error}: {text[:_QUOTED]!r}")

    def _does_not_fit(self, message: Any, error: msgspec.ValidationError) -> None:
        self._unusable(
            f"{message.type} that does not fit its type in decode=", f"{error}: {message.payload[:_QUOTED]!r}"
        )

    def _unusable(self, kind: str, detail: str) -> None:
        unusable = self._counters.unusable
        unusable[kind] += 1
        if unusable[kind] == 1:
            self._delivery.deliver(
                "on_error",
                self._client.on_error,
                f"the server sent something of no use ({kind}); further ones are only counted",
                detail,
            )


def _quoted(message: object) -> str:
    try:
        return repr(message)[:_QUOTED]
    except RecursionError:
        return "(nested too deeply to be shown)"
