"""A feed as a Twisted service: started, stopped, started again, alone and among others."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import pytest
from twisted.application.service import IService, MultiService
from zope.interface.verify import verifyObject

from copra_tx import FeedService
from copra_tx.bridge import reactor_for
from copra_tx.errors import ConfigurationError
from copra_tx.simulator import SimulatedExchange
from copra_tx.websocket import Channel, Client, State
from support.world import URL, Recorder, World, outcome

BTC = Channel("ticker", "BTC-USD")


@pytest.fixture
def world() -> World:
    return World()


def service_in(world: World, channels: Any = BTC, client: Any = Recorder, **options: Any) -> FeedService:
    return FeedService(channels, client=client, feed_url=URL, reactor=world.reactor, **options)


def test_it_is_a_service_around_a_client(world: World) -> None:
    service = service_in(world)
    assert verifyObject(IService, service)
    assert type(service.client) is Recorder
    assert service.client.channels == {"ticker": BTC}
    assert not service.running
    assert repr(service) == f"<FeedService stopped, <Recorder 'WebSocket Client' {URL} idle>>"


def test_it_makes_a_plain_client_by_default(world: World) -> None:
    assert type(FeedService(BTC, feed_url=URL, reactor=world.reactor).client) is Client


def test_it_takes_anything_that_makes_a_client(world: World) -> None:
    made: list[Client] = []

    def make(*arguments: Any, **options: Any) -> Client:
        made.append(Recorder(*arguments, **options))
        return made[0]

    assert service_in(world, [BTC], make).client is made[0]


def test_options_are_the_clients(world: World) -> None:
    service = service_in(world, max_delay=7.0, auto_reconnect=False)
    assert service.client.options.max_delay == 7.0
    assert service.client.auto_reconnect is False


def test_a_name_is_the_clients_and_the_services(world: World) -> None:
    parent = MultiService()
    service = service_in(world, name="bitcoin")
    service.setServiceParent(parent)
    assert service.client.name == "bitcoin"
    assert parent.getServiceNamed("bitcoin") is service


@pytest.mark.parametrize(
    ("channels", "options", "words"),
    [
        ("ticker", {}, "channels is a Channel or a list of them"),
        (BTC, {"auth": True}, "key and secret and passphrase are missing"),
        (BTC, {"open_timeout": -1}, "open_timeout"),
        (BTC, {"feed_url": "http://x"}, "feed_url"),
        (BTC, {"auto_connect": True}, "startService"),
    ],
)
def test_what_cannot_work_is_told_at_once(world: World, channels: Any, options: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        FeedService(channels, **{"feed_url": URL, "reactor": world.reactor} | options)


def test_nothing_happens_before_it_is_started(world: World) -> None:
    service_in(world)
    world.advance(60)
    assert world.reactor.dials == []


def test_it_connects_when_started(world: World) -> None:
    service = service_in(world)
    service.startService()
    world.advance(0)
    server = world.open()
    assert service.running
    assert service.client.connected.is_set()
    assert [request["type"] for request in server.requests] == ["subscribe"]
    assert repr(service).startswith("<FeedService started, <Recorder 'WebSocket Client'")


def test_stopping_closes_the_line_and_fires_when_that_is_done(world: World) -> None:
    service = service_in(world)
    service.startService()
    world.advance(0)
    server = world.open()
    stopped = outcome(service.stopService())
    assert not service.running
    assert stopped == []
    world.advance(0)
    assert stopped == [None]
    assert server.closed_with is not None
    assert server.closed_with[:2] == (True, 1000)
    assert service.client.line.state is State.CLOSED
    assert world.reactor.getDelayedCalls() == []


def test_stopping_is_bounded_when_the_server_does_not_answer(world: World) -> None:
    service = service_in(world)
    service.startService()
    world.advance(0)
    world.accept()  # the upgrade is never answered
    stopped = outcome(service.stopService())
    world.advance(2)
    assert stopped == [None]
    assert world.reactor.getDelayedCalls() == []


def test_stopping_what_was_never_started(world: World) -> None:
    assert outcome(service_in(world).stopService()) == [None]


def test_it_can_be_started_again(world: World) -> None:
    service = service_in(world)
    for number in (1, 2, 3):
        service.startService()
        world.advance(0)
        server = world.open()
        assert len(server.requests) == 1, number
        stopped = outcome(service.stopService())
        world.advance(0)
        assert stopped == [None]
    assert world.reactor.getDelayedCalls() == []


def test_started_while_it_still_closes_it_connects_when_that_is_done(world: World) -> None:
    service = service_in(world)
    service.startService()
    world.advance(0)
    world.open()
    stopped = outcome(service.stopService())
    service.startService()
    assert len(world.reactor.dials) == 1
    world.advance(0)
    assert stopped == [None]
    world.advance(0)
    assert len(world.open().requests) == 1
    outcome(service.stopService())
    world.advance(0)


def test_the_last_word_wins_while_it_closes(world: World) -> None:
    """Stop, start, stop, before the first is done: it stays closed, and both who wait are told."""
    service = service_in(world)
    service.startService()
    world.advance(0)
    world.open()
    first = outcome(service.stopService())
    service.startService()
    second = outcome(service.stopService())
    world.advance(0)
    assert (first, second) == ([None], [None])
    world.advance(60)
    assert len(world.reactor.dials) == 1
    assert service.client.line.state is State.CLOSED
    assert world.reactor.getDelayedCalls() == []


async def test_among_others_over_a_real_line() -> None:
    """In a ``MultiService`` with its own exchange: start, messages, stop; nothing is left in the reactor."""
    parent = MultiService()
    exchange = SimulatedExchange(speed=50)
    exchange.setServiceParent(parent)
    exchange.startService()
    service = FeedService([BTC, Channel("heartbeat", "BTC-USD")], Recorder, feed_url=exchange.url)
    service.setServiceParent(parent)
    parent.startService()
    assert service.client.reactor is reactor_for(None)
    await service.client.connected.when_set()
    await exchange.when_received()
    await parent.stopService()
    assert exchange.connections == ()
    assert service.client.line.state is State.CLOSED


def test_making_one_takes_asyncios_reactor_where_there_is_none() -> None:
    program = """
        import sys
        from copra_tx import Channel, FeedService
        assert "twisted.internet.reactor" not in sys.modules
        service = FeedService(Channel("ticker", "BTC-USD"), feed_url="ws://127.0.0.1:1")
        from twisted.internet import reactor
        assert service.client.reactor is reactor
        assert service.client.loop is reactor._asyncioEventloop
    """
    done = subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(program)], timeout=60, check=False)
    assert done.returncode == 0


def test_it_runs_on_the_reactor_that_is_installed() -> None:
    program = """
        from twisted.internet import reactor
        from copra_tx import Channel, FeedService
        service = FeedService(Channel("ticker", "BTC-USD"), feed_url="ws://127.0.0.1:1")
        assert service.client.reactor is reactor
        assert service.client.loop is None
    """
    done = subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(program)], timeout=60, check=False)
    assert done.returncode == 0
