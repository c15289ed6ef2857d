"""
What the README and the documentation show is true: their Python runs and prints what they say, their commands exist,
their tables are complete, their links lead somewhere.
"""

from __future__ import annotations

import doctest
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Coroutine
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import DeferredSemaphore, ensureDeferred, gatherResults
from twisted.internet.utils import getProcessOutputAndValue

from copra_tx.feed.exchange import CHANNELS
from copra_tx.simulator import SimulatedExchange
from copra_tx.websocket import Counters, Options
from support.documents import ROOT, Block, blocks, commands, matches, pages, pytest_file_of, with_output
from support.processes import BIN, process

SESSION = ROOT / "tests" / "support" / "session.py"
DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"
README = ROOT / "README.rst"

AT_ONCE = 3
"""Processes; most of their time they wait."""

TWISTED = ("twistd", "twist")

OTHERS_COMMANDS = {"cd", "curl", "export", "head", "journalctl", "pip", "python3", "systemctl"}
"""What is shown and not ours to try."""


async def _run_python(*arguments: str | Path) -> str:
    """Run Python with these arguments; returns what is wrong, or nothing."""
    words = [str(word) for word in arguments]
    out, err, status = await getProcessOutputAndValue(sys.executable, words, env=None)
    return f"{' '.join(words)}: status {status}\n{out.decode()}\n{err.decode()}" if status else ""


def _run_pages() -> list[Coroutine[Any, Any, str]]:
    """The blocks of each page run in order, and print what is said."""
    found = [
        page for page in pages() if not pytest_file_of(page) and any(not one.is_program for one, _ in with_output(page))
    ]
    assert len(found) > 5
    waiting = DOCS / "happens.rst"  # as long as all others together
    runs = [waiting], [page for page in found if page != waiting]
    return [_run_python("-W", "error", SESSION, "pages", *run) for run in runs]


def _run_tests(directory: Path) -> list[Coroutine[Any, Any, str]]:
    """The tests that a page shows pass."""
    found = [page for page in pages() if pytest_file_of(page)]
    assert [page.stem for page in found] == ["testing"]
    file = directory / "test_page.py"
    file.write_text(pytest_file_of(found[0]), "utf-8")
    options = ["--reactor=asyncio", "-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", directory]
    return [_run_python("-m", "pytest", *options, file)]


def _run_programs(url: str, directory: Path) -> list[Coroutine[Any, Any, str]]:
    """Each program runs by itself, prints what is said, and ends in good order, by itself or with Ctrl-C."""
    found = [entry for page in pages() for entry in with_output(page) if entry[0].is_program]
    assert len(found) > 5
    runs: list[Coroutine[Any, Any, str]] = []
    for number, (block, expected) in enumerate(found):
        file = directory / f"program_{number}.py"
        file.write_text(block.padded, "utf-8")
        runs.append(_run_program(block, expected, file, {"COPRA_TX_FEED_URL": url, "PYTHONUNBUFFERED": "1"}))
    return runs


async def _run_program(block: Block, expected: str | None, file: Path, env: dict[str, str]) -> str:
    async with process(sys.executable, "-W", "error", SESSION, "program", file, env=env) as running:
        lines = len(expected.splitlines()) if expected else 1
        status = 0
        if re.search(r"run_forever|reactor\.run", block.text):
            await running.when(lambda: running.text.count("\n") >= lines)
            running.signal(signal.SIGINT)
            if "run_forever" in block.text and "KeyboardInterrupt" not in block.text:
                status = -signal.SIGINT  # as any program that does not look at it
        if await running.ended() != status:
            return f"{block}: {running.text}\n{running.errors}"
        printed = "".join(running.text.splitlines(keepends=True)[:lines])
        return "" if expected is None or matches(expected, printed) else f"{block}: printed\n{printed}"


@pytest.mark.asyncio_only  # the programs choose their reactor themselves
@pytest.mark.simulated_exchange(speed=10)
async def test_python(simulated_exchange: SimulatedExchange, tmp_path: Path) -> None:
    """All Python of all pages, a few processes at once."""
    slots = DeferredSemaphore(AT_ONCE)
    runs = [*_run_pages(), *_run_tests(tmp_path), *_run_programs(simulated_exchange.url, tmp_path)]
    complaints = await gatherResults([slots.run(ensureDeferred, run) for run in runs])
    assert not any(complaints), "\n".join(complaints)


@pytest.mark.parametrize(
    "page", [page for page in pages() if ">>> " in page.read_text("utf-8")], ids=lambda page: page.stem
)
def test_doctests(page: Path) -> None:
    results = doctest.testfile(str(page), module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS)
    assert results.attempted > 0
    assert results.failed == 0


