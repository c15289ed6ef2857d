"""The figures as tables in reStructuredText."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .added import Layer
from .books import BookCost
from .contestants import CONTESTANTS, OURS
from .decodings import Decoding
from .figures import Figures
from .flatness import Flatness
from .hotlines import HotLine
from .profiles import PROFILES

__all__ = [
    "books_table",
    "cost_table",
    "decodings_table",
    "flatness_table",
    "latency_table",
    "layers_table",
    "lines_table",
    "table",
]

_SCALE = {"µs": 1.0, "ms": 1000.0, "thousand instructions": 1000.0}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a simple table of reStructuredText, which is also fit to be read on a terminal."""
    lines = [[cell or "-" for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    # Names to the left, numbers to the right.
    texts = ["  ".join([row[0].ljust(widths[0]), *(map(str.rjust, row[1:], widths[1:]))]).rstrip() for row in lines]
    return "\n".join([rule, texts[0], rule, *texts[1:], rule, ""])


def cost_table(figures: Figures, profile: str) -> str:
    """Return what each contestant costs in one profile, the cheapest first."""
    is_counted, scale = PROFILES[profile].counted, _SCALE[PROFILES[profile].unit]
    summaries = {one: figures.summary(profile, one) for one in figures.contestants(profile)}
    known = {one: summary for one, summary in summaries.items() if summary is not None}
    rows = []
    for one, summary in sorted(known.items(), key=lambda item: item[1].quiet):
        ratio = figures.ratio(profile, one, OURS)
        cells = [CONTESTANTS[one].title, _digits(summary.quiet / scale)]
        if not is_counted:
            cells.append(_digits(summary.median / scale))
        cells.append("" if ratio is None else f"{ratio:.2f}")
        rows.append(cells)
    unit = PROFILES[profile].unit
    head = ["client", f"{unit} a message", *(() if is_counted else ("median",)), "copra-tx = 1"]
    return table(head, rows)


def latency_table(figures: Figures, profiles: Iterable[str]) -> str:
    """Return the latencies of what is sent at a pace."""
    rows = []
    for profile in profiles:
        for one in figures.contestants(profile):
            summary = figures.summary(profile, one)
            if summary is None or not summary.latency:
                continue
            ratio = figures.latency_ratio(profile, one, OURS)
            rows.append(
                [
                    *(profile, CONTESTANTS[one].title),
                    *(f"{summary.latency[name]:.0f}" for name in ("p50", "p99")),
                    "" if ratio is None else f"{ratio:.2f}",
                ]
            )
    return table(("profile", "client", "p50, µs", "p99, µs", "p50, copra-tx = 1"), rows)


def layers_table(layers: Sequence[Layer]) -> str:
    """Return what each layer adds to a message."""
    titles = {
        "decoding": "decoding, with msgspec",
        "callback": "a callback in Python that counts and looks at the type",
        "fast path": "finding the message in what was read",
        "client": "what ``Client`` does: guard, counters, telling kinds of messages apart",
    }
    rows = [[titles[layer.name], f"{layer.added_in_bulk:.2f}", f"{layer.added_alone:.2f}"] for layer in layers]
    total = ["together, without the network", f"{layers[-1].in_bulk:.2f}", f"{layers[-1].alone:.2f}"]
    return table(("part", "µs, many messages a read", "µs, one message a read"), [*rows, total])


def books_table(costs: Iterable[BookCost]) -> str:
    """Return what books cost."""
    rows = [
        [cost.name, f"{cost.cost:.{0 if cost.cost > 99 else 2}f} {cost.unit}", _ratio(cost.ratio)]
        for cost in sorted(costs, key=lambda cost: cost.name)
    ]
    return table(("what", "cost", "ours = 1"), rows)


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def decodings_table(decodings: Iterable[Decoding]) -> str:
    """Return what a client costs with each kind of ``decode``."""
    rows = [[decoding.name, f"{decoding.cost:.2f}", f"{decoding.ratio:.2f}"] for decoding in decodings]
    return table(("decode", "µs a message", "dict = 1"), rows)


def lines_table(lines: Iterable[HotLine]) -> str:
    """Return in which lines of source a client's time is spent."""
    rows = [[f"``{line.text}``", f"``{line.function}``", f"{line.share:.1%}"] for line in lines]
    return table(("line", "in", "share of the time"), rows)


def flatness_table(flatness: Flatness) -> str:
    """Return what a message costs by how many products and messages there are."""
    counts = list(flatness.by_products)
    rows = [
        ["products in each of three channels", *(f"{count:,}" for count in counts)],
        ["µs a message", *(f"{flatness.by_products[count]:.2f}" for count in counts)],
        ["µs after something was unsubscribed", *(f"{flatness.looked_up[count]:.2f}" for count in counts)],
    ]
    first = table(rows[0], rows[1:])
    counts = list(flatness.by_messages)
    rows = [
        ["messages so far", *(f"{count:,}" for count in counts)],
        ["µs a message", *(f"{flatness.by_messages[count]:.2f}" for count in counts)],
        ["blocks of memory", *(f"{flatness.blocks[count]:,}" for count in counts)],
        ["resident memory, MB", *(f"{flatness.rss_kb[count] / 1024:.1f}" for count in counts)],
    ]
    return first + "\n" + table(rows[0], rows[1:])


def _digits(value: float) -> str:
    """Return three significant digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
