"""Schedules of faults for other tests: the same from the same seed, of all kinds, and over when they say."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from txaio.tx import config as txaio_config

from copra_tx.simulator import TEST_KEY
from copra_tx.websocket import Channel
from copra_tx.websocket.pacing import Pacer
from support.exchange import Hall
from support.reactors import FakeReactor
from support.schedules import FEED_FAULTS, REST_FAULTS, FaultSchedule
from support.world import Recorder

BTC = "BTC-USD"


def _run(reactor: FakeReactor, seed: int, **arguments: Any) -> Any:
    """Return a client of ``full`` that lived through a schedule, and what it got in a quiet time after that."""
    hall = Hall(reactor, seed=seed, products=[BTC])
    client = Recorder(
        None,
        Channel("full", BTC),
        hall.exchange.url,
        auth=True,
        key=TEST_KEY.key,
        secret=TEST_KEY.secret,
        passphrase=TEST_KEY.passphrase,
        reactor=reactor,
        pacer=Pacer(reactor, rate=1000, burst=1000),
    )
    client.jitter = 0.0  # no other chance is left
    schedule = FaultSchedule(seed, [("full", BTC)], **arguments)
    schedule.arrange(hall.exchange, reactor)
    hall.pass_time(schedule.ends + 30.0)  # a wait of so many seconds may have begun just then
    until = len(client.messages)
    hall.pass_time(10.0)
    quiet = client.messages[until:]
    client.close()
    hall.exchange.stopService()
    hall.pass_time(5.0)
    return client, quiet


def _holes(client: Any) -> list[tuple[int, int]]:
    numbers = [message["sequence"] for message in client.messages if "sequence" in message]
    return [(before, after) for before, after in pairwise(numbers) if after != before + 1]


def test_a_schedule_depends_on_its_seed_alone() -> None:
    one, same, other = (FaultSchedule(seed, [("full", BTC)]) for seed in (1, 1, 2))
    assert one.faults == same.faults != other.faults
    assert repr(one) == repr(same)


def test_every_fault_is_there_some_time() -> None:
    schedules = [FaultSchedule(seed, [("full", BTC), ("level3", BTC)]) for seed in range(100)]
    names = Counter(fault.name for schedule in schedules for fault in schedule.faults)
    assert set(names) == {*FEED_FAULTS, *REST_FAULTS}
    assert min(names.values()) > 30
    assert all(1.0 <= fault.at < schedule.ends for schedule in schedules for fault in schedule.faults)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_faults_are_felt_and_then_over(fake_reactor: FakeReactor, seed: int) -> None:
    client, quiet = _run(fake_reactor, seed, kinds=FEED_FAULTS)
    assert _holes(client)
    numbers = [message["sequence"] for message in quiet]
    assert len(numbers) > 50
    assert [after - before for before, after in pairwise(numbers)] == [1] * (len(numbers) - 1)


def test_the_same_schedule_leads_to_the_same_messages() -> None:
    runs = []
    for _ in range(2):
        txaio_config.loop = reactor = FakeReactor()
        runs.append(_run(reactor, 5, kinds=FEED_FAULTS)[0].messages)
    assert runs[0] == runs[1]
