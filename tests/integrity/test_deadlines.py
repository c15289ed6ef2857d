"""When silence is a stall, and what is tolerated after it."""

from __future__ import annotations

import pytest

from copra_tx.integrity.deadlines import FIRST_ANSWER, FIRST_DATA, HEARTBEAT, MOST_PATIENCE, Deadlines, Stall

ANSWER, DATA, BEAT, CADENCE = 10.0, 15.0, 5.0, 15.0


def deadlines() -> Deadlines:
    return Deadlines(ANSWER, DATA, BEAT, CADENCE)


def asked_at(now: float = 0.0) -> Deadlines:
    """Return those of a line that was opened then, and asked at once."""
    lines = deadlines()
    lines.opened(now)
    lines.asked(now)
    return lines


def beating(*products: str) -> Deadlines:
    """Return those of a line that has had data, and has the heartbeats of these products."""
    lines = asked_at()
    lines.data(0.0)
    lines.subscribed(products, 0.0, awaits_data=True)
    return lines


def test_a_line_on_which_nothing_was_asked_for_has_no_deadline() -> None:
    lines = deadlines()
    lines.opened(0.0)
    lines.subscribed([], 0.0, awaits_data=True)
    assert lines.due() is None
    assert lines.expired(1000.0) is None


def test_the_first_answer_is_waited_for_from_the_first_request() -> None:
    lines = asked_at(100.0)
    lines.asked(109.0)
    assert lines.due() == 110.0
    assert lines.expired(109.9) is None
    assert lines.expired(110.0) == Stall(FIRST_ANSWER, ANSWER)


def test_any_message_is_an_answer() -> None:
    lines = asked_at()
    lines.heard()
    assert lines.due() is None


def test_the_first_data_are_waited_for_from_the_opening() -> None:
    lines = asked_at(100.0)
    lines.heard()
    lines.subscribed([], 101.0, awaits_data=True)
    assert lines.due() == 115.0
    assert lines.expired(115.0) == Stall(FIRST_DATA, DATA)


def test_with_data_there_is_nothing_more_to_wait_for() -> None:
    lines = asked_at()
    lines.subscribed([], 1.0, awaits_data=True)
    lines.data(2.0)
    assert lines.due() is None


def test_channels_that_are_quiet_by_nature_are_not_waited_for() -> None:
    lines = asked_at()
    lines.heard()
    lines.subscribed([], 0.0, awaits_data=False)
    assert lines.due() is None


def test_a_line_that_lost_all_its_heartbeats_is_left() -> None:
    lines = beating("BTC-USD", "ETH-USD")
    lines.heartbeat("BTC-USD", 3.0)
    lines.heartbeat("ETH-USD", 3.5)
    assert lines.due() == 8.0
    assert lines.expired(8.5) == Stall(HEARTBEAT, BEAT, frozenset({"BTC-USD", "ETH-USD"}))


def test_heartbeats_are_waited_for_from_their_confirmation() -> None:
    lines = asked_at()
    lines.data(0.0)
    lines.subscribed(["BTC-USD"], 7.0, awaits_data=True)
    assert lines.due() == 12.0
    lines.subscribed([], 8.0, awaits_data=True)
    assert lines.due() is None
    lines.heartbeat("BTC-USD", 9.0)  # one that was under way
    assert lines.due() is None


def test_one_product_without_heartbeats_is_cured_once_and_then_the_line_is_left() -> None:
    lines = beating("BTC-USD", "ETH-USD")
    for second in range(1, 6):
        lines.heartbeat("BTC-USD", second)
    eth = frozenset({"ETH-USD"})
    assert lines.expired(5.0) == Stall(HEARTBEAT, BEAT, eth, is_curable=True)
    assert lines.expired(5.0) is None
    for second in range(6, 11):
        lines.heartbeat("BTC-USD", second)
    assert lines.expired(10.0) == Stall(HEARTBEAT, BEAT, eth)
    assert lines.patience == 1


def test_a_cure_that_helped_can_be_tried_again() -> None:
    lines = beating("BTC-USD", "ETH-USD")
    for second in range(1, 21):
        lines.heartbeat("BTC-USD", second)
        stall = lines.expired(second)
        assert (stall is not None) == (second in (5, 11, 17))
        assert stall is None or stall.is_curable
        if second in (6, 12):
            lines.heartbeat("ETH-USD", second)


