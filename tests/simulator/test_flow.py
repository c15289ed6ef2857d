"""A market made of a seed: the same bytes again, and at any sequence one truth in every channel and in REST."""

from __future__ import annotations

import functools
import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copra_tx.errors import ConfigurationError
from copra_tx.simulator.flow import BEGAN, BookAt, FlowMarket
from copra_tx.simulator.rest import Rest
from support.naive import NaiveLevels, NaiveOrders

BTC, ETH = "BTC-USD", "ETH-USD"


@functools.cache
def _market(seed: int) -> FlowMarket:
    """Return a market of one minute, which the tests repeat; some 4000 messages long."""
    return FlowMarket([BTC, ETH], seed=seed, rate=10.0, depth=30, minutes=1)


def _length(market: FlowMarket) -> int:
    return market.due(60.0 - 1e-6)


def _whole(market: FlowMarket, position: int) -> int:
    """Return the next position at which everything was told that is derived from the ``full`` messages so far."""
    while not market.entry(position).counts:
        position += 1
    return position


def _messages(market: FlowMarket, start: int, stop: int, channel: str, product_id: str = BTC) -> list[Any]:
    key = (channel, product_id)
    return [json.loads(market.message(at)) for at in range(start, stop) if key in market.entry(at).keys]


def _rest(market: FlowMarket, position: int, what: str) -> Any:
    return json.loads(Rest(market, lambda: 0.0).answer(f"/products/{BTC}/{what}", position).body)


def _truth(book: BookAt) -> dict[str, dict[Decimal, Decimal]]:
    return {
        side: {Decimal(price): Decimal(size) for price, size, _ in book.levels(side)}  # type: ignore[arg-type]
        for side in ("buy", "sell")
    }


# -- the same again


def test_the_same_seed_gives_the_same_bytes_whatever_else_is_listed() -> None:
    one, same = FlowMarket([BTC], seed=4), FlowMarket([ETH, BTC, "LTC-EUR"], seed=4)
    other = FlowMarket([BTC], seed=5)
    wanted = {BTC}
    texts = [
        [market.message(at) for at in range(market.due(20.0)) if market.entry(at).product_id in wanted]
        for market in (one, same, other)
    ]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]
    assert len(texts[0]) > 500


def test_every_channel_has_messages_and_every_kind_of_them() -> None:
    market = _market(1)
    told = {
        (channel, market.entry(at).type)
        for at in range(_length(market))
        for channel, product_id in market.entry(at).keys
        if product_id in {BTC, ""}
    }
    assert told == {
        *(("full", kind) for kind in ("received", "open", "match", "done", "change")),
        *(("user", kind) for kind in ("received", "open", "match", "done", "change")),
        *(("level3", kind) for kind in ("noop", "open", "match", "done", "change")),
        *(("level2", "l2update"), ("level2_50", "l2update"), ("matches", "match"), ("heartbeat", "heartbeat")),
        *(("ticker", "ticker"), ("ticker_1000", "ticker"), ("status", "status")),
    }
    assert {key for at in range(_length(market)) for key in market.entry(at).keys} <= market.keys


# -- one truth


