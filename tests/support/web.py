"""A web server in memory, whose answers a test writes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from support.reactors import Dial, FakeReactor

__all__ = ["Answer", "Web"]


class Answer:
    """
    What one request gets.

    Args:
        body: Sent as JSON; bytes are sent as they are.
        status: The HTTP status.
        headers: Further headers.
        cut: Whether the line goes away before the body is complete.
    """

    def __init__(
        self, body: Any, status: int = 200, headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status, self.headers, self.cut = status, headers or {}, cut


class Web(Resource):
    """
    Answers each request with the next of its answers; when there is none left, with nothing at all.

    Args:
        reactor: Whose network and time it uses.
        answers: What it answers, in turn.

    Attributes:
        asked: Path and query of each request so far, oldest first.
        agents: Their ``User-Agent``.
        lines: The connections accepted so far.
    """

    isLeaf = True

    def __init__(self, reactor: FakeReactor, answers: Iterable[Answer] = ()) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[str] = []
        self.agents: list[str | None] = []
        self.lines: list[Dial] = []
        self._reactor = reactor
        self._site = Site(self, timeout=None, reactor=reactor)

    def accept(self) -> None:
        """Accept what was dialled, and answer what is asked for."""
        self._reactor.advance(0)
        for _ in self._reactor.pending_dials():
            self.lines.append(self._reactor.accept(0, server=self._site.buildProtocol(None)))
        self._reactor.advance(0)

    def render_GET(self, request: Request) -> Any:
        self.asked.append(request.uri.decode())
        self.agents.append(request.getHeader("User-Agent"))
        if not self.answers:
            return NOT_DONE_YET
        answer = self.answers.pop(0)
        request.setResponseCode(answer.status)
        for name, value in answer.headers.items():
            request.setHeader(name, value)
        if not answer.cut:
            return answer.body
        request.setHeader("Content-Length", str(len(answer.body)))
        request.write(answer.body[: len(answer.body) // 2])
        request.loseConnection()
        return NOT_DONE_YET
