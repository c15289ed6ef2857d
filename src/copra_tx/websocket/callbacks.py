"""From what the wire brings to the user's callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from copra_tx.errors import LineError, SubscriptionError
from copra_tx.feed.exchange import UNREADABLE_REQUEST, error_words, listed

from .state import State

if TYPE_CHECKING:
    from .client import Client
    from .delivery import Delivery
    from .iteration import MessageBuffer
    from .requests import Requests
    from .subscriptions import Subscriptions

__all__ = ["Callbacks"]

_QUOTED = 200
"""So many characters of input that is of no use are shown."""


class Callbacks:
    """
    What happens on the line, in the order of rule: bookkeeping at once, callbacks through the guard.

    Args:
        client: Whose callbacks are called.
        delivery: The guard.
        subscriptions: The client's ledger; says what is wanted.
        requests: Is told what the server answers.
        buffer: Feeds ``async for``.
    """

    def __init__(
        self,
        client: Client,
        delivery: Delivery,
        subscriptions: Subscriptions,
        requests: Requests,
        buffer: MessageBuffer,
    ) -> None:
        self._client = client
        self._delivery = delivery
        self._subscriptions = subscriptions
        self._requests = requests
        self._buffer = buffer
        self._counters = client.counters
        self._decode = msgspec.json.Decoder().decode

    # -- the line

    def opened(self) -> None:
        """Take note of an open line."""
        self._client.disconnected.clear()
        self._client.connected.set()
        self._requests.connected()

    def ended(self) -> None:
        """Take note that an attempt is over."""
        self._client.connected.clear()
        self._client.disconnected.set()
        self._requests.lost()
        self._delivery.discard("_warn_if_mute")

    def deliver_open(self) -> None:
        """Call ``on_open``, and see afterwards whether anything was subscribed."""
        self._delivery.deliver("on_open", self._client.on_open)
        self._delivery.deliver("_warn_if_mute", self._warn_if_mute)

    def deliver_close(self, was_clean: bool, code: int, reason: str) -> None:
        """Call ``on_close``."""
        self._delivery.deliver("on_close", self._client.on_close, was_clean, code, reason)

    def after_callbacks(self, action: Callable[[], None]) -> None:
        """Do something once the callbacks due by now are done."""
        self._delivery.deliver("", action)

    def given_up(self, error: LineError) -> None:
        """No further attempt follows: whoever waits is told why."""
        self._requests.closed()
        self._buffer.end(error)

    def closing(self) -> None:
        """Nothing is delivered from now on but ``on_close``."""
        self._delivery.discard("on_message", "on_error", "_warn_if_mute")
        self._requests.closed()
        self._buffer.end()

    def _warn_if_mute(self) -> None:
        client = self._client
        if client.line.state is State.OPEN and client.channels and not self._requests.begun:
            client.warn_mute()

    # -- messages

    def deliver_payload(self, payload: bytes, is_binary: bool) -> None:
        """Take one message as it came."""
        if self._client.line.state is not State.OPEN:
            return  # after close() nothing is delivered, whatever still arrives
        if is_binary:
            self._unusable("binary", repr(payload[:_QUOTED]))
            return
        try:
            message = self._decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._not_json(payload.decode("utf-8", "backslashreplace"), str(error))
        else:
            self._deliver_message(message)

    def _deliver_message(self, message: object) -> None:
        if type(message) is dict:
            message_type = message.get("type")
            if type(message_type) is not str:
                self._unusable("no type", repr(message)[:_QUOTED])
                return
            if message_type == "error":
                self._server_error(*error_words(message))
                return
            if message_type == "subscriptions":
                self._requests.answered(listed(message))
                self._client.line.answered()
            elif not self._subscriptions.accepts(message_type, message.get("product_id")):
                self._counters.unwanted += 1
                return
        elif type(message) is list and message and type(message[0]) is str:
            if not self._subscriptions.accepts("level3", message[1] if len(message) > 1 else None):
                self._counters.unwanted += 1
                return
        else:
            self._unusable("neither object nor row", repr(message)[:_QUOTED])
            return
        self._counters.messages += 1
        if self._buffer.active:
            self._buffer.put(message)
        self._delivery.deliver("on_message", self._client.on_message, message)

    def tell(self, error: SubscriptionError) -> None:
        """Call ``on_error`` with an error of ours that no caller waits for."""
        self._delivery.deliver("on_error", self._client.on_error, str(error), "")

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
