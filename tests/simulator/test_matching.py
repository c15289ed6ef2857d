"""The matching engine: who meets whom, at which price, and what is told of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.simulator.matching import ACCOUNT, Engine, Event, price_text, size_text, trimmed
from copra_tx.simulator.resting import SIDES, Order, Resting, Side
from support.samples import samples

COIN = 10**8
OWN_FIELDS = {"client_oid", "cancel_reason", *ACCOUNT}


class Floor:
    """An engine with an empty book, and everything it told."""

    def __init__(self) -> None:
        self.engine = Engine("BTC-USD", Resting(), sequence=100, trade_id=7)
        self.engine.time = "2026-07-07T22:58:00.000001Z"
        self.told: list[dict[str, Any]] = []
        self._ids = 0

    def __call__(self, events: list[Event]) -> list[dict[str, Any]]:
        messages = [event.message for event in events]
        self.told += messages
        return messages

    def limit(self, side: Side, price: int, size: int, *, own: bool = False) -> tuple[str, list[dict[str, Any]]]:
        order_id = self.new_id()
        return order_id, self(self.engine.limit(Order(order_id, side, price, size, own)))

    def new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:08x}-aaaa-4bbb-8ccc-000000000000"


def _short(messages: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("type", "reason", "price", "size", "remaining_size", "old_size", "new_size")
    return [tuple(message[name] for name in names if name in message) for message in messages]


def test_an_order_that_meets_nobody_rests() -> None:
    floor = Floor()
    order_id, messages = floor.limit("buy", 8050210, 134 * 10**6)
    assert messages == [
        {
            "type": "received",
            "time": "2026-07-07T22:58:00.000001Z",
            "product_id": "BTC-USD",
            "sequence": 101,
            "order_id": order_id,
            "size": "1.34",
            "price": "80502.1",
            "side": "buy",
            "order_type": "limit",
        },
        {
            "type": "open",
            "time": "2026-07-07T22:58:00.000001Z",
            "product_id": "BTC-USD",
            "sequence": 102,
            "order_id": order_id,
            "price": "80502.1",
            "remaining_size": "1.34",
            "side": "buy",
        },
    ]
    assert floor.engine.book.orders[order_id].size == 134 * 10**6


def test_the_best_price_is_met_first_and_then_the_oldest_order() -> None:
    floor = Floor()
    late, _ = floor.limit("sell", 101, COIN)
    second, _ = floor.limit("sell", 100, COIN)
    third, _ = floor.limit("sell", 100, COIN)
    taker, messages = floor.limit("buy", 101, 4 * COIN)
    matches = [message for message in messages if message["type"] == "match"]
    assert [match["maker_order_id"] for match in matches] == [second, third, late]
    assert [match["price"] for match in matches] == ["1", "1", "1.01"]
    assert [match["trade_id"] for match in matches] == [8, 9, 10]
    assert {match["side"] for match in matches} == {"sell"}  # the maker's
    assert messages[-1]["remaining_size"] == "1"
    assert list(floor.engine.book.orders) == [taker]


def test_a_maker_that_is_not_used_up_stays_first() -> None:
    floor = Floor()
    first, _ = floor.limit("buy", 100, COIN)
    floor.limit("buy", 100, COIN)
    _, messages = floor.limit("sell", 100, COIN // 4)
    assert _short(messages) == [("received", "1", "0.25"), ("match", "1", "0.25"), ("done", "filled", "1", "0")]
    _, messages = floor.limit("sell", 100, COIN)
    assert next(message["maker_order_id"] for message in messages if message["type"] == "match") == first
    assert _short(messages)[2] == ("done", "filled", "1", "0")  # the maker is told right after its last match


def test_an_order_does_not_go_beyond_its_price() -> None:
    floor = Floor()
    floor.limit("buy", 100, COIN)
    floor.limit("buy", 99, COIN)
    _, messages = floor.limit("sell", 100, 2 * COIN)
    assert [message["type"] for message in messages] == ["received", "match", "done", "open"]
    assert (floor.engine.book.best("buy"), floor.engine.book.best("sell")) == (99, 100)


def test_a_market_order_by_size() -> None:
    floor = Floor()
    floor.limit("sell", 100, COIN)
    floor.limit("sell", 500, COIN)
    filled = floor(floor.engine.market(floor.new_id(), "buy", size=COIN + COIN // 2))
    assert _short(filled) == [
        ("received", "1.5"),
        ("match", "1", "1"),
        ("done", "filled", "1", "0"),
        ("match", "5", "0.5"),
        ("done", "filled"),
    ]
    assert floor(floor.engine.market(floor.new_id(), "buy", size=COIN, own=True))[-1]["cancel_reason"].startswith("106")
    rest = floor(floor.engine.market(floor.new_id(), "buy", size=COIN))
    assert _short(rest) == [("received", "1"), ("done", "canceled")]
    assert "cancel_reason" not in rest[-1]


def test_a_market_order_by_funds() -> None:
    floor = Floor()
    floor.limit("sell", 300, COIN)
    floor.limit("sell", 700, COIN)
    messages = floor(floor.engine.market(floor.new_id(), "buy", funds=1000 * COIN + 5))
    assert messages[0]["funds"] == "10.0000000005"
    assert "size" not in messages[0]
    assert [message["size"] for message in messages if message["type"] == "match"] == ["1", "1"]
    assert messages[-1]["reason"] == "canceled"  # five are left, and nobody who would sell
    floor.limit("sell", 300, COIN)
    messages = floor(floor.engine.market(floor.new_id(), "buy", funds=100 * COIN))
    assert [message["size"] for message in messages if message["type"] == "match"] == ["0.33333333"]
    assert messages[-1]["reason"] == "filled"  # what is left buys nothing


def test_cancel() -> None:
    floor = Floor()
    order_id, _ = floor.limit("buy", 100, COIN, own=True)
    [done] = floor(floor.engine.cancel(order_id))
    assert (done["reason"], done["remaining_size"], done["price"]) == ("canceled", "1", "1")
    assert done["profile_id"] == ACCOUNT["profile_id"]
    assert not floor.engine.book.orders


@pytest.mark.parametrize(("size", "stays"), [(COIN // 2, True), (2 * COIN, False)])
def test_modify(size: int, stays: bool) -> None:
    """An order that is cut keeps its place; one that grows goes behind the others."""
    floor = Floor()
    first, _ = floor.limit("buy", 100, COIN)
    floor.limit("buy", 100, COIN)
    [change] = floor(floor.engine.modify(first, 100, size))
    assert (change["old_price"], change["new_price"], change["old_size"]) == ("1", "1", "1")
    assert change["new_size"] == trimmed(size_text(size))
    assert (next(floor.engine.book.in_order("buy")).order_id == first) is stays
    floor(floor.engine.modify(first, 101, size))
    assert floor.engine.book.best("buy") == 101


def test_own_orders_do_not_meet_the_smaller_is_cancelled() -> None:
    floor = Floor()
    floor.limit("sell", 100, 3 * COIN, own=True)
    _, messages = floor.limit("buy", 100, COIN, own=True)
    assert _short(messages) == [
        ("received", "1", "1"),
        ("change", "STP", "1", "3", "2"),
        ("done", "canceled", "1", "1"),
    ]
    assert messages[-1]["cancel_reason"] == "102:Self Trade Prevention"
    _, messages = floor.limit("buy", 100, 5 * COIN, own=True)
    assert _short(messages) == [
        ("received", "1", "5"),
        ("done", "canceled", "1", "2"),
        ("change", "STP", "1", "5", "3"),
        ("open", "1", "3"),
    ]
    _, messages = floor.limit("sell", 100, 3 * COIN, own=True)
    assert _short(messages)[1:] == [("done", "canceled", "1", "3")] * 2
    assert not floor.engine.book.orders


def test_own_market_orders_do_not_meet_own_orders_either() -> None:
    floor = Floor()
    floor.limit("sell", 100, COIN, own=True)
    messages = floor(floor.engine.market(floor.new_id(), "buy", size=2 * COIN, own=True))
    assert _short(messages)[1:] == [("done", "canceled", "1", "1"), ("change", "STP", "2", "1"), ("done", "canceled")]
    floor.limit("sell", 100, COIN, own=True)
    messages = floor(floor.engine.market(floor.new_id(), "buy", size=COIN, own=True))
    assert messages[-1]["cancel_reason"] == "102:Self Trade Prevention"


def test_who_takes_part_sees_more() -> None:
    floor = Floor()
    floor.limit("sell", 100, 2 * COIN, own=True)
    floor.limit("buy", 100, COIN)
    _, messages = floor.limit("sell", 100, COIN)
    assert all(not OWN_FIELDS & set(message) for message in messages)
    match = next(message for message in floor.told if message["type"] == "match")
    assert {"maker_user_id", "maker_profile_id", "maker_fee_rate", "user_id", "profile_id"} <= set(match)
    floor.limit("buy", 99, COIN)
    _, messages = floor.limit("sell", 99, COIN, own=True)
    match = next(message for message in messages if message["type"] == "match")
    assert {"taker_user_id", "taker_fee_rate"} <= set(match)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("received-limit", "received"), ("open", "open"), ("done-canceled-own", "done"), ("change-stp", "change")],
)
def test_messages_have_the_fields_of_the_venues_in_their_order(name: str, kind: str) -> None:
    floor = Floor()
    floor.limit("sell", 100, 3 * COIN, own=True)
    floor.limit("buy", 100, COIN, own=True)
    floor.limit("buy", 50, COIN, own=True)
    message = next(message for message in floor.told if message["type"] == kind)
    own = [field for field in message if field not in OWN_FIELDS]
    assert own == [field for field in samples("server")[name] if field not in OWN_FIELDS]


def test_numbers() -> None:
    assert (price_text(100), price_text(6351929), price_text(5)) == ("1.00", "63519.29", "0.05")
    assert (size_text(1), size_text(10**9)) == ("0.00000001", "10.00000000")
    assert (trimmed("10.00"), trimmed("0.10"), trimmed("100.05")) == ("10", "0.1", "100.05")


class Checked(Floor):
    """A floor whose messages are held against a book made of nothing but them, by the rules of the docs."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, tuple[str, str, int]] = {}  # side, price, size

    def check(self, events: list[Event]) -> None:
        for message in self(events):
            kind, order_id = message["type"], message.get("order_id")
            if kind == "open":
                self.known[order_id] = (message["side"], message["price"], _units(message["remaining_size"]))
            elif kind == "match":
                side, price, size = self.known[message["maker_order_id"]]
                assert (side, price) == (message["side"], message["price"])
                self.known[message["maker_order_id"]] = (side, price, size - _units(message["size"]))
            elif kind == "change" and order_id in self.known:
                side, price, size = self.known[order_id]
                assert size == _units(message["old_size"])
                self.known[order_id] = (side, message.get("new_price", price), _units(message["new_size"]))
            elif kind == "done":
                self.known.pop(order_id, None)
        book = self.engine.book
        held = {id_: (order.side, trimmed(price_text(order.price)), order.size) for id_, order in book.orders.items()}
        assert held == self.known
        bid, ask = book.best("buy"), book.best("sell")
        assert bid is None or ask is None or bid < ask
        for side in SIDES:
            assert sum(total for _, total, _ in book.levels(side)) == sum(
                size for one, _, size in self.known.values() if one == side
            )


