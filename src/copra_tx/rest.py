"""The venue's REST interface: what the feed cannot tell, asked for at the pace the venue allows."""

from __future__ import annotations

import random
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlencode
from weakref import WeakValueDictionary

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from zope.interface import implementer

from . import __version__
from .errors import (
    CertificateError,
    ClientClosedError,
    LineError,
    MessageTooLargeError,
    RestError,
)
from .feed.rest_address import MOST_TRADES, rest_url_of, taken_apart
from .websocket.backoff import jittered, retry_after
from .websocket.causes import describe
from .websocket.decoding import NOT_JSON
from .websocket.dialing import make_endpoint
from .websocket.options import Options
from .websocket.pacing import Pacer, Priority

__all__ = ["RestClient", "rest_url_of", "shared_rest_pacer"]

RATE, BURST = 10.0, 15.0
"""
Requests a second of one address, and at once.

Source: Coinbase docs, Exchange, "REST Rate Limits Overview" (read 2026-11), for requests that are not signed.
"""

LONGEST_WAIT = 60.0
"""A server's ``Retry-After`` is honoured up to this many seconds."""

WORTH_A_RETRY = (None, 200, 408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses that another try may cure; 200 is that of an answer which was cut short."""

_QUOTED = 200  # characters shown of an answer that is of no use

T = TypeVar("T")


_shared: WeakValueDictionary[object, Pacer] = WeakValueDictionary()


def shared_rest_pacer(clock: IReactorTime) -> Pacer:
    """Return the limiter of REST requests that everything on one reactor shares; it lives as long as its users."""
    pacer = _shared.get(clock)
    if pacer is None:
        pacer = _shared[clock] = Pacer(clock, RATE, BURST)
    return pacer


class RestClient:
    """
    Asks the REST interface, without a signature: books, trades, the time.

    What the network, a throttled request (HTTP 429) or a server in trouble (HTTP 5xx) prevents is tried again, with
    waits that double; what the server refuses is not. Each request has a connection of its own, verified as the
    feed's is; there is no cookie and no redirection. Cancelling a Deferred that a method returned ends its request.

    Args:
        reactor: Dials and runs the timers.
        rest_url: ``https://`` or ``http://``, host, and port if it is not the scheme's.
        options: Those of a client: ``proxy``, ``ca_file``, ``open_timeout`` and ``max_message_bytes`` are used.
        pacer: The limiter; by default the one that everything on the reactor shares (10 a second).
        timeout: Seconds for one request, from the dial to the last byte.
        tries: How often a request is made before its failure is told.
        first_wait: Seconds before the second try; each further wait is twice as long. Jitter only shortens it.

    Raises:
        ConfigurationError: If ``rest_url`` cannot be used.
    """

    def __init__(
        self,
        reactor: Any,
        rest_url: str,
        options: Options | None = None,
        pacer: Pacer | None = None,
        *,
        timeout: float = 30.0,
        tries: int = 4,
        first_wait: float = 1.0,
    ) -> None:
        options = replace(options or Options(), transport="twisted")  # what twisted.web is made for
        host, port, secure = taken_apart(rest_url)
        self.rest_url = rest_url.rstrip("/")
        self._reactor = reactor
        self._host, self._port, self._most_bytes = host, port, options.max_message_bytes
        self._endpoint = make_endpoint(reactor, host, port, secure, options)
        self._pacer = shared_rest_pacer(reactor) if pacer is None else pacer
        self._timeout, self._tries, self._first_wait = timeout, tries, first_wait
        self._under_way: set[Deferred[Any]] = set()
        self._closed = False

    def book(self, product_id: str, level: int = 2) -> Deferred[dict[str, Any]]:
        """
        Ask for a product's book.

        Args:
            product_id: The product.
            level: 1 for the best prices, 2 for all prices, 3 for all orders.

        Returns:
            Fires with the body: ``bids`` and ``asks`` (lists), ``sequence``, ``time``, ``auction_mode``. Fails with a
            ``RestError``. The venue serves it through a cache, so it may be a second old (seen 2026-09).
        """
        return self._run(self._shaped(dict, f"/products/{quote(product_id)}/book", level=level))

    def trades(
        self, product_id: str, *, after: int | None = None, before: int | None = None, limit: int = MOST_TRADES
    ) -> Deferred[list[dict[str, Any]]]:
        """
        Ask for one page of a product's trades.

        Args:
            product_id: The product.
            after: Only trades older than this ``trade_id`` (the venue's pages go back in time).
            before: Only trades newer than this ``trade_id``.
            limit: At most so many, up to 1000.

        Returns:
            Fires with the trades, newest first; their ``side`` is the maker's. Fails with a ``RestError``.
        """
        bounds = {name: value for name, value in (("after", after), ("before", before)) if value is not None}
        return self._run(self._shaped(list, f"/products/{quote(product_id)}/trades", limit=limit, **bounds))

    def time(self) -> Deferred[float]:
        """
        Ask for the venue's clock.

        Returns:
            Fires with seconds since the Unix epoch. Fails with a ``RestError``.
        """
        return self._run(self._time())

    def get(self, path: str, **query: str | int) -> Deferred[Any]:
        """
        Ask for anything.

        Args:
            path: From the slash on, quoted.
            query: What stands behind the question mark.

        Returns:
            Fires with the decoded JSON of the answer. Fails with a ``RestError``, or with a ``ClientClosedError``
            after ``close()``.
        """
        return self._run(self._get(path, query))

    def close(self) -> None:
        """End all requests; those who wait get a ``ClientClosedError``, and so does everybody who asks later."""
        self._closed = True
        for request in tuple(self._under_way):
            request.cancel()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        running = Deferred.fromCoroutine(coroutine)
        self._under_way.add(running)
        return running.addBoth(self._over, running)

    def _over(self, result: Any, running: Deferred[Any]) -> Any:
        self._under_way.discard(running)
        if self._closed and isinstance(result, Failure) and result.check(CancelledError):
            return Failure(ClientClosedError("an answer of the REST interface"))
        return result

    async def _time(self) -> float:
        answer = await self._shaped(dict, "/time")
        try:
            return float(answer["epoch"])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise RestError(f"{self.rest_url}/time", 200, f"no time in {answer!r:.{_QUOTED}}") from None

    async def _shaped(self, shape: type[T], path: str, **query: str | int) -> T:
        answer = await self._get(path, query)
        if not isinstance(answer, shape):
            raise RestError(self._url(path, query), 200, f"not what was asked for: {answer!r:.{_QUOTED}}")
        return answer

    async def _get(self, path: str, query: dict[str, str | int]) -> Any:
        url, wait = self._url(path, query), self._first_wait
        for left in reversed(range(self._tries)):
            if self._closed:
                raise ClientClosedError("an answer of the REST interface")
            await self._pacer.acquire(Priority.REQUEST)
            try:
                return await self._answer(url)
            except RestError as error:
                is_final = isinstance(error.__cause__, (CertificateError, MessageTooLargeError))
                if not left or is_final or error.status not in WORTH_A_RETRY:
                    raise
                asked = min(error.retry_after or 0.0, LONGEST_WAIT)
            await deferLater(self._reactor, max(asked, jittered(wait, 0.5, wait, random.random())))  # noqa: S311
            wait *= 2
        raise AssertionError("there is at least one try")

    def _url(self, path: str, query: dict[str, str | int]) -> str:
        return f"{self.rest_url}{path}" + (f"?{urlencode(query)}" if query else "")

    async def _answer(self, url: str) -> Any:
        """Make one request on a connection of its own, which is gone when this returns or raises."""
        dialled = _Dialled(self._endpoint)
        answering = Deferred.fromCoroutine(self._exchange(url, dialled)).addTimeout(self._timeout, self._reactor)
        try:
            return await answering
        except DeferredTimeoutError:
            raise RestError(url, None, f"not complete after {self._timeout:g} s") from None
        finally:
            dialled.abort()

    async def _exchange(self, url: str, dialled: _Dialled) -> Any:
        agent = Agent.usingEndpointFactory(self._reactor, dialled, HTTPConnectionPool(self._reactor, persistent=False))
        # The venue refuses requests that do not say who asks.
        headers = Headers({"User-Agent": [f"copra-tx/{__version__}"], "Accept": ["application/json"]})
        status = None
        try:
            response = await agent.request(b"GET", url.encode(), headers)
            status = response.code
            body = await _whole_body(response, self._most_bytes)
        except Exception as error:  # noqa: BLE001  # whatever a network and a bad answer bring
            cause = self._cause(error)
            raise RestError(url, status, str(cause)) from cause
        if response.code != 200:
            raise RestError(url, response.code, _words(body, response.phrase), _retry_after(response.headers))
        try:
            return msgspec.json.decode(body)
        except NOT_JSON as error:
            raise RestError(url, status, f"the answer is not JSON: {error}") from None

    def _cause(self, error: Exception) -> LineError:
        """Return the reason behind what twisted.web raised, in our words; raise ``CancelledError`` if it is that."""
        reason = (getattr(error, "reasons", None) or [Failure(error)])[0]
        if reason.check(CancelledError):
            raise CancelledError
        return describe(reason, self._host, self._port, before="the answer was complete")


@implementer(IAgentEndpointFactory)
class _Dialled:
    """Gives a request its endpoint, and keeps the connection that comes of it, to end it."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint
        self._protocol: Any = None

    def endpointForURI(self, uri: object) -> IStreamClientEndpoint:  # noqa: ARG002, N802  # it is always the same
        return cast("IStreamClientEndpoint", self)

    def connect(self, factory: Any) -> Deferred[Any]:
        return self._endpoint.connect(factory).addCallback(self._connected)

    def _connected(self, protocol: Any) -> Any:
        self._protocol = protocol
        return protocol

    def abort(self) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.abort()


class _Body(Protocol):
    """Collects an answer's body, up to a size."""

    def __init__(self, most: int) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._most, self._size, self._parts = most, 0, list[bytes]()

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._most:
            self._parts.append(data)
        elif not self.whole.called:
            self.whole.errback(MessageTooLargeError(self._size, self._most))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):  # without a length only JSON can tell whether it is whole
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)


def _whole_body(response: IResponse, most: int) -> Deferred[bytes]:
    body = _Body(most)
    response.deliverBody(body)
    return body.whole


def _words(body: bytes, phrase: bytes) -> str:
    """Return the server's words about what is wrong: ``message`` of its JSON, or the status line's."""
    try:
        return str(msgspec.json.decode(body)["message"])
    except (*NOT_JSON, KeyError, TypeError):
        return phrase.decode("ascii", "replace")


def _retry_after(headers: Headers) -> float | None:
    value, date = ((headers.getRawHeaders(name) or [""])[0] for name in ("Retry-After", "Date"))
    return retry_after(value, date)
