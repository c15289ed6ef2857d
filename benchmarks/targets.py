"""What is promised: how much copra-tx costs, at most, in units of what its peers cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .contestants import COPRA, FAST, OURS, PICOWS
from .figures import Figures

__all__ = ["TARGETS", "Target", "Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Target:
    """
    One promise.

    Attributes:
        profile: What is sent.
        peer: Whom it is about.
        most: Our cost in units of the peer's, at most.
        of: ``cost`` (CPU time, or instructions) or ``latency`` (its median).
        contestant: Which of ours.
    """

    profile: str
    peer: str
    most: float
    of: str = "cost"
    contestant: str = OURS


TARGETS = (
    Target("small", PICOWS, 0.95),
    Target("small", COPRA, 1 / 22),
    Target("small", "msgspec", 1.60),
    Target("tick", PICOWS, 1.05),
    Target("tick", COPRA, 1 / 16),
    Target("mix", PICOWS, 1.00),
    Target("mix", COPRA, 1 / 20),
    Target("wss", PICOWS, 1.00),
    Target("wss", COPRA, 1 / 21),
    Target("wssrec", PICOWS, 1.15),
    Target("wssrec", COPRA, 1 / 13),
    Target("snap", PICOWS, 1.15),
    Target("snap", COPRA, 1 / 1.3),
    Target("deflate", "picows.websockets", 1.25),
    Target("paced", PICOWS, 1.20),
    Target("paced", PICOWS, 1.20, of="latency"),
    Target("pacedwss", PICOWS, 1.20),
    Target("pacedwss", PICOWS, 1.20, of="latency"),
    Target("single", PICOWS, 1.70),
    Target("single", COPRA, 1 / 3.5),
    Target("singlewss", PICOWS, 2.20),
    Target("singlewss", COPRA, 1 / 2),
    Target("singlewss", PICOWS, 1.50, contestant=FAST),
    Target("singlewss", COPRA, 1 / 3, contestant=FAST),
)
"""All of them. Medians of the ratios of all rounds count."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A promise, and what was measured."""

    target: Target
    measured: float

    @property
    def is_kept(self) -> bool:
        """Whether what was measured is what was promised, or better."""
        return self.measured <= self.target.most


def judge(figures: Figures) -> Iterator[Verdict]:
    """Yield each promise of which there is a measurement."""
    for target in TARGETS:
        ratio = figures.latency_ratio if target.of == "latency" else figures.ratio
        measured = ratio(target.profile, target.contestant, target.peer)
        if measured is not None:
            yield Verdict(target, measured)