# -- commands


def _shown(*programs: str) -> list[tuple[str, list[str]]]:
    """Return name and arguments of the commands that the documents show; of these programs, or of all others."""
    found = [(Path(words[0]).name, words[1:]) for page in pages() for words in _commands(page)]
    return [entry for entry in found if (entry[0] in programs if programs else entry[0] not in TWISTED)]


def _commands(page: Path) -> list[list[str]]:
    return [words for block in blocks(page) if block.language == "console" for words in commands(block)]


def test_commands() -> None:
    """Every command exists and takes its options; a file that it names is there."""
    from copra_tx.cli import _parser

    found = _shown()
    assert len(found) > 15
    for name, arguments in found:
        if name == "copra-tx":
            _parser().parse_args(arguments)
        elif name == "python":
            assert (ROOT / arguments[0]).is_file(), arguments
        elif name == "uvicorn":
            assert (EXAMPLES / f"{arguments[0].partition(':')[0]}.py").is_file(), arguments
        elif name == "tox":
            assert f"[testenv:{arguments[-1]}]" in (ROOT / "tox.ini").read_text("utf-8"), arguments
        elif name == "pytest":
            assert set(arguments) <= {"--reactor=asyncio", "-n", "2", "--dist", "worksteal"}
        else:
            assert name in OTHERS_COMMANDS, name


def test_commands_of_twistd(tmp_path: Path) -> None:
    """Those for ``twistd`` and ``twist`` are taken, with the files that they name."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    (tmp_path / "my_package.py").write_text("from copra_tx import Client\nclass MyClient(Client): pass\n")
    source = """
import ast, sys
from twisted.application.twist._options import TwistOptions as twist
from twisted.scripts.twistd import ServerOptions as twistd
for name, arguments in ast.literal_eval(sys.argv[1]):
    print(name, *arguments, flush=True)
    vars()[name]().parseOptions(arguments)
"""
    found = _shown(*TWISTED)
    assert len(found) > 3
    command = [sys.executable, "-c", source, repr(found)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_data_can_be_read() -> None:
    for page in pages():
        for block in blocks(page):
            assert block.language in ("python", "text", "console", "toml"), f"{block}: nobody looks at {block.language}"
            if block.language == "toml":
                tomllib.loads(block.text)


def test_readme_has_the_line_that_runs_the_tests() -> None:
    """``.ci/run`` takes it from there."""
    line = r"^ *\$? ?python3 -m venv .*pytest -n 2 .*$"
    assert len(re.findall(line, README.read_text("utf-8"), flags=re.MULTILINE)) == 1
    assert (BIN / "copra-tx").is_file()


# -- tables and links


def test_tables_are_complete() -> None:
    usage = (DOCS / "usage.rst").read_text("utf-8")
    defaults = {name: field.default for name, field in Options.__dataclass_fields__.items()}
    told = dict(re.findall(r"^``(\w+)`` +``(\S+)`` ", usage, flags=re.MULTILINE))
    assert told.keys() == {*defaults, "reactor", "pacer"}
    assert {name: eval(told[name]) for name in defaults} == defaults
    channels = usage[usage.index("Channel  ") : usage.index("What the fields of")]
    assert re.findall(r"^``(\w+)`` ", channels, flags=re.MULTILINE).sort() == sorted(CHANNELS).sort()
    assert all(f"``{one}``" in usage for rule in CHANNELS.values() for one in rule.types if one != "level3")


def test_every_public_name_has_a_reference() -> None:
    reference = (DOCS / "api.rst").read_text("utf-8")
    assert "automodule:: copra_tx.errors\n   :members:" in reference
    for module in ("copra_tx.websocket", "copra_tx.bridge", "copra_tx.simulator"):
        for name in import_module(module).__all__:
            assert re.search(rf"auto\w+:: (copra_tx(\.\w+)+\.)?{name}$", reference, re.MULTILINE), f"{module}.{name}"
    assert all(
        f"``{name}``" in reference or name == "__version__" or f"copra_tx.{name}" in reference
        for name in import_module("copra_tx").__all__
    )
    assert Counters.__doc__


def test_links_lead_somewhere() -> None:
    """Sphinx looks at those within the documentation; these are the others."""
    targets = re.findall(r"<([\w./-]+)>`__", README.read_text("utf-8"))
    assert len(targets) > 5
    for target in targets:
        assert (ROOT / target).exists(), target
    index = (DOCS / "index.rst").read_text("utf-8")
    for page in DOCS.rglob("*.rst"):
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        assert name == "index" or f"\n   {name}\n" in index, f"{name} is in no table of contents"
