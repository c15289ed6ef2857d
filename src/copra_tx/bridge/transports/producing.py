"""Producers on an asyncio transport: asyncio says when to pause, Twisted's producers want to be told."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPullProducer, IPushProducer, IReactorTime
from zope.interface import implementer

__all__ = ["Consumer"]


@implementer(IPushProducer)
class _Pulling:
    """A pull producer that is asked again and again, in turns of their own, until it is paused."""

    def __init__(self, producer: IPullProducer, clock: IReactorTime) -> None:
        self._producer, self._clock = producer, clock
        self._next: IDelayedCall | None = None

    def resumeProducing(self) -> None:
        if self._next is None:
            self._next = self._clock.callLater(0, self._pull)

    def _pull(self) -> None:
        self._next = self._clock.callLater(0, self._pull)
        self._producer.resumeProducing()

    def pauseProducing(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def stopProducing(self) -> None:
        self.pauseProducing()
        self._producer.stopProducing()


class Consumer:
    """
    The part of a transport that has a producer: Twisted's ``IConsumer``, for asyncio's ``pause_writing``.

    Attributes:
        connected: Whether it can write.
    """

    connected: bool
    _reactor: Any
    _producer: Any = None
    _is_full = False

    def _may_end(self) -> None:
        """End, if that was asked for: no producer is in the way any more."""
        raise NotImplementedError

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Have a producer write: it is paused while much is unwritten, or asked for more whenever little is.

        Raises:
            RuntimeError: If another one is registered.
        """
        if self._producer is not None:
            raise RuntimeError(f"cannot register {producer!r}: {self._producer!r} was never unregistered")
        if not self.connected:
            producer.stopProducing()
            return
        self._producer = producer if streaming else _Pulling(producer, self._reactor)
        if self._is_full:
            self._producer.pauseProducing()
        elif not streaming:
            self._producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Forget the producer; if the end was asked for, it comes now."""
        producer, self._producer = self._producer, None
        if isinstance(producer, _Pulling):
            producer.pauseProducing()
        self._may_end()

    def _stop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()

    def pause_writing(self) -> None:
        """Pause the producer: the loop says that too much is unwritten."""
        self._is_full = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def resume_writing(self) -> None:
        """Have the producer go on: all is written."""
        self._is_full = False
        if self._producer is not None:
            self._producer.resumeProducing()
