"""What a refused subscription means to who asked for it."""

from __future__ import annotations

import pytest

from copra_tx.errors import SubscriptionRefusedError
from copra_tx.websocket import Channel
from support.world import BTC, ETH, World, asked, connected, outcome, refusal, settle


@pytest.fixture
def world() -> World:
    return World()


def test_a_partial_refusal_fails_what_was_refused_and_keeps_the_rest(world: World) -> None:
    client, server = connected(world)
    good, bad = outcome(client.subscribe(ETH)), outcome(client.subscribe(Channel("ticker", "NOPE-USD")))
    server.requests.clear()
    server.hold(ticker=["BTC-USD", "ETH-USD"])
    settle(world)
    refusal(server, "NOPE-USD is not a valid product")
    server.hold(ticker=["BTC-USD", "ETH-USD"])
    settle(world)
    assert good == [None]
    [failure] = bad
    error = failure.value
    assert isinstance(error, SubscriptionRefusedError)
    assert (error.channel, error.product_ids, error.candidates) == ("ticker", {"NOPE-USD"}, ())
    assert error.words == ("Failed to subscribe: NOPE-USD is not a valid product",)
    assert "NOPE-USD" in str(error)
    assert client.errors == [("Failed to subscribe", "NOPE-USD is not a valid product")]


def test_an_answer_before_its_error(world: World) -> None:
    client, server = connected(world)
    done = outcome(client.subscribe(Channel("ticker", ["ETH-USD", "NOPE-USD"])))
    settle(world)
    server.hold(ticker=["BTC-USD", "ETH-USD"])
    settle(world)
    assert done == []
    refusal(server, "NOPE-USD is not a valid product")
    settle(world)
    world.advance(1.1)
    [failure] = done
    assert failure.value.product_ids == {"NOPE-USD"}
    assert failure.value.words


def test_what_the_answer_lacks_was_refused(world: World) -> None:
    client, server = connected(world)
    done = outcome(client.subscribe(Channel("ticker", ["ETH-USD", "NOPE-USD"])))
    settle(world)
    server.hold(ticker=["BTC-USD", "ETH-USD"])
    settle(world)
    world.advance(1.1)
    [failure] = done
    assert failure.value.product_ids == {"NOPE-USD"}
    assert failure.value.words == ()
    assert "lacks" in str(failure.value)
    assert "NOPE-USD" in client.channels["ticker"].product_ids  # wanted still, for the next connection


def test_errors_without_any_answer(world: World) -> None:
    client, server = connected(world)
    done = outcome(client.subscribe([Channel("ticker", "NOPE-USD"), Channel("full", "BTC-USD")]))
    settle(world)
    refusal(server, "level2, level3, and full channels now require authentication. <url>")
    refusal(server, "NOPE-USD is not a valid product")
    settle(world)
    world.advance(1.1)
    [failure] = done
    refused = {(one.channel, one.words) for one in (failure.value, *failure.value.others)}
    assert refused == {
        ("full", ("Failed to subscribe: level2, level3, and full channels now require authentication. <url>",)),
        ("ticker", ("Failed to subscribe: NOPE-USD is not a valid product",)),
    }


def test_an_error_that_names_nothing_lists_what_was_open(world: World) -> None:
    client, server = connected(world)
    done = outcome(client.subscribe([ETH, Channel("full", "BTC-USD")]))
    settle(world)
    server.say({"type": "error", "message": "request timestamp expired"})
    settle(world)
    world.advance(1.1)
    [failure] = done
    assert failure.value.candidates == ("full", "ticker")
    assert "full, ticker" in str(failure.value)


def test_what_was_refused_is_not_asked_for_until_the_next_connection(world: World) -> None:
    client, server = connected(world)
    outcome(client.subscribe(Channel("ticker", "NOPE-USD")))
    settle(world)
    refusal(server, "NOPE-USD is not a valid product")
    settle(world)
    world.advance(1.1)
    outcome(client.subscribe(ETH))
    settle(world)
    assert asked(server)[1:] == [("subscribe", {"ticker": ["ETH-USD"]})]
    world.drop()
    world.advance(2)
    again = world.open()
    assert asked(again) == [("subscribe", {"ticker": ["BTC-USD", "ETH-USD", "NOPE-USD"]})]


def test_asking_again_gives_another_chance(world: World) -> None:
    client, server = connected(world)
    outcome(client.subscribe(Channel("ticker", "NOPE-USD")))
    settle(world)
    refusal(server, "NOPE-USD is not a valid product")
    settle(world)
    world.advance(1.1)
    done = outcome(client.subscribe(Channel("ticker", "NOPE-USD")))
    settle(world)
    assert asked(server) == [("subscribe", {"ticker": ["NOPE-USD"]})] * 2
    server.hold(ticker=["BTC-USD", "NOPE-USD"])
    settle(world)
    assert done == [None]


def test_a_refusal_that_nobody_waits_for_is_told(world: World) -> None:
    client, server = connected(world)
    client.subscribe(Channel("ticker", "NOPE-USD"))
    settle(world)
    server.hold(ticker=["BTC-USD"])
    settle(world)
    world.advance(1.1)
    [(message, reason)] = client.errors
    assert "'ticker' for NOPE-USD refused" in message
    assert reason == ""


def test_a_refusal_of_the_first_subscription_is_told(world: World) -> None:
    client = world.client([BTC, Channel("ticker", "NOPE-USD")])
    server = world.open()
    server.hold(ticker=["BTC-USD"])
    settle(world)
    world.advance(1.1)
    assert len(client.errors) == 1
    assert "NOPE-USD" in client.errors[0][0]
