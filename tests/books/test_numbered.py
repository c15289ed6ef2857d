"""Books of the Advanced Trade feed, where a gap may be one of any book."""

from __future__ import annotations

from typing import Any

import pytest

from copra_tx.book import Book, BookState
from copra_tx.books import BookClient
from copra_tx.books.keeping import PATIENCE, SMALL
from copra_tx.errors import BookUntrustedError
from copra_tx.integrity.gaps import Gap
from copra_tx.websocket import Channel
from support.advanced import Venue
from support.world import World

BTC, ETH, XLM, XLM_USDC = "BTC-USD", "ETH-USD", "XLM-USD", "XLM-USDC"


class Recorder(BookClient):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.told: list[tuple[str, BookState]] = []
        self.gaps: list[Gap] = []
        super().__init__(*args, **kwargs)

    def on_book(self, book: Book[Any]) -> None:
        self.told.append((book.product_id, book.state))

    def on_gap(self, gap: Gap) -> Any:
        self.gaps.append(gap)
        return super().on_gap(gap)


def levels(kind: str, product_id: str, price: str) -> dict[str, Any]:
    update = {"side": "bid", "event_time": "2026-09-07T23:37:22Z", "price_level": price, "new_quantity": "1"}
    return {"type": kind, "product_id": product_id, "updates": [update]}


@pytest.fixture
def world() -> World:
    return World()


def test_a_gap_makes_every_book_untrusted_until_its_new_snapshot(world: World) -> None:
    client: Any = world.client(Channel("level2", [BTC, ETH]), kind=Recorder, feed="advanced", heartbeats=False)
    venue = Venue(world)
    venue.answer_all()
    for product_id in BTC, ETH:
        venue.say("l2_data", levels("snapshot", product_id, "5"))
    world.advance(0)
    books = client.books
    assert [book.verified for book in books.values()] == ["sequence", "sequence"]
    assert [book.state for book in books.values()] == [BookState.LIVE, BookState.LIVE]
    client.told.clear()
    venue.lose()
    venue.say("l2_data", levels("update", ETH, "6"))
    world.advance(0)
    assert len(client.gaps) == 1
    assert set(client.told[:2]) == {(BTC, BookState.UNTRUSTED), (ETH, BookState.UNTRUSTED)}
    with pytest.raises(BookUntrustedError, match="missing"):
        _ = books[BTC].best_bid
    world.advance(1)
    venue.answer_all()
    asked = venue.requests
    assert [kind for kind, *_ in asked[1:]] == ["unsubscribe", "subscribe"]
    for product_id in BTC, ETH:
        venue.say("l2_data", levels("snapshot", product_id, "7"))
    world.advance(0)
    assert [str(book.best_bid[0]) for book in books.values()] == ["7", "7"]
    world.advance(PATIENCE + 1)
    assert client.connected.is_set()
    assert venue.requests == asked  # once was enough


def test_a_gap_that_is_filled_or_no_ones_disturbs_no_book(world: World) -> None:
    client: Any = world.client(Channel("level2", BTC), kind=Recorder, feed="advanced")
    venue = Venue(world)
    venue.answer_all()
    client.on_gap(Gap("", "", 1, 2, 1, "a test"))  # there is no book yet
    assert client.told == []
    venue.say("l2_data", levels("snapshot", BTC, "5"))
    world.advance(0)
    client.on_gap(Gap("", "", 1, 2, 1, "a test", recovered=True))
    client.on_gap(Gap("matches", BTC, 1, 2, 1, "a test"))
    assert client.books[BTC].state is BookState.LIVE


def test_a_snapshot_that_does_not_come_is_asked_for_again(world: World) -> None:
    client: Any = world.client(Channel("level2", BTC), kind=Recorder, feed="advanced")
    venue = Venue(world)
    venue.answer_all()
    venue.say("l2_data", levels("snapshot", BTC, "5"))
    world.advance(0)
    client.on_gap(Gap("", "", 1, 2, 1, "a test"))
    before = len(venue.requests)
    world.advance(PATIENCE - 0.1)
    assert len(venue.requests) == before
    world.advance(0.2)
    assert len(venue.requests) > before


def bids(client: Any, *product_ids: str) -> list[str]:
    """Return the best bids of books that are live."""
    assert [client.books[one].state for one in product_ids] == [BookState.LIVE for _ in product_ids]
    return [str(client.books[one].best_bid[0]) for one in product_ids]


def test_a_book_in_usdc_lives_by_the_messages_in_usd_under_its_own_name(world: World) -> None:
    client: Any = world.client(Channel("level2", XLM_USDC), kind=Recorder, feed="advanced", heartbeats=False)
    venue = Venue(world)
    waiting: list[Any] = []
    client.when_live(XLM_USDC).addCallback(waiting.append)
    venue.say("l2_data", levels("snapshot", XLM, "5"))
    venue.answer_all()
    venue.say("l2_data", levels("update", XLM, "6"))
    world.advance(0)
    assert bids(client, XLM_USDC) == ["6"]
    assert set(client.books) == {XLM_USDC}
    assert waiting == [client.books[XLM_USDC]]
    assert client.told == [(XLM_USDC, BookState.LIVE)] * 2
    assert client.books[XLM_USDC].product_id == XLM_USDC
    asked = len(venue.requests)
    client.on_gap(Gap("", "", 1, 2, 1, "a test"))
    world.advance(PATIENCE + 1)
    assert [(kind, products) for kind, _, products in venue.requests[asked:]] == [("unsubscribe", [XLM_USDC])]
    venue.answer_all()
    assert venue.requests[-1] == ("subscribe", "level2", [XLM_USDC])
    venue.say("l2_data", levels("snapshot", XLM, "7"))
    venue.answer_all()
    assert bids(client, XLM_USDC) == ["7"]


