"""The table of states: every pair of state and event, and what must hold whichever way a line goes."""

from __future__ import annotations

import itertools

import pytest

from copra_tx.websocket.state import TRANSITIONS, Event, State

# Columns: the events in the order of ``Event``. A dot: no such move.
TABLE = """
            join        dial        opened  ended   retry    give up  close
idle        scheduled   connecting  .       .       .        .        closed
scheduled   scheduled   connecting  .       .       .        idle     closed
connecting  connecting  connecting  open    lost    .        .        closing
open        open        .           .       lost    .        .        closing
lost        scheduled   connecting  .       .       waiting  idle     closed
waiting     waiting     connecting  .       .       .        idle     closed
closing     .           .           .       closed  .        .        closing
closed      scheduled   connecting  .       .       .        .        closed
"""

ROWS = [line.split() for line in TABLE.strip().splitlines()[1:]]
EXPECTED = {
    (State(row[0]), event): None if cell == "." else State(cell)
    for row in ROWS
    for event, cell in zip(Event, row[1:], strict=True)
}
PAIRS = list(itertools.product(State, Event))


def test_the_table_knows_all_states_and_events() -> None:
    assert set(EXPECTED) == set(PAIRS)
    assert [event.value for event in Event] == ["join", "dial", "opened", "ended", "retry", "give up", "close"]
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=[f"{state.value}-{event.value}" for state, event in PAIRS])
def test_every_pair(state: State, event: Event) -> None:
    assert TRANSITIONS[state].get(event) is EXPECTED[state, event]


def test_close_is_an_event_of_every_state_and_leads_to_an_end() -> None:
    for state in State:
        assert TRANSITIONS[state][Event.CLOSE] in (State.CLOSING, State.CLOSED)


def test_closing_ends_in_closed_and_nowhere_else() -> None:
    assert set(TRANSITIONS[State.CLOSING].values()) == {State.CLOSING, State.CLOSED}


def test_nothing_but_a_dial_or_a_join_leaves_closed() -> None:
    leaving = {event for event, after in TRANSITIONS[State.CLOSED].items() if after is not State.CLOSED}
    assert leaving == {Event.JOIN, Event.DIAL}


def test_a_line_opens_by_an_attempt_only() -> None:
    assert [state for state in State if State.OPEN in TRANSITIONS[state].values() and state is not State.OPEN] == [
        State.CONNECTING
    ]


def test_whatever_has_a_transport_can_lose_it() -> None:
    assert {state for state in State if Event.ENDED in TRANSITIONS[state]} == {
        State.CONNECTING,
        State.OPEN,
        State.CLOSING,
    }


def test_from_every_state_every_other_can_be_reached() -> None:
    for start in State:
        reached, new = set(), {start}
        while new:
            reached |= new
            new = {after for state in new for after in TRANSITIONS[state].values()} - reached
        assert reached == set(State)


def test_asking_twice_changes_nothing() -> None:
    for state, event in itertools.product(State, (Event.JOIN, Event.CLOSE)):
        after = TRANSITIONS[state].get(event)
        if after is not None:
            assert TRANSITIONS[after][event] is after
