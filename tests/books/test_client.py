"""The client that keeps books: live, cleared, resynchronised, and told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from txaio.tx import config as txaio_config

from copra_tx.book import BookState, Level2Book, Level3Book, compare
from copra_tx.books import BookClient
from copra_tx.books.keeping import PATIENCE
from copra_tx.errors import ClientClosedError, ConfigurationError
from copra_tx.websocket import FEED_URL, Channel
from support.keepers import BTC, BookRecorder, Venue, channel, truth
from support.logs import logged
from support.reactors import FakeReactor
from support.world import outcome

EMPTY, SYNCING, LIVE, UNTRUSTED = BookState


@pytest.fixture
def venue(fake_reactor: FakeReactor) -> Iterator[Venue]:
    venue = Venue(fake_reactor)
    yield venue
    venue.end()


@pytest.mark.parametrize("name", ["full", "level3"])
def test_a_book_of_orders_is_the_venues(venue: Venue, name: str) -> None:
    client = venue.client(channel(name))
    live = outcome(client.when_live(BTC))
    venue.pass_time(10.0)
    book = client.books[BTC]
    assert live == [book]
    assert isinstance(book, Level3Book)
    assert client.states() == [LIVE]
    for _ in range(5):
        venue.pass_time(1.0)
        assert (book.state, truth(venue, book)) == (LIVE, True)
    assert book.faults.gaps == book.faults.strangers == book.faults.unreadable == 0
    assert outcome(client.when_live(BTC)) == [book]  # at once


@pytest.mark.parametrize("name", ["level2", "level2_batch"])
def test_a_book_of_levels_is_the_venues(venue: Venue, fake_reactor: FakeReactor, name: str) -> None:
    client = venue.client(channel(name))
    venue.pass_time(10.0)
    book = client.books[BTC]
    assert isinstance(book, Level2Book)
    assert (book.state, client.states(), book.verified) == (LIVE, [LIVE], "none")
    theirs = outcome(client.fetch_book(BTC, 2))
    venue.let_in()
    venue.pass_time(0.0, 1.0)
    fake_reactor.advance(0)
    assert len(book.bids()) > 10
    assert compare(book, theirs[0]) == []


def test_a_lost_line_clears_the_books_at_once(venue: Venue, fake_reactor: FakeReactor) -> None:
    client = venue.client(channel("full"))
    venue.pass_time(5.0)
    book = client.books[BTC]
    assert book.state is LIVE
    client.told.clear()
    venue.exchange.drop()
    fake_reactor.advance(0)
    assert (book.state, book.bids()) == (EMPTY, [])
    assert client.told[0] == ("book", BTC, EMPTY)
    live = outcome(client.when_live(BTC))
    venue.pass_time(10.0)
    assert live == [book]
    assert client.states() == [EMPTY, LIVE]
    assert truth(venue, book)


def test_after_close_nobody_waits_for_a_book(venue: Venue) -> None:
    client = venue.client(channel("full"))
    venue.pass_time(5.0)
    client.close()
    venue.pass_time(1.0)
    [failure] = outcome(client.when_live(BTC))
    assert failure.check(ClientClosedError)


def test_a_gap_is_mended_without_a_new_line(venue: Venue) -> None:
    client = venue.client(channel("full"))
    venue.pass_time(5.0)
    client.told.clear()
    venue.exchange.skip("received", count=1)
    venue.pass_time(10.0)
    book = client.books[BTC]
    assert (client.states()[:2], client.states()[-1], book.faults.gaps) == ([LIVE, UNTRUSTED], LIVE, 1)
    assert truth(venue, book)
    assert client.heard("close") == []
    assert venue.exchange.accepted_count - len(venue.exchange.rest_requests) <= 2


def test_old_and_early_snapshots_do_no_harm(venue: Venue) -> None:
    venue.exchange.serve_old_books(2, seconds=3.0)
    client = venue.client(channel("full"))
    venue.pass_time(10.0)
    book = client.books[BTC]
    assert (book.state, truth(venue, book)) == (LIVE, True)
    assert book.faults.stale_snapshots >= 1
    client.told.clear()
    venue.exchange.serve_early_books(1, seconds=2.0)
    venue.exchange.drop()
    venue.pass_time(12.0)
    assert (book.state, truth(venue, book)) == (LIVE, True)
    assert UNTRUSTED not in client.states()


def test_a_snapshot_that_the_feed_never_comes_to_is_fetched_again(venue: Venue) -> None:
    venue.exchange.serve_early_books(1, seconds=40.0)
    client = venue.client(channel("full"))
    venue.pass_time(4.0)
    book = client.books[BTC]
    ahead = book.sequence
    assert book.state is LIVE
    venue.pass_time(8.0)
    assert client.states() == [LIVE, EMPTY, SYNCING, LIVE]
    assert book.sequence < ahead
    assert truth(venue, book)


def test_what_rest_refuses_is_told_and_asked_again(venue: Venue) -> None:
    venue.exchange.refuse_requests(1, status=404)
    venue.exchange.cut_requests(1)
    client = venue.client(channel("full"))
    venue.pass_time(15.0)
    book = client.books[BTC]
    assert (book.state, truth(venue, book)) == (LIVE, True)
    ((message, reason),) = client.heard("error")
    assert message == "the book of BTC-USD cannot be had from REST now; it is asked for again"
    assert "HTTP status 404" in reason


def test_a_quiet_product_gets_its_book_too(fake_reactor: FakeReactor) -> None:
    venue = Venue(fake_reactor, order_rate=0.001)
    client = venue.client(channel("full"))
    venue.pass_time(3.0)
    assert client.books[BTC].state is LIVE
    assert truth(venue, client.books[BTC])
    venue.end()


def test_a_crossed_book_of_levels_gets_a_fresh_snapshot(venue: Venue) -> None:
    client = venue.client(channel("level2"), heartbeats=False)
    venue.pass_time(2.0)
    book = client.books[BTC]
    client.told.clear()
    change = ["buy", str(book.best_ask[0]), "1"]
    venue.exchange.send({"type": "l2update", "product_id": BTC, "changes": [change]})
    venue.pass_time(0.5)
    assert client.states() == [UNTRUSTED, LIVE]
    venue.pass_time(20.0)
    assert [request["type"] for request in venue.connection.received] == ["subscribe", "unsubscribe", "subscribe"]
    assert (client.states(), client.heard("close")) == ([UNTRUSTED, LIVE], [])


@pytest.mark.parametrize("name", ["level2", "full"])
def test_an_audit_finds_nothing_in_a_good_book(venue: Venue, name: str) -> None:
    client = venue.client(channel(name), audit_every=5.0)
    venue.pass_time(40.0)
    book = client.books[BTC]
    assert (book.state, book.verified) == (LIVE, "audit" if name == "level2" else "sequence")
    assert client.heard("drift") == client.heard("error") == []
    assert sum("level=2" in target for target in venue.exchange.rest_requests) >= 3
    if name == "full":
        assert truth(venue, book)


def test_an_audit_finds_a_drift_and_mends_it(venue: Venue) -> None:
    client = venue.client(channel("level2"), audit_every=5.0)
    venue.pass_time(2.0)
    venue.exchange.send({"type": "l2update", "product_id": BTC, "changes": [["buy", "0.01", "5"]]})
    venue.pass_time(10.0)
    ((product_id, drifts),) = client.heard("drift")
    assert (product_id, [(str(drift.price), str(drift.ours), drift.theirs) for drift in drifts]) == (
        BTC,
        [("0.01", "5", None)],
    )
    book = client.books[BTC]
    assert client.states() == [LIVE, UNTRUSTED, LIVE]
    assert book.bids()[-1][0] > 1
    venue.pass_time(15.0)
    assert book.verified == "audit"


def test_an_audit_that_rest_refuses_is_told(venue: Venue) -> None:
    venue.exchange.refuse_requests(1, status=404)
    client = venue.client(channel("level2"), audit_every=5.0)
    venue.pass_time(12.0)
    assert len(client.heard("error")) == 1
    assert client.books[BTC].state is LIVE


class Turns(FakeReactor):
    """Counts how often the loop gets its turn in the midst of something."""

    count = 0

    def callLater(self, delay: float, function: Any, *arguments: Any, **named: Any) -> Any:
        self.count += not delay
        return super().callLater(delay, function, *arguments, **named)


def test_a_large_snapshot_leaves_the_loop_its_turns() -> None:
    reactor = txaio_config.loop = Turns()
    venue = Venue(reactor, seed=None)
    client = venue.client(channel("level2_batch"))
    before = reactor.count
    venue.pass_time(1.0)
    book = client.books[BTC]
    assert client.states() == [SYNCING, LIVE]
    assert (len(book.bids()) + len(book.asks())) / (reactor.count - before) < 3000
    venue.pass_time(3.0)
    assert book.state is LIVE
    venue.end()


# Subscribing.


@pytest.mark.parametrize("name", ["level2", "level2_batch"])
def test_a_first_snapshot_that_is_lost_is_asked_for_again(venue: Venue, name: str) -> None:
    client = venue.client(Channel("ticker", BTC))
    venue.pass_time(1.0)
    venue.exchange.skip("snapshot", BTC)
    client.subscribe(channel(name))
    venue.pass_time(PATIENCE - 1.0)
    assert (client.books[BTC].state, client.books[BTC].faults.early > 0) == (EMPTY, True)
    venue.pass_time(3.0)
    assert client.states() == [LIVE]
    assert client.counters.connections == 1


def test_books_come_and_go_with_their_products(fake_reactor: FakeReactor) -> None:
    venue = Venue(fake_reactor, products=[BTC, "ETH-USD"])
    client = venue.client(channel("full"))
    venue.pass_time(3.0)
    client.subscribe(Channel("level2", "ETH-USD"))
    client.subscribe(Channel("matches", "ETH-USD"))
    waits = outcome(client.when_live("ETH-USD"))
    venue.pass_time(2.0)
    assert waits == [client.books["ETH-USD"]]
    assert set(client.books) == {BTC, "ETH-USD"}
    client.unsubscribe(Channel("full", BTC))
    assert set(client.books) == {"ETH-USD"}
    venue.pass_time(2.0)
    assert client.books["ETH-USD"].state is LIVE
    with pytest.raises(ConfigurationError, match="no book of 'BTC-USD' is kept"):
        client.when_live(BTC)
    venue.end()


def test_who_waits_for_a_book_that_goes_is_told(venue: Venue) -> None:
    client = venue.client(channel("full"))
    gone = outcome(client.when_live(BTC))
    client.unsubscribe(channel("full"))
    assert gone[0].check(ClientClosedError)
    client.subscribe(channel("full"))
    closed = outcome(client.when_live(BTC))
    venue.exchange.delay_requests(1, seconds=20)
    venue.pass_time(0.5)
    client.close()
    venue.pass_time(3.0)
    assert closed[0].check(ClientClosedError)


def test_who_waits_is_told_when_the_line_is_given_up(venue: Venue) -> None:
    client = venue.client(channel("full"), auto_reconnect=False)
    venue.exchange.delay_requests(5, seconds=100)
    venue.pass_time(1.0)
    waits = outcome(client.when_live(BTC))
    assert waits == []
    venue.exchange.drop()
    venue.pass_time(1.0)
    assert "connection" in str(waits[0].value)


def test_closing_in_the_midst_of_a_fetch_leaves_nothing(venue: Venue) -> None:
    venue.exchange.delay_requests(1, seconds=20)
    client = venue.client(channel("full"), audit_every=1.0)
    venue.pass_time(1.0)
    assert client.books[BTC].state is SYNCING
    client.close()
    venue.pass_time(3.0)
    assert (client.books[BTC].state, client.heard("error")) == (EMPTY, [])


def test_a_closed_client_can_be_used_again(venue: Venue) -> None:
    client = venue.client(channel("full"))
    venue.pass_time(3.0)
    client.close()
    venue.pass_time(3.0)
    client.add_as_task_to_loop()
    venue.pass_time(5.0)
    assert client.books[BTC].state is LIVE
    assert truth(venue, client.books[BTC])


class Careless(BookRecorder):
    def on_book(self, book: Any) -> None:
        super().on_book(book)
        raise ArithmeticError


class CarelessLater(BookRecorder):
    async def on_book(self, book: Any) -> None:  # type: ignore[override]
        super().on_book(book)
        raise ArithmeticError


@pytest.mark.parametrize("kind", [Careless, CarelessLater])
def test_a_mistake_in_on_book_is_told_as_one_of_on_book(venue: Venue, logged_errors: Any, kind: Any) -> None:
    with logged() as log:
        client = venue.client(channel("full"), kind=kind)
        venue.pass_time(5.0)
        client.close()
        venue.pass_time(3.0)
    assert len(logged_errors.flush(ArithmeticError)) == client.counters.callback_failures > 10
    assert {line for line in log.lines("copra_tx") if "failed" in line} == {"on_book failed; the line is kept"}


def test_a_mistake_in_on_book_hurts_neither_line_nor_book(venue: Venue, logged_errors: Any) -> None:
    client = venue.client(channel("full"), kind=Careless)
    venue.pass_time(5.0)
    assert client.books[BTC].state is LIVE
    assert truth(venue, client.books[BTC])
    assert client.heard("close") == []
    client.close()
    venue.pass_time(3.0)
    assert len(logged_errors.flush(ArithmeticError)) == client.counters.callback_failures > 10


@pytest.mark.parametrize(
    ("channels", "options", "words"),
    [
        ([Channel("full", BTC), Channel("level2", BTC)], {}, "a product has one book: BTC-USD"),
        (Channel("level2", BTC), {"decode": "lazy"}, "decode must be 'dict'"),
        (Channel("level2", BTC), {"audit_every": -1}, "audit_every is a number of seconds"),
        (Channel("level2", BTC), {"audit_every": True}, "audit_every is a number of seconds"),
        (Channel("level2", BTC), {"audit_every": 60}, "name it with rest_url="),
        (Channel("full", BTC), {}, "name it with rest_url="),
        (["full"], {}, "channels is a Channel or a list"),
    ],
)
def test_what_cannot_work_is_refused_at_birth(channels: Any, options: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        BookClient(None, channels, "ws://127.0.0.1:1", reactor=FakeReactor(), auto_connect=False, **options)


def test_the_venues_own_feed_needs_no_rest_url() -> None:
    client = BookClient(None, Channel("full", BTC), FEED_URL, reactor=FakeReactor(), auto_connect=False)
    with pytest.raises(ConfigurationError, match="a product has one book"):
        client.subscribe(Channel("level2", BTC))
    assert list(client.books) == [BTC]
    assert client.on_book(client.books[BTC]) is None
