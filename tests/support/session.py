"""
Runs the Python of a document; ``tests/test_documents.py`` starts it as a process of its own.

``session.py pages FILE...`` runs the blocks of each page one after the other, as cells of a notebook are: they share
their names and may ``await``. A simulated exchange runs beside them, as ``exchange``.

``session.py program FILE`` runs a program that stands in a document, with the feed named in ``COPRA_TX_FEED_URL``.

Documents do not name a feed, and so would connect to the real one: here clients that are told none take the simulated
one.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import os
import runpy
import sys
import traceback
from collections.abc import Awaitable, Coroutine, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from copra_tx.bridge import attach, run_coroutine
from copra_tx.simulator import SimulatedExchange
from copra_tx.websocket import Client
from support.documents import Block, matches, with_output


def _take_as_default(url: str) -> None:
    signature: Any = Client.__init__
    signature.__defaults__ = (url, *signature.__defaults__[1:])


def _in_twisted(coroutine: Coroutine[Any, Any, object]) -> Awaitable[object]:
    """Pages about Twisted await Deferreds."""
    loop = asyncio.get_running_loop()
    return run_coroutine(attach(loop), coroutine).asFuture(loop)


async def _run(block: Block, names: dict[str, object]) -> str:
    code = compile(block.padded, str(block.page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        running = eval(code, names)
        if inspect.iscoroutine(running):
            await (_in_twisted(running) if block.page.stem.startswith("twist") else running)
    return printed.getvalue()


async def _run_page(page: Path) -> int:
    faults = 0
    async with SimulatedExchange() as exchange:
        _take_as_default(exchange.url)
        names: dict[str, object] = {"exchange": exchange, "__name__": "__main__"}
        for block, expected in with_output(page):
            if block.is_program:
                continue
            try:
                async with asyncio.timeout(20):
                    printed = await _run(block, names)
            except Exception:
                traceback.print_exc()
                print(f"{block}: failed", file=sys.stderr)
                return 1
            if expected is not None and not matches(expected, printed):
                print(f"{block}: printed\n{printed}\ninstead of\n{expected}", file=sys.stderr)
                faults += 1
    return 1 if faults else 0


async def _run_pages(pages: Iterable[Path]) -> int:
    return max([await _run_page(page) for page in pages])


if __name__ == "__main__":
    kind, *sys.argv = sys.argv[1:]
    if kind == "pages":
        sys.exit(asyncio.run(_run_pages(map(Path, sys.argv))))
    _take_as_default(os.environ["COPRA_TX_FEED_URL"])
    runpy.run_path(sys.argv[0], run_name="__main__")
