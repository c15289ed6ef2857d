"""The command line."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import check
from .added import measure_layers
from .books import measure_books
from .contestants import CONTESTANTS, CONTESTS
from .decodings import measure_decodings
from .environments import Environments
from .figures import Figures
from .flatness import measure_flatness
from .hotlines import find_hot_lines
from .instructions import count_instructions, is_possible
from .profiles import PROFILES
from .publish import FOLDER, STATED, publish, stated_ratios
from .results import Results, append_decodings, append_flatness, append_layers, append_lines, append_run, read_results
from .rounds import run_rounds
from .tables import books_table, cost_table, decodings_table, flatness_table, latency_table, layers_table, lines_table
from .targets import judge

__all__ = ["main"]


def main(words: Sequence[str] | None = None) -> None:
    """Do what the arguments ask for; the process fails if ``quick`` finds a loss."""
    arguments = _parser().parse_args(words)
    arguments.action(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What it costs to receive a message.")
    parser.add_argument(
        "--environments", type=Path, help="folder for the environments of peers; without it there are none of these"
    )
    parser.add_argument("--results", type=Path, help="file to which results are added; without it they are only shown")
    actions = parser.add_subparsers(required=True)

    run = actions.add_parser("run", help="run clients, by the clock and under callgrind")
    run.add_argument("--profiles", nargs="+", choices=PROFILES, default=list(CONTESTS), help="what is sent")
    run.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), help="who receives")
    run.add_argument("--rounds", type=int, default=7)
    run.add_argument("--messages", type=int, help="at most so many in each run")
    run.set_defaults(action=_run)

    layers = actions.add_parser("layers", help="what each layer of copra-tx adds")
    layers.add_argument("--rounds", type=int, default=200)
    layers.set_defaults(action=_layers)

    decodings = actions.add_parser("decodings", help="what each kind of decode costs")
    decodings.add_argument("--rounds", type=int, default=200)
    decodings.set_defaults(action=_decodings)

    books = actions.add_parser("books", help="what books cost, beside a dict and sortedcontainers")
    books.add_argument("--rounds", type=int, default=15)
    books.set_defaults(action=_books)

    lines = actions.add_parser("lines", help="in which lines of source the time is spent, with py-spy")
    lines.add_argument("--profile", choices=PROFILES, default="wssrec")
    lines.add_argument("--messages", type=int, default=1_000_000)
    lines.set_defaults(action=_lines)

    flatness = actions.add_parser("flatness", help="cost and memory by the number of products and messages")
    flatness.add_argument("--products", type=int, nargs="+", default=[100, 10_000, 1_000_000])
    flatness.add_argument("--messages", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000])
    flatness.add_argument("--sample", type=int, default=100_000, help="messages of each measurement")
    flatness.set_defaults(action=_flatness)

    everything = actions.add_parser("everything", help="all of these with their defaults, and publish")
    everything.set_defaults(action=_everything)

    published = actions.add_parser("publish", help="write tables and picture of --results into docs/speed")
    published.add_argument("--folder", type=Path, default=FOLDER, help="another folder than docs/speed")
    published.add_argument("--stated", type=Path, default=STATED, help="file for the ratios that quick looks for")
    published.set_defaults(action=_publish)

    prepare = actions.add_parser("prepare", help="make the environments that quick needs, and measure nothing")
    prepare.set_defaults(action=_prepare)

    quick = actions.add_parser("quick", help="look for a loss of a factor of two against what is published")
    quick.set_defaults(action=_quick)
    return parser


def _run(arguments: argparse.Namespace) -> None:
    environments = Environments(arguments.environments)
    timed = [name for name in arguments.profiles if not PROFILES[name].counted]
    counted = [name for name in arguments.profiles if PROFILES[name].counted]
    if counted and not is_possible():
        _report(f"valgrind is not installed: {', '.join(counted)} left out")
        counted = []
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.results or Path(folder, "results.jsonl")
        for result in run_rounds(
            *(timed, arguments.contestants, environments),
            rounds=arguments.rounds,
            messages=arguments.messages,
            report=_report,
        ):
            append_run(path, result)
        for result in count_instructions(counted, arguments.contestants, environments, report=_report):
            append_run(path, result)
        _show(read_results(path))


def _layers(arguments: argparse.Namespace) -> None:
    layers = measure_layers(arguments.rounds)
    print(layers_table(layers))
    if arguments.results:
        append_layers(arguments.results, layers)


def _decodings(arguments: argparse.Namespace) -> None:
    decodings = measure_decodings(arguments.rounds)
    print(decodings_table(decodings))
    if arguments.results:
        append_decodings(arguments.results, decodings)


def _books(arguments: argparse.Namespace) -> None:
    print(books_table(measure_books(arguments.rounds)))


def _lines(arguments: argparse.Namespace) -> None:
    lines = find_hot_lines(arguments.profile, arguments.messages)
    print(lines_table(lines))
    if arguments.results:
        append_lines(arguments.results, lines)


def _flatness(arguments: argparse.Namespace) -> None:
    flatness = measure_flatness(arguments.products, arguments.messages, arguments.sample)
    print(flatness_table(flatness))
    if arguments.results:
        append_flatness(arguments.results, flatness)


def _everything(arguments: argparse.Namespace) -> None:
    shared = [f"--{name}={value}" for name in ("environments", "results") if (value := getattr(arguments, name))]
    for action in ("layers", "decodings", "lines", "flatness", "run", "publish"):
        main([*shared, action])


def _publish(arguments: argparse.Namespace) -> None:
    for path in publish(read_results(arguments.results), arguments.folder, arguments.stated):
        print(path)


def _prepare(arguments: argparse.Namespace) -> None:
    check.prepare(Environments(arguments.environments))


def _quick(arguments: argparse.Namespace) -> None:
    figures = check.measure(Environments(arguments.environments), _report)
    flatness = check.measure_quick_flatness()
    _show_figures(figures)
    print(flatness_table(flatness))
    losses = [*check.ratio_losses(figures, stated_ratios()), *check.flatness_losses(flatness)]
    if losses:
        raise SystemExit("\n".join(losses))


def _show(results: Results) -> None:
    _show_figures(results.figures)


def _show_figures(figures: Figures) -> None:
    for profile in figures.profiles:
        print(f"{profile}: {PROFILES[profile].about}\n\n{cost_table(figures, profile)}")
    if paced := [profile for profile in figures.profiles if PROFILES[profile].stamped]:
        print(latency_table(figures, paced))
    for verdict in judge(figures):
        target = verdict.target
        word = "ok    " if verdict.is_kept else "MISSED"
        print(
            f"{word} {target.profile}: {target.of} of {target.contestant} is {verdict.measured:.3f} of that of "
            f"{target.peer}; the goal is {target.most:.3f}"
        )


def _report(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
