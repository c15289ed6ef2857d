"""The results as a part of the documentation: tables and a picture, and the ratios that the small run looks for."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from .contestants import CONTESTANTS, COPRA, FAST, OURS, PICOWS
from .environments import ROOT
from .figures import Figures
from .picture import draw
from .profiles import PROFILES
from .results import Results
from .tables import cost_table, decodings_table, flatness_table, latency_table, layers_table, lines_table, table

__all__ = ["FOLDER", "STATED", "publish", "stated_ratios"]

FOLDER = ROOT / "docs" / "speed"
"""Where ``docs/speed.rst`` includes them from."""

STATED = Path(__file__).with_name("stated.json")
"""What the documentation states: copra-tx in units of its peers, by profile and peer."""

PEERS = (PICOWS, "picows.websockets", "websockets", "Autobahn", COPRA)


def publish(results: Results, folder: Path = FOLDER, stated: Path = STATED) -> list[Path]:
    """Write everything that there are results for, and return which files these are."""
    figures = results.figures
    timed = [profile for profile in figures.profiles if not PROFILES[profile].counted]
    counted = [profile for profile in figures.profiles if PROFILES[profile].counted]
    texts = {
        "conditions.inc": _conditions(figures),
        "ratios.svg": draw(figures, list(PROFILES), _subtitle(figures)),
        "ratios.inc": _ratios(figures),
        "costs.inc": _costs(figures, timed),
    }
    if counted:
        texts["instructions.inc"] = _costs(figures, counted)
    if paced := [profile for profile in timed if PROFILES[profile].stamped]:
        texts["latency.inc"] = latency_table(figures, paced) + _made_by("run", paced)
    if results.layers:
        texts["layers.inc"] = layers_table(results.layers) + _made_by("layers")
    if results.decodings:
        texts["decodings.inc"] = decodings_table(results.decodings) + _made_by("decodings")
    if results.hot_lines:
        texts["lines.inc"] = lines_table(results.hot_lines) + _made_by("lines")
    if results.flatness is not None:
        texts["flatness.inc"] = flatness_table(results.flatness) + _made_by("flatness")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    stated.write_text(json.dumps(dict(_stated(figures)), indent=1) + "\n")
    return [*(folder / name for name in texts), stated]


def stated_ratios(path: Path = STATED) -> dict[str, dict[str, float]]:
    """Return what the documentation states: our cost in units of a peer's, by profile and peer."""
    stated: dict[str, dict[str, float]] = json.loads(path.read_text())
    return stated


def _stated(figures: Figures) -> Iterator[tuple[str, dict[str, float]]]:
    for profile in figures.profiles:
        ratios = {peer: figures.ratio(profile, OURS, peer) for peer in PEERS}
        yield profile, {peer: float(f"{ratio:.3g}") for peer, ratio in ratios.items() if ratio is not None}


def _costs(figures: Figures, profiles: Sequence[str]) -> str:
    parts = (
        f".. rubric:: ``{profile}``: {PROFILES[profile].about}\n\n{cost_table(figures, profile)}"
        for profile in profiles
    )
    return "\n".join(parts) + _made_by("run", profiles)


def _ratios(figures: Figures) -> str:
    """Return the table that says all at once."""
    rows = []
    for profile in (name for name in PROFILES if name in figures.profiles):
        ratios = (figures.ratio(profile, one, OURS) for one in (FAST, *PEERS))
        rows.append([f"``{profile}``: {PROFILES[profile].about}", *("" if r is None else f"{r:.2f}" for r in ratios)])
    return table(("profile; copra-tx = 1", *(CONTESTANTS[one].title for one in (FAST, *PEERS))), rows)


def _conditions(figures: Figures) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(figures.versions().items()))
    return f"Measured {_subtitle(figures)}, with {versions}.\n"


def _subtitle(figures: Figures) -> str:
    ours = (figures.summary(profile, OURS) for profile in figures.profiles if not PROFILES[profile].counted)
    rounds = min((summary.rounds for summary in ours if summary is not None), default=0)
    return f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {_processor()}, {rounds} rounds"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")  # Linux
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _made_by(command: str, profiles: Sequence[str] = ()) -> str:
    arguments = f" --profiles {' '.join(profiles)}" if profiles else ""
    return f"\nMade by ``tox -e bench -- {command}{arguments}``.\n"
