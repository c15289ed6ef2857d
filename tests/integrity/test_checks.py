"""Which messages are numbered by what, and what is nobody's number."""

from __future__ import annotations

from typing import Any

import pytest

from copra_tx.feed import advanced_trade, exchange
from copra_tx.integrity.checks import Checks
from copra_tx.integrity.gaps import Gap

BTC = "BTC-USD"


def checks(*confirmed: str, pending: tuple[str, ...] = ()) -> Checks:
    made = Checks(exchange.DIALECT)
    subscribe(made, *confirmed, pending=pending)
    return made


def subscribe(made: Checks, *confirmed: str, pending: tuple[str, ...] = ()) -> None:
    made.subscribed({key: [BTC] for key in confirmed}, {key: [BTC] for key in pending})


def observe(made: Checks, message_type: str, number: Any, *more: Any) -> list[Gap]:
    """Let messages of a type come; their sequence is far from their trade's number."""
    gaps: list[Gap] = []
    for one in (number, *more):
        trade = one + 1000 if isinstance(one, int) else one
        gaps += made.observe(message_type, BTC, one, trade)
    return gaps


def test_every_message_of_full_has_the_next_sequence() -> None:
    made = checks("full")
    assert observe(made, "received", 1) + observe(made, "open", 2) + observe(made, "match", 3) == []
    assert observe(made, "done", 6) == [Gap("full", BTC, 4, 6, 2, "a number was skipped")]
    assert made.tracked_types == {"received", "open", "done", "match", "change", "activate"}
    assert made.track == ("sequence", {BTC: [6]})


def test_every_match_has_the_next_trade_id() -> None:
    made = checks("matches")
    assert observe(made, "last_match", 1) + observe(made, "match", 2) == []
    assert observe(made, "match", 4) == [Gap("matches", BTC, 1003, 1004, 1, "a number was skipped")]
    assert made.tracked_types == {"match", "last_match"}
    assert made.track == ("trade_id", {BTC: [1004]})


def test_the_last_match_after_a_reconnection_may_be_known() -> None:
    made = checks("matches")
    observe(made, "last_match", 1, 1)
    made.connection_lost()
    assert observe(made, "last_match", 1) == []
    assert made.repeated == 0
    made.connection_lost()
    assert observe(made, "last_match", 4) == [Gap("matches", BTC, 1002, 1004, 2, "the line was lost")]


def test_rows_have_their_sequence_as_text() -> None:
    made = checks("level3")
    assert observe(made, "level3", "1", "2") == []
    assert observe(made, "level3", "4", "3")[0] == Gap("level3", BTC, 3, 4, 1, "a number was skipped")
    assert made.rows == {BTC: [4]}
    assert made.tracked_types == set()
    assert made.late == 1


@pytest.mark.parametrize("number", [None, "x", "", True, 1.5, "1" * 30, [1]])
def test_what_is_no_number_is_nothing_to_be_told(number: object) -> None:
    made = checks("full", "matches", "level3")
    assert observe(made, "open", 1, number, 2) == []
    assert observe(made, "level3", 1, number, 2) == []
    assert made.observe("open", None, 9, 9) == ()
    assert made.observe("open", ["BTC-USD"], 9, 9) == ()


def test_other_types_and_products_are_not_numbered() -> None:
    made = checks("full")
    assert observe(made, "ticker", 1, 9) == []
    assert made.observe("open", "ETH-USD", 1, None) == made.observe("open", "ETH-USD", 9, None) == ()
    assert observe(made, "last_match", 1, 9) == []


# -- a message does not say which channel brought it


def test_where_full_brings_the_matches_they_are_counted_once() -> None:
    made = checks("full", "matches")
    assert observe(made, "received", 1) == []
    assert observe(made, "match", 2, 2, 3, 3) == []
    assert made.repeated == 0
    assert observe(made, "match", 5) == [Gap("full", BTC, 4, 5, 1, "a number was skipped")]


def test_matches_of_others_go_by_their_trade_beside_full() -> None:
    made = Checks(exchange.DIALECT)
    made.subscribed({"full": [BTC], "matches": ["ETH-USD"]}, {})
    assert made.observe("match", "ETH-USD", 5, 1) == made.observe("match", "ETH-USD", 9, 2) == ()
    assert [gap.channel for gap in made.observe("match", "ETH-USD", 9, 4)] == ["matches"]


def test_messages_of_user_are_none_of_full() -> None:
    """They look the same, and are some of them."""
    made = checks("user", pending=("full",))
    assert observe(made, "received", 1, 9) == []
    subscribe(made, "user", "full")
    assert observe(made, "received", 10, 11, 11) == []
    assert made.repeated == 0
    assert len(observe(made, "received", 13)) == 1


def test_before_the_answer_a_message_says_enough() -> None:
    made = checks(pending=("full",))
    assert len(observe(made, "received", 1, 3)) == 1


def test_who_comes_back_to_a_channel_missed_nothing() -> None:
    made = checks("matches")
    observe(made, "match", 1)
    subscribe(made, "full", "matches")
    observe(made, "match", 20)
    subscribe(made, "matches")
    assert observe(made, "match", 30) == []
    subscribe(made)
    subscribe(made, "full")
    assert observe(made, "match", 40) == []


# -- gaps that are filled from elsewhere


def test_a_gap_is_filled_in_its_channel() -> None:
    made = checks("full", "level3")
    observe(made, "level3", 1)
    (missing,) = observe(made, "level3", 5)
    observe(made, "level3", 3)
    assert made.still_missing(missing) == ((2, 2), (4, 4))
    made.filled(missing, ((4, 4),))
    assert observe(made, "level3", 2) == []
    assert (made.late, made.repeated) == (1, 1)


def test_what_may_be_told_twice() -> None:
    made = checks("matches", "user")
    assert made.is_doubled(BTC)
    assert not checks("matches").is_doubled(BTC)


# -- heartbeats


def test_heartbeats_tell_of_full_by_sequence_and_of_matches_by_trade() -> None:
    made = checks("full", "level3")
    observe(made, "open", 1)
    observe(made, "level3", 1)
    assert made.heartbeat(BTC, 3, 1003) == []
    assert [(gap.channel, gap.missing) for gap in made.heartbeat(BTC, 3, 1003)] == [("level3", 2), ("full", 2)]
    made = checks("matches")
    observe(made, "match", 1)
    assert made.heartbeat(BTC, 30, 1002) == []
    assert made.heartbeat(BTC, 31, 1002) == [Gap("matches", BTC, 1002, 1003, 1, "the heartbeat was ahead")]


def test_heartbeats_say_nothing_of_what_is_not_confirmed() -> None:
    made = checks(pending=("full",))
    observe(made, "open", 1)
    for _ in range(3):
        assert made.heartbeat(BTC, 9, None) == []
        assert made.heartbeat(None, 9, None) == []


def test_a_feed_without_numbers_of_its_channels_has_nothing_to_be_checked() -> None:
    made = Checks(advanced_trade.DIALECT)
    made.subscribed({"level2": [BTC]}, {})
    assert made.observe("level2", BTC, 1, 1) == ()
    assert made.heartbeat(BTC, 1, 1) == []
    assert (made.tracked_types, made.rows) == (set(), {})


@pytest.mark.parametrize("number", [None, "x", 1.5, True])
def test_a_heartbeat_without_a_number_says_nothing(number: object) -> None:
    made = checks("full", "matches")
    observe(made, "received", 5)
    assert [made.heartbeat(BTC, number, number) for _ in range(2)] == [[], []]
    assert made.heartbeat(None, 9, 9) == []
