"""REST beside the feed, on one port: which line is for what, and what can be done wrong with an answer."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS

from copra_tx.simulator import SimulatedExchange
from copra_tx.simulator.web import is_request
from support.exchange import Hall, dial
from support.lines import MemoryTransport
from support.reactors import FakeReactor

BTC = "BTC-USD"
BOOK, TRADES = f"/products/{BTC}/book", f"/products/{BTC}/trades"


class Booth(Hall):
    """A hall with an order flow, for requests by hand."""

    def __init__(self, reactor: FakeReactor, **arguments: Any) -> None:
        super().__init__(reactor, **{"seed": 1, "now": lambda: 1700000000.0} | arguments)
        self.reactor = reactor

    def ask(self, target: str, *, line: MemoryTransport | None = None, method: str = "GET") -> MemoryTransport:
        """Send a request on a line, by default a new one; return the line."""
        if line is None:
            line = MemoryTransport(self.reactor)
            line.connect(self.server())
        line.receive(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.reactor.advance(0)
        return line

    def get(self, target: str) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and decoded body."""
        return _read(self.ask(target))


def _read(line: MemoryTransport) -> tuple[int, dict[str, str], Any]:
    head, _, body = line.clear().partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    pairs = (header.split(": ", 1) for header in headers)
    return int(status.split()[1]), {name.lower(): value for name, value in pairs}, json.loads(body)


# -- which line is for what


@pytest.mark.parametrize(
    ("head", "is_rest"),
    [
        (b"GET /time HTTP/1.1\r\nHost: x", True),
        (b"POST /products HTTP/1.1\r\nHost: x", True),
        (b"GET / HTTP/1.1\r\nHost: x", False),
        (b"GET /feed HTTP/1.1\r\nHost: x\r\nUPGRADE: websocket", False),
        (b"nonsense", False),
        (b"GET time HTTP/1.1", False),
    ],
)
def test_what_is_a_request_for_rest(head: bytes, is_rest: bool) -> None:
    assert is_request(head) is is_rest


def test_a_request_is_answered_on_a_line_that_stays(fake_reactor: FakeReactor) -> None:
    booth = Booth(fake_reactor)
    line = booth.ask("/time")
    status, headers, body = _read(line)
    assert (status, body["epoch"]) == (200, 1700000000.0)
    assert headers["content-type"] == "application/json; charset=utf-8"
    booth.pass_time(60.0)  # longer than a feed's line may stay silent
    booth.ask(BOOK, line=line)
    assert _read(line)[0] == 200
    assert (booth.exchange.accepted_count, booth.exchange.opened_count) == (1, 0)
    assert booth.exchange.rest_requests == ["/time", BOOK]
    booth.exchange.stopService()
    fake_reactor.advance(0)
    assert not line.connected
    assert fake_reactor.getDelayedCalls() == []


def test_a_request_may_come_in_pieces_and_leaves_plans_for_upgrades_alone(fake_reactor: FakeReactor) -> None:
    booth = Booth(fake_reactor)
    booth.exchange.refuse_upgrades(1)
    line = MemoryTransport(fake_reactor)
    line.connect(booth.server())
    line.receive(b"GET /time HTTP/1.1\r\nHo")
    line.receive(b"st: localhost\r\n\r\nGET /products HTTP/1.1\r\nHost: localhost\r\n\r\n")
    fake_reactor.advance(0)
    assert line.value().count(b"HTTP/1.1 200 OK") == 2
    client = booth.connect()
    client.opened.addErrback(lambda _: None)
    assert client.end is not None


def test_the_book_is_where_the_feed_is(fake_reactor: FakeReactor) -> None:
    booth = Booth(fake_reactor)
    client = booth.connect()
    client.ask("subscribe", "heartbeat", BTC)
    booth.pass_time(20.0)
    assert booth.get(BOOK)[2]["sequence"] == client.messages[-1]["sequence"]


