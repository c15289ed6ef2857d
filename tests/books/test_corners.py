"""The client that keeps books: what seldom happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from copra_tx.book import BookState, Level3Book
from copra_tx.websocket import Channel
from support.keepers import BTC, BookRecorder, Venue, channel, truth
from support.reactors import FakeReactor
from support.world import outcome

EMPTY, SYNCING, LIVE, UNTRUSTED = BookState


@pytest.fixture
def venue(fake_reactor: FakeReactor) -> Iterator[Venue]:
    venue = Venue(fake_reactor)
    yield venue
    venue.end()


class Slow(BookRecorder):
    """Takes its time for the first change of a line."""

    gate: Deferred[None] | None = None

    async def on_book(self, book: Any) -> None:  # type: ignore[override]
        super().on_book(book)
        if self.gate is None:
            self.gate = Deferred()
            await self.gate


def test_what_came_on_a_lost_line_does_not_come_into_a_book(venue: Venue, fake_reactor: FakeReactor) -> None:
    """It may have waited for a slow callback meanwhile."""
    client = venue.client(channel("level2"), kind=Slow)
    venue.pass_time(3.0)
    assert client.states() == [LIVE]
    venue.exchange.drop()
    fake_reactor.advance(0)
    book = client.books[BTC]
    assert (book.state, book.faults.early) == (EMPTY, 0)
    venue.exchange.drop_on_accept(100)
    client.gate.callback(None)
    fake_reactor.advance(0.5)
    assert (book.state, book.faults.early, client.states()) == (EMPTY, 0, [LIVE, EMPTY])


class Leaving(BookRecorder):
    """Wants a book no more that it has lost, and looks at the others then."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.others: list[BookState] = []
        super().__init__(*args, **options)

    def on_book(self, book: Any) -> None:
        super().on_book(book)
        if book.state is EMPTY:
            self.others += [other.state for other in self.books.values()]
            for product_id in list(self.books):
                self.unsubscribe(Channel("level2", product_id))


def test_all_books_are_cleared_before_on_book_tells_of_one_and_it_may_unsubscribe(
    fake_reactor: FakeReactor,
) -> None:
    venue = Venue(fake_reactor, products=[BTC, "ETH-USD"])
    client = venue.client(channel("level2", BTC, "ETH-USD"), kind=Leaving)
    venue.pass_time(3.0)
    books = list(client.books.values())
    assert [book.state for book in books] == [LIVE, LIVE]
    client.told.clear()
    venue.exchange.drop()
    fake_reactor.advance(0)
    assert [book.state for book in books] == client.others == [EMPTY, EMPTY]
    assert len(client.heard("book")) == 1
    venue.end()


class Displeased(BookRecorder):
    """Wants no book that there was trouble with, nor one that is live."""

    def on_drift(self, book: Any, drifts: Any) -> None:
        super().on_drift(book, drifts)
        self.unsubscribe(Channel("level2", BTC))

    def on_error(self, message: str, reason: str = "") -> None:
        super().on_error(message, reason)
        self.unsubscribe(Channel("full", BTC))

    def on_book(self, book: Any) -> None:
        super().on_book(book)
        if isinstance(book, Level3Book):
            self.unsubscribe(Channel("full", BTC))


def test_a_book_that_on_drift_unsubscribes_from_is_neither_renewed_nor_audited(venue: Venue) -> None:
    client = venue.client(channel("level2"), kind=Displeased, audit_every=5.0)
    venue.pass_time(2.0)
    venue.exchange.send({"type": "l2update", "product_id": BTC, "changes": [["buy", "0.01", "5"]]})
    venue.pass_time(10.0)
    assert len(client.heard("drift")) == 1
    asked = len(venue.exchange.rest_requests)
    venue.pass_time(20.0)
    assert len(venue.exchange.rest_requests) == asked


def test_a_book_that_on_error_unsubscribes_from_is_not_asked_for_again(venue: Venue) -> None:
    venue.exchange.refuse_requests(1, status=404)
    client = venue.client(channel("full"), kind=Displeased)
    venue.pass_time(10.0)
    assert len(client.heard("error")) == len(venue.exchange.rest_requests) == 1
    assert client.states() == []


def test_a_book_that_on_book_unsubscribes_from_leaves_no_timer(venue: Venue, fake_reactor: FakeReactor) -> None:
    client = venue.client(channel("full"), kind=Displeased)
    for _ in range(100):
        if not client.states():
            venue.pass_time(0.1)
    client.close()
    venue.exchange.stopService()
    venue.pass_time(3.0, step=0.5)
    assert fake_reactor.getDelayedCalls() == []


