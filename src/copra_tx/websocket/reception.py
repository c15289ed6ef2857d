"""What comes in: decoded, told apart, and handed to the callbacks it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from copra_tx.feed.exchange import MESSAGE_TYPES, UNREADABLE_REQUEST, error_words, listed

from .delivery import SLICE

if TYPE_CHECKING:
    from .client import Client
    from .delivery import Delivery
    from .iteration import MessageBuffer
    from .protocol import ClientProtocol
    from .requests import Requests
    from .subscriptions import Subscriptions

__all__ = ["Reception"]

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises; the last is for arrays within arrays within arrays."""

CHUNK = 32
"""Messages between two looks at the clock."""

_QUOTED = 200  # characters shown of input that is of no use


class Reception:
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
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode

    # -- many at once

    def deliver_payloads(self, payloads: Sequence[bytes], protocol: ClientProtocol) -> int:
        """
        Take messages, each the payload of a text frame, and return how many were taken.

        Fewer than all, if one is not JSON (which may be bad UTF-8: ``deliver_payload`` or the protocol must judge it),
        or if the line is not open any more.
        """
        left: Any = iter(payloads)
        try:
            while _is_open(protocol) and left.__length_hint__():
                if self._delivery.is_straight("on_message"):
                    self._deliver_straight(left, protocol)
                else:
                    self._deliver_queued(left, protocol)
        except NOT_JSON:
            return len(payloads) - int(left.__length_hint__()) - 1
        return len(payloads) - int(left.__length_hint__())

    def _deliver_straight(self, left: Any, protocol: Any) -> None:  # noqa: C901, PLR0912  # each branch is one thing that may happen
        """
        Call ``on_message`` for one message after the other, until all are taken or something intervenes.

        Everything in here is paid for by each message: what can be looked at once per read is looked at once.
        """
        client, delivery, counters = self._client, self._delivery, self._counters
        decode, on_message = self._decode, client.on_message
        put = self._buffer.put if self._buffer.active else None
        subscriptions = self._subscriptions
        data_types, waiting, open_ = MESSAGE_TYPES, delivery.waiting, WebSocketProtocol.STATE_OPEN
        before, otherwise = left.__length_hint__(), 0
        until = self._clock.seconds() + SLICE if before > CHUNK else 0.0
        delivery.begin()
        try:
            while left.__length_hint__():
                for payload in islice(left, CHUNK):
                    try:
                        message = decode(payload)
                    except NOT_JSON:
                        otherwise += 1
                        raise
                    try:
                        is_data = message["type"] in data_types
                    except (KeyError, TypeError):
                        is_data = _is_row(message)
                    if not is_data:
                        otherwise += 1
                        self._deliver_message(message)
                        return
                    if subscriptions.is_selective and not self._is_wanted(message):
                        otherwise += 1
                        counters.unwanted += 1
                        continue
                    if put is not None:
                        put(message)
                    try:
                        result = on_message(message)
                    except Exception:  # noqa: BLE001  # whatever the user's code raises
                        delivery.failed(Failure(), "on_message", (message,))
                    else:
                        if result is not None:
                            delivery.took(result, "on_message", (message,))
                            return
                    if waiting or protocol.state != open_:
                        return
                if left.__length_hint__() and self._clock.seconds() > until:
                    delivery.yield_turn()
                    return
        finally:
            counters.messages += before - left.__length_hint__() - otherwise
            delivery.end()

    def _is_wanted(self, message: Any) -> bool:
        if type(message) is list:
            return self._subscriptions.accepts("level3", message[1] if len(message) > 1 else None)
        return self._subscriptions.accepts(message["type"], message.get("product_id"))

    def _deliver_queued(self, left: Iterator[bytes], protocol: Any) -> None:
        """Take messages while callbacks wait or take their time; until the straight way is free again."""
        until = self._clock.seconds() + SLICE
        for payload in left:
            self._deliver_message(self._decode(payload))
            if self._clock.seconds() > until:
                self._delivery.yield_turn()
            if self._delivery.is_straight("on_message") or not _is_open(protocol):
                return

    # -- one

    def deliver_single(self, payload: bytes) -> bool:
        """Take the payload of a text frame of an open line, and tell whether it was taken: not if it is not JSON."""
        try:
            message = self._decode(payload)
        except NOT_JSON:
            return False
        self._deliver_message(message)
        return True

    def deliver_payload(self, payload: bytes, is_binary: bool) -> None:
        """Take one message as it came, whatever it is."""
        if not _is_open(self._client.line.protocol):
            return  # after close() nothing is delivered, whatever still arrives
        if is_binary:
            self._unusable("binary", repr(payload[:_QUOTED]))
            return
        try:
            message = self._decode(payload)
        except NOT_JSON as error:
            self._not_json(payload.decode("utf-8", "backslashreplace"), str(error))
        else:
            self._deliver_message(message)

    def _deliver_message(self, message: Any) -> None:
        try:
            is_data = message["type"] in MESSAGE_TYPES
        except (KeyError, TypeError):  # a row, or nothing of the kind
            is_data = _is_row(message)
        if not is_data and not self._take_note(message):
            return
        if self._subscriptions.is_selective and not self._is_wanted(message):
            self._counters.unwanted += 1
            return
        self._counters.messages += 1
        if self._buffer.active:
            self._buffer.put(message)
        self._delivery.deliver("on_message", self._client.on_message, message)

    def _take_note(self, message: Any) -> bool:
        """Do what a message is to us that brings no data of a channel; tell whether it is for ``on_message``."""
        if type(message) is not dict:
            self._unusable("neither object nor row", repr(message)[:_QUOTED])
            return False
        message_type = message.get("type")
        if type(message_type) is not str:
            self._unusable("no type", repr(message)[:_QUOTED])
            return False
        if message_type == "error":
            self._server_error(*error_words(message))
            return False
        if message_type == "subscriptions":
            self._requests.answered(listed(message))
            self._client.line.answered()
        return True

    def _server_error(self, message: str, reason: str) -> None:
        self._counters.errors += 1
        self._requests.refused(f"{message}: {reason}" if reason else message)
        self._delivery.deliver("on_error", self._client.on_error, message, reason)

    def _not_json(self, text: str, error: str) -> None:
        if text.strip() == UNREADABLE_REQUEST:
            self._server_error(text.strip(), "")
        else:
            self._unusable("not JSON", f"{error}: {text[:_QUOTED]!r}")

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


def _is_open(protocol: Any) -> bool:
    # Not the line's state: a user may close or drop the protocol itself.
    return protocol is not None and protocol.state == WebSocketProtocol.STATE_OPEN


def _is_row(message: object) -> bool:
    """Tell whether it is a row of ``level3``: an array that begins with its type."""
    return type(message) is list and bool(message) and type(message[0]) is str
