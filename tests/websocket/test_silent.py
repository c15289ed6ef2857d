"""Which heartbeats are held beside what is wanted."""

from __future__ import annotations

from copra_tx.feed import advanced_trade, exchange
from copra_tx.websocket.channel import Channel
from copra_tx.websocket.silent import SilentHeartbeats

TICKER = Channel("ticker", ["BTC-USD", "ETH-USD"])
WANTED = {"ticker": TICKER, "status": Channel("status")}
HELD = {"ticker": frozenset({"BTC-USD"}), "status": frozenset[str](), "level2": frozenset({"SOL-USD"})}


def beats(*products: str) -> list[Channel]:
    return [Channel("heartbeat", products)]


def silent() -> SilentHeartbeats:
    made = SilentHeartbeats(exchange.DIALECT, is_on=True)
    made.connected()
    return made


def test_they_are_those_of_products_that_are_wanted_and_held() -> None:
    assert silent().missing(WANTED, HELD) == beats("BTC-USD")


def test_they_are_asked_for_once_on_a_connection() -> None:
    made = silent()
    made.sent(beats("BTC-USD"), leaving=False)
    assert made.missing(WANTED, HELD) == []
    made.connected()
    assert made.missing(WANTED, HELD) == beats("BTC-USD")


def test_what_is_wanted_or_held_is_not_asked_for() -> None:
    made = silent()
    assert made.missing(WANTED | {"heartbeat": beats("BTC-USD")[0]}, HELD) == []
    assert made.missing(WANTED, HELD | {"heartbeat": frozenset({"BTC-USD"})}) == []


def test_they_go_with_the_last_channel_of_their_product() -> None:
    made, held = silent(), {"heartbeat": frozenset({"BTC-USD", "ETH-USD"})}
    made.sent(beats("BTC-USD"), leaving=False)
    assert made.surplus({}, held) == beats("BTC-USD")
    assert made.surplus({"heartbeat": beats("BTC-USD")[0]}, held) == []
    assert made.surplus(WANTED, HELD | held) == []
    made.sent(beats("BTC-USD"), leaving=True)
    assert made.surplus({}, held) == []


def test_who_unsubscribes_from_heartbeats_gets_none() -> None:
    made = silent()
    made.sent(beats("BTC-USD"), leaving=False)
    made.unwanted([TICKER, *beats("BTC-USD")])
    assert made.missing(WANTED, HELD) == made.surplus(WANTED, HELD) == []
    made.wanted([TICKER, *beats("BTC-USD")])
    assert made.missing(WANTED, HELD) == beats("BTC-USD")


def test_to_renew_them_is_to_leave_and_to_join() -> None:
    made, held = silent(), HELD | {"heartbeat": frozenset({"BTC-USD"})}
    made.sent(beats("BTC-USD"), leaving=False)
    made.renew(frozenset({"BTC-USD", "ETH-USD"}))
    assert made.surplus(WANTED, held) == beats("BTC-USD")
    made.sent(beats("BTC-USD"), leaving=True)
    assert made.surplus(WANTED, held) == []
    assert made.missing(WANTED, HELD) == beats("BTC-USD")


def test_they_are_hidden_unless_they_are_wanted() -> None:
    made = silent()
    assert not made.hides("BTC-USD", WANTED)
    made.sent(beats("BTC-USD"), leaving=False)
    assert made.hides("BTC-USD", WANTED)
    assert not made.hides("ETH-USD", WANTED)
    assert not made.hides(None, WANTED)
    assert not made.hides("BTC-USD", {"heartbeat": beats("BTC-USD")[0]})


def test_there_may_be_none() -> None:
    assert SilentHeartbeats(exchange.DIALECT, is_on=False).missing(WANTED, HELD) == []
    wanted = {"ticker": Channel("ticker", "BTC-USD")}
    assert SilentHeartbeats(advanced_trade.DIALECT, is_on=True).missing(wanted, HELD) == []
