"""The callbacks that a user's client overrides, and what they do where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

if TYPE_CHECKING:
    from copra_tx.integrity.gaps import Gap

    from .callbacks import Callbacks
    from .status import Status

__all__ = ["Hooks"]

_log = Logger("copra_tx.websocket.client")  # as documented; and not the class' own, which would be a subclass'


class Hooks:
    """
    What happens, as a subclass of ``Client`` is told.

    Each one may be ``async`` or return a Deferred; the next one then waits for it. What one raises is logged and
    counted, and the line is kept.
    """

    name: str
    feed_url: str
    closing: bool

    @property
    def callbacks(self) -> Callbacks:
        """For the protocol: takes what happens on the line."""
        raise NotImplementedError

    def bring_reconnection(self) -> None:
        """Try again after the wait that is due, if that is wanted."""
        raise NotImplementedError

    def on_open(self) -> Any:
        """
        Subscribe, and log; called when the upgrade is done.

        An override must call this one, else nothing is subscribed to and the server drops the connection after 5
        s. Like every callback it may be ``async`` or return a Deferred; the next callback then waits for it.
        """
        _log.info("{name} connected to {url}", name=self.name, url=self.feed_url)
        self.callbacks.begin()

    def on_message(self, message: Any) -> Any:
        """
        Print a message (not while ``async for`` takes them); called for every message that is not an error.

        Args:
            message: A dict, as the server sent it; for data of ``level3`` a list. Prices and sizes are strings.
        """
        if not self.callbacks.is_iterated:
            print(message)  # noqa: T201  # documented

    def on_error(self, message: str, reason: str = "") -> Any:
        """
        Log an error; called for ``error`` messages of the server, and for input that cannot be used.

        Args:
            message: What is wrong.
            reason: More about it; often empty.
        """
        _log.error("{name}: {message}. {reason}", name=self.name, message=message, reason=reason)

    def on_status(self, status: Status) -> Any:
        """
        Do nothing; called when anything that the status tells has changed, but for its numbers.

        Args:
            status: As ``status`` is. While callbacks are slow, several changes may be told at once.
        """

    def on_gap(self, gap: Gap) -> Any:
        """
        Log a warning; called for messages that were sent and did not come, and again when all of them came late.

        It comes before the message that shows the gap. What was sent while there was no line is a gap, too.

        On the Advanced Trade feed every frame of a connection has a number. What is lost has neither channel nor
        product, so that ``level2`` is renewed at once, which brings fresh snapshots; nothing else is disturbed.

        Args:
            gap: What is missing.
        """
        _log.warn("{name}: {gap}", name=self.name, gap=gap)

    def on_backfill(self, gap: Gap, trades: list[dict[str, Any]]) -> Any:
        """
        Log how many trades came; called with ``backfill=True``, once for each gap of ``matches``.

        Not called for a gap that late messages have closed before (``on_gap`` tells that), nor after the product was
        unsubscribed from. What could not be had is told through ``on_error``, right after this.

        Args:
            gap: As it was told to ``on_gap``.
            trades: Those that did not come meanwhile, as REST has them, by ``trade_id``: dicts with ``trade_id``,
                ``time``, ``price``, ``size`` and ``side``, the maker's. Empty if none could be had.
        """
        count = f"{len(trades)} trade{'' if len(trades) == 1 else 's'}"
        _log.info("{name}: {count} fetched. {gap}", name=self.name, count=count, gap=gap)

    def on_stall(self, what: str, seconds: float) -> Any:
        """
        Log a warning; called when what should have come did not.

        If the line lives otherwise, the client subscribes anew to what is silent. If that does not help, or if nothing
        comes at all, it aborts the line, and reconnects.

        Args:
            what: ``open``, ``first answer``, ``first data``, ``heartbeat`` or ``pong``; or the name of a channel that
                brought nothing after a trade.
            seconds: For how long it was waited for.
        """
        _log.warn("{name}: no {what} for {seconds:g} s", name=self.name, what=what, seconds=seconds)

    def on_close(self, was_clean: bool, code: int, reason: str) -> Any:
        """
        Log the end of a connection, or of an attempt to get one, and bring the reconnection.

        Called exactly once for every attempt. An override must call this one to keep the reconnection.

        Args:
            was_clean: Whether the closing handshake was completed.
            code: The code of the close frame; 1006 if there was none, 1005 if it had none.
            reason: The server's words, or the cause in ours.
        """
        _log.info(
            "{name} connection to {url} {unexpectedly}closed. {reason}",
            name=self.name,
            url=self.feed_url,
            unexpectedly="" if self.closing else "unexpectedly ",
            reason=reason,
            code=code,
            was_clean=was_clean,
        )
        self.bring_reconnection()
