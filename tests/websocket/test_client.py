"""The documented contract, call by call."""

from __future__ import annotations

import inspect
import json

import pytest

from copra_tx.errors import ConfigurationError
from copra_tx.websocket import FEED_URL, SANDBOX_FEED_URL, Channel, Client, ClientProtocol
from support.world import URL, Recorder, World, outcome

BTC = Channel("ticker", "BTC-USD")
SECRET = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="


@pytest.fixture
def world() -> World:
    return World()


def test_the_signature_is_the_documented_one() -> None:
    parameters = list(inspect.signature(Client.__init__).parameters.values())[1:]
    positional = [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == [
        ("loop", inspect.Parameter.empty),
        ("channels", inspect.Parameter.empty),
        ("feed_url", FEED_URL),
        ("auth", False),
        ("key", ""),
        ("secret", ""),
        ("passphrase", ""),
        ("auto_connect", True),
        ("auto_reconnect", True),
        ("name", "WebSocket Client"),
    ]


def test_every_documented_argument_may_be_positional(world: World) -> None:
    client = Client(None, [BTC], URL, True, "k", SECRET, "p", False, False, "mine", reactor=world.reactor)
    assert (client.feed_url, client.auth, client.key, client.secret, client.passphrase) == (
        URL,
        True,
        "k",
        SECRET,
        "p",
    )
    assert (client.auto_connect, client.auto_reconnect, client.name) == (False, False, "mine")
    assert client.loop is None
    assert not client.closing
    assert not client.connected.is_set()
    assert client.disconnected.is_set()
    assert world.reactor.dials == []


def test_the_addresses_are_those_of_the_exchange() -> None:
    assert FEED_URL == "wss://ws-feed.exchange.coinbase.com"
    assert SANDBOX_FEED_URL == "wss://ws-feed-public.sandbox.exchange.coinbase.com"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"auth": True}, "key and secret and passphrase"),
        ({"auth": True, "key": "k", "secret": SECRET}, "passphrase is missing"),
        ({"auth": True, "key": "k", "secret": "not base64!", "passphrase": "p"}, "not base64"),
        ({"feed_url": "http://example.org"}, "feed_url"),
        ({"feed_url": ""}, "feed_url"),
        ({"feed_url": "wss://me:not base64!@example.org/"}, "feed_url takes no user and no password"),
        ({"feed_url": "http://me:not base64!@example.org"}, "feed_url takes no user and no password"),
        ({"channels": "ticker"}, "channels is a Channel"),
        ({"max_message_bytes": 0}, "max_message_bytes"),
        ({"open_timeout": -1}, "open_timeout"),
        ({"open_timeout": "soon"}, "open_timeout"),
        ({"initial_delay": 5, "max_delay": 1}, "max_delay"),
    ],
)
def test_what_cannot_work_is_refused_at_once(world: World, arguments: dict[str, object], words: str) -> None:
    channels = arguments.pop("channels", BTC)
    with pytest.raises(ConfigurationError, match=words) as caught:
        world.client(channels, **arguments)
    assert isinstance(caught.value, ValueError)
    assert "not base64!" not in str(caught.value)


def test_an_unknown_argument_is_a_type_error(world: World) -> None:
    with pytest.raises(TypeError, match="max_mesage_bytes"):
        world.client(max_mesage_bytes=1)


def test_it_subscribes_when_the_line_is_open(world: World) -> None:
    client = world.client([BTC, Channel("heartbeat", ["ETH-USD", "BTC-USD"])])
    server = world.open()
    assert client.events == [("open",)]
    assert server.requests == [
        {
            "type": "subscribe",
            "channels": [
                {"name": "heartbeat", "product_ids": ["BTC-USD", "ETH-USD"]},
                {"name": "ticker", "product_ids": ["BTC-USD"]},
            ],
        }
    ]
    assert client.connected.is_set()
    assert not client.disconnected.is_set()
    outcome(client.close())
    world.advance(0)


def test_it_waits_for_the_reactor(world: World) -> None:
    world = World(running=False)
    world.client()
    assert world.reactor.dials == []
    world.reactor.start()
    world.advance(0)
    assert len(world.reactor.pending_dials()) == 1


