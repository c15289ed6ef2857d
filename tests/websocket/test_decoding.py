"""What ``on_message`` gets with each choice of ``decode``; the client's own work is the same with all of them."""

from __future__ import annotations

import gc
import sys
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from copra_tx.errors import ConfigurationError
from copra_tx.websocket import Channel, LazyMessage, State
from support.world import BTC, ETH, World, outcome

TICK = b'{"price":"61.50","type":"ticker","product_id":"BTC-USD","sequence":7,"odd":{"type":"x"}}'
ROW = b'["noop","BTC-USD","134905860124","2026-08-25T23:24:03.585394Z"]'
ANSWER = b'{"type":"subscriptions","channels":[{"name":"ticker","product_ids":["BTC-USD"]}]}'
ERROR = b'{"type":"error","message":"no","reason":"because"}'


class Ticker(msgspec.Struct):
    product_id: str
    price: Decimal
    sequence: int = 0


class TaggedTicker(msgspec.Struct, tag_field="type", tag="ticker"):
    price: Decimal


class TaggedMatch(msgspec.Struct, tag_field="type", tag="match"):
    size: Decimal


@pytest.fixture
def world() -> World:
    return World()


def frames(*texts: bytes) -> bytes:
    return b"".join(bytes((0x81, len(text))) + text for text in texts)


def receive(world: World, decode: Any, *texts: bytes, at_once: bool = True, channels: Any = None) -> Any:
    """Return a client that got these messages, in one read or one each."""
    client = world.client(channels or [BTC, Channel("level3", "BTC-USD"), Channel("matches", "BTC-USD")], decode=decode)
    world.open()
    for read in [frames(*texts)] if at_once else [frames(text) for text in texts]:
        world.line.receive(read)
    return client


both = pytest.mark.parametrize("at_once", [True, False])


@both
def test_lazy(world: World, at_once: bool) -> None:
    client = receive(world, "lazy", TICK, TICK, ROW, ANSWER, ERROR, TICK, at_once=at_once)
    assert client.errors == [("no", "because")]
    assert client.counters.messages == 5
    assert [message.type for message in client.messages] == ["ticker", "ticker", "level3", "subscriptions", "ticker"]
    lazy = client.messages[1]
    assert isinstance(lazy, LazyMessage)
    assert (lazy.product_id, lazy.sequence, lazy.payload) == ("BTC-USD", 7, TICK)
    assert lazy["price"] == "61.50"
    assert "odd" in lazy
    assert lazy.get("nothing", 3) == 3
    assert dict(lazy) == lazy.decode() == msgspec.json.decode(TICK)
    assert len(lazy) == len(list(lazy)) == 5
    assert client.messages[2].decode() == msgspec.json.decode(ROW)


@both
def test_bytes(world: World, at_once: bool) -> None:
    client = receive(world, None, TICK, TICK, ROW, ANSWER, ERROR, TICK, at_once=at_once)
    assert client.messages == [TICK, TICK, ROW, ANSWER, TICK]
    assert client.errors == [("no", "because")]


@both
def test_a_table_of_types(world: World, at_once: bool) -> None:
    match = b'{"type":"match","product_id":"BTC-USD","size":"1"}'
    client = receive(world, {"ticker": Ticker}, TICK, TICK, match, ROW, ANSWER, at_once=at_once)
    typed = Ticker("BTC-USD", Decimal("61.50"), 7)
    assert client.messages == [typed, typed, *map(msgspec.json.decode, (match, ROW, ANSWER))]


@both
def test_one_type_for_all_data(world: World, at_once: bool) -> None:
    match = b'{"type":"match","product_id":"BTC-USD","size":"1"}'
    client = receive(world, TaggedTicker | TaggedMatch, TICK, match, ANSWER, at_once=at_once)
    assert client.messages == [TaggedTicker(Decimal("61.50")), TaggedMatch(Decimal(1)), msgspec.json.decode(ANSWER)]


@both
def test_a_message_that_does_not_fit_is_told_once_and_counted(world: World, at_once: bool) -> None:
    wrong = b'{"type":"ticker","product_id":"BTC-USD","price":"dear"}'
    client = receive(world, {"ticker": Ticker}, TICK, wrong, wrong, TICK, at_once=at_once)
    assert len(client.messages) == 2
    [(message, reason)] = client.errors
    assert "ticker that does not fit" in message
    assert "dear" in reason
    assert sum(client.counters.unusable.values()) == 2
    assert client.counters.messages == 2


