"""
What a message's bytes become before ``on_message`` gets them: a dict, a lazy view, a typed object, or what they are.

Whatever the user chose, the client itself must know a message's type and product, and validates all of its text.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter, itemgetter
from typing import Any

import msgspec

from copra_tx.errors import ConfigurationError
from copra_tx.feed import exchange
from copra_tx.feed.dialect import Dialect
from copra_tx.integrity.numbers import number_or_same

__all__ = ["LARGE", "NOT_JSON", "Decoding", "LazyMessage", "look_at"]

_PRIVATE = {"payload": "copra-tx payload", "_decoded": "copra-tx decoded"}

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises; the last is for arrays within arrays within arrays."""

LARGE = 64 * 1024
"""Bytes from which a message counts as one of many parts: snapshots of books, the list of all products."""

_whole = msgspec.json.Decoder().decode


class LazyMessage(msgspec.Struct, gc=False, rename=_PRIVATE):
    """
    A message of which only what numbers it was looked at; the rest is decoded when needed.

    It can be read like the dict that it stands for: ``message["price"]``, ``message.get("time")``, ``"size" in
    message``, ``dict(message)``. A row of ``level3`` has the type ``level3`` and becomes its list.

    A message of the Advanced Trade feed has the name of its ``channel`` as type, its ``sequence_num`` as sequence, and
    no product.

    Attributes:
        type: The message's type.
        product_id: Its product; ``None`` if it has none.
        sequence: Its sequence number; ``None`` if it has none.
        trade_id: The number of its trade; ``None`` if it has none.
        payload: The bytes as received.
    """

    type: Any = None
    product_id: Any = None
    sequence: Any = None
    trade_id: Any = None
    payload: Any = b""
    _decoded: Any = None

    def decode(self) -> Any:
        """Return the whole message as a dict (a list for a row of ``level3``); decoded once."""
        if self._decoded is None:
            self._decoded = _whole(self.payload)
        return self._decoded

    def __getitem__(self, key: Any) -> Any:
        return self.decode()[key]

    def __contains__(self, key: object) -> bool:
        return key in self.decode()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.decode())

    def __len__(self) -> int:
        return len(self.decode())

    def keys(self) -> Any:
        """Return the dict's keys."""
        return self.decode().keys()

    def get(self, key: str, default: Any = None) -> Any:
        """Return one value of the dict, or the default."""
        return self.decode().get(key, default)


class _LazyEnvelope(LazyMessage, gc=False, rename=_PRIVATE | {"type": "channel", "sequence": "sequence_num"}):
    """The same of the Advanced Trade feed."""

    type: Any = None
    product_id: Any = None
    sequence: Any = None
    payload: Any = b""
    _decoded: Any = None


look_at: Callable[[bytes], LazyMessage] = msgspec.json.Decoder(LazyMessage).decode
"""
Read what a ``LazyMessage`` knows, but for its ``payload``; ``msgspec.ValidationError`` if that is no object.

It does not look at the UTF-8 of what it skips.
"""

_KINDS: dict[str, tuple[type[LazyMessage], Callable[[bytes], LazyMessage]]] = {
    "type": (LazyMessage, look_at),
    "channel": (_LazyEnvelope, msgspec.json.Decoder(_LazyEnvelope).decode),
}  # by the member that says a message's type


def _make_lazily(dialect: Dialect) -> Callable[[bytes], LazyMessage]:
    kind, header = _KINDS[dialect.type_key]

    def lazily(payload: bytes) -> LazyMessage:
        if not payload.isascii():
            payload.decode()  # a decoder that skips fields does not look at their UTF-8
        try:
            message = header(payload)
        except msgspec.ValidationError:  # no object
            decoded = _whole(payload)
            message = kind(_decoded=decoded)
            if dialect.has_rows and is_row(decoded):
                message.type, message.product_id, message.sequence = "level3", *_numbered(decoded)
        message.payload = payload
        return message

    return lazily


def _numbered(row: list[Any]) -> tuple[Any, Any]:
    product_id, sequence = (*row[1:3], None, None)[:2]
    return product_id, number_or_same(sequence)


def is_row(message: object) -> bool:
    """Tell whether a decoded message is a row of ``level3``: an array that begins with its type."""
    return type(message) is list and bool(message) and type(message[0]) is str


