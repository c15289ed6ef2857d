"""The buffer behind ``async for``: nothing is lost, whoever waits, gives up or comes late."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from copra_tx.errors import ConnectionLostError
from copra_tx.websocket.iteration import MessageBuffer
from support.world import outcome

LOST = ConnectionLostError(False, 1006, "gone")


class Buffer:
    """A ``MessageBuffer`` and what it said to the line."""

    def __init__(self, most: int = 4) -> None:
        self.said: list[str] = []
        self.buffer = MessageBuffer(
            most, full=lambda: self.said.append("full"), drained=lambda: self.said.append("drained")
        )
        self.buffer.begin()

    def put(self, *messages: object) -> None:
        for message in messages:
            self.buffer.put(message)

    def take(self) -> Deferred[Any]:
        return ensureDeferred(self.buffer.take())

    def taken(self, number: int) -> list[Any]:
        return [outcome(self.take())[0] for _ in range(number)]


@pytest.fixture
def four() -> Buffer:
    return Buffer()


def failures(results: list[Any]) -> list[type[BaseException]]:
    return [result.type for result in results]


def test_it_is_inactive_until_iteration_begins() -> None:
    buffer = MessageBuffer(4, full=list, drained=list)
    assert not buffer.active
    buffer.begin()
    assert buffer.active


def test_messages_come_out_as_they_came_in(four: Buffer) -> None:
    four.put(1, 2, 3)
    assert len(four.buffer) == 3
    assert four.taken(3) == [1, 2, 3]


def test_a_waiter_gets_the_next_message(four: Buffer) -> None:
    waiting = outcome(four.take())
    assert waiting == []
    four.put("a")
    assert waiting == ["a"]
    assert len(four.buffer) == 0


def test_several_waiters_get_one_message_each(four: Buffer) -> None:
    waiting = [outcome(four.take()) for _ in range(3)]
    four.put("a")
    four.put("b")
    assert waiting == [["a"], ["b"], []]
    four.put("c")
    assert waiting == [["a"], ["b"], ["c"]]


def test_a_waiter_that_gives_up_takes_nothing_along(four: Buffer) -> None:
    first, second = four.take(), outcome(four.take())
    given_up = outcome(first)
    first.cancel()
    assert failures(given_up) == [CancelledError]
    four.put("a")
    assert second == ["a"]
    assert four.buffer._wakeups == []


def test_it_says_so_when_it_is_full_and_again_for_each_further_message(four: Buffer) -> None:
    four.put(1, 2, 3)
    assert four.said == []
    four.put(4, 5)
    assert four.said == ["full", "full"]
    assert four.taken(5) == [1, 2, 3, 4, 5]
    assert four.said == ["full", "full", "drained"]


def test_drained_is_half_of_it(four: Buffer) -> None:
    four.put(1, 2, 3, 4)
    four.taken(1)
    assert four.said == ["full"]
    four.taken(1)
    assert four.said == ["full", "drained"]


def test_a_buffer_for_one() -> None:
    one = Buffer(most=1)
    one.put("a")
    assert one.said == ["full"]
    assert one.taken(1) == ["a"]
    assert one.said == ["full", "drained"]


def test_an_end_ends_iteration_and_discards_what_waits(four: Buffer) -> None:
    four.put(1, 2, 3, 4)
    four.buffer.end()
    assert four.said == ["full", "drained"]
    assert failures(four.taken(2)) == [StopAsyncIteration] * 2


def test_an_end_reaches_every_waiter(four: Buffer) -> None:
    waiting = [outcome(four.take()) for _ in range(2)]
    four.buffer.end()
    assert [failures(results) for results in waiting] == [[StopAsyncIteration]] * 2


def test_an_error_comes_after_the_messages_before_it(four: Buffer) -> None:
    four.put(1, 2)
    four.buffer.end(LOST)
    assert four.taken(2) == [1, 2]
    [failure] = four.taken(1)
    assert failure.value is LOST


def test_an_error_reaches_every_waiter(four: Buffer) -> None:
    waiting = [outcome(four.take()) for _ in range(2)]
    four.buffer.end(LOST)
    assert [results[0].value for results in waiting] == [LOST, LOST]


def test_it_goes_on_when_the_client_connects_again(four: Buffer) -> None:
    four.buffer.end(LOST)
    four.buffer.reopen()
    waiting = outcome(four.take())
    four.put("a")
    assert waiting == ["a"]