def test_without_auto_connect_it_waits_to_be_joined(world: World) -> None:
    client = world.client(auto_connect=False)
    world.advance(60)
    assert world.reactor.dials == []
    client.add_as_task_to_loop()
    client.add_as_task_to_loop()
    world.advance(0)
    assert len(world.reactor.dials) == 1


def test_the_default_callbacks(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    client = world.client(kind=Client)
    server = world.open()
    message = {"type": "ticker", "product_id": "BTC-USD", "price": "1.00"}
    server.say(message)
    world.advance(0)
    assert capsys.readouterr().out == f"{message}\n"
    outcome(client.close())
    world.advance(0)


def test_messages_errors_and_answers_go_where_they_are_documented(world: World) -> None:
    client = world.client()
    server = world.open()
    answer = {"type": "subscriptions", "channels": [{"name": "ticker", "product_ids": ["BTC-USD"]}]}
    server.say(answer, {"type": "error", "message": "Failed", "reason": "because"}, {"type": "error", "message": "x"})
    world.advance(0)
    assert client.events[1:] == [
        ("message", answer),
        ("error", "Failed", "because"),
        ("error", "x", ""),
    ]


def test_signed_requests(world: World) -> None:
    client = world.client(Channel("full", "BTC-USD"), auth=True, key="k", secret=SECRET, passphrase="p")
    server = world.open()
    client.subscribe(Channel("user", "BTC-USD"))
    server.hold(full=["BTC-USD"])
    world.advance(0)
    world.advance(0)
    first, second = server.requests
    for request in (first, second):
        assert request["key"] == "k"
        assert request["passphrase"] == "p"
        assert isinstance(request["timestamp"], str)
        from copra_tx.feed.credentials import ExchangeCredentials

        expected = ExchangeCredentials("k", SECRET, "p").signature(request["timestamp"])
        assert request["signature"] == expected
    assert first["timestamp"] != second["timestamp"]


def test_no_secret_is_shown(world: World) -> None:
    client = world.client(
        auth=True, key="the-key", secret=SECRET, passphrase="the-passphrase", proxy="http://u:pass@127.0.0.1:3128"
    )
    shown = repr(client) + repr(client.options) + repr(client.line) + str(vars(client.options.proxy.__class__))
    for secret in ("the-passphrase", SECRET, "pass@"):
        assert secret not in shown


def test_unsubscribing_stops_data_at_once(world: World) -> None:
    client = world.client([Channel("matches", ["BTC-USD", "ETH-USD"]), Channel("full", "ETH-USD")])
    server = world.open()
    server.confirm()
    world.advance(0)
    client.events.clear()
    client.unsubscribe(Channel("matches", ["BTC-USD", "ETH-USD"]))
    server.say(
        {"type": "match", "product_id": "BTC-USD"},
        {"type": "match", "product_id": "ETH-USD"},  # explained by full
        {"type": "last_match", "product_id": "ETH-USD"},
        {"type": "brand_new", "product_id": "BTC-USD"},
    )
    world.advance(0)
    assert client.messages == [
        {"type": "match", "product_id": "ETH-USD"},
        {"type": "brand_new", "product_id": "BTC-USD"},
    ]
    assert client.counters.unwanted == 2
    assert dict(client.channels) == {"full": Channel("full", "ETH-USD")}


def test_level3_rows_arrive_as_lists(world: World) -> None:
    client = world.client(Channel("level3", ["BTC-USD", "ETH-USD"]))
    server = world.open()
    client.unsubscribe(Channel("level3", "ETH-USD"))
    row = ["noop", "BTC-USD", "134905860124", "2026-08-25T23:24:03.585394Z"]
    server.say({"type": "level3", "schema": {}}, row, ["noop", "ETH-USD", "1", ""])
    world.advance(0)
    assert client.messages == [{"type": "level3", "schema": {}}, row]


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"not json", "not JSON"),
        (b"17", "neither object nor row"),
        (b"[]", "neither object nor row"),
        (b"[1]", "neither object nor row"),
        (b'{"price":"1"}', "no type"),
        (b'{"type":7}', "no type"),
    ],
)
def test_what_is_of_no_use_is_told_once_and_counted(world: World, payload: bytes, kind: str) -> None:
    client = world.client()
    server = world.open()
    for _ in range(3):
        server.sendMessage(payload)
    server.say({"type": "ticker", "product_id": "BTC-USD"})
    world.advance(0)
    [(message, reason)] = client.errors
    assert kind in message
    assert reason
    assert client.counters.unusable == {kind: 3}
    assert len(client.messages) == 1