def test_books_of_the_other_feed_are_kept_too(venue: Venue) -> None:
    client = venue.client(channel("level2"))
    venue.pass_time(1.0)
    updates = [{"side": "bid", "price_level": "5", "new_quantity": "1"}]
    events = [{"type": "snapshot", "product_id": BTC, "updates": updates}]
    client.told.clear()
    client.on_message({"channel": "l2_data", "sequence_num": 0, "events": events})
    assert [str(price) for price, _ in client.books[BTC].bids()] == ["5"]
    assert client.states() == [LIVE]
    client.on_message({"channel": "l2_data", "sequence_num": 0, "events": 5})
    client.on_message(["words"])
    client.on_message({"type": "status"})
    assert client.states() == [LIVE]


def test_subscribing_to_the_same_again_keeps_the_book(venue: Venue) -> None:
    client = venue.client(channel("level2"))
    venue.pass_time(1.0)
    book = client.books[BTC]
    client.subscribe(channel("level2"))
    venue.pass_time(1.0)
    assert (client.books[BTC], book.state, book.builds) == (book, LIVE, 1)


def test_what_is_subscribed_to_later_is_audited_too(fake_reactor: FakeReactor) -> None:
    venue = Venue(fake_reactor, products=[BTC, "ETH-USD"])
    client = venue.client(channel("level2"), audit_every=3.0)
    venue.pass_time(1.0)
    client.subscribe(channel("level2", "ETH-USD"))
    venue.pass_time(12.0)
    assert client.books["ETH-USD"].verified == "audit"
    venue.end()


def test_a_book_that_is_not_live_is_not_audited(venue: Venue) -> None:
    venue.exchange.refuse_requests(100, status=404)
    client = venue.client(channel("full"), audit_every=1.0)
    venue.pass_time(6.0)
    assert client.books[BTC].state is SYNCING
    assert not any("level=2" in target for target in venue.exchange.rest_requests)


def test_an_audit_of_a_book_that_was_built_anew_meanwhile_says_nothing(venue: Venue) -> None:
    client = venue.client(channel("level2"), audit_every=5.0)
    venue.pass_time(9.0)  # one is under way
    client.renew(channel("level2"))
    venue.pass_time(3.0)
    assert (client.books[BTC].verified, client.books[BTC].state) == ("none", LIVE)
    assert any("level=2" in target for target in venue.exchange.rest_requests)
    venue.pass_time(10.0)
    assert client.books[BTC].verified == "audit"


def test_a_fresh_snapshot_that_does_not_come_is_asked_for_again(venue: Venue) -> None:
    client = venue.client(channel("level2"))
    venue.pass_time(2.0)
    book = client.books[BTC]
    venue.exchange.skip("snapshot", count=2)
    venue.exchange.send(
        {"type": "l2update", "product_id": BTC, "changes": [["buy", str(book.best_ask[0]), "1"]]}  # crosses
    )
    venue.pass_time(8.0)
    assert book.state is UNTRUSTED
    venue.pass_time(20.0)
    assert book.state is LIVE
    assert client.heard("close") == []


class Broken(BookRecorder):
    def fetch_book(self, product_id: str, level: int) -> Any:
        raise ArithmeticError


def test_a_mistake_in_the_keeping_is_logged(venue: Venue, logged_errors: Any) -> None:
    client = venue.client(channel("full"), kind=Broken)
    venue.pass_time(0.25)
    client.close()
    venue.pass_time(3.0)
    assert logged_errors.flush(ArithmeticError)


def test_after_close_nothing_is_fetched(venue: Venue) -> None:
    client = venue.client(channel("full"))
    venue.pass_time(2.0)
    fetched = len(venue.exchange.rest_requests)
    client.close()
    client.on_message({"type": "open", "product_id": BTC, "sequence": 10**12})  # a gap
    venue.pass_time(3.0)
    assert len(venue.exchange.rest_requests) == fetched


def test_a_second_gap_while_the_first_is_mended_is_mended_too(venue: Venue) -> None:
    client = venue.client(channel("full"))
    venue.pass_time(3.0)
    venue.exchange.delay_requests(1, seconds=2.0)
    venue.exchange.skip("open", count=1)
    venue.pass_time(1.5)
    venue.exchange.skip("open", count=1)
    venue.pass_time(12.0)
    book = client.books[BTC]
    assert (book.state, truth(venue, book)) == (LIVE, True)
    assert book.faults.gaps >= 2


def test_waiting_for_a_book_before_there_is_a_line_and_twice(venue: Venue) -> None:
    client = venue.client(channel("level2"))
    first, second = outcome(client.when_live(BTC)), outcome(client.when_live(BTC))
    venue.pass_time(2.0)
    assert first == second == [client.books[BTC]]
