"""The ledger of subscriptions: wanted, held, refused, unwanted, the differences, and what a message must be about."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.feed.exchange import CHANNELS, DIALECT, listed
from copra_tx.websocket.channel import Channel
from copra_tx.websocket.subscriptions import Subscriptions, split
from support.samples import samples

BTC, ETH, LTC = "BTC-USD", "ETH-USD", "LTC-USD"
TICKER_BTC, TICKER_ETH = Channel("ticker", BTC), Channel("ticker", ETH)
TICKERS = Channel("ticker", [BTC, ETH])
RFQ, RFQ_BTC, RFQ_ETH = Channel("rfq_matches"), Channel("rfq_matches", BTC), Channel("rfq_matches", ETH)
STATUS = Channel("status")
ACCOUNTS = Channel("balance", account_ids=["a", "b"])


def holding(**channels: list[str]) -> dict[str, frozenset[str]]:
    return {name: frozenset(ids) for name, ids in channels.items()}


def ledger(*wanted: Channel, **held: list[str]) -> Subscriptions:
    """Return a ledger on a connection whose server has said what it holds."""
    made = Subscriptions(wanted)
    made.connected()
    made.answered(holding(**held))
    return made


# Wanted


def test_what_is_wanted_is_kept_by_name() -> None:
    subscriptions = Subscriptions([TICKER_BTC, STATUS, TICKER_ETH])
    assert subscriptions.wanted == {"ticker": TICKERS, "status": STATUS}
    subscriptions.want([Channel("full", BTC)])
    subscriptions.unwant([TICKER_BTC, STATUS, Channel("level2", BTC)])
    assert subscriptions.wanted == {"ticker": TICKER_ETH, "full": Channel("full", BTC)}


def test_the_views_are_live_and_cannot_be_written() -> None:
    subscriptions = Subscriptions()
    wanted, held = subscriptions.wanted, subscriptions.held
    subscriptions.want([TICKER_BTC])
    subscriptions.answered(holding(ticker=[BTC]))
    assert (wanted, held) == ({"ticker": TICKER_BTC}, {"ticker": {BTC}})
    subscriptions.connected()
    assert held == {}
    for view in (wanted, held):
        with pytest.raises(TypeError):
            view["ticker"] = None  # type: ignore[index]


def test_wanted_outlives_a_connection_and_nothing_else_does() -> None:
    subscriptions = ledger(TICKERS, Channel("matches", BTC), ticker=[BTC], matches=[BTC])
    subscriptions.refuse([TICKER_ETH])
    subscriptions.unwant([Channel("matches", BTC)])
    subscriptions.connected()
    assert subscriptions.wanted == {"ticker": TICKERS}
    assert subscriptions.held == {}
    assert subscriptions.refused_of([TICKERS]) == []
    assert subscriptions.missing() == [TICKERS]
    subscriptions.answered(holding(matches=[BTC]))
    assert subscriptions.surplus() == []


def test_some_products_of_everything_stay_wanted() -> None:
    subscriptions = ledger(RFQ, rfq_matches=[])
    subscriptions.unwant([RFQ_BTC])
    assert subscriptions.wanted == {"rfq_matches": RFQ}
    assert subscriptions.surplus() == []
    assert subscriptions.accepts("rfq_match", BTC)


def test_still_wanted_is_what_two_lists_share() -> None:
    subscriptions = Subscriptions([TICKERS, RFQ, ACCOUNTS])
    asked = [Channel("ticker", [BTC, LTC]), RFQ_BTC, RFQ, Channel("balance", account_ids="a"), STATUS]
    assert subscriptions.still_wanted(asked) == [
        *(TICKER_BTC, RFQ_BTC, RFQ),
        Channel("balance", account_ids="a"),
    ]
    assert Subscriptions([RFQ_BTC]).still_wanted([RFQ, RFQ_ETH]) == [RFQ_BTC]


# Missing


def test_what_is_wanted_and_not_held_is_missing_in_the_order_of_requests() -> None:
    subscriptions = ledger(TICKERS, STATUS, ACCOUNTS, Channel("full", LTC), ticker=[BTC], balance=["b"])
    assert subscriptions.missing() == [Channel("balance", account_ids="a"), Channel("full", LTC), STATUS, TICKER_ETH]
    subscriptions.answered(holding(ticker=[ETH, BTC, LTC], balance=["a", "b"], full=[LTC], status=[]))
    assert subscriptions.missing() == []


def test_what_was_refused_is_not_asked_for_again() -> None:
    subscriptions = ledger(TICKERS, STATUS)
    subscriptions.refuse([TICKER_ETH, STATUS])
    assert subscriptions.missing() == [TICKER_BTC]
    assert subscriptions.refused_of([TICKERS, RFQ, STATUS]) == [TICKER_ETH, STATUS]
    subscriptions.answered(holding(ticker=[BTC]))
    assert subscriptions.missing() == []


def test_to_want_it_again_is_another_chance() -> None:
    subscriptions = ledger(TICKERS)
    subscriptions.refuse([TICKERS])
    subscriptions.want([TICKER_ETH])
    assert subscriptions.missing() == [TICKER_ETH]


def test_what_is_held_after_all_is_not_refused_any_more() -> None:
    subscriptions = ledger(TICKERS, STATUS)
    subscriptions.refuse([TICKERS, STATUS])
    subscriptions.answered(holding(ticker=[ETH], status=[]))
    assert subscriptions.refused_of([TICKERS, STATUS]) == [TICKER_BTC]
    subscriptions.answered(holding())
    assert subscriptions.missing() == [STATUS, TICKER_ETH]


def test_what_was_refused_and_is_unwanted_is_forgotten() -> None:
    subscriptions = ledger(TICKERS)
    subscriptions.refuse([TICKERS])
    subscriptions.unwant([TICKER_ETH])
    assert subscriptions.refused_of([TICKERS]) == [TICKER_BTC]


@pytest.mark.parametrize("ids", [[""], [" BTC-USD"], ["\n"], [BTC, ""], ["x" * 100_000]])
def test_no_id_that_a_server_lists_is_too_odd(ids: list[str]) -> None:
    for channel in (Channel("ticker", [BTC, "NOPE"]), RFQ, STATUS, ACCOUNTS):
        subscriptions = ledger(channel)
        subscriptions.refuse([channel])
        subscriptions.answered({channel.name: frozenset(ids), "": frozenset(ids)})
        subscriptions.unwant([channel])
        assert [one.name for one in subscriptions.surplus()] in ([], [channel.name])
        assert subscriptions.missing() == []


# Surplus


def test_what_is_unwanted_and_held_all_the_same_is_surplus() -> None:
    subscriptions = ledger(TICKERS, STATUS, ACCOUNTS, ticker=[BTC, ETH], status=[], balance=["a", "b"])
    subscriptions.unwant([Channel("ticker", [LTC, ETH]), STATUS, Channel("balance", account_ids="a")])
    assert subscriptions.surplus() == [Channel("balance", account_ids="a"), STATUS, TICKER_ETH]
    subscriptions.answered(holding(ticker=[BTC], balance=["b"]))
    assert subscriptions.surplus() == []


def test_what_was_asked_for_and_unwanted_before_the_answer_is_surplus_after_it() -> None:
    subscriptions = ledger(TICKER_BTC)
    subscriptions.unwant([TICKER_BTC])
    assert subscriptions.surplus() == []
    subscriptions.answered(holding(ticker=[BTC]))
    assert subscriptions.surplus() == [TICKER_BTC]


def test_what_somebody_else_subscribed_to_is_left_alone() -> None:
    subscriptions = ledger(TICKER_BTC, ticker=[BTC, ETH], full=[BTC], unheard_of=[])
    subscriptions.unwant([TICKER_BTC])
    assert subscriptions.surplus() == [TICKER_BTC]


def test_what_is_wanted_again_is_no_surplus() -> None:
    subscriptions = ledger(TICKERS, STATUS, ticker=[BTC, ETH], status=[])
    subscriptions.unwant([TICKERS, STATUS])
    subscriptions.want([TICKER_BTC, STATUS])
    assert subscriptions.surplus() == [TICKER_ETH]
    assert subscriptions.missing() == []


def test_what_the_server_keeps_is_given_up_until_it_is_unwanted_again() -> None:
    subscriptions = ledger(TICKERS, ticker=[BTC, ETH])
    subscriptions.unwant([TICKERS])
    subscriptions.stop_unsubscribing([TICKER_BTC])
    assert subscriptions.surplus() == [TICKER_ETH]
    subscriptions.unwant([TICKER_BTC])
    assert subscriptions.surplus() == [TICKERS]


def test_a_server_that_lists_no_products_is_asked_by_what_is_unwanted() -> None:
    subscriptions = ledger(RFQ_BTC, rfq_matches=[])
    subscriptions.unwant([RFQ_BTC])
    assert subscriptions.surplus() == [RFQ_BTC]


@pytest.mark.parametrize(
    ("channel", "held", "any_of_it"),
    [
        (TICKERS, {}, False),
        (TICKERS, {"ticker": [LTC]}, False),
        (TICKERS, {"ticker": [LTC, ETH]}, True),
        (RFQ, {"rfq_matches": [LTC]}, True),
        (RFQ_BTC, {"rfq_matches": []}, True),
        (RFQ_BTC, {"rfq_matches": [ETH]}, False),
        (STATUS, {"status": []}, True),
        (ACCOUNTS, {"balance": ["b"]}, True),
    ],
)
def test_whether_anything_of_a_channel_is_held(channel: Channel, held: dict[str, list[str]], any_of_it: bool) -> None:
    assert ledger(**held).holds_any(channel) is any_of_it


# Everything, where a channel may be about everything


@pytest.mark.parametrize("ids", [[], [BTC], [BTC, ETH, LTC]])
def test_asked_for_everything_the_server_may_list_whichever_products(ids: list[str]) -> None:
    for channel in (RFQ, STATUS):
        subscriptions = ledger(channel, **{channel.name: ids})
        assert subscriptions.missing() == []
        subscriptions.unwant([channel])
        assert subscriptions.surplus() == [channel]


def test_products_held_without_any_listed_are_everything() -> None:
    assert ledger(RFQ_BTC, rfq_matches=[]).missing() == []


def test_everything_is_asked_for_where_only_products_were() -> None:
    """What the server lists then is no more than what was asked for, before this connection or on it."""
    subscriptions = ledger(RFQ_BTC)
    subscriptions.want([RFQ_ETH])
    subscriptions.answered(holding(rfq_matches=[BTC, ETH]))
    subscriptions.want([RFQ])
    assert subscriptions.missing() == [RFQ]
    subscriptions.answered(holding(rfq_matches=[BTC, ETH, LTC]))
    assert subscriptions.missing() == []


def test_everything_is_asked_for_though_products_were_given_up_before() -> None:
    subscriptions = ledger(RFQ_BTC, rfq_matches=[BTC])
    subscriptions.unwant([RFQ_BTC])
    subscriptions.want([RFQ])
    assert (subscriptions.surplus(), subscriptions.missing()) == ([], [RFQ])


def test_everything_refused_is_not_asked_for_again_though_products_are_held() -> None:
    subscriptions = ledger(RFQ_BTC, rfq_matches=[BTC])
    subscriptions.want([RFQ])
    subscriptions.refuse([RFQ])
    subscriptions.answered(holding(rfq_matches=[BTC]))
    assert subscriptions.missing() == []
    subscriptions.connected()
    assert subscriptions.missing() == [RFQ]
    subscriptions.answered(holding(rfq_matches=[BTC]))
    assert subscriptions.missing() == []


def test_products_of_everything_refused_give_everything_another_chance() -> None:
    """Else a subscription would be taken for granted that the server has refused."""
    subscriptions = ledger(RFQ)
    subscriptions.refuse([RFQ])
    subscriptions.want([RFQ_BTC])
    assert subscriptions.refused_of([RFQ_BTC]) == []
    assert subscriptions.missing() == [RFQ]


@pytest.mark.parametrize("ids", [[], [BTC], [BTC, ETH]])
def test_products_instead_of_everything_need_an_end_of_everything_first(ids: list[str]) -> None:
    """The venue refuses a single product while everything is held."""
    subscriptions = ledger(RFQ, rfq_matches=ids)
    subscriptions.unwant([RFQ])
    subscriptions.want([RFQ_BTC])
    assert subscriptions.surplus() == [RFQ]
    subscriptions.answered(holding())
    subscriptions.stop_unsubscribing([RFQ])
    assert (subscriptions.surplus(), subscriptions.missing()) == ([], [RFQ_BTC])
    subscriptions.answered(holding(rfq_matches=[BTC]))
    assert (subscriptions.surplus(), subscriptions.missing()) == ([], [])


# What a message must be about


def about(message: Any) -> tuple[str, Any]:
    """Return the type and the product of a message; those of a row stand at its beginning."""
    return ("level3", message[1]) if isinstance(message, list) else (message["type"], message.get("product_id"))


SERVER = samples("server")


@pytest.mark.parametrize("sample", SERVER)
@pytest.mark.parametrize("name", CHANNELS)
def test_every_message_passes_by_the_channels_that_explain_it(sample: str, name: str) -> None:
    message_type, product = about(SERVER[sample])
    explaining = DIALECT.explaining_channels(message_type)
    right = Channel(name, account_ids="a") if name == "balance" else Channel(name, [product or BTC, LTC])
    assert Subscriptions([right]).accepts(message_type, product) is (name in explaining or not explaining)
    if name != "balance" and product is not None and explaining:
        assert not Subscriptions([Channel(name, "X-USD")]).accepts(message_type, product)
    assert Subscriptions().accepts(message_type, product) is (not explaining)


def test_only_what_no_wanted_channel_of_the_product_explains_is_dropped() -> None:
    subscriptions = Subscriptions([Channel("matches", BTC), Channel("full", ETH), Channel("user", [BTC, LTC])])
    assert [one for one in (BTC, ETH, LTC, "X-USD") if subscriptions.accepts("match", one)] == [BTC, ETH, LTC]
    assert [one for one in (BTC, ETH, LTC) if subscriptions.accepts("last_match", one)] == [BTC]
    assert [one for one in (BTC, ETH, LTC) if subscriptions.accepts("open", one)] == [BTC, ETH, LTC]
    subscriptions.unwant([Channel("user", BTC)])
    assert subscriptions.accepts("match", BTC)
    subscriptions.unwant([Channel("matches", BTC)])
    assert not subscriptions.accepts("match", BTC)
    assert [one for one in (BTC, ETH, LTC) if subscriptions.accepts("open", one)] == [ETH, LTC]
    subscriptions.want([Channel("matches", BTC)])
    assert subscriptions.accepts("match", BTC)


def test_a_message_without_product_passes_while_its_channel_is_wanted() -> None:
    subscriptions = Subscriptions([Channel("user", BTC), STATUS, ACCOUNTS])
    assert [one for one in ("change", "status", "balance", "ticker") if subscriptions.accepts(one, None)] == [
        *("change", "status", "balance")
    ]
    subscriptions.unwant([Channel("user", BTC), STATUS, ACCOUNTS])
    assert [one for one in ("change", "status", "balance") if subscriptions.accepts(one, None)] == []


@pytest.mark.parametrize("odd", [7, 1.5, True, [], [BTC], {}, {BTC: 1}, [[{}]]], ids=repr)
def test_a_product_that_is_no_text_is_none(odd: object) -> None:
    subscriptions = Subscriptions([TICKER_BTC, RFQ])
    assert subscriptions.accepts("ticker", odd)
    assert subscriptions.accepts("rfq_match", odd)
    assert subscriptions.accepts("unheard_of", odd)
    assert not subscriptions.accepts("match", odd)


def test_types_that_nobody_knows_pass() -> None:
    subscriptions = Subscriptions([TICKER_BTC])
    assert all(subscriptions.accepts(f"new-{number}", BTC) for number in range(1000))


def test_only_a_connection_on_which_something_was_unwanted_needs_to_select() -> None:
    subscriptions = Subscriptions([TICKER_BTC])
    assert not subscriptions.is_selective
    subscriptions.unwant([TICKER_BTC])
    assert subscriptions.is_selective
    subscriptions.want([TICKER_BTC])
    assert subscriptions.is_selective  # what was on its way may still be
    subscriptions.connected()
    assert not subscriptions.is_selective


# Cutting into requests


def shape(channels: list[Channel]) -> list[tuple[str, list[str]]]:
    return [(channel.name, sorted(channel.members)) for channel in channels]


def test_a_list_is_cut_by_its_ids() -> None:
    five = Channel("ticker", ["a", "b", "c", "d", "e"])
    parts = [shape(part) for part in split([Channel("full", "z"), STATUS, five, ACCOUNTS, RFQ], 3)]
    assert parts == [
        [("full", ["z"]), ("status", []), ("ticker", ["a", "b"])],
        [("ticker", ["c", "d", "e"])],
        [("balance", ["a", "b"]), ("rfq_matches", [])],
    ]
    assert list(split([], 3)) == []
    assert [shape(part) for part in split([STATUS, RFQ], 1)] == [[("status", []), ("rfq_matches", [])]]


@given(
    st.lists(
        st.builds(
            Channel, st.sampled_from(["ticker", "full", "rfq_matches"]), st.sets(st.text("abc", min_size=1), min_size=1)
        )
    ),
    st.integers(1, 5),
)
def test_the_parts_together_are_the_list_and_none_is_too_long_or_empty(channels: list[Channel], most: int) -> None:
    parts = list(split([*channels, STATUS], most))
    together = {(channel.name, one) for part in parts for channel in part for one in channel.members or [""]}
    assert together == {("status", "")} | {(channel.name, one) for channel in channels for one in channel.members}
    sizes = [sum(len(channel.members) for channel in part) for part in parts]
    assert all(part for part in parts)
    assert all(size == most for size in sizes[:-1])
    assert sizes[-1] <= most


def test_an_answer_of_the_venue_is_taken_as_it_is_read() -> None:
    subscriptions = ledger(Channel("level2_batch", BTC), Channel("matches", BTC))
    subscriptions.answered(listed(SERVER["subscriptions"]))
    assert subscriptions.missing() == []
