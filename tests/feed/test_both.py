"""Which of the two feeds is spoken at an address."""

from __future__ import annotations

import pytest

from copra_tx.feed import advanced_trade, exchange
from copra_tx.feed.both import dialect_at


@pytest.mark.parametrize(
    ("url", "feed", "dialect"),
    [
        ("", "auto", exchange.DIALECT),
        ("", "advanced", advanced_trade.DIALECT),
        ("wss://ws-feed.exchange.coinbase.com", "auto", exchange.DIALECT),
        ("wss://advanced-trade-ws.coinbase.com", "auto", advanced_trade.DIALECT),
        ("wss://advanced-trade-ws-user.coinbase.com", "auto", advanced_trade.USER_DIALECT),
        ("wss://advanced.example", "auto", exchange.DIALECT),
        ("ws://127.0.0.1:8080", "advanced", advanced_trade.DIALECT),
        ("wss://[", "auto", exchange.DIALECT),
    ],
)
def test_an_address_tells_its_feed_unless_somebody_says_so(url: str, feed: str, dialect: object) -> None:
    assert dialect_at(url, feed) is dialect