def _units(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * COIN + int(f"{part:0<8}")


orders = st.tuples(
    st.sampled_from(["limit", "limit", "limit", "market", "funds", "cancel", "shrink", "grow", "move"]),
    st.sampled_from(SIDES),
    st.integers(95, 105),
    st.integers(1, 5).map(lambda number: number * COIN // 3),
    st.booleans(),
    st.integers(0, 10**6),
)


@given(st.lists(orders, max_size=40))
def test_whatever_is_ordered_the_messages_tell_the_book(steps: list[tuple[str, Side, int, int, bool, int]]) -> None:
    floor = Checked()
    engine = floor.engine
    for what, side, price, size, own, which in steps:
        held = list(engine.book.orders.values())
        order = held[which % len(held)] if held else None
        if what == "limit":
            floor.check(engine.limit(Order(floor.new_id(), side, price, size, own)))
        elif what == "market":
            floor.check(engine.market(floor.new_id(), side, size=size, own=own))
        elif what == "funds":
            floor.check(engine.market(floor.new_id(), side, funds=size * price))
        elif order is not None:
            changed = {"shrink": max(1, order.size // 2), "grow": order.size + size}.get(what, order.size)
            away = price - 94 if order.side == "sell" else 94 - price
            to = max(1, order.price + away) if what == "move" else order.price
            events = engine.cancel(order.order_id) if what == "cancel" else engine.modify(order.order_id, to, changed)
            floor.check(events)
    numbers = [message["sequence"] for message in floor.told]
    assert numbers == list(range(101, 101 + len(numbers)))
    trades = [message["trade_id"] for message in floor.told if message["type"] == "match"]
    assert trades == list(range(8, 8 + len(trades)))
