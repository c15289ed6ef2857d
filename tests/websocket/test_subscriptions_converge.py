"""
Whatever is wanted and unwanted, and whenever: the ledger leads an honest server to hold exactly what is wanted.

The conversation is the documented one: one request at a time, surplus first; each answer is told to the ledger, and
so is what the answer did not bring. The user changes his mind at any moment, also while a request is unanswered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from copra_tx.feed.exchange import DIALECT, listed
from copra_tx.websocket.channel import Channel
from copra_tx.websocket.subscriptions import Subscriptions, split

PRODUCTS = ("BTC-USD", "ETH-USD", "NOPE-USD")
REFUSED = {"NOPE-USD"}
OTHERS = {"SOL-USD"}  # a product of the venue that nobody names
ALL = "everything"

Listing = Literal["null", "none", "ALL", "products"]

some_products = st.sets(st.sampled_from(PRODUCTS), min_size=1)
a_channel = st.one_of(
    st.builds(Channel, st.sampled_from(["ticker", "full", "rfq_matches"]), some_products),
    st.builds(Channel, st.sampled_from(["status", "rfq_matches"])),
    st.builds(lambda ids: Channel("balance", account_ids=ids), st.sets(st.sampled_from("ab"), min_size=1)),
)
some_channels = st.lists(a_channel, min_size=1, max_size=3)


class HonestServer:
    """
    Does what it is asked where it can, and lists all that it holds.

    It refuses what it does not know, and a single product while everything is held. How it lists "everything" is
    not documented, so it does it in either of four ways. That nobody asks for what he has, or gives back what he
    has not, it takes for granted.
    """

    def __init__(self, listing: Listing) -> None:
        self.held: dict[str, set[str] | str] = {}
        self._listing = listing

    def carry_out(self, kind: str, channels: Iterable[Channel]) -> dict[str, frozenset[str]]:
        for channel in channels:
            (self._join if kind == "subscribe" else self._leave)(channel)
        return listed({"type": "subscriptions", "channels": [self._entry(name) for name in self.held]})

    def _join(self, channel: Channel) -> None:
        held = self.held.get(channel.name, set())
        assert held != ALL, f"{channel} is asked for while everything is held"
        if not channel.members:
            self.held[channel.name] = ALL
        else:
            assert isinstance(held, set)
            assert held.isdisjoint(channel.members), f"{channel} is asked for while {held} is held"
            if channel.members - REFUSED:
                self.held[channel.name] = held | (channel.members - REFUSED)

    def _leave(self, channel: Channel) -> None:
        held = self.held.pop(channel.name, set())
        assert held, f"{channel} is given back and not held"
        if channel.members:
            assert isinstance(held, set), f"{channel} is given back while everything is held"
            assert channel.members <= held, f"{channel} is given back while {held} is held"
            if held - channel.members:
                self.held[channel.name] = held - channel.members

    def _entry(self, name: str) -> dict[str, object]:
        held = self.held[name]
        if isinstance(held, set):
            kind = "account_ids" if name == "balance" else "product_ids"
            return {"name": name, "product_ids": None, "account_ids": None} | {kind: sorted(held)}
        everything = {
            "null": None,
            "none": [],
            "ALL": ["ALL"],
            "products": sorted({*PRODUCTS, *OTHERS} - REFUSED),
        }
        return {"name": name, "product_ids": everything[self._listing], "account_ids": None}


class Conversation(RuleBasedStateMachine):
    """A user, a ledger and a server."""

    asked: tuple[str, list[Channel]] | None = None
    answer: dict[str, frozenset[str]]

    @initialize(channels=st.lists(a_channel, max_size=3), listing=st.sampled_from(get_args(Listing)))
    def begin(self, channels: list[Channel], listing: Listing) -> None:
        self.ledger = Subscriptions(channels)
        self.listing = listing
        self.reconnect()

    @rule(channels=some_channels)
    def want(self, channels: list[Channel]) -> None:
        self.ledger.want(channels)

    @rule(channels=some_channels)
    def unwant(self, channels: list[Channel]) -> None:
        self.ledger.unwant(channels)

    @precondition(lambda self: self.asked is None)
    @rule()
    def ask(self) -> None:
        surplus = self.ledger.surplus()
        due = surplus or self.ledger.missing()
        if due:
            self.asked = ("unsubscribe" if surplus else "subscribe"), next(split(due, 2))
            self.answer = self.server.carry_out(*self.asked)

    @precondition(lambda self: self.asked is not None)
    @rule()
    def take_answer(self) -> None:
        assert self.asked is not None
        (kind, channels), self.asked = self.asked, None
        self.ledger.answered(self.answer)
        if kind == "subscribe":
            self.ledger.refuse(self.ledger.unconfirmed(self.ledger.still_wanted(channels)))
        else:
            self.ledger.stop_unsubscribing(channels)

    @rule()
    def reconnect(self) -> None:
        self.server = HonestServer(self.listing)
        self.asked = None
        self.ledger.connected()

    @invariant()
    def what_is_wanted_is_what_passes(self) -> None:
        for message_type in DIALECT.message_types:
            channels = [self.ledger.wanted.get(name) for name in DIALECT.explaining_channels(message_type)]
            for product in (*PRODUCTS, *OTHERS):
                explained = any(one and (not one.product_ids or product in one.product_ids) for one in channels)
                assert self.ledger.accepts(message_type, product) is explained
            assert self.ledger.accepts(message_type, None) is any(channels)

    @rule()
    def settle(self) -> None:
        """Nothing intervenes: what is held is then what is wanted, but for what the server refuses."""
        for _ in range(100):
            if self.asked is None:
                self.ask()
            if self.asked is None:
                break
            self.take_answer()
        assert self.asked is None, "this never comes to an end"
        wanted = {
            name: channel.members - REFUSED if channel.members else ALL for name, channel in self.ledger.wanted.items()
        }
        assert self.server.held == {name: members for name, members in wanted.items() if members}

    def teardown(self) -> None:
        self.settle()


def test_an_honest_server_is_led_to_hold_exactly_what_is_wanted() -> None:
    run_state_machine_as_test(
        Conversation, settings=settings(max_examples=200, stateful_step_count=15, report_multiple_bugs=False)
    )
