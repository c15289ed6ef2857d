"""The benchmarks: run once, in small; and what is made of their results."""

from __future__ import annotations

import importlib
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from copra_tx.simulator.market import Market

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "speed.rst"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a module of the benchmarks, which are not installed."""
    monkeypatch.syspath_prepend(str(ROOT))

    def load(name: str) -> ModuleType:
        return importlib.import_module(f"benchmarks.{name}")

    return load


def _benchmarks(*words: object) -> str:
    command = [sys.executable, "-m", "benchmarks", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _result(profile: str, contestant: str, *segments: float, number: int = 0) -> dict[str, Any]:
    return {
        "profile": profile,
        "contestant": contestant,
        "round": number,
        "segments_us": list(segments),
        "rss_mb": 50.0,
        "versions": {},
    }


def test_a_small_run_from_the_sender_to_the_page(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    profiles = ("small", "wssrec", "deflate", "paced")
    arguments = ("--contestants", "copra-tx", "--rounds", 1, "--messages", 3000)
    shown = _benchmarks("--results", results, "run", "--profiles", *profiles, *arguments)

    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert [(line["profile"], line["contestant"], line["messages"]) for line in lines] == [
        (profile, "copra-tx", 3000) for profile in profiles
    ]
    assert all(0 < segment < 10_000 for line in lines for segment in line["segments_us"])
    assert all(name in shown for name in profiles)

    _benchmarks("--results", results, "layers", "--rounds", 2)
    _benchmarks("--results", results, "decodings", "--rounds", 2)
    _benchmarks("--results", results, "flatness", "--products", 10, 1000, "--messages", 1000, 3000, "--sample", 1000)
    folder, stated = tmp_path / "speed", tmp_path / "stated.json"
    _benchmarks("--results", results, "publish", "--folder", folder, "--stated", stated)
    tables = {path.name for path in folder.iterdir()}
    assert tables == {
        *(
            "conditions.inc",
            "costs.inc",
            "decodings.inc",
            "flatness.inc",
            "latency.inc",
            "layers.inc",
            "ratios.inc",
            "ratios.svg",
        )
    }
    assert ET.parse(folder / "ratios.svg").getroot().tag.endswith("svg")
    assert json.loads(stated.read_text()) == {profile: {} for profile in profiles}


@pytest.mark.parametrize("name", ["small", "tick", "mix", "snap"])
def test_a_stream_is_real_and_endless(module: Any, name: str) -> None:
    profile, stream = module("profiles").PROFILES[name], module("corpus").STREAMS[name](Market())
    count = {"mix": 2 * profile.segment, "snap": 2}.get(name, 100)
    messages = [json.loads(text) for text in itertools.islice(stream, count)]
    types = [message["type"] for message in messages]
    match name:
        case "small":
            assert set(types) >= {"l2update", "match", "ticker", "heartbeat"}
        case "tick":
            assert set(types) == {"match", "ticker"}
        case "mix":  # each minute begins alike
            assert types.count("snapshot") == 4
            assert types[: profile.segment] == types[profile.segment :]
        case "snap":
            size = len(json.dumps(messages[0], separators=(",", ":")))
            assert size == pytest.approx(module("corpus").SNAPSHOT_BYTES, rel=0.01)


def test_the_quiet_figure_is_the_tenth_percentile(module: Any) -> None:
    assert module("figures").quiet(range(100)) == 10
    assert module("figures").quiet([3.0]) == 3.0


def test_a_ratio_is_the_median_of_those_of_the_rounds(module: Any) -> None:
    """The second round was noisy for one of the two; the third lacks one."""
    results = [
        *(_result("small", "copra-tx", cost, number=number) for number, cost in enumerate((1.0, 1.0, 1.0))),
        *(_result("small", "picows", cost, number=number) for number, cost in enumerate((2.0, 9.0, 2.2))),
        _result("small", "copra-tx", 1.0, number=3),
    ]
    figures = module("figures").Figures(results)
    assert figures.ratio("small", "picows", "copra-tx") == 2.2
    assert figures.ratio("small", "copra-tx", "CoPrA") is None
    assert figures.summary("small", "copra-tx").rounds == 4


@pytest.mark.parametrize(("cost", "losses"), [(1.9, 0), (2.1, 1)])
def test_only_a_loss_of_a_factor_of_two_fails(module: Any, cost: float, losses: int) -> None:
    figures = module("figures").Figures([_result("small", "copra-tx", cost), _result("small", "picows", 1.0)])
    stated = {"small": {"picows": 1.0, "CoPrA": 0.05}, "tick": {"picows": 1.0}}
    assert len(list(module("check").ratio_losses(figures, stated))) == losses


def test_what_grows_with_products_or_messages_fails(module: Any) -> None:
    flatness, losses = module("flatness").Flatness, module("check").flatness_losses
    flat = {10: 1.0, 1000: 1.1}
    assert list(losses(flatness(flat, flat, flat, {10: 5000, 1000: 5100}, {10: 1, 1000: 1}))) == []
    steep, leaking = {10: 1.0, 1000: 2.1}, {10: 5000, 1000: 9000}
    assert len(list(losses(flatness(steep, steep, steep, leaking, {10: 1, 1000: 1})))) == 4


def test_every_goal_is_about_somebody_who_takes_part(module: Any) -> None:
    contests, targets = module("contestants").CONTESTS, module("targets").TARGETS
    assert all({target.peer, target.contestant} <= set(contests[target.profile]) for target in targets)


def test_a_goal_is_judged_by_the_ratio(module: Any) -> None:
    costs = {"copra-tx": 1.0, "picows": 1.0, "CoPrA": 30.0}
    figures = module("figures").Figures(_result("small", name, cost) for name, cost in costs.items())
    verdicts = module("targets").judge(figures)
    assert [(verdict.target.peer, verdict.is_kept) for verdict in verdicts] == [("picows", False), ("CoPrA", True)]


def test_the_page_includes_whatever_is_published() -> None:
    included = set(re.findall(r"^\.\. (?:include|image):: speed/(\S+)$", PAGE.read_text(), re.MULTILINE))
    assert included == {path.name for path in (ROOT / "docs" / "speed").iterdir()}


def test_the_small_run_knows_what_the_page_states(module: Any) -> None:
    stated = module("publish").stated_ratios()
    assert {peer for profile in ("small", "wssrec") for peer in stated[profile]} >= {"picows", "CoPrA"}


def test_books_are_measured_beside_others() -> None:
    shown = _benchmarks("books", "--rounds", 1)
    assert re.search(r"level 2: a change, dict of texts, in no order +[\d.]+ µs +0\.\d\d", shown)
    assert re.search(r"level 3: load of 108,000 orders +\d+\.?\d* ms", shown)
