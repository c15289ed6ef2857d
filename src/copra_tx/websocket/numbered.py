"""What comes in where one counter numbers every message of a connection, as on the Advanced Trade feed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from twisted.python.failure import Failure

from copra_tx.bridge.coroutines import FAILURES
from copra_tx.feed.advanced_trade import explained
from copra_tx.integrity.connection_sequence import ConnectionSequence

from .decoding import NOT_JSON
from .delivery import SLICE
from .reception import CHUNK, NOTHING, Reception

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

    def _deliver_straight(self, left: Any) -> None:
        if self._decoding.is_dict and not self._subscriptions.is_selective:
            self._deliver_plain(left, self._subscriptions.plain_types)
        else:
            super()._deliver_straight(left)

    def _deliver_plain(self, left: Any, plain_types: frozenset[str]) -> None:  # noqa: C901  # as there
        """Do as ``_deliver_straight``; written out anew because every step is paid for by each message."""
        delivery, on_message, waiting = self._delivery, self._client.on_message, self._delivery.waiting
        put = self._buffer.put if self._buffer.active else None
        messages: Iterator[Any] = map(self._decode, left)
        sequence, number = self._sequence, self._sequence.expected
        before = left.__length_hint__()
        until = self._clock.seconds() + SLICE
        delivery.begin()
        try:
            while left.__length_hint__() and not waiting:
                for message in islice(messages, CHUNK):
                    try:
                        is_plain = message["sequence_num"] == number and message["channel"] in plain_types
                    except (KeyError, TypeError):
                        is_plain = False  # an error, or nothing of use
                    if not is_plain:
                        self._counters.messages -= 1  # it is counted where it is looked at
                        sequence.expected = number
                        self._deliver_message(message)  # which waits behind what is to be told before it
                        number = sequence.expected
                        return
                    number += 1
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
                if left.__length_hint__() and self._clock.seconds() > until:
                    delivery.end_turn()
                    return
        except NOT_JSON:
            self._counters.messages -= 1
            raise
        finally:
            sequence.expected = number
            self._counters.messages += before - left.__length_hint__()
            delivery.end()

    def _selected(self, left: Iterator[bytes]) -> Iterator[Any]:
        waiting = self._delivery.waiting
        for payload in left:
            selected = self._select(self._decode(payload))
            if selected is not NOTHING:
                if not waiting:
                    yield selected
                    continue
                self._hand_over(selected)  # after what is to be told before it
            self._counters.messages -= 1  # it was counted where it was handed over, or is of no use
            if waiting:
                return

    def _deliver_message(self, message: Any) -> None:
        sequence = self._sequence
        try:
            is_plain = (
                self._decoding.is_dict
                and message["sequence_num"] == sequence.expected
                and message["channel"] in self._subscriptions.plain_types
            )
        except (KeyError, TypeError):
            is_plain = False
        if is_plain:
            sequence.expected += 1
        else:
            message = self._select(message)
            if message is NOTHING:
                return
        self._hand_over(message)

    def _select(self, message: Any) -> Any:
        """Take note of a message; return what ``on_message`` gets of it, or ``NOTHING``."""
        number, sequence = self._decoding.sequence_of(message), self._sequence
        if number == sequence.expected:
            sequence.expected += 1
        else:
            self._out_of_order(number)
        if not self._is_data(message):
            whole = self._decoding.whole(message)
            self._watch.noted()
            if not self._take_note(whole):
                return NOTHING
        elif self._decoding.type_of(message) == self._dialect.heartbeat:
            self._watch.heartbeat("", None, None, self._decoding.time_of(message))
        if self._decoding.type_of(message) in self._subscriptions.silent_types:
            return NOTHING
        return self._presented(message)

    def _out_of_order(self, number: object) -> None:
        sequence, counters = self._sequence, self._counters
        late, repeated = sequence.late, sequence.repeated
        gap = sequence.observe(number)
        counters.late += sequence.late - late
        counters.repeated += sequence.repeated - repeated
        if gap is None:
            return
        if not gap.recovered:
            counters.gaps += 1
            counters.missing += gap.missing
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
