"""The ratios as a picture: an SVG file, written by hand to need no library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from .contestants import CONTESTANTS, COPRA, FAST, OURS, PICOWS
from .figures import Figures
from .profiles import PROFILES

__all__ = ["draw"]

WIDTH, LEFT, RIGHT, TOP, ROW = 860, 320, 40, 96, 34
FONT = 'font-family="Helvetica, Arial, sans-serif" font-size="13"'
AXIS = (0.25, 0.5, 1, 2, 5, 10, 20, 40)

# Colours that the colour-blind can tell apart (Okabe and Ito), and shapes that need no colour.
SERIES = {
    OURS: ("#0072b2", "square"),
    FAST: ("#0072b2", "frame"),
    PICOWS: ("#d55e00", "circle"),
    "picows.websockets": ("#d55e00", "circle"),
    "websockets": ("#009e73", "triangle"),
    "Autobahn": ("#7f7f7f", "diamond"),
    COPRA: ("#000000", "cross"),
}
LEGEND = (OURS, FAST, PICOWS, "websockets", "Autobahn", COPRA)


def draw(figures: Figures, profiles: Sequence[str], subtitle: str) -> str:
    """
    Return a picture of what others cost in units of what copra-tx costs, on a logarithmic axis, a row for each profile.

    Args:
        figures: The results.
        profiles: The rows, from above; without results they are left out.
        subtitle: A line under the title.
    """
    rows = [name for name in profiles if figures.summary(name, OURS) is not None]
    height = TOP + ROW * len(rows) + 62
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {FONT} role="img">',
        "<title>Cost of a message in units of what copra-tx costs</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(20, 30, "Cost of a message, copra-tx = 1", size=17, weight="bold"),
        _text(20, 50, subtitle, colour="#555555"),
        *_legend(),
        *_axis(TOP, TOP + ROW * len(rows)),
    ]
    for number, name in enumerate(rows):
        parts += _row(figures, name, TOP + ROW * number + ROW / 2)
    below = TOP + ROW * len(rows) + 44
    parts.append(
        _text(_x(1), below, "times what copra-tx costs, on a logarithmic scale; less is better", colour="#555555")
    )
    return "\n".join([*parts, "</svg>", ""])


def _row(figures: Figures, name: str, y: float) -> Iterator[str]:
    yield _text(20, y - 2, name, weight="bold")
    yield _text(20, y + 12, PROFILES[name].about, size=11, colour="#555555")
    yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>'
    for one, (colour, shape) in SERIES.items():
        ratio = figures.ratio(name, one, OURS)
        if ratio is not None:
            label = f"{CONTESTANTS[one].title}, {name}: {ratio:.2f}"
            yield f"<g><title>{escape(label)}</title>{_mark(shape, _x(ratio), y, colour)}</g>"


def _axis(top: float, bottom: float) -> Iterator[str]:
    for value in AXIS:
        x = _x(value)
        colour, width = ("#0072b2", 1.5) if value == 1 else ("#dddddd", 1)
        yield (f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="{colour}" stroke-width="{width}"/>')
        yield _text(x, bottom + 18, f"{value:g}\N{MULTIPLICATION SIGN}", anchor="middle", colour="#555555")


def _legend() -> Iterator[str]:
    x = 20.0
    for one in LEGEND:
        colour, shape = SERIES[one]
        title = CONTESTANTS[one].title
        yield _mark(shape, x + 6, 72, colour)
        yield _text(x + 18, 77, title)
        x += 36 + 7 * len(title)


def _x(ratio: float) -> float:
    low, high = math.log(AXIS[0]), math.log(AXIS[-1])
    share = (math.log(ratio) - low) / (high - low)
    return LEFT + min(max(share, 0), 1) * (WIDTH - LEFT - RIGHT)


def _mark(shape: str, x: float, y: float, colour: str) -> str:
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{colour}"/>'
    if shape == "frame":
        return (
            f'<rect x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9" fill="#ffffff" stroke="{colour}" '
            'stroke-width="2"/>'
        )
    points = {
        "square": ((-5.5, -5.5), (5.5, -5.5), (5.5, 5.5), (-5.5, 5.5)),
        "triangle": ((0, -7), (6.5, 5), (-6.5, 5)),
        "diamond": ((0, -7.5), (6, 0), (0, 7.5), (-6, 0)),
    }
    if shape in points:
        path = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in points[shape])
        return f'<polygon points="{path}" fill="{colour}"/>'
    path = f"M{x - 5:.1f} {y - 5:.1f} l10 10 m-10 0 l10 -10"
    return f'<path d="{path}" stroke="{colour}" stroke-width="3" fill="none"/>'


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 13,
    weight: str = "normal",
    anchor: str = "start",
    colour: str = "#000000",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{colour}">{escape(words)}</text>'
    )
