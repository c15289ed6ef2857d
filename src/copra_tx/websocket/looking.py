"""Which messages are nothing but data, and what the others are shown to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .decoding import is_row

if TYPE_CHECKING:
    from copra_tx.feed.dialect import Dialect
    from copra_tx.integrity.checks import Checks

    from .decoding import Decoding
    from .watch import Watch

__all__ = ["BEAT", "Looking"]

BEAT = 2
"""In place of ``True``: the message is a heartbeat, whose numbers are those of other messages."""


class Looking:
    """
    The part of a ``Reception`` that tells messages apart.

    Nearly all are data of a known type whose number, if they have one, was due. Those cost a look; all others are taken
    note of.
    """

    _ways: dict[str, int]  # the types whose messages are nothing but data now; True: they are numbered; or BEAT
    _watch: Watch
    _checks: Checks
    _decoding: Decoding
    _dialect: Dialect
    _data_types: frozenset[str]

    def _take_note(self, message: Any) -> bool:
        raise NotImplementedError

    def look_closely(self) -> None:
        """Show the next message of each type to the watch: it is time, or other ones are numbered now."""
        self._ways.clear()

    def _is_regular(self, message: Any) -> bool:
        """Tell whether a message is data and nothing but that, with the number that was due."""
        try:
            way = self._ways[self._decoding.type_of(message)]
            if not way:
                return True
            if way is BEAT:
                return self._watch.is_regular_heartbeat(message)
            member, last = self._checks.track
            if self._decoding.is_dict:
                cell, number = last[message["product_id"]], message[member]
            elif message.type == "level3":
                cell, number = self._checks.rows[message.product_id], message.sequence
            else:
                cell, number = last[message.product_id], getattr(message, member)
            if number - cell[0] != 1:
                return False
        except (KeyError, TypeError, AttributeError):
            return type(message) is list and self._is_regular_row(message)
        cell[0] = number
        return True

    def _is_regular_row(self, row: list[Any]) -> bool:
        try:
            cell, number = self._checks.rows[row[1]], int(row[2])
            if number - cell[0] != 1 or "level3" not in self._ways:
                return False
        except (KeyError, IndexError, TypeError, ValueError):
            return False
        cell[0] = number
        return True

    def _look(self, message: Any) -> bool:
        """
        Take note of what a message tells beside its content.

        Returns:
            Whether ``on_message`` is to get it; what is to be told first waits then.
        """
        decoding = self._decoding
        try:
            message_type = decoding.type_of(message)
            is_data = message_type in self._data_types
        except (KeyError, TypeError, AttributeError):
            message_type, is_data = "level3", is_row(message)
        if message_type == self._dialect.heartbeat:
            beat = message if decoding.is_dict else decoding.whole(message)
            if decoding.is_dict:
                self._ways[message_type] = BEAT
            return self._watch.heartbeat(
                beat.get("product_id", ""), beat.get("sequence"), beat.get("last_trade_id"), beat.get("time")
            )
        if not is_data:
            whole = decoding.whole(message)
            self._watch.noted()
            return self._take_note(whole)
        members, time = decoding.members_of(message), decoding.time_of(message)  # if they can be had
        is_lazy_row = message_type == "level3" and not decoding.is_dict
        self._ways[message_type] = is_lazy_row or message_type in self._checks.tracked_types
        return self._watch.noticed(message_type, members, time)