def test_binary_is_of_no_use(world: World) -> None:
    client = world.client()
    server = world.open()
    server.sendMessage(json.dumps({"type": "ticker"}).encode(), isBinary=True)
    world.advance(0)
    assert client.counters.unusable == {"binary": 1}
    assert client.messages == []


def test_a_product_of_another_type_does_no_harm(world: World) -> None:
    client = world.client()
    server = world.open()
    odd = [{"type": "ticker", "product_id": [1]}, {"type": "ticker", "product_id": {"a": 1}}]
    server.say(*odd)
    world.advance(0)
    assert client.messages == odd


def test_the_one_answer_that_is_not_json_is_an_error_of_the_server(world: World) -> None:
    client = world.client()
    server = world.open()
    server.sendMessage(b"invalid (un)subscribe msg")
    world.advance(0)
    assert client.errors == [("invalid (un)subscribe msg", "")]


def test_a_callback_that_fails_is_logged_and_the_next_message_comes(world: World, logged_errors: object) -> None:
    class Fragile(Recorder):
        def on_message(self, message: object) -> None:
            super().on_message(message)
            raise RuntimeError("mine")

        def on_open(self) -> None:
            super().on_open()
            raise RuntimeError("mine too")

    client = world.client(kind=Fragile)
    server = world.open()
    server.say({"type": "ticker", "n": 1}, {"type": "ticker", "n": 2})
    world.advance(0)
    assert [message["n"] for message in client.messages] == [1, 2]
    assert client.counters.callback_failures == 3
    assert len(logged_errors.flush(RuntimeError)) == 3
    assert client.connected.is_set()


def test_the_wire_can_be_subclassed(world: World, logged_errors: object) -> None:
    seen: list[object] = []

    class Wire(ClientProtocol):
        def onMessage(self, payload: bytes, isBinary: bool) -> None:
            seen.append((payload, isBinary))
            super().onMessage(payload, isBinary)
            raise RuntimeError("of the subclass")

    class Mine(Recorder):
        protocol = Wire

    client = world.client(kind=Mine)
    server = world.open()
    server.sendMessage(b"\x00\x01", isBinary=True)
    server.say({"type": "ticker"})
    world.advance(0)
    assert seen == [(b"\x00\x01", True), (b'{"type": "ticker"}', False)]
    assert client.messages == [{"type": "ticker"}]
    assert len(logged_errors.flush(RuntimeError)) == 2
    assert client.connected.is_set()


def test_an_on_open_without_super_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    from twisted.logger import globalLogPublisher

    class Mute(Recorder):
        def on_open(self) -> None:
            self.events.append(("open",))

    said: list[str] = []

    def observe(event: dict[str, object]) -> None:
        if event.get("klass"):
            said.append(str(event["klass"]))

    globalLogPublisher.addObserver(observe)
    try:
        world.client(kind=Mute)
        server = world.open()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert server.requests == []
    assert len(said) == 1
    assert said[0].endswith("Mute")


def test_a_subclass_may_have_attributes_of_its_own(world: World) -> None:
    class Own(Recorder):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            for name in ("messages_seen", "_buffer", "_line", "_requests", "_delivery", "_subscriptions", "book"):
                setattr(self, name, None)

    client = world.client(kind=Own)
    world.open().say({"type": "ticker", "product_id": "BTC-USD"})
    world.advance(0)
    assert len(client.messages) == 1
    for name in ("line", "counters", "options", "pacer", "callbacks", "reception", "channels"):
        with pytest.raises(AttributeError, match=name):
            setattr(client, name, None)  # loudly, since nothing would work afterwards
