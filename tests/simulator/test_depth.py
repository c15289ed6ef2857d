"""A book of the simulated exchange equals a naive one, whatever is done to it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from copra_tx.simulator.depth import Depth

# Few prices, each in several writings, so that they meet often.
prices = st.builds(lambda price, zeros: f"{price}.5{'0' * zeros}", st.integers(1, 12), st.integers(0, 2))
sizes = st.sampled_from(["0", "0.00000000", "0.1", "0.10", "7"])
levels = st.lists(st.tuples(prices, sizes.filter(lambda size: Decimal(size) > 0)), max_size=8)
changes = st.lists(st.tuples(st.sampled_from(["buy", "sell"]), prices, sizes), max_size=30)


class NaiveBook:
    def __init__(self, bids: Any, asks: Any) -> None:
        self.sides = {"buy": {}, "sell": {}}  # type: dict[str, dict[Decimal, tuple[str, str]]]
        self.apply([("buy", *level) for level in bids] + [("sell", *level) for level in asks])

    def apply(self, changes: Any) -> None:
        for side, price, size in changes:
            self.sides[side].pop(Decimal(price), None)
            if Decimal(size):
                self.sides[side][Decimal(price)] = price, size

    def levels(self, side: str, *, best_first: int) -> list[tuple[str, str]]:
        return [self.sides[side][price] for price in sorted(self.sides[side], key=lambda price: best_first * price)]


def _same(depth: Depth, naive: NaiveBook) -> bool:
    return (depth.bids, depth.asks) == (naive.levels("buy", best_first=-1), naive.levels("sell", best_first=1))


@given(levels, levels, changes)
def test_it_equals_a_naive_book(bids: Any, asks: Any, changes: Any) -> None:
    depth, naive = Depth(bids, asks), NaiveBook(bids, asks)
    assert _same(depth, naive)
    depth.apply(changes)
    naive.apply(changes)
    assert _same(depth, naive)
    assert depth.best_bid == (depth.bids[0] if depth.bids else ("0", "0"))
    assert depth.best_ask == (depth.asks[0] if depth.asks else ("0", "0"))


@given(levels, levels, levels, levels)
def test_its_difference_to_another_leads_there(bids: Any, asks: Any, other_bids: Any, other_asks: Any) -> None:
    here, there = Depth(bids, asks), Depth(other_bids, other_asks)
    difference = here.changes_to(there)
    here.apply(difference)
    assert (here.bids, here.asks) == (there.bids, there.asks)
    assert here.changes_to(there) == []


@given(levels, levels, changes)
def test_a_copy_lives_its_own_life(bids: Any, asks: Any, changes: Any) -> None:
    depth = Depth(bids, asks)
    before = depth.bids, depth.asks
    depth.copy().apply(changes)
    assert (depth.bids, depth.asks) == before


def test_a_removal_of_what_nobody_holds_changes_nothing() -> None:
    depth = Depth([("1.5", "2")], [])
    depth.apply([("buy", "1.4", "0"), ("sell", "9", "0.00000000")])
    assert depth.bids == [("1.5", "2")]