@both
@pytest.mark.parametrize("decode", ["dict", "lazy", None, {"ticker": Ticker}])
def test_whatever_is_chosen_the_rest_stays(world: World, decode: Any, at_once: bool) -> None:
    client = receive(
        world, decode, TICK, b"17", b'{"price":"1"}', b'{"type":[1]}', b"[]", b"not json", TICK, at_once=at_once
    )
    assert client.counters.unusable == {"neither object nor row": 2, "no type": 2, "not JSON": 1}
    assert client.counters.messages == 2
    client.unsubscribe(BTC)
    for read in [frames(TICK, TICK, ROW)] if at_once else [frames(TICK), frames(TICK), frames(ROW)]:
        world.line.receive(read)
    assert client.counters.unwanted == 2
    assert client.counters.messages == 3


@both
@pytest.mark.parametrize("decode", ["dict", "lazy", None, {"ticker": Ticker}])
def test_bad_utf8_ends_the_line_even_in_a_field_that_nobody_looks_at(world: World, decode: Any, at_once: bool) -> None:
    bad = b'{"type":"ticker","product_id":"BTC-USD","price":"1","note":"\xff"}'
    client = receive(world, decode, TICK, bad, TICK, at_once=at_once)
    world.advance(0)
    assert len(client.messages) == 1
    assert "UTF-8" in client.closes[0][2]


@both
@pytest.mark.parametrize("decode", ["dict", "lazy", None, {"ticker": Ticker}])
@pytest.mark.parametrize(
    "members",
    [b'"type":"ticker","product_id":"BTC-USD","price":"1"', b'"type":"subscriptions"', b'"type":"heartbeat"', b'"a":1'],
)
def test_a_number_that_cannot_be_read_does_not_end_the_line(
    world: World, members: bytes, decode: Any, at_once: bool
) -> None:
    client = receive(world, decode, b"{" + members + b',"x":1e400}', TICK, at_once=at_once)
    is_skipped = decode != "dict" and b"ticker" in members  # what the user did not choose to decode
    assert client.counters.unusable == ({} if is_skipped else {"not JSON": 1})
    assert (len(client.errors), len(client.messages)) == ((0, 2) if is_skipped else (1, 1))
    assert client.line.state is State.OPEN


@both
def test_what_is_nested_too_deeply_to_be_shown_is_told_all_the_same(world: World, at_once: bool) -> None:
    limit = sys.getrecursionlimit()
    nested = [b"[" * depth + b"]" * depth for depth in range(limit - 200, limit)]  # some can just be decoded
    client = world.client(BTC)
    world.open()
    for payload in nested:
        read = b"".join(b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload for _ in range(1 + at_once))
        world.line.receive(read)
    assert client.counters.unusable.total() == len(nested) * (1 + at_once)
    assert client.line.state is State.OPEN


def test_a_lazy_message_of_text_beyond_ascii(world: World) -> None:
    client = receive(world, "lazy", '{"type":"ticker","product_id":"BTC-USD","note":"é"}'.encode())
    assert client.messages[0]["note"] == "é"


def test_the_callback_may_unsubscribe_between_two_messages_of_a_read(world: World) -> None:
    client = receive(world, "lazy", TICK, channels=[BTC, ETH])
    client.on_message = lambda message: (client.events.append(("message", message)), client.unsubscribe(BTC))[0]
    world.line.receive(frames(TICK, TICK, TICK.replace(b"BTC", b"ETH"), TICK))
    assert [message.product_id for message in client.messages] == ["BTC-USD", "BTC-USD", "ETH-USD"]
    outcome(client.close())
    world.advance(0)


@pytest.mark.parametrize("choice", ["raw", "", 3, True, {"ticker": None}, {3: Ticker}, {"ticker": "Ticker"}, [Ticker]])
def test_what_is_no_choice(world: World, choice: Any) -> None:
    with pytest.raises(ConfigurationError, match="decode is 'dict'"):
        world.client(decode=choice)


@pytest.mark.parametrize("decode", ["dict", "lazy"])
def test_the_collector_rests_while_a_large_message_is_decoded(world: World, decode: Any) -> None:
    levels = b",".join([b'["61.50","1.0"]'] * 10_000)
    large = b'{"type":"snapshot","product_id":"BTC-USD","asks":[],"bids":[' + levels + b"]}"
    client = world.client(Channel("level2_batch", "BTC-USD"), decode=decode)
    world.open()
    collections: list[str] = []
    note = lambda phase, info: collections.append(phase)  # noqa: E731
    gc.collect()
    gc.callbacks.append(note)
    try:
        world.line.receive(b"\x81\x7f" + len(large).to_bytes(8, "big") + large[:100])
        world.line.receive(large[100:] + frames(TICK))
    finally:
        gc.callbacks.remove(note)
    assert gc.isenabled()
    assert len(collections) <= 4  # of hundreds
    assert [message["type"] for message in client.messages] == ["snapshot", "ticker"]
    gc.disable()
    try:
        world.line.receive(b"\x81\x7f" + len(large).to_bytes(8, "big") + large)
        assert not gc.isenabled()  # as the user wants it
    finally:
        gc.enable()
    assert len(client.messages) == 3