@settings(max_examples=30)
@given(
    seed=st.integers(0, 3),
    stops=st.lists(st.integers(0, 9000), min_size=2, max_size=5, unique=True),
)
def test_at_any_sequence_all_channels_and_rest_agree(seed: int, stops: list[int]) -> None:
    """A book from REST at any position, kept by any channel, is REST's at any later one, over the seam, too."""
    market = _market(seed)
    at, *later = sorted({_whole(market, stop) for stop in stops})
    snapshot = _rest(market, at, "book?level=3")
    full, rows = NaiveOrders(snapshot), NaiveOrders(snapshot)
    levels = NaiveLevels(json.loads(market.snapshot(BTC, at)))
    trade_id = market.book(BTC, at).trade_id
    for stop in later:
        for message in _messages(market, at, stop, "full"):
            full.apply(message)
        for row in _messages(market, at, stop, "level3"):
            rows.apply(row)
        for update in _messages(market, at, stop, "level2"):
            levels.apply(update)
            assert not levels.is_crossed()
        matches = _messages(market, at, stop, "matches")
        assert [match["trade_id"] for match in matches] == list(range(trade_id + 1, trade_id + 1 + len(matches)))
        trade_id += len(matches)
        at = stop
        book = market.book(BTC, stop)
        assert book.sequence == full.sequence
        assert book.trade_id == trade_id
        assert levels.sides == _truth(book)
        assert market.book_at(BTC, book.sequence).resting.orders == book.resting.orders
        known = NaiveOrders(_rest(market, stop, "book?level=3"))
        for orders in (full, rows):
            assert orders.sequence == known.sequence
            # A maker that was matched to its end is ``done`` with the next message only.
            assert {order_id: order for order_id, order in orders.orders.items() if order[2]} == known.orders
            assert orders.levels() == _truth(book)
        assert NaiveLevels(_rest(market, stop, "book?level=2")).sides == levels.sides


def test_level2_batch_brings_the_same_book_at_the_end_of_each_batch() -> None:
    market = _market(2)
    each = NaiveLevels(json.loads(market.snapshot(BTC, 0)))
    batches = NaiveLevels(json.loads(market.snapshot(BTC, 0)))
    at, count = 0, 0
    for stop in range(2 * _length(market)):
        if ("level2_50", BTC) in market.entry(stop).keys:
            for update in _messages(market, at, stop, "level2"):
                each.apply(update)
            batch = json.loads(market.message(stop))
            batches.apply(batch)
            assert each.sides == batches.sides
            assert len({tuple(change[:2]) for change in batch["changes"]}) == len(batch["changes"])
            at, count = stop, count + 1
    assert count > 500


def test_trades_stand_alike_on_every_channel_but_for_what_is_private() -> None:
    market = _market(1)
    end = _length(market)
    matches = _messages(market, 0, end, "matches")
    on_full = [message for message in _messages(market, 0, end, "full") if message["type"] == "match"]
    public = [{name: message[name] for name in matches[0]} for message in on_full]
    assert public == matches
    own = [message for message in on_full if "user_id" in message]
    assert 0 < len(own) < len(on_full)
    assert own == [message for message in _messages(market, 0, end, "user") if message["type"] == "match"]
    for match in matches[:20]:
        assert json.loads(market.trade(BTC, match["trade_id"]) or b"") == match


def test_a_ticker_has_the_best_prices_and_the_last_trade_of_a_cascade() -> None:
    market = _market(1)
    tickers = 0
    for at in range(_length(market)):
        if ("ticker", BTC) in market.entry(at).keys:
            ticker, book = json.loads(market.message(at)), market.book(BTC, at)
            assert (ticker["best_bid"], ticker["best_bid_size"]) == book.levels("buy")[0][:2]
            assert (ticker["best_ask"], ticker["best_ask_size"]) == book.levels("sell")[0][:2]
            assert ticker["trade_id"] == book.trade_id
            trade = json.loads(market.trade(BTC, book.trade_id) or b"")
            assert (ticker["price"], ticker["last_size"]) == (trade["price"], trade["size"])
            assert {ticker["side"], trade["side"]} == {"buy", "sell"}
            tickers += 1
    assert tickers > 20


def test_heartbeats_tell_the_latest_numbers_each_second() -> None:
    market = _market(1)
    beats = [at for at in range(2 * _length(market)) if ("heartbeat", BTC) in market.entry(at).keys]
    assert len(beats) == 120
    for second, at in enumerate(beats):
        beat, book = json.loads(market.message(at)), market.book(BTC, at)
        assert (beat["sequence"], beat["last_trade_id"]) == (book.sequence, book.trade_id)
        assert datetime.fromisoformat(beat["time"]) == BEGAN + timedelta(seconds=second)


# -- for ever


