"""The flow of orders of one product: it stays alive and in bounds for the whole period, and ends where it began."""

from __future__ import annotations

import re

import pytest

from copra_tx.simulator.flow import BEGAN
from copra_tx.simulator.orders import OrderFlow
from copra_tx.simulator.resting import SIDES

MINUTE = 60_000_000


def _flow(seed: int, product_id: str = "BTC-USD", *, rate: float = 20.0, depth: int = 50) -> OrderFlow:
    return OrderFlow(seed, product_id, rate=rate, depth=depth, period=MINUTE, began=BEGAN)


@pytest.mark.parametrize("product_id", ["BTC-USD", "ETH-USD", "LTC-EUR"])
def test_the_book_neither_dries_out_nor_grows_nor_crosses(product_id: str) -> None:
    flow = _flow(1, product_id)
    offsets = []
    for step in flow.steps():
        offsets.append(step.offset)
        if step.offset < MINUTE - 1_000_000:
            book = flow.engine.book
            assert 50 < len(book.orders) < 200
            bid, ask = (book.best(side) for side in SIDES)
            assert bid is not None
            assert ask is not None
            assert 0 < bid < ask
            assert abs(bid - flow.middle) < flow.middle // 20
    assert offsets == sorted(offsets)
    assert 900 < sum(offset < MINUTE - 1_000_000 for offset in offsets) < 1500


def test_the_end_is_the_opening_again() -> None:
    flow = _flow(2)
    steps = list(flow.steps())
    for side in SIDES:
        before, after = (list(book.in_order(side)) for book in (flow.opening, flow.engine.book))
        assert [(order.price, order.size, order.own) for order in before] == [
            (order.price, order.size, order.own) for order in after
        ]
        assert [order.order_id.replace("loop", "next") for order in before] == [order.order_id for order in after]
    assert steps[-1].offset < MINUTE


@pytest.mark.parametrize("depth", [1, 2])
def test_a_book_of_next_to_nothing(depth: int) -> None:
    flow = _flow(3, depth=depth)
    assert len(list(flow.steps())) > 500


def test_order_ids_are_uuids_of_their_repetition() -> None:
    flow = _flow(4)
    ids = {flow.order_id() for _ in range(100)}
    assert len(ids) == 100
    for order_id in ids:
        assert re.fullmatch(
            r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", order_id % {"loop": 5}
        )
        assert (order_id % {"loop": 5}).endswith("000005")
