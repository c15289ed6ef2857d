"""The client that keeps books."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterable, Mapping
from inspect import isawaitable
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure

from copra_tx.book import Book, BookState, Drift, Level2Book, Level3Book
from copra_tx.bridge import AwaitableDeferred
from copra_tx.bridge.coroutines import FAILURES
from copra_tx.errors import ClientClosedError, ConfigurationError
from copra_tx.feed.exchange import FEED_URL, listed
from copra_tx.integrity.gaps import Gap
from copra_tx.rest import RestClient, rest_url_of
from copra_tx.websocket import Channel, Client, State
from copra_tx.websocket.fitting import as_list

from .keeping import Keeper, Keeper2, Keeper3

__all__ = ["BookClient"]

LEVEL2 = frozenset({"level2", "level2_batch"})
"""The channels of which a ``Level2Book`` is made."""

LEVEL3 = frozenset({"full", "level3"})
"""The channels of which a ``Level3Book`` is made; both need an API key."""

_log = Logger()  # not the class' own: Twisted would log under a subclass' name, outside of our namespace


class BookClient(Client):
    """
    A client that keeps a book of each product of its book channels.

    ``level2`` (of both feeds) and ``level2_batch`` make a ``Level2Book``, ``full`` and ``level3`` a ``Level3Book``,
    whose snapshots it fetches over REST; a product has one of them. Other channels may be held beside them. A lost line
    clears every book at once. A book that is crossed, or has a gap, is ``UNTRUSTED`` and gets a new snapshot without a
    new line; large snapshots are taken in slices, so that the loop is never held for long. What goes wrong on the way
    is told through ``on_error`` and tried again.

    Override ``on_book``; an override of ``on_message`` (or of ``on_open`` or ``on_gap``) must call ``super()``, and
    return what that returns, else the books stand still::

        class Spread(BookClient):
            def on_book(self, book):
                if book.state is BookState.LIVE:
                    print(book.best_bid, book.best_ask)

    Args:
        loop, channels, feed_url, positional, options: As for ``Client``, except that ``decode`` must be ``"dict"``.
        rest_url: Address of the REST interface; it follows from ``feed_url`` where that is the venue's. It is needed
            for ``full`` and ``level3``, for audits, and for ``backfill``.
        audit_every: Seconds between two audits of a book, which compare it with REST's; 0 for none. One takes
            5 s. A ``Level2Book`` of the Exchange feed has no other proof: what is lost is not noticed unless the book
            is crossed by it.

    Raises:
        ConfigurationError: (a ``ValueError``) If an argument cannot work.
    """

    def __init__(
        self,
        loop: Any,
        channels: Channel | Iterable[Channel],
        feed_url: str = FEED_URL,
        *positional: Any,
        rest_url: str | None = None,
        audit_every: float = 0.0,
        **options: Any,
    ) -> None:
        if options.get("decode", "dict") != "dict":
            raise ConfigurationError(f"decode must be 'dict' for books, not {options['decode']!r}")
        if isinstance(audit_every, bool) or not isinstance(audit_every, int | float) or not 0 <= audit_every < 1e9:
            raise ConfigurationError(f"audit_every is a number of seconds, or 0, not {audit_every!r}")
        wanted = as_list(channels)
        self.__books: dict[str, Book[Any]] = {}
        self.__channels: dict[str, str] = {}
        self.__keepers: dict[str, Keeper] = {}
        self.__waiting: dict[str, list[AwaitableDeferred[Any]]] = {}
        self.__is_deaf, self.__is_watched = True, False
        self.__audit_every = audit_every
        self.__rest: RestClient | None = None
        self.__check(wanted, feed_url, rest_url)
        super().__init__(loop, wanted, feed_url, *positional, rest_url=rest_url, **options)
        self.__adopt(wanted)

    # -- what there is to use

    @property
    def books(self) -> Mapping[str, Book[Any]]:
        """Product id to its book; a live read-only view."""
        return MappingProxyType(self.__books)

    def when_live(self, product_id: str) -> AwaitableDeferred[Book[Any]]:
        """
        Wait for a book.

        Returns:
            Fires with the book when it is ``LIVE``, at once if it is. Fails with a ``LineError`` if the line is given
            up, and with a ``ClientClosedError`` after ``close()``, or when the product is unsubscribed from.

        Raises:
            ConfigurationError: If no book of this product is kept.
        """
        if product_id not in self.__books:
            raise ConfigurationError(f"no book of {product_id!r} is kept; subscribe to a book channel of it first")
        live: AwaitableDeferred[Book[Any]] = AwaitableDeferred()
        if self.__books[product_id].state is BookState.LIVE:
            live.callback(self.__books[product_id])
        elif self.closing:
            live.errback(ClientClosedError(f"the book of {product_id}"))
        else:
            self.__waiting.setdefault(product_id, []).append(live)
            self.__watch_line()
        return live

    def on_book(self, book: Book[Any]) -> Any:
        """
        Do nothing; called after each message that changed a book, and when its state changed otherwise.

        Args:
            book: It, a ``Level2Book`` or ``Level3Book``. Look at ``book.state`` before you read.
        """

    def on_drift(self, book: Book[Any], drifts: Collection[Drift]) -> Any:
        """
        Log what an audit found; the book is ``UNTRUSTED`` then, and gets a new snapshot.

        Args:
            book: It.
            drifts: The levels that differ from REST's, best first.
        """
        first = next(iter(drifts))
        _log.warn(
            "{name}: the book of {product_id} has drifted: {count} levels differ from REST's, the first is {first}",
            name=self.name,
            product_id=book.product_id,
            count=len(drifts),
            first=first,
        )

    # -- what the client is told

    def on_open(self) -> Any:
        """Subscribe, as every client, and begin with empty books; an override must call this one."""
        self.__is_deaf = False
        self.disconnected.when_set().addCallback(self.__lost)
        if self.__audit_every:
            for keeper in self.__keepers.values():
                keeper.audit_every(self.__audit_every)
        return super().on_open()

    def on_message(self, message: Any) -> Any:
        """Keep the books; called for every message that is not an error, as in every client."""
        if self.__is_deaf:  # it came on a line that is lost by now
            return None
        keeper = self.__keeper_of(message)
        if keeper is None:
            return self.__spread(message)
        if not keeper.take(message):
            return None
        if self.__waiting:
            self.__tell_live(keeper.book)
        try:
            result = self.on_book(keeper.book)
        except FAILURES:  # it is not one of on_message
            self.callbacks.failed("on_book", keeper.book)
            return None
        return self.__waited_for(result, keeper.book) if result is not None and isawaitable(result) else None

    def on_gap(self, gap: Gap) -> Any:
        """
        Log a gap, as every client; an override must call this one.

        A gap in the numbers of a whole connection, as on Advanced Trade, may be one of any book: each that is made of
        levels is ``UNTRUSTED`` until its new snapshot is there, for which the client has asked.
        """
        if not gap.channel and not gap.recovered:
            for keeper in self.__keepers.values():
                if isinstance(keeper, Keeper2) and keeper.book.state is BookState.LIVE:
                    keeper.distrust(str(gap))
                    self.tell_book(keeper.book)
        return super().on_gap(gap)

    def subscribe(self, channels: Channel | Iterable[Channel]) -> AwaitableDeferred[None]:
        """Subscribe, and keep books of what is new in book channels; otherwise as ``Client.subscribe``."""
        wanted = as_list(channels)
        self.__check(wanted, self.feed_url, self.options.rest_url)
        subscribed = super().subscribe(wanted)
        self.__adopt(wanted)
        return subscribed

    def unsubscribe(self, channels: Channel | Iterable[Channel]) -> AwaitableDeferred[None]:
        """Unsubscribe, and drop the books of it; otherwise as ``Client.unsubscribe``."""
        unsubscribed = super().unsubscribe(channels)
        for product_id, name in list(self.__channels.items()):
            if name not in self.channels or product_id not in self.channels[name].product_ids:
                self.__keepers.pop(product_id).clear()
                del self.__books[product_id], self.__channels[product_id]
                self.__fail_waiting(ClientClosedError(f"the book of {product_id}"), product_id)
        return unsubscribed

    def close(self) -> AwaitableDeferred[None]:
        """Close, as every client; what is asked of REST ends, too."""
        closed = super().close()
        if self.__rest is not None:
            self.__rest.close()
            self.__rest = None
        return closed

    # -- for the keepers

    def fetch_book(self, product_id: str, level: int) -> Awaitable[dict[str, Any]]:
        """Ask REST for a book."""
        if self.closing:
            raise ClientClosedError(f"the book of {product_id}")
        if self.__rest is None:
            self.__rest = RestClient(self.reactor, self.options.rest_url or rest_url_of(self.feed_url), self.options)
        return self.__rest.book(product_id, level)

    def renew_book(self, book: Book[Any]) -> None:
        """Ask the feed for a fresh snapshot."""
        self.renew(Channel(self.__channels[book.product_id], book.product_id))

    def tell_book(self, book: Book[Any]) -> None:
        """Call ``on_book``, for something that is not the doing of the message being delivered."""
        self.callbacks.call("on_book", self.on_book, book)
        self.__tell_live(book)

    def tell_trouble(self, book: Book[Any], error: Exception) -> None:
        """Call ``on_error`` for what a book needs and cannot get now."""
        words = f"the book of {book.product_id} cannot be had from REST now; it is asked for again"
        self.callbacks.call("on_error", self.on_error, words, str(error))

    def tell_drift(self, book: Book[Any], drifts: Collection[Drift]) -> None:
        """Call ``on_drift``."""
        self.callbacks.call("on_drift", self.on_drift, book, drifts)

    # -- inside

    async def __waited_for(self, result: Awaitable[object], book: Book[Any]) -> None:
        try:
            await result
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001  # as above
            self.callbacks.failed("on_book", book)

    def __check(self, channels: Iterable[Channel], feed_url: str, rest_url: str | None) -> None:
        taken = dict(self.__channels)
        for channel in channels:
            for product_id in channel.product_ids if channel.name in LEVEL2 | LEVEL3 else ():
                other = taken.setdefault(product_id, channel.name)
                if other != channel.name:
                    raise ConfigurationError(
                        f"a product has one book: {product_id} is in {other!r} and {channel.name!r}; choose one"
                    )
        if rest_url is None and (self.__audit_every or LEVEL3.intersection(taken.values())):
            rest_url_of(feed_url)

    def __adopt(self, channels: Iterable[Channel]) -> None:
        for channel in channels:
            for product_id in channel.product_ids if channel.name in LEVEL2 | LEVEL3 else ():
                if product_id in self.__books:
                    continue
                keeper = self.__new_keeper(channel.name, product_id)
                self.__channels[product_id], self.__keepers[product_id] = channel.name, keeper
                self.__books[product_id] = keeper.book
                if self.__is_deaf:
                    continue
                if isinstance(keeper, Keeper2):
                    self.__catch_up(keeper)
                if self.__audit_every:
                    keeper.audit_every(self.__audit_every)

    def __new_keeper(self, channel_name: str, product_id: str) -> Keeper:
        if channel_name in LEVEL3:
            return Keeper3(Level3Book(product_id), self, self.reactor)
        wire_id = self.dialect.wire_id(channel_name, product_id)
        book = Level2Book(product_id, is_numbered=self.dialect.is_numbered, wire_id=wire_id)
        return Keeper2(book, self, self.reactor)

    def __catch_up(self, keeper: Keeper2) -> None:
        """Help a new book for which the server may send no snapshot, since it holds the product already."""
        product_id = keeper.book.product_id
        name = self.__channels[product_id]
        wire_id = self.dialect.wire_id(name, product_id)
        twins = [
            twin.book
            for other, twin in self.__keepers.items()
            if twin is not keeper and isinstance(twin, Keeper2) and self.dialect.wire_id(name, other) == wire_id
        ]
        live = next((twin for twin in twins if twin.state is BookState.LIVE), None)
        if live is not None:
            keeper.book.copy_from(live)
            self.tell_book(keeper.book)
        elif any(twin.state is BookState.SYNCING for twin in twins) or self.__is_held(name, product_id):
            keeper.expect_snapshot()

    def __is_held(self, name: str, product_id: str) -> bool:
        confirmed = self.status.confirmed.get(name)
        return confirmed is not None and product_id in confirmed.product_ids

    def __keeper_of(self, message: Any) -> Keeper | None:
        """Return the keeper of the one product that a message is about."""
        try:
            return self.__keepers.get(message["product_id"] if type(message) is dict else message[1])
        except (KeyError, IndexError, TypeError):
            return None

    def __spread(self, message: Any) -> None:
        """Take what is about several products, or none: each keeper knows what is for it."""
        if type(message) is not dict or message.get("type") == "level3" or message.get("channel") == "l2_data":
            for keeper in self.__keepers.values():
                if keeper.take(message):
                    self.tell_book(keeper.book)
        elif message.get("type") == "subscriptions":
            held = listed(message)
            for product_id, name in self.__channels.items():
                if name in LEVEL3 and product_id in held.get(name, ()):
                    self.__keepers[product_id].begin()

    def __lost(self, _: object) -> None:
        self.__is_deaf = True
        changed = [keeper for keeper in self.__keepers.values() if keeper.book.state is not BookState.EMPTY]
        for keeper in self.__keepers.values():
            keeper.clear()
        for keeper in changed:  # which on_book may take away
            if self.__keepers.get(keeper.book.product_id) is keeper:
                self.callbacks.call("on_book", self.on_book, keeper.book)
        if self.__waiting:
            self.__watch_line()

    def __watch_line(self) -> None:
        """Tell those who wait for a book when no further line can bring it."""
        if not self.__is_watched and self.line.state is not State.OPEN:
            self.__is_watched = True
            self.line.opened_or_given_up().addCallbacks(self.__line_opened, self.__line_given_up)

    def __line_opened(self, _: None) -> None:
        self.__is_watched = False

    def __line_given_up(self, reason: Failure) -> None:
        self.__is_watched = False
        for product_id in list(self.__waiting):
            self.__fail_waiting(reason.value or ClientClosedError(f"the book of {product_id}"), product_id)

    def __tell_live(self, book: Book[Any]) -> None:
        if book.state is BookState.LIVE:
            for waiting in self.__waiting.pop(book.product_id, ()):
                waiting.callback(book)

    def __fail_waiting(self, error: BaseException, product_id: str) -> None:
        for waiting in self.__waiting.pop(product_id, ()):
            waiting.errback(error)