def test_the_time_is_that_of_the_messages_if_so_told(fake_reactor: FakeReactor) -> None:
    began = 1700000000.0
    booth = Booth(
        fake_reactor,
        began=datetime.fromtimestamp(began, UTC),
        now=lambda: began + fake_reactor.seconds(),
    )
    client = booth.connect()
    client.ask("subscribe", "heartbeat", BTC)
    booth.pass_time(20.0)
    newest = datetime.fromisoformat(client.messages[-1]["time"])
    assert newest.timestamp() == booth.get("/time")[2]["epoch"] == began + 20.0


def test_who_asks_too_often_is_refused(fake_reactor: FakeReactor) -> None:
    booth = Booth(fake_reactor)
    assert [booth.get("/time")[0] for _ in range(16)] == [200] * 15 + [429]
    assert booth.get("/time")[2] == {"message": "Public rate limit exceeded"}
    fake_reactor.advance(0.2)
    assert [booth.get("/time")[0] for _ in range(3)] == [200, 200, 429]


def test_only_get_is_served(fake_reactor: FakeReactor) -> None:
    assert _read(Booth(fake_reactor).ask("/time", method="POST"))[0] == 404


# -- what can be done wrong


def test_refuse_requests(fake_reactor: FakeReactor) -> None:
    booth = Booth(fake_reactor)
    booth.exchange.refuse_requests(2, about="/trades")
    booth.exchange.refuse_requests(status=503, message="down", retry_after=7)
    assert booth.get(BOOK)[:3:2] == (503, {"message": "down"})
    answers = [booth.get(TRADES) for _ in range(3)]
    assert [status for status, _, _ in answers] == [429, 429, 200]
    assert "retry-after" not in answers[0][1]
    booth.exchange.refuse_requests(retry_after="tomorrow")
    assert booth.get(TRADES)[1]["retry-after"] == "tomorrow"


def test_delay_requests(fake_reactor: FakeReactor) -> None:
    booth = Booth(fake_reactor)
    booth.exchange.delay_requests(seconds=5.0, about="/book")
    assert booth.get("/time")[0] == 200
    before = booth.exchange.market.book(BTC, booth.exchange.market.due(0.0)).sequence
    line = booth.ask(BOOK)
    fake_reactor.advance(4.9)
    assert line.value() == b""
    fake_reactor.advance(0.1)
    assert _read(line)[2]["sequence"] == before  # as old as the request
    assert booth.get(BOOK)[0] == 200


def test_nobody_waits_for_an_answer_any_more(fake_reactor: FakeReactor) -> None:
    booth = Booth(fake_reactor)
    booth.exchange.delay_requests(2, seconds=5.0)
    booth.ask(BOOK).drop()
    assert fake_reactor.getDelayedCalls() == []
    line = booth.ask(BOOK)
    booth.exchange.stopService()
    fake_reactor.advance(0)
    assert not line.connected
    assert fake_reactor.getDelayedCalls() == []


def test_cut_requests(fake_reactor: FakeReactor) -> None:
    booth = Booth(fake_reactor)
    booth.exchange.cut_requests(about="/book")
    line = booth.ask(BOOK + "?level=3")
    assert not line.connected
    head, _, body = line.value().partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert len(body) == length // 2
    assert booth.get(BOOK)[0] == 200


def test_books_that_are_old_or_early(fake_reactor: FakeReactor) -> None:
    booth = Booth(fake_reactor)
    booth.pass_time(10.0)
    market = booth.exchange.market
    booth.exchange.serve_old_books(seconds=2.0)
    booth.exchange.serve_early_books(2, seconds=3.0)
    assert booth.get(TRADES)[0] == 200
    sequences = [booth.get(BOOK)[2]["sequence"] for _ in range(4)]
    now = market.book(BTC, market.due(10.0)).sequence
    old, early, same, right = sequences
    assert old < market.book(BTC, market.due(8.5)).sequence < now
    assert early == same > market.book(BTC, market.due(12.5)).sequence
    assert right == now
    booth.exchange.serve_old_books(seconds=99.0)
    assert booth.get(BOOK)[2]["sequence"] == market.book(BTC, market.due(0.0)).sequence


