"""The REST interface: what is asked, what comes of it, at which pace, and what is tried again."""

from __future__ import annotations

from typing import Any

import pytest
import trustme
from pytest_twisted import ensureDeferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.web.resource import Resource
from twisted.web.server import Site

from copra_tx.errors import ClientClosedError, ConfigurationError, RestError
from copra_tx.feed.exchange import REST_URL, REST_URLS, SANDBOX_FEED_URL
from copra_tx.rest import RestClient, rest_url_of, shared_rest_pacer
from copra_tx.websocket import Options
from copra_tx.websocket.pacing import Pacer
from support.peers import ServerTls, listening, the_reactor, within
from support.reactors import FakeReactor
from support.web import Answer, Web
from support.world import outcome

URL = "http://127.0.0.1:8080"
BOOK = {"bids": [["1.5", "2", 1]], "asks": [], "sequence": 7}


def rest(reactor: FakeReactor, **options: Any) -> RestClient:
    return RestClient(reactor, URL, **({"pacer": Pacer(reactor, 1000, 1000)} | options))


def answered(*answers: Answer, **options: Any) -> tuple[FakeReactor, Web, RestClient]:
    reactor = FakeReactor()
    return reactor, Web(reactor, answers), rest(reactor, **options)


def test_a_book_is_asked_for_and_decoded() -> None:
    _, web, client = answered(Answer(BOOK))
    result = outcome(client.book("BTC-USD", 3))
    web.accept()
    assert result == [BOOK]
    assert web.asked == ["/products/BTC-USD/book?level=3"]
    assert web.agents[0] is not None
    assert web.agents[0].startswith("copra-tx/")


def test_trades_come_in_pages() -> None:
    trades = [{"trade_id": 9, "side": "buy"}]
    _, web, client = answered(Answer(trades), Answer([]))
    pages = [outcome(client.trades("BTC-USD", after=10, before=5, limit=100)), outcome(client.trades("ETH-USD"))]
    web.accept()
    assert pages == [[trades], [[]]]
    assert web.asked == ["/products/BTC-USD/trades?limit=100&after=10&before=5", "/products/ETH-USD/trades?limit=1000"]


def test_the_clock_is_asked_for() -> None:
    odd = [Answer({"epoch": None}), Answer({"epoch": 10**400})]
    _, web, client = answered(Answer({"iso": "2026-08-25T08:19:26.5Z", "epoch": 1787645966.5}), *odd)
    times = [outcome(client.time()) for _ in range(3)]
    web.accept()
    assert times[0] == [1787645966.5]
    assert ["no time in" in time[0].value.detail for time in times[1:]] == [True, True]


def test_no_connection_stays() -> None:
    _, web, client = answered(Answer(BOOK))
    client.get("/time")
    web.accept()
    assert not web.lines[0].connected


@pytest.mark.parametrize("body", [["not", "a", "book"], "words"])
def test_what_is_not_of_the_right_shape_is_refused(body: object) -> None:
    _, web, client = answered(Answer(body))
    result = outcome(client.book("BTC-USD"))
    web.accept()
    assert "not what was asked for" in str(result[0].value)


def test_what_the_server_refuses_is_not_asked_again() -> None:
    _, web, client = answered(Answer({"message": "NotFound"}, 404))
    result = outcome(client.book("NOPE-USD"))
    web.accept()
    error = result[0].value
    assert (error.url, error.status, error.detail) == (f"{URL}/products/NOPE-USD/book?level=2", 404, "NotFound")
    assert str(error) == f"GET {error.url} was answered with HTTP status 404: NotFound"
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        Answer({"message": "Slow rate limit exceeded"}, 429),
        Answer(b"<html>", 503),
        Answer(b'{"half'),
        Answer(BOOK, cut=True),
        Answer(b"[" * 100_000),
        Answer(b"[" * 100_000, 500),
        Answer(
            {}, 429, {"Date": "Tue, 24 Nov 2026 10:00:00 GMT", "Retry-After": "Tue, 24 Nov 99999999999 10:00:25 GMT"}
        ),
    ],
    ids=["throttled", "in trouble", "not JSON", "cut short", "too deep", "in deep trouble", "throttled for ever"],
)
def test_what_may_heal_is_tried_again_after_a_wait(trouble: Answer) -> None:
    reactor, web, client = answered(trouble, Answer(BOOK), first_wait=2.0)
    result = outcome(client.book("BTC-USD"))
    web.accept()
    assert (len(web.asked), result) == (1, [])
    reactor.advance(0.9)  # jitter takes away half at most
    web.accept()
    assert len(web.asked) == 1
    reactor.advance(1.2)
    web.accept()
    assert result == [BOOK]


def test_the_server_says_how_long_to_wait() -> None:
    reactor, web, client = answered(Answer({}, 429, {"Retry-After": "9"}), Answer(BOOK))
    result = outcome(client.book("BTC-USD"))
    web.accept()
    reactor.advance(8.9)
    web.accept()
    assert len(web.asked) == 1
    reactor.advance(0.2)
    web.accept()
    assert result == [BOOK]


