"""
What stands in our documents: blocks of code and of console input, and links.

In a document the Python blocks of one page are one program: they are run in order and share their names; on a page
with tests they are one file for pytest. A block that runs a loop or a reactor is a program of its own. A ``text``
block right after a Python block is what that prints; ``...`` in it stands for anything. What a page needs and a reader
does not is in a comment, ``.. invisible-code-block: python``. Beside these there are doctests.
"""

from __future__ import annotations

import doctest
import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

__all__ = ["ROOT", "Block", "blocks", "commands", "matches", "pages", "pytest_file_of", "with_output"]

ROOT = Path(__file__).parent.parent.parent

_BLOCK = re.compile(r"^( *)\.\. (?:code-block::|invisible-code-block:) *(\w+)\n((?: *\n|\1 +.*\n)+)", re.MULTILINE)
_RUNS = ("run_forever()", "asyncio.run(", "reactor.run()", "task.react(", "unittest.main()")


@dataclass(frozen=True)
class Block:
    """
    One block.

    Attributes:
        page: The file it stands in.
        line: Number of its first line of text.
        language: What it is said to be.
        text: The text, without indentation.
        end: Offset of its end in the page.
    """

    page: Path
    line: int
    language: str
    text: str
    end: int

    @property
    def is_program(self) -> bool:
        """Whether it is to be run in a process of its own."""
        return self.language == "python" and any(words in self.text for words in _RUNS)

    @property
    def padded(self) -> str:
        """The text at its line, so that tracebacks name the right one."""
        return "\n" * (self.line - 1) + self.text

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def pages() -> list[Path]:
    """Return every document that has something to be tried."""
    return [ROOT / "README.rst", *sorted((ROOT / "docs").rglob("*.rst"))]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page."""
    text = page.read_text("utf-8")
    for found in _BLOCK.finditer(text):
        body = re.sub(r"\A(?: *:\w+:.*\n)*(?: *\n)*", "", found[3])  # options, and the empty line after them
        line = text.count("\n", 0, found.end() - len(body)) + 1
        yield Block(page, line, found[2], textwrap.dedent(body).rstrip() + "\n", found.end())


def pytest_file_of(page: Path) -> str:
    """Return the tests of a page as one file; nothing if it has none."""
    python = [block.text for block in blocks(page) if block.language == "python" and not block.is_program]
    return "\n\n".join(python) if any("def test_" in text for text in python) else ""


def with_output(page: Path) -> Iterator[tuple[Block, str | None]]:
    """Yield the Python blocks of a page, each with what it is said to print."""
    found = list(blocks(page))
    text = page.read_text("utf-8")
    for block, following in zip_longest(found, found[1:]):
        if block.language == "python":
            is_output = (
                following is not None
                and following.language == "text"
                and re.fullmatch(r"\s*\.\. code-block:: text\s*", text[block.end : _start(text, following)])
            )
            yield block, following.text if is_output and following is not None else None


def _start(text: str, block: Block) -> int:
    lines = text.splitlines(keepends=True)
    return sum(map(len, lines[: block.line - 1]))


def matches(expected: str, printed: str) -> bool:
    """Tell whether what was printed is what a document says; ``...`` stands for anything."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(expected, printed, flags)


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the commands that a console block shows, each as its words, without assignments to the environment."""
    entered = block.text.replace("\\\n", " ")
    for line in entered.splitlines():
        if not line.startswith("$ "):
            continue
        lexer = shlex.shlex(line[2:], posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split, lexer.commenters = True, "#"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("|&;"):
                yield from _command(words)
                words = []
            else:
                words.append(word)


def _command(words: list[str]) -> Iterator[list[str]]:
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    for redirection in (">", ">>", "2>"):
        if redirection in words:
            words = words[: words.index(redirection)]
    if words:
        yield words
