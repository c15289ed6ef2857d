"""
Every exception of copra-tx.

The tree::

    CopraError
    ├── ConfigurationError            (also ValueError) an argument that cannot work
    │   └── TooManyProductsError      more products of a channel than one connection may hold
    ├── ReactorMismatchError          (also RuntimeError) another reactor, or another loop, is in charge
    ├── WrongThreadError              (also RuntimeError) called outside the reactor's thread
    ├── ClientClosedError             the client was closed before the answer came
    ├── LineError                     why a connection, or the attempt to make one, ended
    │   ├── HostNotFoundError         the name of the server (or proxy) does not resolve
    │   ├── DialError                 no TCP connection: refused, unreachable, timed out
    │   ├── ProxyError                the HTTP proxy refused the tunnel
    │   ├── CertificateError          chain or host name of the certificate did not verify
    │   ├── TlsError                  any other failure of TLS
    │   ├── UpgradeRefusedError       the server answered the upgrade with something else than 101
    │   ├── OpenTimeoutError          not open in time
    │   ├── PongTimeoutError          no sign of life after a ping
    │   ├── StallError                pings may be answered, but what should have come did not
    │   ├── MessageTooLargeError      a message above ``max_message_bytes``
    │   └── ConnectionLostError       an open line ended
    ├── SubscriptionError
    │   ├── SubscriptionRefusedError  the server did not confirm what was asked for
    │   │   └── UnsubscribeRefusedError   the server did not take away what was unsubscribed from
    │   └── SubscriptionTimeoutError  the server did not answer
    ├── RestError                     a request to the REST interface brought no answer of use
    └── BookError
        ├── BookUntrustedError        the book may be wrong
        └── BookSnapshotError         what was to be loaded is no book

Facts are attributes; the text is made from them, in words that say what to do. No text holds a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# fmt: off
__all__ = [
    "BookError", "BookSnapshotError", "BookUntrustedError", "CertificateError", "ClientClosedError",
    "ConfigurationError", "ConnectionLostError", "CopraError", "DialError", "HostNotFoundError", "LineError",
    "MessageTooLargeError", "OpenTimeoutError", "PongTimeoutError", "ProxyError", "ReactorMismatchError",
    "RestError", "StallError", "SubscriptionError", "SubscriptionRefusedError", "SubscriptionTimeoutError",
    "TlsError", "TooManyProductsError", "UnsubscribeRefusedError", "UpgradeRefusedError", "WrongThreadError",
]
# fmt: on


class CopraError(Exception):
    """What all our exceptions have in common."""


class ConfigurationError(CopraError, ValueError):
    """An argument that cannot work. The text names the argument and what would be right."""


class TooManyProductsError(ConfigurationError):
    """
    ``count`` products of ``channel`` are more than the ``limit`` of one connection.

    Nothing was sent, and nothing that was wanted before is changed.
    """

    def __init__(self, channel: str, count: int, limit: int) -> None:
        super().__init__(channel, count, limit)
        self.channel, self.count, self.limit = channel, count, limit

    def __str__(self) -> str:
        return (
            f"{self.count} products of {self.channel!r} are more than the {self.limit} that one connection may hold; "
            f"spread them over several clients, or raise max_level2_products if the venue's limit has changed"
        )


class ReactorMismatchError(CopraError, RuntimeError):
    """The loop or reactor asked for is not the one in charge of this process."""


class WrongThreadError(CopraError, RuntimeError):
    """A call from a thread that does not run the reactor."""

    def __init__(self, call: str) -> None:
        super().__init__(call)
        self.call = call

    def __str__(self) -> str:
        return (
            f"{self.call} was called from a thread that does not run the reactor; "
            f"use loop.call_soon_threadsafe(...) or reactor.callFromThread(...)"
        )


class ClientClosedError(CopraError):
    """``close()`` was called before the answer that was waited for came."""

    def __init__(self, waiting_for: str) -> None:
        super().__init__(waiting_for)
        self.waiting_for = waiting_for

    def __str__(self) -> str:
        return f"the client was closed while waiting for {self.waiting_for}"


class LineError(CopraError):
    """Why a connection, or an attempt to make one, ended. ``str()`` of it is the reason ``on_close`` gets."""


class HostNotFoundError(LineError):
    """The host name does not resolve."""

    def __init__(self, host: str, detail: str = "") -> None:
        super().__init__(host, detail)
        self.host, self.detail = host, detail

    def __str__(self) -> str:
        return f"host name {self.host!r} not found{_because(self.detail)}; check the URL and the network"


class DialError(LineError):
    """No TCP connection to ``host``:``port``."""

    def __init__(self, host: str, port: int, detail: str) -> None:
        super().__init__(host, port, detail)
        self.host, self.port, self.detail = host, port, detail

    def __str__(self) -> str:
        return f"no connection to {self.host}:{self.port}{_because(self.detail)}"


class ProxyError(LineError):
    """
    The HTTP proxy did not open the tunnel.

    Attributes:
        status: HTTP status of its answer; ``None`` if there was no usable answer.
        detail: Its words, or ours about what was wrong with the answer.
    """

    def __init__(self, proxy: str, status: int | None, detail: str) -> None:
        super().__init__(proxy, status, detail)
        self.proxy, self.status, self.detail = proxy, status, detail

    def __str__(self) -> str:
        answer = "gave no usable answer" if self.status is None else f"answered {self.status}"
        advice = "; check the user and password in proxy=" if self.status == 407 else ""
        return f"proxy {self.proxy} {answer} to CONNECT{_because(self.detail)}{advice}"


class CertificateError(LineError):
    """Chain or host name of the server's certificate did not verify; no byte of ours was sent over the line."""

    def __init__(self, host: str, detail: str) -> None:
        super().__init__(host, detail)
        self.host, self.detail = host, detail

    def __str__(self) -> str:
        return (
            f"certificate of {self.host!r} not accepted{_because(self.detail)}; "
            f"a private CA is named with ca_file=, verification cannot be switched off"
        )