def test_numbers_times_and_ids_go_on_over_the_seam() -> None:
    market = _market(3)
    length = _length(market)
    full = _messages(market, 0, 3 * length, "full")
    assert [after["sequence"] - before["sequence"] for before, after in pairwise(full)] == [1] * (len(full) - 1)
    times = [message["time"] for message in full]
    assert times == sorted(times)
    assert full[-1]["time"] > full[0]["time"][:14] + "00:59"
    ids = [message["order_id"] for message in full if message["type"] == "received"]
    assert len(set(ids)) == len(ids)
    assert market.due_at(length) == 60.0
    assert market.due(60.0) == market.due(0.0) + length
    assert market.entry(length + 5) is market.entry(5)


def test_the_seam_is_made_of_orders_like_any_others() -> None:
    """Nobody has to know of it: the opening book is put up again by orders."""
    market = _market(3)
    length = _length(market)
    opening, again = market.book(BTC, 0), market.book(BTC, length)
    assert opening.levels("buy") == again.levels("buy")
    assert opening.levels("sell") == again.levels("sell")
    assert {row[2] for row in opening.orders("buy")}.isdisjoint({row[2] for row in again.orders("buy")})
    assert again.sequence > opening.sequence


def test_greetings() -> None:
    market = _market(1)
    position = _length(market) + 700
    kind, text = market.greeting(("level2_50", BTC), position) or ("", b"")
    assert (kind, json.loads(text)["type"]) == ("snapshot", "snapshot")
    assert text == market.snapshot(BTC, position)
    kind, text = market.greeting(("matches", BTC), position) or ("", b"")
    trade = json.loads(market.trade(BTC, market.book(BTC, position).trade_id) or b"")
    assert (kind, json.loads(text)) == ("last_match", trade | {"type": "last_match"})
    assert (market.greeting(("status", ""), 0) or ("",))[0] == "status"
    assert json.loads((market.greeting(("level3", BTC), 0) or ("", b""))[1])["schema"]["noop"][0] == "type"
    assert market.greeting(("full", BTC), position) is None


def test_before_the_beginning_there_is_nothing() -> None:
    market = _market(1)
    first = market.book(BTC, 0)
    assert market.book_at(BTC, first.sequence) == first
    last = json.loads(market.trade(BTC, first.trade_id) or b"")
    assert (last["sequence"], last["time"]) == (first.sequence, "2026-07-07T22:57:59.000000Z")
    kind, text = market.greeting(("matches", BTC), 0) or ("", b"")
    assert (kind, json.loads(text)) == ("last_match", last | {"type": "last_match"})
    assert market.trade(BTC, first.trade_id - 1) is None
    with pytest.raises(LookupError, match=f"begins with sequence {first.sequence}"):
        market.book_at(BTC, first.sequence - 1)


def test_it_is_made_as_far_as_it_is_asked_for() -> None:
    """Whatever is asked for first, the answer is that of a market which went there."""
    market = _market(1)
    for asked in (
        lambda one: one.message(400),
        lambda one: one.trade(BTC, market.book(BTC, 0).trade_id + 20),
        lambda one: one.position_after(BTC, market.book(BTC, 0).sequence + 100),
        lambda one: one.book(BTC, 500).resting.orders,
        lambda one: one.due_at(2 * _length(market) + 3),
    ):
        fresh = FlowMarket([BTC, ETH], seed=1, rate=10.0, depth=30, minutes=1)
        assert asked(fresh) == asked(market)


def test_it_may_begin_at_any_time() -> None:
    began = datetime(2026, 11, 24, 12, 59, 31, tzinfo=UTC)
    market = FlowMarket([BTC], seed=1, minutes=1, began=began)
    at = market.due(45.0)
    beat = _messages(market, at - 200, at, "heartbeat")[-1]
    assert beat["time"] == "2026-11-24T13:00:16.000000Z"


@pytest.mark.parametrize(
    "wrong",
    [{"rate": 0}, {"rate": math.inf}, {"depth": 0}, {"minutes": 0}, {"minutes": 1.5}, {"minutes": math.inf}],
    ids=repr,
)
def test_numbers_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="orders a second, orders on each side and whole minutes above zero"):
        FlowMarket([BTC], seed=1, **wrong)
