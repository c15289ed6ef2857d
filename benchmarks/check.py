"""The small run: whether what the documentation states still holds, roughly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from .contestants import CONTESTANTS, COPRA, OURS, PICOWS
from .environments import Environments
from .figures import Figures
from .flatness import Flatness, measure_flatness
from .rounds import run_rounds

__all__ = ["LOSS", "flatness_losses", "measure", "measure_quick_flatness", "prepare", "ratio_losses"]

LOSS = 2.0
"""How much worse than stated is too bad. Less cannot be told on a machine that others use."""

PROFILES = ("small", "wssrec")
COMPARED = (OURS, PICOWS, COPRA)
BLOCKS = 2_000
"""Allocated blocks of memory that come and go by chance."""


def measure(environments: Environments, report: Callable[[str], None]) -> Figures:
    """Measure copra-tx, picows and CoPrA on what matters most; in about half a minute."""
    return Figures(run_rounds(PROFILES, COMPARED, environments, rounds=3, messages=40_000, report=report))


def prepare(environments: Environments) -> None:
    """Make what ``measure`` needs, so that it can wait until the machine is quiet."""
    for name in COMPARED:
        environments.python(CONTESTANTS[name].environment)


def ratio_losses(figures: Figures, stated: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Yield in words each ratio that is worse than stated by ``LOSS``."""
    for profile, ratios in stated.items():
        for peer, before in ratios.items():
            now = figures.ratio(profile, OURS, peer)
            if now is not None and now > before * LOSS:
                yield f"{profile}: copra-tx costs {now:.3g} times what {peer} does; {before:.3g} are stated"


def measure_quick_flatness() -> Flatness:
    """Measure what ten thousand and a third of a million messages leave behind, and what products cost."""
    return measure_flatness((100, 100_000), (10_000, 300_000), sample=30_000)


def flatness_losses(flatness: Flatness) -> Iterator[str]:
    """Yield in words what grows with the number of products or messages."""
    for what, costs in (
        ("products", flatness.by_products),
        ("products looked up", flatness.looked_up),
        ("messages", flatness.by_messages),
    ):
        (fewest, least), *_, (most, last) = sorted(costs.items())
        if last > least * LOSS:
            yield f"a message costs {least:.2f} µs with {fewest:,} {what}, and {last:.2f} µs with {most:,}"
    (fewest, first), *_, (most, after) = sorted(flatness.blocks.items())
    if after - first > BLOCKS:
        yield f"{after - first:,} more blocks of memory are in use after {most:,} messages than after {fewest:,}"