class TlsError(LineError):
    """TLS failed for another reason than the certificate."""

    def __init__(self, host: str, detail: str) -> None:
        super().__init__(host, detail)
        self.host, self.detail = host, detail

    def __str__(self) -> str:
        return f"TLS with {self.host!r} failed{_because(self.detail)}"


class UpgradeRefusedError(LineError):
    """
    The server did not switch to WebSocket.

    Attributes:
        status: HTTP status of the answer; ``None`` if it was not HTTP.
        detail: The reason phrase, or what was wrong with the answer.
        retry_after: Seconds the server asked us to wait (``Retry-After``), or ``None``.
    """

    def __init__(self, status: int | None, detail: str, retry_after: float | None = None) -> None:
        super().__init__(status, detail, retry_after)
        self.status, self.detail, self.retry_after = status, detail, retry_after

    def __str__(self) -> str:
        answer = "" if self.status is None else f" with HTTP status {self.status}"
        wait = "" if self.retry_after is None else f" (asked us to wait {self.retry_after:g} s)"
        return f"the server refused the upgrade{answer}{_because(self.detail)}{wait}"


class OpenTimeoutError(LineError):
    """The line was not open ``seconds`` after the dial began."""

    def __init__(self, seconds: float, stage: str) -> None:
        super().__init__(seconds, stage)
        self.seconds, self.stage = seconds, stage

    def __str__(self) -> str:
        return f"not open after {self.seconds:g} s ({self.stage}); open_timeout sets the limit"


class PongTimeoutError(LineError):
    """Nothing was received for ``seconds`` after a ping."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"no answer to a ping and nothing else received for {self.seconds:g} s"


class StallError(LineError):
    """
    The line was open, and what should have come did not.

    Attributes:
        what: ``first answer``, ``first data`` or ``heartbeat``; or the name of a channel that showed no trades.
        seconds: For how long it was waited for.
        product_ids: The products concerned, where it is about some.
    """

    def __init__(self, what: str, seconds: float, product_ids: Iterable[str] = ()) -> None:
        product_ids = frozenset(product_ids)
        super().__init__(what, seconds, product_ids)
        self.what, self.seconds, self.product_ids = what, seconds, product_ids

    def __str__(self) -> str:
        named = ", ".join(sorted(self.product_ids)[:_NAMED])
        more = len(self.product_ids) - _NAMED
        products = f" of {named}" + (f" and {more} more" if more > 0 else "") if named else ""
        return f"the feed stalled: no {self.what}{products} for {self.seconds:g} s"


class MessageTooLargeError(LineError):
    """A message of ``size`` bytes is above ``max_message_bytes`` (``limit``)."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size, limit)
        self.size, self.limit = size, limit

    def __str__(self) -> str:
        return (
            f"a message of {self.size} bytes (or more) exceeds max_message_bytes={self.limit}; "
            f"pass a larger max_message_bytes to receive it"
        )


