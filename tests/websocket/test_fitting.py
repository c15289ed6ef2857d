"""Channels that do not fit the feed are refused at the caller's line, and nothing is sent or changed."""

from __future__ import annotations

import pytest

from copra_tx.errors import ConfigurationError, TooManyProductsError
from copra_tx.websocket import ADVANCED_TRADE_URL, ADVANCED_TRADE_USER_URL, FEED_URL, Channel
from support.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("url", "channel", "words"),
    [
        (FEED_URL, Channel("heartbeats"), ["Advanced Trade", "here it is 'heartbeat'"]),
        (FEED_URL, Channel("market_trades", "BTC-USD"), ["Advanced Trade", "here it is 'matches'"]),
        (FEED_URL, Channel("candles", "BTC-USD"), ["Advanced Trade", "nothing like it"]),
        (FEED_URL, Channel("user", "ALL"), ["'user' needs at least one product id on the Exchange feed"]),
        (ADVANCED_TRADE_URL, Channel("heartbeat", "BTC-USD"), ["Exchange feed", "here it is 'heartbeats'"]),
        (ADVANCED_TRADE_URL, Channel("matches", "BTC-USD"), ["Exchange feed", "here it is 'market_trades'"]),
        (ADVANCED_TRADE_URL, Channel("full", "BTC-USD"), ["Exchange feed", "nothing like it"]),
        (ADVANCED_TRADE_URL, Channel("status"), ["'status' needs at least one product id on the Advanced Trade feed"]),
        (ADVANCED_TRADE_USER_URL, Channel("level2", "BTC-USD"), ["only heartbeats, user,", ADVANCED_TRADE_URL]),
        (ADVANCED_TRADE_USER_URL, Channel("full", "BTC-USD"), ["is a channel of the Exchange feed"]),
    ],
)
def test_a_name_that_does_not_fit_the_feed_is_refused(
    world: World, url: str, channel: Channel, words: list[str]
) -> None:
    client = world.client([], url, auto_connect=False)
    for call in (
        lambda: world.client(channel, url, auto_connect=False),
        lambda: client.subscribe(channel),
        lambda: client.unsubscribe(channel),
        lambda: client.renew(channel),
    ):
        with pytest.raises(ConfigurationError) as caught:
            call()
        assert all(part in str(caught.value) for part in words), str(caught.value)
    assert client.channels == {}


def test_more_level2_products_than_one_connection_holds_are_refused(world: World) -> None:
    thirty = [f"P{number}-USD" for number in range(30)]
    client = world.client(Channel("level2", thirty), ADVANCED_TRADE_URL, auto_connect=False)
    with pytest.raises(TooManyProductsError, match="31 products of 'level2' are more than the 30") as caught:
        client.subscribe([Channel("ticker", "A-USD"), Channel("level2", "ONE-USD")])
    assert (caught.value.count, caught.value.limit) == (31, 30)
    assert client.channels["level2"].product_ids == set(thirty)
    assert "ticker" not in client.channels
    client.subscribe(Channel("level2", ["P0-USDC", "P1-USD"]))  # held already, under one name or the other
    client.unsubscribe(Channel("level2", ["P2-USD"]))
    client.subscribe(Channel("level2", "ONE-USD"))
    with pytest.raises(TooManyProductsError, match="several clients"):
        world.client(Channel("level2", [*thirty, "ONE-USD"]), ADVANCED_TRADE_URL, auto_connect=False)


def test_the_limit_can_be_raised_and_is_none_of_other_channels(world: World) -> None:
    many = [f"P{number}-USD" for number in range(120)]
    channels = [Channel("level2", many), Channel("ticker", many)]
    client = world.client(channels, ADVANCED_TRADE_URL, max_level2_products=120, auto_connect=False)
    assert len(client.channels["level2"].product_ids) == 120
    world.client(Channel("level2", many), auto_connect=False)  # nor has the Exchange feed such a limit
