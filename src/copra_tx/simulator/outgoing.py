"""What goes out to one client: everything in its order, but for what is held back, left out or altered on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from .envelopes import numbered

if TYPE_CHECKING:
    from .minute import Key
    from .wire import Wire

__all__ = ["Numbering", "Outgoing", "Picked", "falsified"]


@dataclass(frozen=True, slots=True)
class Picked:
    """
    Which messages are meant; ``None`` for any.

    Attributes:
        types: Their ``type`` is one of these.
        product_id: Their product.
        channel: The channel that they are sent for, as the venue names it.
    """

    types: frozenset[str] | None = None
    product_id: str | None = None
    channel: str | None = None

    def has(self, kind: str, product_id: str, keys: Iterable[Key]) -> bool:
        """Tell whether a message of this type, product and channels is meant."""
        return (
            (self.types is None or kind in self.types)
            and self.product_id in {None, product_id}
            and (self.channel is None or any(channel == self.channel for channel, _ in keys))
        )


@dataclass(slots=True)
class _Tampering:
    """What becomes of each of the next ``left`` messages."""

    picked: Picked
    left: float
    alter: Callable[[bytes], list[bytes]]
    behind: int  # how many others overtake it


@dataclass(slots=True)
class _Late:
    """Frames that go out when ``left`` more messages have overtaken them."""

    picked: Picked
    left: int
    payloads: list[bytes] = field(default_factory=list)


def falsified(payload: bytes) -> list[bytes]:
    """
    Return a message that leads its reader to another book than the venue's, with no sign of it.

    An ``l2update``, or an event of ``l2_data``, gets one level more, at a price that nothing else ever touches; an
    ``open`` gets another size.
    """
    message: Any = msgspec.json.decode(payload)
    if isinstance(message, list):
        message[6] = "9" + message[6]
    elif "events" in message:
        updates = message["events"][0]["updates"]
        updates.append(updates[0] | {"side": "bid", "price_level": "0.01", "new_quantity": "1.00000000"})
    elif message["type"] == "open":
        message["remaining_size"] = "9" + message["remaining_size"]
    else:
        message["changes"].append(["buy", "0.01", "1.00000000"])
    return [msgspec.json.encode(message)]


class Outgoing:
    """
    The data frames of one connection.

    Args:
        wire: Where they go.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._stalled = False
        self._held: list[tuple[bytes, bool]] = []
        self._tampering: list[_Tampering] = []
        self._late: list[_Late] = []

    @property
    def can_flow(self) -> bool:
        """Whether what is sent now is written now."""
        return self._wire.can_send and not self._stalled

    def send(self, payload: bytes, kind: str = "", product_id: str = "", keys: Iterable[Key] = ()) -> None:
        """
        Send a message, unless something else is to become of it.

        Args:
            payload: Its bytes.
            kind: Its ``type``; empty if it has none.
            product_id: Its product; empty if it has none.
            keys: The channels and products that it is sent for; none for an answer.
        """
        tampering = self._take(kind, product_id, keys)
        payloads = [payload] if tampering is None else tampering.alter(payload)
        if tampering is not None and tampering.behind:
            self._late.append(_Late(tampering.picked, tampering.behind, payloads))
            return
        for altered in payloads:
            self.send_frame(altered)
        for late in [late for late in self._late if late.picked.has(kind, product_id, keys)]:
            late.left -= 1
            if not late.left:
                self._late.remove(late)
                for overtaken in late.payloads:
                    self.send_frame(overtaken)

    def send_frame(self, payload: bytes, *, binary: bool = False) -> None:
        """Send a data frame of any content; while stalled, keep it for later."""
        if self._stalled:
            self._held.append((payload, binary))
        elif self._wire.can_send:
            self._wire.send_frame(payload, binary=binary)

    def stall(self) -> None:
        """Hold back everything from now on."""
        self._stalled = True

    def resume(self) -> None:
        """Send what was held back, and hold nothing back any more."""
        self._stalled = False
        held, self._held = self._held, []
        for payload, binary in held:
            self.send_frame(payload, binary=binary)

    def tamper(
        self,
        picked: Picked,
        *,
        count: float,
        alter: Callable[[bytes], list[bytes]] = lambda payload: [payload],
        behind: int = 0,
    ) -> None:
        """
        Plan what becomes of the next ``count`` messages that are meant.

        Args:
            picked: Which are meant.
            count: How many of them.
            alter: Returns what is sent instead.
            behind: How many others that are meant overtake each.
        """
        if count > 0:
            self._tampering.append(_Tampering(picked, count, alter, behind))

    def behave(self) -> None:
        """Plan nothing any more, and send what was to be overtaken."""
        self._tampering.clear()
        late, self._late = self._late, []
        for overtaken in late:
            for payload in overtaken.payloads:
                self.send_frame(payload)

    def _take(self, kind: str, product_id: str, keys: Iterable[Key]) -> _Tampering | None:
        for tampering in self._tampering:
            if tampering.picked.has(kind, product_id, keys):
                tampering.left -= 1
                if not tampering.left:
                    self._tampering.remove(tampering)
                return tampering
        return None


class Numbering(Outgoing):
    """
    The same on the Advanced Trade feed, where each frame has a number; one that is left out on purpose has had it, too.

    Args:
        wire: Where they go.
    """

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._next = 0

    def send(self, payload: bytes, kind: str = "", product_id: str = "", keys: Iterable[Key] = ()) -> None:
        """Send a message with the next number, if it takes one, unless something else is to become of it."""
        frame = numbered(payload, self._next)
        if frame is not None:
            payload, self._next = frame, self._next + 1
        super().send(payload, kind, product_id, keys)
