"""A lost frame of the Advanced Trade feed: told once, before what follows it; books renewed, nothing else disturbed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from copra_tx.errors import SubscriptionRefusedError
from copra_tx.integrity.gaps import Gap
from copra_tx.websocket import Channel
from support.advanced import GapRecorder, Venue, joined, l2, trade
from support.world import World, outcome, settle

BOOKS = Channel("level2", ["BTC-USD", "ETH-USD"])
TRADES = Channel("market_trades", "BTC-USD")
RENEWAL = [
    ("unsubscribe", "level2", ["BTC-USD", "ETH-USD"]),
    ("subscribe", "level2", ["BTC-USD", "ETH-USD"]),
]


@pytest.fixture
def world() -> World:
    return World()


def kinds(client: Any) -> list[str]:
    """Return what happened, in short."""
    return [event[1]["channel"] if event[0] == "message" else event[0] for event in client.events]


@pytest.mark.parametrize("decode", ["dict", "lazy", None])
@pytest.mark.parametrize("together", [True, False])
def test_a_gap_is_told_before_the_message_that_shows_it(world: World, decode: Any, together: bool) -> None:
    client, venue = joined(world, TRADES, decode=decode)
    for lost in (0, 3, 0):
        venue.lose(lost)
        venue.say("market_trades", trade("BTC-USD"))
        if not together:
            settle(world)
    settle(world)
    number = venue.number
    assert [event[0] for event in client.events] == ["message", "gap", "message", "message"]
    assert client.gaps == [Gap("", "", number - 5, number - 2, 3, "sequence_num skipped")]
    assert client.counters.gaps == 1
    assert client.counters.late == 0


@pytest.mark.parametrize("channel", ["subscriptions", "heartbeats", "l2_data", "something_new"])
def test_every_frame_is_looked_at(world: World, channel: str) -> None:
    """Answers and heartbeats have numbers, too, and so has what we do not know."""
    client, venue = joined(world, TRADES)
    venue.lose()
    venue.say(channel, {"subscriptions": venue.held})
    venue.say("market_trades", trade("BTC-USD"))
    settle(world)
    assert len(client.gaps) == 1


def test_the_first_frame_has_the_number_0(world: World) -> None:
    client = world.client(TRADES, kind=GapRecorder, feed="advanced")
    venue = Venue(world)
    venue.lose()
    venue.answer_all()
    assert client.gaps == [Gap("", "", 0, 1, 1, "sequence_num skipped")]


def test_errors_have_no_number(world: World) -> None:
    client, venue = joined(world, TRADES)
    venue.server.say({"type": "error", "message": "rate limit exceeded"})
    venue.say("market_trades", trade("BTC-USD"))
    settle(world)
    assert kinds(client) == ["error", "market_trades"]


def test_late_and_repeated_frames_are_counted_and_handed_over(world: World) -> None:
    client, venue = joined(world, TRADES)
    message = venue.say("market_trades", trade("BTC-USD"))
    venue.server.say(message)
    venue.say("market_trades", trade("BTC-USD"))
    venue.server.say(message)
    settle(world)
    assert kinds(client) == ["market_trades"] * 4
    assert (client.counters.late, client.counters.repeated) == (0, 2)


@pytest.mark.parametrize("beats", [True, False])
def test_a_frame_that_comes_late_closes_its_gap(world: World, beats: bool) -> None:
    client, venue = joined(world, TRADES, heartbeats=beats)
    late = venue.number
    venue.lose()
    venue.say("market_trades", trade("BTC-USD"))
    venue.say("market_trades", trade("BTC-USD"), sequence_num=late)
    venue.number -= 1
    venue.say("heartbeats", {"heartbeat_counter": 1})
    settle(world)
    assert kinds(client)[:4] == ["gap", "market_trades", "gap", "market_trades"]
    assert client.gaps[1] == replace(client.gaps[0], recovered=True)
    counters = client.counters
    assert (counters.gaps, counters.missing, counters.late, counters.repeated) == (1, 1, 1, 0)


def test_what_cannot_be_read_leaves_a_gap(world: World) -> None:
    client, venue = joined(world, TRADES)
    venue.server.sendMessage(b'{"channel":"market_trades","sequence_num":')
    venue.lose()
    venue.say("market_trades", trade("BTC-USD"))
    settle(world)
    assert kinds(client) == ["error", "gap", "market_trades"]


def test_the_counter_begins_anew_with_each_connection(world: World) -> None:
    client, venue = joined(world, TRADES)
    venue.say("market_trades", trade("BTC-USD"))
    world.drop()
    world.advance(2)
    Venue(world).answer_all()
    assert client.gaps == []


def test_a_failing_on_gap_hurts_nobody(world: World, logged_errors: Any) -> None:
    class Failing(GapRecorder):
        def on_gap(self, gap: Any) -> None:
            super().on_gap(gap)
            raise ZeroDivisionError

    client = world.client(TRADES, kind=Failing, feed="advanced")
    venue = Venue(world)
    venue.answer_all()
    client.events.clear()
    venue.lose()
    venue.say("market_trades", trade("BTC-USD"))
    settle(world)
    assert kinds(client) == ["gap", "market_trades"]
    assert len(logged_errors.flush(ZeroDivisionError)) == 1
    assert client.counters.callback_failures == 1


def test_nothing_is_told_after_close(world: World) -> None:
    client, venue = joined(world, TRADES)
    client.close()
    venue.lose()
    venue.say("market_trades", trade("BTC-USD"))
    settle(world)
    assert client.gaps == []


# The renewal


def test_the_books_are_renewed_and_nothing_else_is_disturbed(world: World) -> None:
    client, venue = joined(world, [BOOKS, TRADES])
    venue.lose()
    venue.say("market_trades", trade("BTC-USD"))
    venue.answer_all()
    assert venue.requests == RENEWAL
    assert client.closes == []
    assert client.counters.attempts == 1
    assert [gap.missing for gap in client.gaps] == [1]


def test_there_is_nothing_to_renew_without_books(world: World) -> None:
    _, venue = joined(world, TRADES)
    venue.lose()
    venue.say("market_trades", trade("BTC-USD"))
    assert venue.requests == []


def test_losses_during_a_renewal_make_for_one_more(world: World) -> None:
    """They may have hit its snapshots; how many there are does not matter."""
    _, venue = joined(world, [BOOKS, TRADES])
    venue.lose()
    venue.say("market_trades", trade("BTC-USD"))
    assert venue.requests == RENEWAL[:1]
    for _ in range(3):
        venue.lose()
        venue.say("market_trades", trade("BTC-USD"))
    venue.answer_all()
    assert venue.requests == RENEWAL * 2


def test_a_loss_before_the_answer_is_made_up_for_after_it(world: World) -> None:
    """What was lost may be the snapshot itself: it comes before the answer."""
    world.client(BOOKS, kind=GapRecorder, feed="advanced", heartbeats=False)
    venue = Venue(world)
    assert venue.requests == RENEWAL[1:]
    venue.lose()
    venue.answer_all()
    assert venue.requests == [RENEWAL[1], *RENEWAL]


def test_a_new_connection_needs_no_renewal(world: World) -> None:
    _, venue = joined(world, [BOOKS, TRADES])
    for _ in range(2):
        venue.lose()
        venue.say("market_trades", trade("BTC-USD"))
        settle(world)
    world.drop()
    world.advance(2)
    again = Venue(world)
    again.answer_all()
    assert [kind for kind, _, _ in again.requests] == ["subscribe"] * 3


def test_books_that_are_given_up_meanwhile_are_not_renewed_once_more(world: World) -> None:
    client, venue = joined(world, [BOOKS, TRADES])
    for _ in range(2):
        venue.lose()
        venue.say("market_trades", trade("BTC-USD"))
        settle(world)
    client.unsubscribe(BOOKS)
    venue.answer_all()
    assert venue.requests == RENEWAL[:1]


def test_a_renewal_that_fails_is_told(world: World) -> None:
    client, venue = joined(world, [BOOKS, TRADES])
    venue.lose()
    venue.say("market_trades", trade("BTC-USD"))
    settle(world)
    venue.answer()
    venue.refused = {"ETH-USD"}
    venue.answer_all()
    world.advance(2)
    [(message, _)] = client.errors
    assert "ETH-USD" in message
    assert "refused" in message


def test_a_renewal_that_is_cut_short_by_close_is_not(world: World) -> None:
    client, venue = joined(world, [BOOKS, TRADES])
    venue.lose()
    venue.say("market_trades", trade("BTC-USD"))
    settle(world)
    client.close()
    settle(world)
    assert client.errors == []


def test_a_caller_who_waits_is_told_himself(world: World) -> None:
    client, venue = joined(world, [TRADES])
    venue.refused = {"ETH-USD"}
    subscribed = outcome(client.subscribe(BOOKS))
    settle(world)
    venue.lose()
    venue.answer_all()
    world.advance(2)
    assert subscribed[0].check(SubscriptionRefusedError)


@given(
    losses=st.lists(st.integers(0, 2), min_size=1, max_size=30),
    sizes=st.lists(st.integers(1, 7), min_size=30, max_size=30),
)
def test_every_missing_number_is_told_once_however_frames_come(losses: list[int], sizes: list[int]) -> None:
    world = World()
    client, venue = joined(world, [Channel("market_trades", "BTC-USD"), Channel("level2", "BTC-USD")])
    sent, missing = [], []
    batches = iter(sizes)
    left = next(batches)
    for index, lost in enumerate(losses):
        missing += range(venue.number, venue.number + lost)
        venue.lose(lost)
        if index % 3 == 0:
            venue.say("heartbeats", {"heartbeat_counter": index})
        else:
            sent.append(venue.say("l2_data", l2("BTC-USD")) if index % 2 else venue.say("market_trades", trade("A")))
        left -= 1
        if not left:
            settle(world)
            left = next(batches)
    settle(world)
    assert [number for gap in client.gaps for number in range(gap.expected, gap.received)] == missing
    assert client.messages == sent


# Many frames in one read


class Busy(GapRecorder):
    """Does something with each message; what, the test says."""

    work: Any = None

    def on_message(self, message: Any) -> Any:
        super().on_message(message)
        return self.work() if self.work else None


def in_one_read(venue: Venue, world: World, count: int) -> None:
    for _ in range(count):
        venue.say("market_trades", trade("BTC-USD"))
    settle(world)


def busy(world: World, work: Any) -> tuple[Any, Venue]:
    client = world.client(TRADES, kind=Busy, feed="advanced")
    venue = Venue(world)
    venue.answer_all()
    client.events.clear()
    client.work = work
    return client, venue


def test_a_callback_that_fails_or_takes_its_time_breaks_no_count(world: World, logged_errors: Any) -> None:
    results: list[Any] = [Deferred(), ZeroDivisionError(), None]

    def work() -> Any:
        result = results.pop() if results else None
        if isinstance(result, Exception):
            raise result
        return result

    client, venue = busy(world, work)
    slow = results[0]
    in_one_read(venue, world, 6)
    assert kinds(client) == ["market_trades"] * 3
    slow.callback(None)
    settle(world)
    assert kinds(client) == ["market_trades"] * 6
    assert client.counters.messages == 2 + 6
    assert len(logged_errors.flush(ZeroDivisionError)) == 1


def test_closing_in_the_midst_of_a_read_ends_it(world: World) -> None:
    client, venue = busy(world, lambda: client.close() and None)
    in_one_read(venue, world, 6)
    assert kinds(client) == ["market_trades", "close"]


def test_the_loop_gets_its_turn(world: World) -> None:
    def work() -> None:
        world.reactor.rightNow += 0.001

    client, venue = busy(world, work)
    in_one_read(venue, world, 200)
    for _ in range(20):
        world.advance(0)
    assert kinds(client) == ["market_trades"] * 200
    assert client.gaps == []


def test_a_frame_that_cannot_be_read_in_the_midst(world: World) -> None:
    client, venue = busy(world, None)
    venue.say("market_trades", trade("BTC-USD"))
    venue.server.sendMessage(b"{")
    venue.say("market_trades", trade("BTC-USD"))
    settle(world)
    assert kinds(client) == ["market_trades", "error", "market_trades"]
    assert client.counters.messages == 2 + 2


@pytest.mark.parametrize("together", [True, False])
def test_async_for_gets_what_the_callback_gets(world: World, together: bool) -> None:
    client, venue = joined(world, TRADES)
    taking = iter(client.__aiter__().__anext__, None)
    for channel in ("heartbeats", "market_trades") * 3:
        venue.say(channel, trade("BTC-USD"))
        if not together:
            settle(world)
    settle(world)
    taken = []
    for _ in range(3):
        with pytest.raises(StopIteration) as stopped:
            next(taking).send(None)
        taken.append(stopped.value.value)
    assert taken == client.messages
