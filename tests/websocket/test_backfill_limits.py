"""How much is fetched at most, and what is made of answers that are not the venue's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from copra_tx.websocket import backfill
from copra_tx.websocket.backfill import MOST_GAPS, MOST_TRADES, PAGE
from support.filling import MATCHES, Filled
from support.web import Answer, Web
from support.world import World, settle

REST = "http://127.0.0.1:9090"


class Listing(Web):
    """Lists every trade there may be."""

    def render_GET(self, request: Any) -> Any:
        query = parse_qs(urlsplit(request.uri.decode()).query)
        after, limit = (int(query[name][0]) for name in ("after", "limit"))
        self.answers = [Answer([{"trade_id": number} for number in range(after - 1, after - 1 - limit, -1)])]
        return super().render_GET(request)


class Shop:
    """A client whose feed a test commands, and whose REST is in memory, too."""

    def __init__(self) -> None:
        self.world = World()
        self.client: Any = self.world.client(MATCHES, kind=Filled, backfill=True, rest_url=REST)
        self.server = self.world.open()
        self.server.confirm()
        settle(self.world)
        self.web: Web = Listing(self.world.reactor)

    def match(self, *numbers: int) -> None:
        """Send trades."""
        self.server.say(*({"type": "match", "product_id": "BTC-USD", "trade_id": number} for number in numbers))
        settle(self.world)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and answer what is asked meanwhile."""
        for _ in range(round(seconds * 32)):
            self.web.accept()
            self.world.advance(1 / 32)


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.client.close()
    shop.world.advance(10)
    assert shop.world.reactor.getDelayedCalls() == []


def test_a_large_gap_comes_in_pages(shop: Shop) -> None:
    shop.match(5, 2506)
    shop.pass_time(3.0)
    assert shop.client.filled == [list(range(6, 2506))]
    queries = [parse_qs(urlsplit(asked).query) for asked in shop.web.asked]
    assert [(query["after"], query["limit"]) for query in queries] == [
        (["1006"], ["1000"]),
        (["2006"], ["1000"]),
        (["2506"], ["500"]),
    ]


def test_no_more_than_the_limit_is_fetched_and_that_is_told(shop: Shop) -> None:
    shop.match(5, 6 + MOST_TRADES + 2500)
    shop.pass_time(20.0)
    ((fetched,), (error,)) = shop.client.filled, shop.client.errors
    assert fetched == list(range(6 + 2500, 6 + 2500 + MOST_TRADES))
    assert error == (
        "2500 missing trades of BTC-USD cannot be had: 6 to 2505",
        f"of a gap only the newest {MOST_TRADES} are fetched",
    )
    assert len(shop.web.asked) == MOST_TRADES // PAGE
    assert (shop.client.counters.backfilled, shop.client.counters.not_backfilled) == (MOST_TRADES, 2500)


def test_requests_keep_to_the_venues_pace(shop: Shop) -> None:
    shop.match(5, 6 + MOST_TRADES)
    shop.pass_time(6.0)
    assert 40 < len(shop.web.asked) <= 15 + 5 * 10


def test_what_is_cancelled_amid_a_request_is_not_told(shop: Shop) -> None:
    shop.web = Web(shop.world.reactor)
    shop.match(1, 3, 5)
    shop.pass_time(2.0)
    shop.client.unsubscribe(MATCHES)
    settle(shop.world)
    shop.pass_time(2.0)
    assert (len(shop.web.asked), shop.client.told("backfill", "error")) == (1, [])
    assert not shop.web.lines[0].connected


def test_a_client_closed_and_opened_amid_a_request_fills_its_gaps(shop: Shop) -> None:
    listing, shop.web = shop.web, Web(shop.world.reactor)
    shop.match(1, 3)
    shop.pass_time(2.0)
    shop.client.close()
    settle(shop.world)
    shop.client.add_as_task_to_loop()
    settle(shop.world)
    shop.server = shop.world.open()
    shop.server.confirm()
    shop.match(5)
    shop.web = listing
    shop.pass_time(2.0)
    assert shop.client.filled == [[4]]


def test_what_is_no_trade_is_passed_over(shop: Shop) -> None:
    good = {"trade_id": 3, "size": "1"}
    other: list[Any] = [None, 7, {}, [], {"trade_id": True}, {"trade_id": [2]}, {"trade_id": "2"}, {"trade_id": 1}]
    shop.web = Web(shop.world.reactor, [Answer([good, *other, good])])
    shop.match(1, 4)
    shop.pass_time(3.0)
    assert shop.client.told("backfill")[0][2] == [good]
    assert shop.client.missed == [2]


def test_more_gaps_than_may_wait_are_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_GAPS == 10_000
    monkeypatch.setattr(backfill, "MOST_GAPS", 3)
    shop.match(*range(1, 16, 2))
    assert [event[0] for event in shop.client.events[-4:]] == ["gap", "backfill", "error", "message"]
    assert shop.client.missed == [10, 12, 14]
    assert shop.client.errors[0] == (
        "1 missing trade of BTC-USD cannot be had: 10",
        "3 gaps wait for their trades already",
    )
    shop.pass_time(3.0)
    assert [found for found in shop.client.filled if found] == [[2], [4], [6], [8]]
    assert shop.client.missed == [10, 12, 14]


def test_a_failure_of_ours_is_logged_and_the_next_gap_is_filled(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, logged_errors: Any
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(backfill, "PAGE", 0)
        shop.match(1, 3)
        shop.pass_time(2.0)
    assert len(logged_errors.flush(ValueError)) == 1
    shop.match(5)
    shop.pass_time(2.0)
    assert shop.client.filled == [[4]]


def test_twisted_web_is_imported_only_when_something_is_fetched() -> None:
    program = "import sys, copra_tx.websocket.backfill; sys.exit('twisted.web.client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
