"""What is asked of the server, when, and what its answers mean to who asked."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from copra_tx.errors import ClientClosedError, SubscriptionTimeoutError, UnsubscribeRefusedError
from copra_tx.websocket import Channel
from copra_tx.websocket.pacing import Pacer
from support.world import BTC, ETH, World, asked, connected, outcome, settle


@pytest.fixture
def world() -> World:
    return World()


# -- the difference


def test_what_is_held_is_not_asked_for_again(world: World) -> None:
    client, server = connected(world)
    assert outcome(client.subscribe(BTC)) == [None]
    settle(world)
    assert asked(server) == []


def test_only_the_new_products_are_asked_for(world: World) -> None:
    client, server = connected(world)
    done = outcome(client.subscribe([Channel("ticker", ["BTC-USD", "ETH-USD"]), Channel("status")]))
    settle(world)
    assert asked(server) == [("subscribe", {"status": None, "ticker": ["ETH-USD"]})]
    assert done == []
    server.hold(ticker=["ETH-USD", "BTC-USD"], status=None)
    settle(world)
    assert done == [None]
    assert client.channels["ticker"].product_ids == {"BTC-USD", "ETH-USD"}


def test_a_request_has_one_form() -> None:
    def sent(products: list[str]) -> Any:
        world = World()
        world.client([Channel("ticker", products), Channel("heartbeat", products)])
        return world.open().requests

    assert sent(["B-USD", "A-USD", "C-USD"]) == sent(["C-USD", "B-USD", "A-USD", "A-USD"])


def test_nothing_wanted_sends_nothing(world: World) -> None:
    client = world.client(BTC)
    client.unsubscribe(BTC)
    assert dict(client.channels) == {}
    server = world.open()
    settle(world)
    assert server.requests == []


def test_before_there_is_a_line_it_is_remembered(world: World) -> None:
    client = world.client(BTC, auto_connect=False)
    done = outcome(client.subscribe(ETH))
    assert outcome(client.unsubscribe(BTC)) == [None]
    client.add_as_task_to_loop()
    world.advance(0)
    server = world.open()
    assert asked(server) == [("subscribe", {"ticker": ["ETH-USD"]})]
    server.confirm()
    settle(world)
    assert done == [None]


def test_one_request_at_a_time(world: World) -> None:
    client, server = connected(world)
    first = outcome(client.subscribe(ETH))
    second = outcome(client.subscribe(Channel("matches", "BTC-USD")))
    third = outcome(client.unsubscribe(BTC))
    settle(world)
    assert len(server.requests) == 1
    server.hold(ticker=["BTC-USD", "ETH-USD"])
    settle(world)
    assert (first, second, third) == ([None], [], [])
    assert asked(server)[1:] == [("unsubscribe", {"ticker": ["BTC-USD"]})]
    server.hold(ticker=["ETH-USD"])
    settle(world)
    assert asked(server)[2:] == [("subscribe", {"matches": ["BTC-USD"]})]
    server.hold(ticker=["ETH-USD"], matches=["BTC-USD"])
    settle(world)
    assert (second, third) == ([None], [None])


def test_what_was_unsubscribed_meanwhile_is_not_asked_for(world: World) -> None:
    client, server = connected(world)
    outcome(client.subscribe(ETH))
    more = outcome(client.subscribe(Channel("matches", "BTC-USD")))
    client.unsubscribe(Channel("matches", "BTC-USD"))
    server.hold(ticker=["BTC-USD", "ETH-USD"])
    settle(world)
    assert len(server.requests) == 1
    assert more == [None]


def test_long_lists_are_split(world: World) -> None:
    products = [f"P{number:03}-USD" for number in range(250)]
    client = world.client(Channel("ticker", products))
    server = world.open()
    for _ in range(3):
        server.confirm()
        settle(world)
    sizes = [len(request["channels"][0]["product_ids"]) for request in server.requests]
    assert sizes == [100, 100, 50]
    assert outcome(client.subscribe(Channel("ticker", products))) == [None]


def test_the_venues_own_names_confirm(world: World) -> None:
    client = world.client([Channel("level2_batch", "BTC-USD"), Channel("ticker_batch", "BTC-USD")])
    done = outcome(client.subscribe(Channel("level2_batch", "BTC-USD")))
    server = world.open()
    server.hold(level2_50=["BTC-USD"], ticker_1000=["BTC-USD"])
    settle(world)
    assert done == [None]
    assert len(server.requests) == 1


# -- no answer


def test_no_answer_in_time(world: World) -> None:
    client, server = connected(world)
    done = outcome(client.subscribe(ETH))
    world.advance(9.9)
    assert done == []
    world.advance(0.2)
    [failure] = done
    assert isinstance(failure.value, SubscriptionTimeoutError)
    assert (failure.value.channels, failure.value.seconds) == (("ticker",), 10.0)
    assert len(server.requests) == 1
    world.drop()
    world.advance(2)
    assert asked(world.open()) == [("subscribe", {"ticker": ["BTC-USD", "ETH-USD"]})]


def test_no_answer_to_the_first_request_is_told(world: World) -> None:
    client = world.client(BTC)
    world.open()
    settle(world)
    world.advance(10.1)
    assert len(client.errors) == 1
    assert "no answer" in client.errors[0][0]


def test_a_late_answer_still_counts(world: World) -> None:
    client, server = connected(world)
    outcome(client.subscribe(ETH))
    settle(world)
    world.advance(10.1)
    server.hold(ticker=["BTC-USD", "ETH-USD"])
    settle(world)
    assert outcome(client.subscribe(ETH)) == [None]


def test_a_lost_line_keeps_callers_waiting_for_the_next(world: World) -> None:
    client, _ = connected(world)
    done, gone = outcome(client.subscribe(ETH)), outcome(client.unsubscribe(BTC))
    settle(world)
    world.drop()
    assert done == []
    assert gone == [None]  # on no line is anything held
    world.advance(2)
    server = world.open()
    assert asked(server) == [("subscribe", {"ticker": ["ETH-USD"]})]
    server.confirm()
    settle(world)
    assert done == [None]


def test_close_fails_who_waits(world: World) -> None:
    client, _ = connected(world)
    done = outcome(client.subscribe(ETH))
    outcome(client.close())
    settle(world)
    [failure] = done
    assert isinstance(failure.value, ClientClosedError)


def test_cancelling_gives_the_waiting_up_only(world: World) -> None:
    client, server = connected(world)
    waiting = client.subscribe(ETH)
    seen = outcome(waiting)
    waiting.cancel()
    assert len(seen) == 1
    settle(world)
    server.hold(ticker=["BTC-USD", "ETH-USD"])
    settle(world)
    assert client.channels["ticker"].product_ids == {"BTC-USD", "ETH-USD"}
    assert outcome(client.subscribe(ETH)) == [None]


# -- unsubscribe, renew


def test_unsubscribing_what_is_not_held_fires_at_once(world: World) -> None:
    client, server = connected(world)
    assert outcome(client.unsubscribe(ETH)) == [None]
    settle(world)
    assert server.requests == []


def test_unsubscribe_and_subscribe_again(world: World) -> None:
    client, server = connected(world, Channel("ticker", ["BTC-USD", "ETH-USD"]))
    gone = outcome(client.unsubscribe(ETH))
    settle(world)
    back = outcome(client.subscribe(ETH))
    server.hold(ticker=["BTC-USD"])
    settle(world)
    assert gone == [None]
    assert asked(server) == [("unsubscribe", {"ticker": ["ETH-USD"]}), ("subscribe", {"ticker": ["ETH-USD"]})]
    server.hold(ticker=["BTC-USD", "ETH-USD"])
    settle(world)
    assert back == [None]


def test_an_unsubscribe_that_the_server_refuses(world: World) -> None:
    client, server = connected(world)
    done = outcome(client.unsubscribe(BTC))
    settle(world)
    server.hold(ticker=["BTC-USD"])
    settle(world)
    world.advance(1.1)
    [failure] = done
    assert isinstance(failure.value, UnsubscribeRefusedError)
    assert str(failure.value) == (
        "the server did not end the subscription to 'ticker' for BTC-USD: its answer lists it still"
    )
    settle(world)
    assert len(server.requests) == 1  # not over and over


def test_renew_unsubscribes_and_subscribes(world: World) -> None:
    client, server = connected(world, [Channel("level2_batch", ["BTC-USD", "ETH-USD"])])
    done = outcome(client.renew(Channel("level2_batch", "BTC-USD")))
    settle(world)
    server.hold(level2_50=["ETH-USD"])
    settle(world)
    assert asked(server) == [
        ("unsubscribe", {"level2_batch": ["BTC-USD"]}),
        ("subscribe", {"level2_batch": ["BTC-USD"]}),
    ]
    assert done == []
    assert client.channels["level2_batch"].product_ids == {"BTC-USD", "ETH-USD"}
    server.hold(level2_50=["ETH-USD", "BTC-USD"])
    settle(world)
    assert done == [None]


def test_of_a_channel_held_for_everything_all_is_renewed(world: World) -> None:
    client, server = connected(world, Channel("rfq_matches"))
    outcome(client.renew(Channel("rfq_matches", "BTC-USD")))
    settle(world)
    assert asked(server) == [("unsubscribe", {"rfq_matches": None})]


def test_data_flow_while_renewing_is_delivered(world: World) -> None:
    client, server = connected(world, Channel("level2_batch", "BTC-USD"))
    outcome(client.renew(Channel("level2_batch", "BTC-USD")))
    server.say({"type": "snapshot", "product_id": "BTC-USD"})
    settle(world)
    assert len(client.messages) == 1


def test_renewing_without_a_line_waits_for_the_next(world: World) -> None:
    client = world.client(BTC)
    done = outcome(client.renew(BTC))
    server = world.open()
    assert asked(server) == [("subscribe", {"ticker": ["BTC-USD"]})]
    server.confirm()
    settle(world)
    assert done == [None]


def test_renewing_when_the_line_is_lost_half_way(world: World) -> None:
    client, server = connected(world)
    done = outcome(client.renew(BTC))
    settle(world)
    server.hold()
    world.drop()
    world.advance(2)
    again = world.open()
    assert asked(again) == [("subscribe", {"ticker": ["BTC-USD"]})]
    again.confirm()
    settle(world)
    assert done == [None]


# -- the pace


def test_requests_keep_the_pace_of_the_venue(world: World) -> None:
    clock = world.reactor
    client, server = connected(world, pacer=Pacer(clock))
    times: list[float] = []
    for number in range(20):
        client.subscribe(Channel("ticker", f"P{number}-USD"))
        for _ in range(100):
            if server.requests:
                break
            world.advance(0.01)
        times.append(clock.seconds())
        server.hold(ticker=["BTC-USD", *(f"P{earlier}-USD" for earlier in range(number + 1))])
        server.requests.clear()
        settle(world)
    for begin, time in enumerate(times[:-9]):
        assert times[begin + 9] - time > 0.1  # eight at once, then eight a second
    assert times[-1] - times[0] >= (20 - 8) / 8


def cancelling(first: Any, second: Any) -> list[Any]:
    """Have who hears of the first one cancel the second one."""
    first.addBoth(lambda _: second.cancel())
    return [outcome(first), outcome(second)]


def test_who_hears_that_the_client_closes_may_cancel_another(world: World) -> None:
    client, _ = connected(world)
    told = cancelling(client.subscribe(ETH), client.subscribe(Channel("status")))
    closed = outcome(client.close())
    assert (told[0], told[1][0].type) == ([None], CancelledError)
    world.advance(2)
    assert closed == [None]


def test_who_hears_that_the_line_is_lost_may_cancel_another(world: World) -> None:
    client, _ = connected(world, [BTC, ETH])
    told = cancelling(client.unsubscribe(BTC), client.unsubscribe(ETH))
    world.drop()
    assert (told[0], told[1][0].type) == ([None], CancelledError)
    assert len(client.closes) == 1


def test_what_is_wanted_again_while_it_is_being_taken_away_is_confirmed_when_it_is_held_anew(world: World) -> None:
    client, server = connected(world)
    gone = outcome(client.unsubscribe(BTC))
    settle(world)
    done = outcome(client.subscribe(BTC))
    settle(world)
    assert (gone, done) == ([], [])
    server.hold()
    settle(world)
    assert (gone, done) == ([None], [])
    assert asked(server)[1:] == [("subscribe", {"ticker": ["BTC-USD"]})]
    server.hold(ticker=["BTC-USD"])
    settle(world)
    assert done == [None]


def test_who_wants_again_what_the_server_does_not_take_away_is_content(world: World) -> None:
    client, server = connected(world)
    gone = outcome(client.unsubscribe(BTC))
    settle(world)
    done = outcome(client.subscribe(BTC))
    server.hold(ticker=["BTC-USD"])
    settle(world)
    world.advance(1)
    assert isinstance(gone[0].value, UnsubscribeRefusedError)
    assert done == [None]
    assert client.errors == []
