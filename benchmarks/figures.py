"""From the results of runs to figures: quiet and median cost, and ratios."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Figures", "Summary", "quiet"]


def quiet(costs: Iterable[float]) -> float:
    """
    Return the tenth percentile.

    Where others use the same machine, a core runs at half its speed for seconds at a time: the lowest tenth of many
    short segments is what an undisturbed core does, and less of an accident than the lowest of all.
    """
    ordered = sorted(costs)
    return ordered[len(ordered) // 10]


@dataclass(frozen=True)
class Summary:
    """
    One contestant in one profile.

    Attributes:
        quiet: CPU time per message in µs, tenth percentile of all segments; or instructions per message.
        median: The same, median. Of instructions there is one figure.
        by_round: The quiet figure of each round.
        rounds: How many there were.
        latency: Percentiles of the latency in µs, medians over the rounds, by name.
        rss_mb: The most memory used.
    """

    quiet: float
    median: float
    by_round: Mapping[int, float]
    latency: Mapping[str, float] = field(default_factory=dict)
    rss_mb: float = 0.0

    @property
    def rounds(self) -> int:
        """How many rounds there were."""
        return len(self.by_round)


class Figures:
    """
    The results of any number of runs, condensed.

    Args:
        results: What ``run_rounds`` and ``count_instructions`` yield.
    """

    def __init__(self, results: Iterable[Mapping[str, Any]]) -> None:
        self._runs: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for result in results:
            self._runs.setdefault((result["profile"], result["contestant"]), []).append(result)

    @property
    def profiles(self) -> Sequence[str]:
        """What was sent, in the order in which it was run."""
        return list(dict.fromkeys(profile for profile, _ in self._runs))

    def contestants(self, profile: str) -> Sequence[str]:
        """Return who took part in a profile."""
        return [contestant for one, contestant in self._runs if one == profile]

    def summary(self, profile: str, contestant: str) -> Summary | None:
        """Return the figures of a contestant in a profile; ``None`` if it did not take part."""
        runs = self._runs.get((profile, contestant))
        if not runs:
            return None
        if "instructions" in runs[0]:
            count = float(statistics.median(run["instructions"] for run in runs))
            return Summary(count, count, {run["round"]: float(run["instructions"]) for run in runs})
        segments = [segment for run in runs for segment in run["segments_us"]]
        return Summary(
            quiet(segments),
            statistics.median(segments),
            {run["round"]: quiet(run["segments_us"]) for run in runs},
            {
                name: statistics.median(run[f"{name}_us"] for run in runs)
                for name in ("p50", "p99")
                if f"{name}_us" in runs[0]
            },
            max(run["rss_mb"] for run in runs),
        )

    def ratio(self, profile: str, one: str, other: str) -> float | None:
        """Return how much ``one`` costs, in units of what ``other`` costs: the median of the ratios of all rounds."""
        return _ratio(self.summary(profile, one), self.summary(profile, other))

    def latency_ratio(self, profile: str, one: str, other: str) -> float | None:
        """Return the same of the median latency; the ratios of all rounds are taken first, as there."""
        runs = ({run["round"]: run["p50_us"] for run in self._runs.get((profile, name), ())} for name in (one, other))
        return _median_ratio(*runs)

    def versions(self) -> dict[str, str]:
        """Return the versions of all that took part."""
        return {
            name: version
            for runs in self._runs.values()
            for run in runs
            for name, version in run.get("versions", {}).items()
        }


def _ratio(one: Summary | None, other: Summary | None) -> float | None:
    return None if one is None or other is None else _median_ratio(one.by_round, other.by_round)


def _median_ratio(one: Mapping[int, float], other: Mapping[int, float]) -> float | None:
    common = one.keys() & other.keys()
    return statistics.median(one[number] / other[number] for number in common) if common else None