def test_what_was_missing_on_a_line_that_lived_is_waited_for_longer_until_it_comes() -> None:
    lines = beating("BTC-USD", "ETH-USD")
    for second in range(1, 11):
        lines.heartbeat("BTC-USD", second)
        stall = lines.expired(second)
    assert stall == Stall(HEARTBEAT, BEAT, frozenset({"ETH-USD"}))
    lines.opened(20.0)
    lines.asked(20.0)
    lines.subscribed(["BTC-USD", "ETH-USD"], 20.0, awaits_data=True)
    lines.heartbeat("BTC-USD", 21.0)
    assert lines.due() == 30.0
    lines.heartbeat("ETH-USD", 22.0)
    assert lines.due() == 26.0


def test_heartbeats_that_are_not_confirmed_are_missed_when_all_else_is_silent_too() -> None:
    lines = asked_at()
    lines.data(1.0)
    lines.subscribed([], 2.0, awaits_data=True, awaits_heartbeats=True)
    lines.subscribed([], 3.0, awaits_data=True, awaits_heartbeats=True)
    assert lines.due() == 12.0
    lines.data(9.0)
    assert lines.due() == 19.0
    stall = lines.expired(19.0)
    assert stall is not None
    assert (stall.what, stall.product_ids, stall.is_curable) == (HEARTBEAT, frozenset(), False)
    lines.subscribed([], 3.0, awaits_data=False, awaits_heartbeats=True)
    assert lines.due() is None


def test_such_a_line_is_left_however_long_heartbeats_may_take() -> None:
    lines = Deadlines(ANSWER, DATA, 20 * BEAT, CADENCE)
    lines.opened(0.0)
    lines.asked(0.0)
    lines.data(1.0)
    lines.subscribed([], 1.0, awaits_data=True, awaits_heartbeats=True)
    assert lines.due() == 11.0
    assert lines.expired(11.0) == Stall(HEARTBEAT, ANSWER)


# -- trades that a channel does not show


def test_a_channel_must_show_trades() -> None:
    lines = beating()
    lines.traded(["ticker", "level2"], 1.0, 0.0)
    lines.traded(["ticker"], 9.0, 8.0)
    assert lines.due() == 16.0
    lines.seen(["level2"], 2.0)
    lines.data(15.0)
    assert lines.expired(16.0) == Stall("ticker", CADENCE, is_curable=True)
    lines.data(30.0)
    assert lines.due() == 31.0
    assert lines.expired(31.0) == Stall("ticker", CADENCE)
    assert lines.due() == 46.0
    lines.seen(["ticker"], 49.5)
    assert lines.due() is None
    lines.traded(["ticker"], 50.0, 49.0)
    assert lines.due() is None
    lines.traded(["ticker"], 51.0, 50.0)
    assert lines.due() == 66.0
    lines.left(["ticker"])
    assert lines.due() is None


# -- silence


def test_silence_doubles_what_is_tolerated_and_data_reset_it() -> None:
    lines = asked_at()
    waits = []
    for _ in range(9):
        lines.opened(0.0)
        lines.asked(0.0)
        lines.heard()
        lines.subscribed([], 0.0, awaits_data=True)
        due = lines.due()
        assert due is not None
        stall = lines.expired(due)
        assert stall == Stall(FIRST_DATA, due)
        waits.append(due)
    assert waits[:4] == [DATA, 2 * DATA, 4 * DATA, 8 * DATA]
    assert waits[-1] == waits[-2] == DATA * MOST_PATIENCE
    assert lines.patience == MOST_PATIENCE
    lines.data(0.0)
    assert lines.patience == 1


def test_an_answer_is_never_waited_for_longer() -> None:
    lines = asked_at()
    assert lines.expired(ANSWER) == Stall(FIRST_ANSWER, ANSWER)
    lines.opened(20.0)
    lines.asked(20.0)
    assert lines.due() == 30.0


def test_nobody_is_blamed_for_the_time_in_which_nobody_listened() -> None:
    lines = beating("BTC-USD")
    lines.excuse(4.0)
    assert lines.due() == 9.0
    assert lines.expired(8.0) is None
    assert lines.expired(9.0) == Stall(HEARTBEAT, BEAT, frozenset({"BTC-USD"}))


@pytest.mark.parametrize("now", [1e3, 1e6])
def test_a_deadline_of_zero_is_none(now: float) -> None:
    lines = Deadlines(ANSWER, 0, 0, 0)
    lines.opened(0.0)
    lines.asked(0.0)
    lines.heard()
    lines.subscribed(["BTC-USD"], 0.0, awaits_data=True, awaits_heartbeats=True)
    lines.data(0.0)
    lines.traded(["ticker"], 0.0, 0.0)
    assert lines.expired(now) is None
