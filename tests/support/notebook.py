"""
Runs the cells of a notebook in a kernel, as a person does, and prints what they show; a process of its own.

``notebook.py FILE``. The status is 1 if a cell fails.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel

LIMIT = 30.0
"""Seconds for one cell."""


def _show(message: dict[str, Any]) -> None:
    content = message["content"]
    if message["msg_type"] in ("execute_result", "display_data"):
        print(content["data"]["text/plain"])
    elif message["msg_type"] == "stream":
        print(content["text"], end="")
    elif message["msg_type"] == "error":
        print(*content["traceback"], sep="\n")


def main(file: Path) -> int:
    cells = json.loads(file.read_text("utf-8"))["cells"]
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        for cell in cells:
            if cell["cell_type"] == "code":
                source = "".join(cell["source"])
                reply = client.execute_interactive(source, timeout=LIMIT, output_hook=_show)
                if reply["content"]["status"] != "ok":
                    return 1
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