def test_tries_come_to_an_end() -> None:
    reactor, web, client = answered(*[Answer({}, 500)] * 3, tries=3)
    result = outcome(client.book("BTC-USD"))
    for _ in range(3):
        web.accept()
        reactor.advance(10)
    assert result[0].value.status == 500
    assert result[0].value.detail == "Internal Server Error"


def test_a_refused_dial_is_told_in_words() -> None:
    reactor = FakeReactor()
    result = outcome(rest(reactor, tries=1).book("BTC-USD"))
    reactor.advance(0)
    reactor.fail(Refused())
    reactor.advance(0.4)
    assert result[0].value.status is None
    assert "brought no answer: no connection to 127.0.0.1:8080" in str(result[0].value)


def test_an_answer_is_not_waited_for_longer_than_the_timeout() -> None:
    reactor, web, client = answered(timeout=5.0, tries=1)
    result = outcome(client.book("BTC-USD"))
    web.accept()
    reactor.advance(4.9)
    assert result == []
    reactor.advance(0.2)
    assert result[0].value.detail == "not complete after 5 s"
    assert not web.lines[0].connected


def test_a_body_is_not_taken_beyond_the_limit() -> None:
    _, web, client = answered(Answer(b"[" + b" " * 2000 + b"]"), options=Options(max_message_bytes=1000))
    result = outcome(client.get("/products"))
    web.accept()
    assert "max_message_bytes=1000" in result[0].value.detail
    assert len(web.asked) == 1


def test_the_pace_is_shared_and_kept() -> None:
    reactor = FakeReactor()
    web = Web(reactor, [Answer([])] * 40)
    clients = [RestClient(reactor, URL) for _ in range(2)]
    assert shared_rest_pacer(reactor) is shared_rest_pacer(reactor)
    for number in range(40):
        clients[number % 2].trades("BTC-USD")
    web.accept()
    assert len(web.asked) == 15  # the burst
    for _ in range(10):
        reactor.advance(0.1)
        web.accept()
    assert 24 <= len(web.asked) <= 26


def test_close_ends_what_is_under_way_and_refuses_the_rest() -> None:
    reactor, web, client = answered(Answer({}, 500))
    waits, hangs = outcome(client.book("BTC-USD")), outcome(client.book("ETH-USD"))
    web.accept()
    client.close()
    late = outcome(client.book("BTC-USD"))
    reactor.advance(60)
    for result in (waits, hangs, late):
        assert result[0].check(ClientClosedError)
    assert not any(line.connected for line in web.lines)
    assert reactor.getDelayedCalls() == []


def test_a_request_can_be_cancelled_by_itself() -> None:
    reactor, web, client = answered()
    request = client.book("BTC-USD")
    result = outcome(request)
    web.accept()
    request.cancel()
    reactor.advance(60)
    assert result[0].type.__name__ == "CancelledError"
    assert not web.lines[0].connected
    assert len(web.asked) == 1


def test_the_address_follows_from_the_feeds() -> None:
    assert rest_url_of("wss://ws-feed.exchange.coinbase.com/") == REST_URL
    assert rest_url_of(SANDBOX_FEED_URL) == "https://api-public.sandbox.exchange.coinbase.com"
    assert all(rest_url_of(feed_url) == rest_url for feed_url, rest_url in REST_URLS.items())


@pytest.mark.parametrize("feed_url", ["ws://127.0.0.1:80", "ws://ws-feed.exchange.coinbase.com", "wss://feed.example"])
def test_an_unknown_feed_needs_an_address(feed_url: str) -> None:
    with pytest.raises(ConfigurationError, match="rest_url="):
        rest_url_of(feed_url)


@pytest.mark.parametrize("url", ["", "ftp://host", "https://", "https://host/path", "http://host:port", "host:80"])
def test_a_bad_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="rest_url is https://HOST"):
        RestClient(FakeReactor(), url)


def test_an_address_with_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="no user and no password") as refused:
        RestClient(FakeReactor(), "https://somebody:hunter2@api.example")
    assert "hunter2" not in str(refused.value)


class _Root(Resource):
    isLeaf = True

    def render_GET(self, request: object) -> bytes:
        return b"[]"


@ensureDeferred
async def test_over_tls_the_certificate_is_verified(tmp_path: Any) -> None:
    authority, ca_file, reactor = trustme.CA(), str(tmp_path / "ca.pem"), the_reactor()
    authority.cert_pem.write_to_path(ca_file)
    site = Site(_Root(), timeout=None, reactor=reactor)
    async with listening(site, ServerTls(authority.issue_cert("127.0.0.1"))) as port:
        url = f"https://127.0.0.1:{port}"
        assert await within(RestClient(reactor, url, Options(ca_file=ca_file)).get("/products")) == []
        with pytest.raises(RestError, match=r"certificate of '127.0.0.1' not accepted"):  # at the first try
            await within(RestClient(reactor, url, first_wait=1000).get("/products"))
