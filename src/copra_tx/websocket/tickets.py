"""What was asked and is not answered yet, and who waits for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from twisted.internet.interfaces import IDelayedCall

from copra_tx.bridge import AwaitableDeferred
from copra_tx.errors import SubscriptionError
from copra_tx.feed.dialect import Kind

from .channel import Channel

__all__ = ["OpenRequest", "Ticket", "each_waiting", "meet", "without"]

T = TypeVar("T")


@dataclass(slots=True)
class OpenRequest:
    """What was asked and is not answered yet."""

    kind: Kind
    channels: Sequence[Channel]
    deadline: IDelayedCall
    words: list[str] = field(default_factory=list)
    grace: IDelayedCall | None = None

    def stop_timers(self) -> None:
        """Wait for nothing more."""
        for timer in (self.deadline, self.grace):
            if timer is not None and timer.active():
                timer.cancel()


@dataclass(slots=True, eq=False)
class Ticket:
    """A caller waiting for what it asked for."""

    kind: Kind
    channels: Sequence[Channel]
    done: AwaitableDeferred[None]
    errors: list[SubscriptionError] = field(default_factory=list)
    renewing: bool = False


def without(channel: Channel, others: Iterable[Channel]) -> list[Channel]:
    """Return what of a channel is not in a list of others."""
    rest: Channel | None = channel
    for other in others:
        if rest is not None and other.name == rest.name:
            rest = rest - other
    return [] if rest is None else [rest]


def meet(some: Iterable[Channel], others: Iterable[Channel]) -> bool:
    """Tell whether two lists of channels have anything in common."""
    by_name: dict[str, list[Channel]] = {}
    for channel in others:
        by_name.setdefault(channel.name, []).append(channel)
    return any(
        not one.members or not other.members or not one.members.isdisjoint(other.members)
        for one in some
        for other in by_name.get(one.name, ())
    )


def each_waiting(those: list[T]) -> Iterator[T]:
    """Yield those who wait now and still do in their turn: what the first ones are told may make them cancel others."""
    return (one for one in list(those) if one in those)
