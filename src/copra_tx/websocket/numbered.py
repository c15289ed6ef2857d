"""What comes in where one counter numbers every message of a connection, as on the Advanced Trade feed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from copra_tx.feed.advanced_trade import explained
from copra_tx.integrity.connection_sequence import ConnectionSequence

from .reception import NOTHING, Reception

__all__ = ["NumberedReception"]

RENEWED = "level2"
"""The channel whose messages build upon each other: after a loss it needs a fresh snapshot."""


class NumberedReception(Reception):
    """
    A ``Reception`` that looks at the number of every message, whatever it is, and tells what is missing.

    A message is handed over whole if any part of it is wanted, else not at all.
    """

    _sequence: ConnectionSequence

    def begin(self) -> None:
        """A connection begins, and so does its counter."""
        self._sequence = ConnectionSequence()

    def _selected(self, left: Iterator[bytes]) -> Iterator[Any]:
        sequence, decode, waiting = self._sequence, self._decode, self._delivery.waiting
        plain_types = self._subscriptions.plain_types if self._decoding.is_dict else frozenset()
        for payload in left:
            message = decode(payload)
            try:
                # As in _select; paid for by each message.
                if plain_types and message["sequence_num"] == sequence.expected and message["channel"] in plain_types:
                    sequence.expected += 1
                    yield message
                    continue
            except (KeyError, TypeError):
                pass  # an error, or nothing of use
            selected = self._select(message)
            if selected is not NOTHING:
                if not waiting:
                    yield selected
                    continue
                self._hand_over(selected)  # after what is to be told before it
            self._counters.messages -= 1  # it was counted where it was handed over, or is of no use
            if waiting:
                return

    def _deliver_message(self, message: Any) -> None:
        selected = self._select(message)
        if selected is not NOTHING:
            self._hand_over(selected)

    def _hand_over(self, selected: Any) -> None:
        self._counters.messages += 1
        if self._buffer.active:
            self._buffer.put(selected)
        self._delivery.deliver("on_message", self._client.on_message, selected)

    def _select(self, message: Any) -> Any:
        """Take note of a message; return what ``on_message`` gets of it, or ``NOTHING``."""
        number, sequence = self._decoding.sequence_of(message), self._sequence
        if number == sequence.expected:
            sequence.expected += 1
        else:
            self._out_of_order(number)
        if not self._is_data(message) and not self._take_note(self._decoding.whole(message)):
            return NOTHING
        if self._decoding.type_of(message) in self._subscriptions.silent_types:
            return NOTHING
        return self._presented(message)

    def _out_of_order(self, number: object) -> None:
        late = self._sequence.late
        gap = self._sequence.observe(number)
        self._counters.late += self._sequence.late - late
        if gap is not None:
            self._counters.gaps += 1
            self._requests.renew_after_loss(RENEWED)
            self._delivery.deliver("on_gap", self._client.on_gap, gap)

    def _is_data(self, message: Any) -> bool:
        try:
            return self._decoding.type_of(message) in self._data_types
        except (KeyError, TypeError):
            return False

    def _is_wanted(self, message: Any) -> bool:
        message_type = self._decoding.type_of(message)
        products = tuple(self._dialect.products_in(self._decoding.whole(message))) or (None,)
        return any(self._subscriptions.accepts(message_type, product) for product in products)

    def _more_about(self, message: str, reason: str) -> str:
        # The server's errors name neither channel nor product: say what they can be about.
        return "; ".join(part for part in (reason, self._requests.open_request, explained(message)) if part)