class ConnectionLostError(LineError):
    """
    An open line ended and is not made again.

    Attributes:
        was_clean, code, reason: As handed to ``on_close``.
    """

    def __init__(self, was_clean: bool, code: int, reason: str) -> None:
        super().__init__(was_clean, code, reason)
        self.was_clean, self.code, self.reason = was_clean, code, reason

    def __str__(self) -> str:
        return f"connection lost (code {self.code}){_because(self.reason)}"


class SubscriptionError(CopraError):
    """A subscription that does not stand."""


class SubscriptionRefusedError(SubscriptionError):
    """
    The server did not confirm ``product_ids`` of ``channel``.

    Attributes:
        channel: Name of the channel, as we call it.
        product_ids: Frozenset of what was refused; empty for a channel without products.
        words: What the server said (``message: reason``), oldest first. The venue's errors carry no request id:
            where one names nothing of ours, ``candidates`` says what was open.
        candidates: The channels of the request that was open, if no error named ours; else empty.
        others: The same about further channels, if one call was refused for several.
    """

    others: tuple[SubscriptionRefusedError, ...] = ()
    _what, _silence = "subscription to {} refused", "the server's answer lacks it"

    def __init__(
        self, channel: str, product_ids: Iterable[str], words: Sequence[str] = (), candidates: Iterable[str] = ()
    ) -> None:
        product_ids, words, candidates = frozenset(product_ids), tuple(words), tuple(candidates)
        super().__init__(channel, product_ids, words, candidates)
        self.channel, self.product_ids = channel, product_ids
        self.words, self.candidates = words, candidates

    def __str__(self) -> str:
        products = ", ".join(sorted(self.product_ids))
        said = "; ".join(self.words) or self._silence
        text = f"{self._what.format(repr(self.channel) + (' for ' if products else '') + products)}: {said}"
        if self.candidates:
            text += f" (the error names no channel; open were: {', '.join(self.candidates)})"
        return text


class UnsubscribeRefusedError(SubscriptionRefusedError):
    """The server still holds ``product_ids`` of ``channel``, unsubscribed from; their data are not delivered."""

    _what, _silence = "the server did not end the subscription to {}", "its answer lists it still"


class SubscriptionTimeoutError(SubscriptionError):
    """The server did not answer a request within ``seconds``; it is asked again on the next connection."""

    def __init__(self, channels: Iterable[str], seconds: float) -> None:
        channels = tuple(channels)
        super().__init__(channels, seconds)
        self.channels, self.seconds = channels, seconds

    def __str__(self) -> str:
        return (
            f"no answer to the request for {', '.join(self.channels)} within {self.seconds:g} s; "
            f"it is asked again on the next connection"
        )


class RestError(CopraError):
    """
    A request to the REST interface brought no answer of use, after all tries.

    Attributes:
        url: What was asked for.
        status: HTTP status of the last answer; ``None`` if there was none.
        detail: The server's words, or ours about what was wrong.
        retry_after: Seconds the server asked us to wait (``Retry-After``), or ``None``.
    """

    def __init__(self, url: str, status: int | None, detail: str, retry_after: float | None = None) -> None:
        super().__init__(url, status, detail, retry_after)
        self.url, self.status, self.detail, self.retry_after = url, status, detail, retry_after

    def __str__(self) -> str:
        answer = "brought no answer" if self.status is None else f"was answered with HTTP status {self.status}"
        return f"GET {self.url} {answer}{_because(self.detail)}"


class BookError(CopraError):
    """What a book cannot do."""


class BookUntrustedError(BookError):
    """
    The book of ``product_id`` may be wrong, and was not read with ``trusted=False``.

    Attributes:
        product_id: The product.
        reason: What happened to the book, in words.
    """

    def __init__(self, product_id: str, reason: str) -> None:
        super().__init__(product_id, reason)
        self.product_id, self.reason = product_id, reason

    def __str__(self) -> str:
        return (
            f"the book of {self.product_id} is not to be trusted{_because(self.reason)}; "
            f"wait for its next snapshot, or pass trusted=False to read it all the same"
        )


class BookSnapshotError(BookError):
    """
    What was to be loaded is no level-3 book of the REST interface.

    Attributes:
        product_id: The product of the book it was for; the book is as it was.
        detail: What is wrong with it.
    """

    def __init__(self, product_id: str, detail: str) -> None:
        super().__init__(product_id, detail)
        self.product_id, self.detail = product_id, detail

    def __str__(self) -> str:
        return (
            f"what was to be loaded into the book of {self.product_id} is no answer to "
            f"GET /products/{self.product_id}/book?level=3{_because(self.detail)}"
        )


_NAMED = 5  # products in a text


def _because(detail: str) -> str:
    return f": {detail}" if detail else ""
