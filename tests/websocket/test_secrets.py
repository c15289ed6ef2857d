"""Rule 9: what nobody may read is in no log line, no ``repr``, no error and no reason."""

from __future__ import annotations

import base64
import copy
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import txaio

from copra_tx.books import BookClient
from copra_tx.errors import ConfigurationError, SubscriptionRefusedError
from copra_tx.simulator import ApiKey, SimulatedExchange
from copra_tx.websocket import Channel, Client
from support.logs import logged
from support.peers import LOCAL, listening, within
from support.proxies import ProxyServer
from support.watched import Watched, watched
from support.world import URL, World, outcome

SECRET = base64.b64encode(b"what-signs-the-requests-of-this-test").decode()
PASSPHRASE = "the-passphrase-of-this-test"
PASSWORD = "the-proxys-password"
KEY = {"key": "the-key-of-this-test", "secret": SECRET, "passphrase": PASSPHRASE}


def hidden(signatures: list[str]) -> list[str]:
    login = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    return [SECRET, base64.b64decode(SECRET).decode(), PASSPHRASE, PASSWORD, login, *signatures]


@contextmanager
def autobahn_talkative() -> Iterator[None]:
    """Let Autobahn log all it can."""
    before = txaio.get_global_log_level()
    txaio.set_global_log_level("trace")
    try:
        yield
    finally:
        txaio.set_global_log_level(before)


class Failing(Watched):
    """Its callbacks fail with everything it knows on the stack."""

    def on_message(self, message: Any) -> None:
        super().on_message(message)
        if message["type"] == "subscriptions":
            raise RuntimeError("mine")

    def on_close(self, was_clean: bool, code: int, reason: str) -> None:
        super().on_close(was_clean, code, reason)
        raise RuntimeError("mine")


@pytest.mark.parametrize("known", [True, False], ids=["accepted", "refused"])
async def test_none_is_told_of_a_signed_session(known: bool, logged_errors: Any) -> None:
    """Through a proxy with a password, over TLS, with drops, refusals and callbacks that fail."""
    keys = [ApiKey(KEY["key"], SECRET, PASSPHRASE if known else "another")]
    proxy = ProxyServer(login=f"me:{PASSWORD}")
    with logged() as log, autobahn_talkative():
        async with SimulatedExchange(tls=True, keys=keys) as exchange, listening(proxy) as port:
            exchange.refuse_upgrades()
            client = watched(
                exchange.url,
                [Channel("full", "BTC-USD"), Channel("ticker", "BTC-USD")],
                kind=Failing,
                proxy=f"http://me:{PASSWORD}@{LOCAL}:{port}",
                ca_file=exchange.ca_file,
                auth=True,
                **KEY,
            )
            await within(exchange.when_received(1))
            exchange.drop()
            await within(exchange.when_received(2))
            await client.when(lambda client: client.errors or client.messages)
            with pytest.raises(SubscriptionRefusedError) as refused:
                await within(client.subscribe(Channel("user", "NOPE-USD")))
            shown = [repr(client), repr(client.options), repr(client.line), str(refused.value), repr(refused.value)]
            requests = list(exchange.received)
            await within(client.close())
            for connection in proxy.connections:
                await within(connection.lost)
    signatures = [request["signature"] for request in requests]
    assert len(set(signatures)) == len(requests) >= 3  # made anew for each
    assert logged_errors.flush(RuntimeError)
    told = "\n".join([log.everything(), *shown, repr(client.events)])
    assert "attempting to reconnect" in told
    assert [text for text in hidden(signatures) if text in told] == []


def test_none_is_in_an_error_about_themselves() -> None:
    for wrong in ({"secret": "not base64: " + PASSWORD}, {"passphrase": ""}, {"secret": ""}):
        with pytest.raises(ValueError, match=r"secret|passphrase") as caught:
            Client(None, Channel("full", "BTC-USD"), URL, reactor=World().reactor, auth=True, **KEY | wrong)
        texts = [str(caught.value), repr(caught.value), repr(caught.value.__context__), repr(caught.value.__cause__)]
        assert [text for text in [SECRET, PASSPHRASE, PASSWORD] if text in "".join(texts)] == []


@pytest.mark.parametrize("rest", ["127.0.0.1:8080", "127.0.0.1:nonsense/path", "[::1"])
def test_an_address_with_a_password_is_refused_and_not_repeated(rest: str) -> None:
    """The password would be sent to nobody, and shown by whatever names the address."""
    with pytest.raises(ConfigurationError) as raised:
        World().client(feed_url=f"ws://me:{PASSWORD}@{rest}")
    assert "no user and no password" in str(raised.value)
    assert PASSWORD not in str(raised.value)


def test_nor_does_one_repeat_it_that_needs_more_of_the_address() -> None:
    with pytest.raises(ConfigurationError) as raised:
        BookClient(None, Channel("full", "BTC-USD"), feed_url=f"wss://me:{PASSWORD}@127.0.0.1", auto_connect=False)
    assert PASSWORD not in str(raised.value)


def test_each_message_is_signed_anew() -> None:
    world = World()
    client = world.client(Channel("full", [f"P{number}-USD" for number in range(250)]), auth=True, **KEY)
    server = world.open()
    for _ in range(3):
        server.confirm()
        world.advance(0)
    world.drop()
    world.advance(1.1)
    again = world.open()
    requests = server.requests + again.requests
    assert len(requests) == 4
    assert len({request["timestamp"] for request in requests}) == 4
    assert len({request["signature"] for request in requests}) == 4
    outcome(client.close())
    world.advance(0)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda key: pickle.loads(pickle.dumps(key))])
def test_a_copy_hides_as_much(way: Any) -> None:
    from copra_tx.feed.credentials import ExchangeCredentials

    shown = repr(way(ExchangeCredentials(**KEY)))
    assert [text for text in KEY.values() if text in shown] == []
