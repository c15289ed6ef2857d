"""Quotes in, lines of text out."""

from __future__ import annotations

import re

import pytest

from copra_tx.commands.quotes import Quote
from copra_tx.commands.table import PLAIN, Look, Table

STYLED = Look(styled=True, symbols=True)
HEAD = ["Title", "status", ""]


def quote(product_id: str = "BTC-USD", **facts: object) -> Quote:
    return Quote(
        product_id,
        **{
            "price": "63519.27",
            "trend": -1,
            "bid": "63519.2",
            "bid_size": "0.25549961",
            "ask": "63519.28",
            "ask_size": "1000",
            "side": "sell",
            "size": "0.00000035",
            "time": "2026-07-07T22:58:21.1Z",
            "count": 7,
            "received": 99.0,
            "rate": 3.55,
            "decimals": 2,
            **facts,
        },  # type: ignore[arg-type]
    )


def table(quotes: list[Quote], columns: int = 200, rows: int | None = None, look: Look = PLAIN) -> list[str]:
    return Table().lines(HEAD, quotes, 100.0, look, columns, rows)


def test_everything_is_shown_and_aligned() -> None:
    small = quote("A-USD", price="7", bid="", count=0, trend=0, side="", size="", time="", decimals=0, rate=0.0)
    assert table([quote(), small]) == [
        "Title",
        "status",
        "",
        "PRODUCT      PRICE      BID SIZE        BID        ASK  ASK SIZE  LAST        SIZE  AT (UTC)  MSG/S   AGE",
        "BTC-USD  63,519.27 -  0.25549961  63,519.20  63,519.28     1,000  sell  0.00000035  22:58:21    3.5  1.0s",
        "A-USD            7    0.25549961             63,519.28     1,000                                0.0",
    ]


def test_nothing_gets_narrower_again() -> None:
    both = Table()
    wide = both.lines(HEAD, [quote()], 100.0, PLAIN, 200)
    narrow = both.lines(HEAD, [quote(price="1")], 100.0, PLAIN, 200)
    assert narrow[3] == wide[3]
    assert narrow[4].index("sell") == wide[4].index("sell")


@pytest.mark.parametrize("columns", range(1, 130))
@pytest.mark.parametrize("look", [PLAIN, STYLED])
def test_no_line_is_too_long(columns: int, look: Look) -> None:
    lines = table([quote(), quote("A-LONG-NAME-USD")], columns, look=look)
    shown = [re.sub("\x1b[^m]*m", "", line) for line in lines]
    assert len(shown) == 6
    assert max(map(len, shown)) <= columns
    assert shown[4].startswith("BTC-USD"[:columns])


def test_columns_go_by_their_importance() -> None:
    heads = []
    for columns in range(130, 6, -1):
        titles = table([quote()], columns)[3].split()
        if titles not in heads:
            heads.append(titles)
    assert heads[-2:] == [["PRODUCT", "PRICE"], ["PRODUCT"]]
    assert heads[2] == ["PRODUCT", "PRICE", "BID", "ASK", "ASK", "SIZE", "LAST", "SIZE", "MSG/S", "AGE"]


@pytest.mark.parametrize("rows", range(1, 9))
def test_rows_that_do_not_fit_are_counted(rows: int) -> None:
    lines = table([quote(f"{letter}-USD") for letter in "ABCD"], rows=rows)
    assert len(lines) == min(rows, 8)
    assert lines[0] == "Title"
    if 4 < rows < 8:
        assert lines[-1] == f"... and {8 - rows + 1} more"


def test_the_price_is_coloured_by_its_trend_and_the_trade_by_its_side() -> None:
    line = table([quote()], look=STYLED)[-1]
    assert "\x1b[1;31m63,519.27 ▼\x1b[0m" in line
    assert "\x1b[31msell\x1b[0m" in line
    line = table([quote(trend=1, side="buy")], look=STYLED)[-1]
    assert "\x1b[1;32m63,519.27 ▲\x1b[0m" in line
    assert "\x1b[32mbuy \x1b[0m" in line
    assert "\x1b[1m63,519.27  \x1b[0m" in table([quote(trend=0)], look=STYLED)[-1]


def test_without_symbols_a_trend_is_ascii() -> None:
    assert "63,519.27 + " in table([quote(trend=1)])[-1]


@pytest.mark.parametrize(
    ("age", "text"),
    [(0, "0.0s"), (-1, "0.0s"), (9.94, "9.9s"), (99, "99.0s"), (100, "2min"), (5999, "100min"), (7200, "2h")],
)
def test_ages(age: float, text: str) -> None:
    assert table([quote(received=100 - age)])[-1].endswith(f" {text}")


def test_an_old_age_stands_out() -> None:
    assert "\x1b[33m" in table([quote(received=85.0)], look=STYLED)[-1]
    assert "\x1b[33m" not in table([quote()], look=STYLED)[-1]


def test_what_a_server_sends_cannot_control_the_terminal() -> None:
    lines = table(
        [quote("\x1b[2J\n", price="\x1b[31m", side="\x07", size="a\tb", time="2026-07-07T\x1b\x1b:\x1b\x1b:00")]
    )
    assert all(line.isprintable() for line in lines)


def test_numbers_are_never_rounded() -> None:
    line = table([quote(price="0.000000012345", bid="1E+3", size="1234567.000000000000000001", decimals=2)])[-1]
    assert "0.000000012345" in line
    assert " 1,000.00 " in line
    assert "1,234,567.000000000000000001" in line
