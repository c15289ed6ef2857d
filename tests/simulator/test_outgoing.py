"""What is done to single messages on purpose: overtaken, falsified, and picked by channel."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import pytest

from copra_tx.errors import ConfigurationError
from copra_tx.simulator import TEST_KEY
from support.exchange import Hall
from support.naive import NaiveLevels
from support.reactors import FakeReactor

BTC = "BTC-USD"


class Floor(Hall):
    """A hall with one client that gets the heartbeats of one product."""

    def __init__(self, reactor: FakeReactor) -> None:
        super().__init__(reactor)
        self.client = self.connect()
        self.client.ask("subscribe", "heartbeat", BTC)
        self.pass_time(0.5)


def _seconds(floor: Floor) -> str:
    """Return the seconds of the heartbeats that arrived."""
    return " ".join(message["time"][17:19] for message in floor.client.messages if message["type"] == "heartbeat")


def test_reorder(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.connection.reorder("heartbeat", BTC, behind=2)
    floor.pass_time(5.0)
    assert _seconds(floor) == "19 20 18 21 22"
    floor.connection.reorder("heartbeat", BTC, count=2)
    floor.pass_time(4.0)
    assert _seconds(floor) == "19 20 18 21 22 25 23 24 26"


def test_what_is_overtaken_by_nobody_never_comes_unless_the_exchange_behaves(fake_reactor: FakeReactor) -> None:
    floor = Floor(fake_reactor)
    floor.connection.reorder("heartbeat", BTC, behind=99)
    floor.connection.repeat("heartbeat", count=math.inf)
    floor.pass_time(2.0)
    assert _seconds(floor) == "19 19"
    floor.exchange.behave()
    floor.pass_time(1.0)
    assert _seconds(floor) == "19 19 18 20"


def test_nothing_overtakes_nobody(fake_reactor: FakeReactor) -> None:
    with pytest.raises(ConfigurationError, match="at least one other, not by 0"):
        Floor(fake_reactor).connection.reorder("heartbeat", behind=0)


def _signed() -> dict[str, str]:
    fields = {"key": TEST_KEY.key, "passphrase": TEST_KEY.passphrase, "timestamp": "1700000000"}
    return fields | {"signature": TEST_KEY.sign("1700000000")}


class Pit(Hall):
    """A hall with an order flow, and one client of some channels of one product."""

    def __init__(self, reactor: FakeReactor, *channels: str) -> None:
        super().__init__(reactor, seed=1, order_rate=50.0, now=lambda: 1700000000.0)
        self.client = self.connect()
        self.client.send({"type": "subscribe", "product_ids": [BTC], "channels": list(channels), **_signed()})
        reactor.advance(0)

    def numbers(self, *types: str) -> list[int]:
        """Return the sequence numbers of what arrived, rows included."""
        numbers = [
            (message[0], int(message[2]))
            if isinstance(message, list)
            else (message["type"], message.get("sequence", 0))
            for message in self.client.messages
        ]
        return [number for kind, number in numbers if number and (not types or kind in types)]


def test_the_messages_of_a_channel_can_be_picked(fake_reactor: FakeReactor) -> None:
    """A match stands on two channels; here it is missing on one."""
    pit = Pit(fake_reactor, "full", "matches")
    pit.connection.skip("match", BTC, channel="matches")
    pit.connection.skip(channel="level2_batch")  # none comes
    pit.pass_time(5.0)
    matches = pit.numbers("match")
    assert matches.count(matches[0]) == 1
    assert all(matches.count(number) == 2 for number in matches[1:-1])
    assert sorted(set(pit.numbers())) == list(range(pit.numbers()[0], max(pit.numbers()) + 1))


def test_rows_can_be_picked_too(fake_reactor: FakeReactor) -> None:
    pit = Pit(fake_reactor, "level3")
    pit.connection.skip("noop", BTC, count=2)
    pit.connection.reorder("done")
    pit.pass_time(5.0)
    numbers = pit.numbers()
    assert len(set(range(min(numbers), max(numbers))) - set(numbers)) in {1, 2}  # the first may be the very first
    assert numbers != sorted(numbers)


@pytest.mark.parametrize("channel", ["level2", "level2_batch"])
def test_drift_of_levels(fake_reactor: FakeReactor, channel: str) -> None:
    pit = Pit(fake_reactor, channel)
    pit.connection.drift(BTC, channel=channel)
    pit.pass_time(5.0)
    snapshot, *updates = pit.client.messages[1:]
    book = NaiveLevels(snapshot)
    for update in updates:
        book.apply(update)
    market = pit.exchange.market
    venue = NaiveLevels(json.loads(market.snapshot(BTC, pit.connection.position)))
    assert book.sides["buy"].pop(Decimal("0.01")) == 1
    assert book.sides == venue.sides


@pytest.mark.parametrize("channel", ["full", "level3"])
def test_drift_of_orders(fake_reactor: FakeReactor, channel: str) -> None:
    """One order has another size; no number is missing."""
    pit, honest = Pit(fake_reactor, channel), Pit(fake_reactor, channel)
    pit.connection.drift(BTC)
    pit.pass_time(5.0)
    pairs = list(zip(pit.client.messages, honest.client.messages, strict=True))
    [(wrong, right)] = [(ours, theirs) for ours, theirs in pairs if ours != theirs]
    if channel == "full":
        assert wrong["remaining_size"] == "9" + right["remaining_size"]
    else:
        assert wrong[6] == "9" + right[6]
