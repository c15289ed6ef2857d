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

BTC, ETH = "BTC-USD", "ETH-USD"


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
    client: Any = world.client(Channel("level2", [BTC, ETH]), kind=Recorder, feed="advanced")
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
    assert [kind for kind, *_ in asked[2:]] == ["unsubscribe", "subscribe"]
    for product_id in BTC, ETH:
        venue.say("l2_data", levels("snapshot", product_id, "7"))
    world.advance(0)
    assert [str(book.best_bid[0]) for book in books.values()] == ["7", "7"]
    world.advance(PATIENCE + 1)
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