class Decoding:
    """
    One client's choice.

    Args:
        choice: ``"dict"``; ``"lazy"`` for a ``LazyMessage``; ``None`` for bytes; a ``msgspec.Struct`` type, or a
            union of tagged ones, for every message of a channel; or a mapping of message types to such types. Messages
            that no type is given for, the answers among them, are dicts.
        dialect: Of the feed.

    Attributes:
        is_dict: Whether messages are plain dicts (and lists), the default.
        is_shallow: Whether they are only looked at: ``"lazy"``, or ``None``.
        decode: Bytes to a message as the client looks at it; raises one of ``NOT_JSON``.
        type_of: That message to its type; raises ``KeyError``, ``TypeError`` or ``AttributeError`` where there is none.
        present: That message to what ``on_message`` gets, or ``None`` where it is the same; raises
            ``msgspec.ValidationError`` where a message does not fit its type.

    Raises:
        ConfigurationError: If the choice is none of these.
    """

    decode: Callable[[bytes], Any]
    type_of: Callable[[Any], Any]
    present: Callable[[Any], Any] | None

    def __init__(self, choice: object, dialect: Dialect = exchange.DIALECT) -> None:
        self.is_dict, self.is_shallow = choice == "dict", choice is None or choice == "lazy"
        self.decode, self.type_of, self.present = _whole, itemgetter(dialect.type_key), None
        if self.is_dict:
            return
        self.decode, self.type_of = _make_lazily(dialect), attrgetter("type")
        if choice is None:
            self.present = attrgetter("payload")
        elif choice != "lazy":
            decoders = _decoders(choice, dialect.message_types)
            self.present = lambda message: decoders.get(message.type, _whole)(message.payload)

    def decode_large(self, payload: bytes) -> Any:
        """
        Decode a message of many parts.

        Python's cyclic collector would look through the whole heap several times while tens of thousands of levels are
        made, none of which can be garbage: that takes up to four times as long as the decoding itself.
        """
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return self.decode(payload)
        finally:
            if was_enabled:
                gc.enable()

    def product_of(self, message: Any) -> object:
        """Return the product of a message as ``decode`` returns it; ``None`` if it has none."""
        if not self.is_dict:
            return message.product_id
        return message.get("product_id") if type(message) is dict else message[1] if len(message) > 1 else None

    def sequence_of(self, message: Any) -> object:
        """Return the ``sequence_num`` of a message of the Advanced Trade feed; ``None`` if it has none."""
        if not self.is_dict:
            return message.sequence
        return message.get("sequence_num") if type(message) is dict else None

    def members_of(self, message: Any) -> Mapping[str, Any]:
        """Return what numbers a message as ``decode`` returns it: ``product_id``, ``sequence``, ``trade_id``."""
        if not self.is_dict:
            return {"product_id": message.product_id, "sequence": message.sequence, "trade_id": message.trade_id}
        if type(message) is dict:
            return message
        return dict(zip(("product_id", "sequence"), message[1:], strict=False))

    def time_of(self, message: Any) -> object:
        """Return when a message was sent, by its own words; ``None`` if it has none, or is too large to look."""
        if type(message) is LazyMessage and len(message.payload) > LARGE:
            return None
        try:
            whole = self.whole(message)
        except msgspec.ValidationError:  # a number out of range, of which the user may not want to know
            return None
        return whole.get("time", whole.get("timestamp")) if type(whole) is dict else whole[-1]

    def whole(self, message: Any) -> Any:
        """Return all of a message as ``decode`` returns it, as plain objects; raises one of ``NOT_JSON``."""
        return message if self.is_dict else message.decode()


def _decoders(choice: object, message_types: frozenset[str]) -> dict[str, Callable[[bytes], Any]]:
    table = choice if isinstance(choice, Mapping) else dict.fromkeys(message_types, choice)
    decoders: dict[str, Callable[[bytes], Any]] = {}
    made: dict[Any, Callable[[bytes], Any]] = {}
    for name, wanted in table.items():
        try:
            is_usable = isinstance(name, str) and not isinstance(wanted, str | bytes | int | float | None)
            if is_usable and wanted not in made:
                made[wanted] = msgspec.json.Decoder(wanted).decode
        except TypeError:  # msgspec cannot make this type, or it is no type
            is_usable = False
        if not is_usable:
            raise ConfigurationError(
                f"decode is 'dict', 'lazy', None (bytes), a msgspec.Struct type, or a dict of message types to Struct "
                f"types, not {choice!r}"
            )
        decoders[name] = made[wanted]
    return decoders