def test_behave(fake_reactor: FakeReactor) -> None:
    booth = Booth(fake_reactor)
    exchange = booth.exchange
    exchange.refuse_requests(math.inf)
    exchange.delay_requests(math.inf)
    exchange.cut_requests(math.inf)
    exchange.serve_old_books(math.inf)
    exchange.serve_old_trades(math.inf)
    newest = exchange.market.book(BTC, 0).trade_id
    exchange.unlist_trades(BTC, [newest])
    exchange.behave()
    assert booth.get(BOOK)[0] == 200
    assert booth.get(TRADES)[2][0]["trade_id"] == newest


def test_trades_that_are_not_listed_yet_or_never(fake_reactor: FakeReactor) -> None:
    booth = Booth(fake_reactor)
    booth.pass_time(10.0)
    market = booth.exchange.market
    newest = market.book(BTC, market.due(10.0)).trade_id
    booth.exchange.serve_old_trades(seconds=4.0)
    booth.exchange.unlist_trades(BTC, [newest, newest - 2])
    assert booth.get(BOOK)[2]["sequence"] == market.book(BTC, market.due(10.0)).sequence
    old, now = ([trade["trade_id"] for trade in booth.get(f"{TRADES}?limit=3")[2]] for _ in range(2))
    assert old[0] <= market.book(BTC, market.due(6.0)).trade_id < newest
    assert now == [newest - 1, newest - 3, newest - 4]


def test_what_was_asked_can_be_waited_for(fake_reactor: FakeReactor) -> None:
    booth = Booth(fake_reactor)
    waiting = booth.exchange.when_requested(2)
    booth.ask("/time")
    assert not waiting.called
    booth.ask(BOOK)
    assert waiting.result == BOOK


# -- on sockets


class _Body(Protocol):
    """What a response brings; ``readBody`` of some releases warns of Twisted's own transport."""

    def __init__(self) -> None:
        self.octets = b""
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.octets += data

    def connectionLost(self, reason: Any = None) -> None:
        self.ended.callback(self.octets)


def _body(response: Any) -> Deferred[bytes]:
    body = _Body()
    response.deliverBody(body)
    return body.ended


def _trust(exchange: SimulatedExchange) -> Any:
    return trustRootFromCertificates([Certificate.loadPEM(Path(exchange.ca_file).read_bytes())])


@pytest.mark.parametrize("tls", [False, True])
async def test_a_real_client_of_http_beside_a_real_client_of_the_feed(tls: bool) -> None:
    from twisted.internet import reactor

    async with SimulatedExchange(seed=1, tls=tls) as exchange:
        agent = Agent(reactor, BrowserLikePolicyForHTTPS(_trust(exchange)))
        assert exchange.rest_url.startswith("https://" if tls else "http://")
        for target in (BOOK, TRADES):
            response = await agent.request(b"GET", (exchange.rest_url + target).encode())
            assert response.code == 200
            assert json.loads(await _body(response))
        await exchange.when_lost(2)


async def test_the_limit_is_the_addresss_whatever_lines_it_opens() -> None:
    from twisted.internet import reactor

    async with SimulatedExchange(seed=1, rest_rate=0.001, rest_burst=3) as exchange:
        codes = [(await Agent(reactor).request(b"GET", f"{exchange.rest_url}/time".encode())).code for _ in range(5)]
        assert codes == [200, 200, 200, 429, 429]


async def test_at_infinite_speed_rest_is_where_the_client_is_that_is_furthest() -> None:
    from twisted.internet import reactor

    async with SimulatedExchange(seed=1, speed=math.inf) as exchange:
        client = await dial(exchange.url)
        client.ask("subscribe", "heartbeat", BTC)
        for _ in range(5):
            beat = await client.next("heartbeat")
        response = await Agent(reactor).request(b"GET", (exchange.rest_url + BOOK).encode())
        assert json.loads(await _body(response))["sequence"] >= beat["sequence"]
        await exchange.when_requested(1)
