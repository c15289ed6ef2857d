"""
Parts of the pages that are made of the program itself, so that they cannot differ from it, and how docstrings are read.

``.. state-table::`` shows every state of a connection and what moves it; ``.. command-help:: NAME ARGUMENTS`` what a
command says of itself with ``--help``; ``.. notebook:: FILE`` the code cells of a notebook.
"""
# ruff: noqa: INP001  # a folder of documents, not a package

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.docutils import SphinxDirective

from copra_tx.websocket.state import TRANSITIONS, Event, State

COLUMNS = "88"
"""How wide commands may write."""


class StateTable(SphinxDirective):
    """A row for each state, a column for each event; each cell is the state that follows."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        table = nodes.table(classes=["state-table"])
        group = nodes.tgroup(cols=len(Event) + 1)
        group += [nodes.colspec(colwidth=1) for _ in range(len(Event) + 1)]
        group += nodes.thead("", _row(["", *(event.value for event in Event)]))
        body = nodes.tbody()
        for state in State:
            following = (TRANSITIONS[state].get(event) for event in Event)
            body += _row([state.value, *("" if after is None else after.value for after in following)])
        group += body
        table += group
        return [table]


def _row(texts: list[str]) -> nodes.row:
    strong = nodes.entry("", nodes.paragraph("", "", nodes.strong("", texts[0])))
    return nodes.row("", strong, *(nodes.entry("", nodes.paragraph("", text)) for text in texts[1:]))


class CommandHelp(SphinxDirective):
    """What an installed command prints with ``--help``."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return it as a block of text."""
        name, *arguments = self.arguments[0].split()
        command = [str(Path(sys.executable).parent / name), *arguments, "--help"]
        env = {**os.environ, "COLUMNS": COLUMNS, "NO_COLOR": "1"}
        text = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout  # noqa: S603
        return [nodes.literal_block(text, text, language="text")]


class Notebook(SphinxDirective):
    """The code cells of a notebook, one block each."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the blocks."""
        relative, file = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        cells = json.loads(Path(file).read_text("utf-8"))["cells"]
        codes = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        return [nodes.literal_block(code, code, language="python") for code in codes]


def _as_of_a_method(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """
    Let docstrings of attributes and properties be read as those of methods are.

    For napoleon, which comes after this, what stands before a colon in them is a type, and they have no sections.
    """
    if what in ("attribute", "data", "property"):
        lines[:] = GoogleDocstring(lines, app.config, app, "method", name, obj, options).lines()


def setup(app: Sphinx) -> dict[str, bool]:
    """Make them known to Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", _as_of_a_method, priority=400)
    GoogleDocstring._consume_inline_attribute = lambda self: ("", self._consume_to_end())  # noqa: SLF001
    app.add_directive("state-table", StateTable)
    app.add_directive("command-help", CommandHelp)
    app.add_directive("notebook", Notebook)
    return {"parallel_read_safe": True}
