"""The quotes as lines of text that fit a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .complaints import one_line
from .quotes import Quote, decimal_or_none

__all__ = ["PLAIN", "Look", "Table"]

STALE = 10.0
"""Seconds without a message after which a product's age stands out."""

_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"
_GAP = "  "
_TRENDS = {1: _GREEN, -1: _RED}
_SIDES = {"buy": _GREEN, "sell": _RED}


@dataclass(frozen=True, slots=True)
class Look:
    """
    How lines may look.

    Attributes:
        styled: Whether colours and bold text may be used.
        symbols: Whether signs beyond ASCII may be.
    """

    styled: bool
    symbols: bool

    def style(self, text: str, *codes: str) -> str:
        """Return a text in a style."""
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.styled and codes else text

    def arrow(self, trend: int) -> str:
        """Return a sign for up, down, or neither."""
        return (" ▲▼" if self.symbols else " +-")[trend]


PLAIN = Look(styled=False, symbols=False)
"""Nothing but text."""

_Cell = tuple[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    rank: int  # the highest goes first where the terminal is narrow
    cell: Callable[[Quote, float, Look], _Cell]
    right: bool = True


def _grouped(text: str, decimals: int = 0) -> str:
    number = decimal_or_none(text)
    if number is None:
        return one_line(text)
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # of a finite number
    return f"{number:,.{max(decimals, -exponent)}f}"  # nothing is rounded


def _price(quote: Quote, _: float, look: Look) -> _Cell:
    style = [_BOLD, _TRENDS[quote.trend]] if quote.trend else [_BOLD]
    return f"{_grouped(quote.price, quote.decimals)} {look.arrow(quote.trend)}", style


def _side(quote: Quote, _: float, __: Look) -> _Cell:
    return one_line(quote.side), [_SIDES[quote.side]] if quote.side in _SIDES else []


def _rate(quote: Quote, _: float, __: Look) -> _Cell:
    return f"{quote.rate:,.1f}", []


def _age(quote: Quote, now: float, _: Look) -> _Cell:
    if not quote.count:
        return "", []
    age = max(0.0, now - quote.received)
    text = f"{age:.1f}s" if age < 100 else f"{age / 60:.0f}min" if age < 6000 else f"{age / 3600:.0f}h"
    return text, [_YELLOW] if age >= STALE else []


_COLUMNS = (
    _Column("PRODUCT", 0, lambda quote, _, __: (one_line(quote.product_id), []), right=False),
    _Column("PRICE  ", 1, _price),
    _Column("BID SIZE", 9, lambda quote, _, __: (_grouped(quote.bid_size), [_DIM])),
    _Column("BID", 2, lambda quote, _, __: (_grouped(quote.bid, quote.decimals), [])),
    _Column("ASK", 3, lambda quote, _, __: (_grouped(quote.ask, quote.decimals), [])),
    _Column("ASK SIZE", 8, lambda quote, _, __: (_grouped(quote.ask_size), [_DIM])),
    _Column("LAST", 6, _side, right=False),
    _Column("SIZE", 5, lambda quote, _, __: (_grouped(quote.size), [])),
    _Column("AT (UTC)", 10, lambda quote, _, __: (one_line(quote.time[11:19]), [])),
    _Column("MSG/S", 7, _rate),
    _Column("AGE", 4, _age),
)


class Table:
    """
    Lays the quotes out.

    Columns never get narrower again, so that nothing jumps about; where the terminal is too narrow, whole columns
    are left out, the least important ones first.
    """

    def __init__(self) -> None:
        self._widths = [len(column.title) for column in _COLUMNS]

    def lines(
        self,
        head: Sequence[str],
        quotes: Sequence[Quote],
        now: float,
        look: Look,
        columns: int,
        rows: int | None = None,
    ) -> list[str]:
        """
        Return the lines.

        Args:
            head: Lines above the table, the first of which is its title.
            quotes: The products, in their order.
            now: The time, on the clock of ``Quote.received``.
            look: How they may look.
            columns: Characters in a line.
            rows: Lines at most; ``None`` for no limit.
        """
        cells = [[column.cell(quote, now, look) for column in _COLUMNS] for quote in quotes]
        for row in cells:
            self._widths = [max(width, len(text)) for width, (text, _) in zip(self._widths, row, strict=True)]
        shown = self._shown(columns)
        titles: list[_Cell] = [(column.title, [_DIM]) for column in _COLUMNS]
        top = [line[:columns] for line in head]
        top[0] = look.style(top[0], _BOLD)
        top.append(self._line(titles, shown, look, columns))
        body = [self._line(row, shown, look, columns) for row in cells]
        if rows is not None and len(top) + len(body) > rows:
            fit = max(0, rows - len(top) - 1)
            body[fit:] = [f"... and {len(body) - fit} more"[:columns]]
        return [*top, *body][:rows]

    def _shown(self, columns: int) -> list[int]:
        shown = list(range(len(_COLUMNS)))
        while len(shown) > 1 and sum(self._widths[one] + len(_GAP) for one in shown) - len(_GAP) > columns:
            shown.remove(max(shown, key=lambda one: _COLUMNS[one].rank))
        return shown

    def _line(self, cells: Sequence[_Cell], shown: Sequence[int], look: Look, columns: int) -> str:
        parts = []
        for one in shown:
            text, style = cells[one]
            width = self._widths[one]
            padded = text.rjust(width) if _COLUMNS[one].right else text.ljust(width)
            parts.append(look.style(padded[:columns], *style))  # the last column left may still be too wide
        return _GAP.join(parts).rstrip()
