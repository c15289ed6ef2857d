"""
Serve the Autobahn TestSuite's cases, given as arguments, to one client, and judge it.

Prints the port, and when the client is through, one line of JSON: a list of ``[case id, passed, verdict]``. It
is a process of its own because Kosoku brings modules that go by the name of Autobahn's.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from kosoku import FailureError, run_fuzzingserver

if TYPE_CHECKING:
    from kosoku._kosoku import CaseResult


async def main(cases: list[str]) -> None:
    """Serve until the client has asked for the reports."""
    async with run_fuzzingserver(cases, host="127.0.0.1", port=0) as server:
        print(server.port, flush=True)
        try:
            results = await server.get_result()
        except FailureError as failure:
            results = failure.results
    verdicts = [(result.case_id, result.passed, _verdict(result)) for result in results]
    print(json.dumps(verdicts))


def _verdict(result: CaseResult) -> str:
    exchange, close = result.behavior.value, result.behavior_close.value
    return f"{exchange}: {result.result}; close {close}: {result.result_close}"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
