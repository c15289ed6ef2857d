"""Results on disk: a file of JSON lines, to which every run adds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .added import Layer
from .decodings import Decoding
from .figures import Figures
from .flatness import Flatness
from .hotlines import HotLine

__all__ = [
    "Results",
    "append_decodings",
    "append_flatness",
    "append_layers",
    "append_lines",
    "append_run",
    "read_results",
]


@dataclasses.dataclass(frozen=True)
class Results:
    """Everything that was measured; of what is measured at once the latest."""

    figures: Figures
    layers: list[Layer]
    decodings: list[Decoding]
    hot_lines: list[HotLine]
    flatness: Flatness | None


def append_run(path: Path, result: Mapping[str, Any]) -> None:
    """Add what ``run_rounds`` or ``count_instructions`` yielded."""
    _append(path, result)


def append_layers(path: Path, layers: Iterable[Layer]) -> None:
    """Add what ``measure_layers`` returned."""
    _append(path, {"layers": [dataclasses.asdict(layer) for layer in layers]})


def append_decodings(path: Path, decodings: Iterable[Decoding]) -> None:
    """Add what ``measure_decodings`` returned."""
    _append(path, {"decodings": [dataclasses.asdict(decoding) for decoding in decodings]})


def append_lines(path: Path, lines: Iterable[HotLine]) -> None:
    """Add what ``find_hot_lines`` returned."""
    _append(path, {"hot_lines": [dataclasses.asdict(line) for line in lines]})


def append_flatness(path: Path, flatness: Flatness) -> None:
    """Add what ``measure_flatness`` returned."""
    _append(path, {"flatness": dataclasses.asdict(flatness)})


def read_results(path: Path) -> Results:
    """Read all."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    layers = [Layer(**layer) for layer in _latest(lines, "layers", [])]
    decodings = [Decoding(**decoding) for decoding in _latest(lines, "decodings", [])]
    hot_lines = [HotLine(**line) for line in _latest(lines, "hot_lines", [])]
    flatness = _latest(lines, "flatness", None)
    figures = Figures(line for line in lines if "profile" in line)
    return Results(figures, layers, decodings, hot_lines, None if flatness is None else _flatness(flatness))


def _latest(lines: Iterable[Mapping[str, Any]], name: str, otherwise: Any) -> Any:
    return next((line[name] for line in reversed(list(lines)) if name in line), otherwise)


def _flatness(fields: Mapping[str, Mapping[str, Any]]) -> Flatness:
    # JSON has no numbers as keys.
    return Flatness(**{name: {int(count): value for count, value in some.items()} for name, some in fields.items()})


def _append(path: Path, line: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