def test_one_product_under_two_names_has_two_books(world: World) -> None:
    client: Any = world.client(Channel("level2", [XLM, XLM_USDC]), kind=Recorder, feed="advanced", heartbeats=False)
    venue = Venue(world)
    venue.say("l2_data", levels("snapshot", XLM, "5"))
    venue.answer_all()
    venue.say("l2_data", levels("update", XLM, "6"))
    world.advance(0)
    assert bids(client, XLM, XLM_USDC) == ["6", "6"]
    asked = venue.requests
    client.unsubscribe(Channel("level2", XLM))
    venue.say("l2_data", levels("update", XLM, "7"))
    world.advance(0)
    assert set(client.books) == {XLM_USDC}
    assert bids(client, XLM_USDC) == ["7"]
    assert venue.requests == asked  # the other one still needs it


def test_a_book_of_what_is_held_under_another_name_begins_as_the_other_one(world: World) -> None:
    client: Any = world.client(Channel("level2", XLM), kind=Recorder, feed="advanced", heartbeats=False)
    venue = Venue(world)
    venue.say("l2_data", levels("snapshot", XLM, "5.125"))
    venue.answer_all()
    asked = venue.requests
    client.told.clear()
    client.subscribe(Channel("level2", XLM_USDC))
    world.advance(0)
    assert client.told == [(XLM_USDC, BookState.LIVE)]
    assert bids(client, XLM, XLM_USDC) == ["5.125", "5.125"]
    assert client.books[XLM_USDC].verified == "sequence"
    client.unsubscribe(Channel("level2", XLM))
    client.subscribe(Channel("level2", XLM))  # and the other way round
    venue.say("l2_data", levels("update", XLM, "6.125"))
    world.advance(0)
    assert bids(client, XLM, XLM_USDC) == ["6.125", "6.125"]
    world.advance(PATIENCE + 1)
    assert venue.requests == asked  # which would have brought no snapshot


def test_a_book_beside_one_that_is_not_complete_gets_a_snapshot_of_its_own(world: World) -> None:
    class Joining(Recorder):
        def on_book(self, book: Book[Any]) -> None:
            if book.state is BookState.SYNCING:
                self.subscribe(Channel("level2", XLM_USDC))

    client: Any = world.client(Channel("level2", XLM), kind=Joining, feed="advanced", heartbeats=False)
    venue = Venue(world)
    many = [levels("snapshot", XLM, str(price))["updates"][0] for price in range(1, 4000)]
    venue.say("l2_data", {"type": "snapshot", "product_id": XLM, "updates": many})
    venue.answer_all()
    assert client.books[XLM].state is BookState.LIVE
    world.advance(PATIENCE - 0.5)
    assert client.books[XLM_USDC].state is BookState.EMPTY
    world.advance(1)
    venue.answer_all()
    assert [kind for kind, *_ in venue.requests[-2:]] == ["unsubscribe", "subscribe"]
    venue.say("l2_data", levels("snapshot", XLM, "5"))
    world.advance(0)
    assert bids(client, XLM, XLM_USDC) == ["5", "5"]
    asked = venue.requests
    world.advance(10 * PATIENCE)
    assert client.connected.is_set()
    assert venue.requests == asked


def test_a_book_that_goes_and_comes_back_while_the_product_stays_held_gets_a_snapshot(world: World) -> None:
    client: Any = world.client(Channel("level2", BTC), kind=Recorder, feed="advanced", heartbeats=False)
    venue = Venue(world)
    venue.say("l2_data", levels("snapshot", BTC, "5"))
    venue.answer_all()
    client.subscribe(Channel("ticker", ETH))  # open: the next request waits for its answer
    client.unsubscribe(Channel("level2", BTC))
    client.subscribe(Channel("level2", BTC))
    venue.answer_all()
    assert client.books[BTC].state is BookState.EMPTY
    world.advance(PATIENCE + 0.5)
    venue.answer_all()
    assert [kind for kind, *_ in venue.requests[-2:]] == ["unsubscribe", "subscribe"]
    venue.say("l2_data", levels("snapshot", BTC, "6"))
    world.advance(0)
    assert bids(client, BTC) == ["6"]


def test_a_frame_that_comes_late_does_no_harm_to_the_snapshot_after_it(world: World) -> None:
    client: Any = world.client(Channel("level2", BTC), kind=Recorder, feed="advanced")
    venue = Venue(world)
    venue.answer_all()
    venue.say("l2_data", levels("snapshot", BTC, "5"))
    late = venue.number
    venue.lose()
    venue.say("l2_data", levels("update", BTC, "6"))
    world.advance(0)
    venue.answer_all()
    venue.say("l2_data", levels("snapshot", BTC, "7"))
    venue.say("l2_data", levels("update", BTC, "9"), sequence_num=late)
    world.advance(0)
    assert [gap.recovered for gap in client.gaps] == [False, True]
    assert client.books[BTC].best_bid == (7, 1)


def test_a_large_snapshot_that_is_repeated_while_it_is_built_is_built_to_its_end(world: World) -> None:
    client: Any = world.client(Channel("level2", BTC), kind=Recorder, feed="advanced")
    venue = Venue(world)
    venue.answer_all()
    event = levels("snapshot", BTC, "5")
    event["updates"] = [event["updates"][0] | {"price_level": str(price)} for price in range(1, SMALL * 3)]
    number = venue.say("l2_data", event)["sequence_num"]
    venue.say("l2_data", event, sequence_num=number)
    for _ in range(10):
        world.advance(0)
    assert client.books[BTC].state is BookState.LIVE
    assert client.counters.repeated == 1
