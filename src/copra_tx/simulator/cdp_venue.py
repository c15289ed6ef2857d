"""
The rules of the Advanced Trade feed's server: a client's request in, its answers out. No network, no clock, no data.

Source of the rules, unless said otherwise: Coinbase docs, Advanced Trade, "WebSocket Overview" and "WebSocket
Authentication" (copies of 2026-07), and what several users of the live feed measured in 2026: errors, the order of
snapshot and answer, the limit of ``level2``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from copra_tx.feed.advanced_trade import CHANNELS, wire_id

from .derive import timestamp_at
from .envelopes import envelope, l2_snapshot_of_size
from .keys import CdpKey
from .minute import Key
from .venue import Answer, request_of

__all__ = ["CdpSession", "CdpVenue"]

_AUTHENTICATION_FAILURE = "authentication failure"
_TOO_MANY_BOOKS = "too many L2 streams requested in a single session"
_TOO_FAST = "rate limit exceeded"
_USER_ID, _PORTFOLIO_ID = "3e625b74-1c4e-5967-ad38-4d26f30d4439", "018c4b12-9f87-7c36-897d-28fb6a1ea88d"
_LISTED_AS = {"heartbeats": "heartbeats", "user": _USER_ID, "futures_balance_summary": _PORTFOLIO_ID}
_NONCES_KEPT = 10_000


class CdpSession:
    """What one connection is subscribed to."""

    def __init__(self) -> None:
        self.held: dict[str, set[str]] = {}
        self._signed: set[str] = set()

    @property
    def keys(self) -> frozenset[Key]:
        """The channels and products subscribed to."""
        return frozenset((channel, product) for channel, products in self.held.items() for product in products or ("",))

    def is_signed(self, channel: str) -> bool:
        """Tell whether ``channel`` was first joined by a signed request; it stays so until it is left."""
        return channel in self._signed

    def join(self, channel: str, products: Iterable[str], *, signed: bool) -> None:
        """Add what a subscribe asks for."""
        if channel not in self.held and signed:
            self._signed.add(channel)
        self.held.setdefault(channel, set()).update(products)

    def leave(self, channel: str, products: set[str]) -> None:
        """Take away what an unsubscribe names; the whole channel if it names nothing in it."""
        if channel in self.held:
            self.held[channel] -= products
            if not products or not self.held[channel]:
                del self.held[channel]
                self._signed.discard(channel)


class CdpVenue:
    """
    The rules of one exchange that speaks the Advanced Trade feed.

    What an unknown product comes to is not known: here the answer lacks it, and nothing else says so.

    Args:
        products: Ids of the listed products.
        keys: The API keys that are known.
        client_id: Whether frames have a ``client_id``.
        most_books: Products of ``level2`` that one connection may hold.
    """

    greets_first = True

    def __init__(
        self, products: Collection[str], keys: Iterable[CdpKey] = (), *, client_id: bool = False, most_books: int = 30
    ) -> None:
        self._products = frozenset(products)
        self._keys = {key.key: key for key in keys}
        self._client_id, self._most_books = client_id, most_books
        self._nonces: deque[str] = deque(maxlen=_NONCES_KEPT)

    def new_session(self) -> CdpSession:
        """Return a session that holds nothing."""
        return CdpSession()

    def name_of(self, channel: str) -> str:
        """Return a channel's name as the market knows it."""
        return channel

    def answer(self, session: CdpSession, payload: bytes, now: float) -> Answer:
        """
        Carry out one request.

        Args:
            session: The subscriptions of the connection; changed by the request.
            payload: The request as received.
            now: The exchange's clock, in seconds since the epoch.
        """
        request = request_of(payload)
        before = session.keys
        words = self._carry_out(session, request, now) if isinstance(request, dict) else _AUTHENTICATION_FAILURE
        if words:
            return Answer((self.error(words),), request=request, is_subscribe=_is_subscribe(request))
        joined = sorted(session.keys - before, key=lambda key: key[::-1])
        answer = ("subscriptions", self._listing(session, now))
        return Answer((answer,), tuple(joined), request, _is_subscribe(request))

    def _carry_out(self, session: CdpSession, request: Mapping[str, Any], now: float) -> str:
        """Do what is asked for, or return the words in which it is refused."""
        kind, channel, given = request.get("type"), request.get("channel"), request.get("product_ids", [])
        if kind not in ("subscribe", "unsubscribe") or not isinstance(channel, str) or channel not in CHANNELS:
            return _AUTHENTICATION_FAILURE  # of an unknown channel, too: seen
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            return _AUTHENTICATION_FAILURE
        signed = "jwt" in request
        if (signed and not self._accepts(request["jwt"], now)) or (CHANNELS[channel].is_private and not signed):
            return _AUTHENTICATION_FAILURE
        products = {wire_id(channel, one) for one in given}
        if kind == "unsubscribe":
            session.leave(channel, products)
            return ""
        # A channel about no products is the same one for whoever names some, as many clients do in every request.
        products &= self._products if CHANNELS[channel].takes_products else frozenset()
        if channel == "level2" and len(session.held.get(channel, set()) | products) > self._most_books:
            return _TOO_MANY_BOOKS
        if products or not CHANNELS[channel].needs_products:
            session.join(channel, products, signed=signed)
        return ""

    def _accepts(self, token: object, now: float) -> bool:
        nonce = None
        if isinstance(token, str):
            nonce = next((nonce for key in self._keys.values() if (nonce := key.nonce_of(token, now))), None)
        if nonce is None or nonce in self._nonces:
            return False
        self._nonces.append(nonce)
        return True

    def _listing(self, session: CdpSession, now: float) -> bytes:
        # Never the order asked for: the venue promises none, so nobody may rely on one.
        held = {
            channel: [_LISTED_AS[channel]] if channel in _LISTED_AS else sorted(products, reverse=True)
            for channel, products in session.held.items()
        }
        time = timestamp_at(now)
        return envelope("subscriptions", time, [{"subscriptions": held}], client_id=self._client_id)

    # -- what else is said

    def error(self, words: str) -> tuple[str, bytes]:
        """Return an error: it has no envelope, and no number."""
        return "error", msgspec.json.encode({"type": "error", "message": words})

    def too_fast(self) -> tuple[str, bytes] | None:
        """Return what a client gets that sends too many requests; the line stays."""
        return self.error(_TOO_FAST)

    def framed(self, message: Mapping[str, Any] | list[Any], now: float) -> tuple[bytes, str, str]:
        """Return a message of a test's own with its type and product: in an envelope, unless it brings a number."""
        if not isinstance(message, Mapping) or "channel" not in message or "sequence_num" in message:
            return msgspec.json.encode(message), "", ""
        events = message.get("events", ())
        frame = envelope(message["channel"], timestamp_at(now), events, client_id=self._client_id)
        product = next((str(event["product_id"]) for event in events if "product_id" in event), "")
        return frame, message["channel"], product

    def snapshot_of_size(self, size: int, product_id: str) -> tuple[bytes, str]:
        """Return a snapshot of exactly so many bytes, but for the digits of its number, and its type."""
        return l2_snapshot_of_size(size, product_id, client_id=self._client_id), "l2_data"


def _is_subscribe(request: object) -> bool:
    return isinstance(request, dict) and request.get("type") == "subscribe"
