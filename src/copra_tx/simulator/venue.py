"""
The venue's rules: a client's request in, the venue's answers out. No network, no clock, no data.

Source of the rules, unless said otherwise: Coinbase docs, Exchange, "WebSocket Overview", "WebSocket
Authentication" and "WebSocket Errors" (read 2026-11). The wording of the errors is that of live answers that users of
the venue quote in public, of 2017 to 2026; the docs have none.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .derive import snapshot_of_size
from .keys import CLOCK_TOLERANCE, ApiKey
from .minute import Key

__all__ = ["Allowance", "Answer", "Session", "Venue", "request_of", "venue_name"]

UNPARSABLE = b"invalid (un)subscribe msg"
"""What the venue answers to a request it cannot parse. It is not JSON."""

_LOGIN_NEEDED = (
    "level2, level3, and full channels now require authentication. "
    "https://docs.cloud.coinbase.com/exchange/docs/websocket-auth"
)
_CREDENTIALS = ("signature", "key", "passphrase", "timestamp")
_ECHOED = {"level2_batch": "level2_50", "ticker_batch": "ticker_1000"}
_PRODUCT_CHANNELS = frozenset(
    {
        *("heartbeat", "auctionfeed", "matches", "ticker", "ticker_1000"),
        *("level2", "level2_50", "level3", "full", "user"),
    }
)
_CHANNELS = _PRODUCT_CHANNELS | {"status", "rfq_matches", "balance"}
_SIGNED = frozenset({"level2", "level3", "full", "user", "balance"})


def venue_name(channel: str) -> str:
    """Return a channel's name as the venue writes it in its answers."""
    return _ECHOED.get(channel, channel)


def request_of(payload: bytes) -> object:
    """Return a request, decoded; the raw text if it is not JSON."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return payload.decode(errors="replace")


@dataclass(slots=True)
class _Subscription:
    products: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    signed: bool = False  # as first joined: a signature that comes later changes nothing


class Session:
    """What one connection is subscribed to."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, _Subscription] = {}

    @property
    def keys(self) -> frozenset[Key]:
        """The channels (by the venue's names) and products subscribed to."""
        return frozenset(
            (channel, product)
            for channel, subscription in self._subscriptions.items()
            for product in subscription.products or ("",)
        )

    def is_signed(self, channel: str) -> bool:
        """Tell whether ``channel`` was first joined by a signed request; it stays so until it is left."""
        return channel in self._subscriptions and self._subscriptions[channel].signed

    def join(self, item: _Item, *, signed: bool) -> None:
        """Add what a subscribe asks for."""
        held = self._subscriptions.setdefault(item.channel, _Subscription(signed=signed))
        held.products.update(item.products)
        held.accounts.update(item.accounts)

    def leave(self, item: _Item) -> None:
        """Take away what an unsubscribe names; the whole channel if it names nothing in it."""
        held = self._subscriptions.get(item.channel)
        if held is None:
            return
        held.products.difference_update(item.products)
        held.accounts.difference_update(item.accounts)
        whole = not (item.named_products or item.accounts)
        if whole or not (held.products or held.accounts):
            del self._subscriptions[item.channel]

    def answer(self) -> bytes:
        """Return the ``subscriptions`` message: everything the connection is subscribed to."""
        channels = [
            {
                "name": channel,
                # Never the order asked for: the venue promises none, so nobody may rely on one.
                "product_ids": sorted(held.products, reverse=True) if channel in _PRODUCT_CHANNELS else None,
                "account_ids": sorted(held.accounts) or None,
            }
            for channel, held in self._subscriptions.items()
        ]
        return msgspec.json.encode({"type": "subscriptions", "channels": channels})


@dataclass(slots=True)
class _Item:
    """
    What one channel of a request comes to.

    Attributes:
        channel: By the venue's name.
        products: The ids in it that are listed.
        accounts: The account ids in it.
        named_products: Whether it names any product at all.
        refusals: One for each product that is refused.
    """

    channel: str
    products: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    named_products: bool = False
    refusals: list[_Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The venue's reaction to one request.

    Attributes:
        messages: What it sends, in this order, each with its ``type`` (empty where it is not JSON).
        joined: Channels and products that are new with this request.
        request: The request, decoded; the raw text if it is not JSON.
        is_subscribe: Whether it counts as a subscribe for the limit of five seconds.
    """

    messages: tuple[tuple[str, bytes], ...]
    joined: tuple[Key, ...] = ()
    request: object = None
    is_subscribe: bool = False


class Allowance:
    """
    How many requests a client may send: a bucket of tokens.

    Args:
        rate: Tokens that come back in a second.
        burst: Size of the bucket, which is full at first.
        now: Any clock, in seconds.
    """

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = float(burst), now

    def take(self, now: float) -> bool:
        """Take a token for one request; ``False`` if there is none."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _Refusal(Exception):  # noqa: N818 - it never leaves this module
    """A request, or one channel of it, that is refused in the venue's words."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message, reason)
        self.reason, self.message = reason, message

    def answer(self, kind: object) -> tuple[str, bytes]:
        """Return the error message for a request of this type."""
        message = self.message or f"Failed to {'unsubscribe' if kind == 'unsubscribe' else 'subscribe'}"
        return "error", msgspec.json.encode({"type": "error", "message": message, "reason": self.reason})


class Venue:
    """
    The rules of one exchange.

    Args:
        products: Ids of the listed products.
        delisted: Ids that are refused as delisted.
        keys: The API keys that are known.
        answer_refused: Whether a request of which nothing was accepted is answered with the (unchanged)
            ``subscriptions`` after its errors. What the venue does is not known; the default is the harder case.
    """

    def __init__(
        self,
        products: Collection[str],
        delisted: Collection[str] = (),
        keys: Iterable[ApiKey] = (),
        *,
        answer_refused: bool = False,
    ) -> None:
        self._products, self._delisted = frozenset(products), frozenset(delisted)
        self._keys = {key.key: key for key in keys}
        self._answer_refused = answer_refused

    greets_first = False

    def new_session(self) -> Session:
        """Return a session that holds nothing."""
        return Session()

    def name_of(self, channel: str) -> str:
        """Return a channel's name as the market knows it."""
        return venue_name(channel)

    # -- what else is said

    def error(self, words: str) -> tuple[str, bytes]:
        """Return the error before the end of a line. The docs name the words; JSON around them is not known."""
        return "error", msgspec.json.encode({"type": "error", "message": words, "reason": words})

    def too_fast(self) -> tuple[str, bytes] | None:
        """Return ``None``: a client that sends too many requests is cut off."""
        return None

    def framed(self, message: Mapping[str, Any] | list[Any], _: float) -> tuple[bytes, str, str]:
        """Return a message of a test's own with its type and product."""
        about = message if isinstance(message, Mapping) else {}
        return msgspec.json.encode(message), str(about.get("type", "")), str(about.get("product_id", ""))

    def snapshot_of_size(self, size: int, product_id: str) -> tuple[bytes, str]:
        """Return a snapshot of exactly so many bytes, and its type."""
        return snapshot_of_size(size, product_id), "snapshot"

    # -- requests

    def answer(self, session: Session, payload: bytes, now: float) -> Answer:
        """
        Carry out one request.

        Args:
            session: The subscriptions of the connection; changed by the request.
            payload: The request as received.
            now: The exchange's clock, in seconds since the epoch.
        """
        request = request_of(payload)
        if not isinstance(request, dict) or not isinstance(request.get("timestamp", ""), str):
            return Answer((("", UNPARSABLE),), request=request)
        is_subscribe = request.get("type") == "subscribe"
        before = session.keys
        try:
            messages = self._carry_out(session, request, now)
        except _Refusal as refusal:
            messages = [refusal.answer(request.get("type"))]
            if self._answer_refused:
                messages.append(("subscriptions", session.answer()))
        joined = sorted(session.keys - before, key=lambda key: key[::-1])
        return Answer(tuple(messages), tuple(joined), request, is_subscribe)

    def _carry_out(self, session: Session, request: Mapping[str, Any], now: float) -> list[tuple[str, bytes]]:
        kind, channels = request.get("type"), request.get("channels")
        if kind not in ("subscribe", "unsubscribe"):
            raise _Refusal("Type has to be either subscribe or unsubscribe")
        if not isinstance(channels, list) or not channels:
            raise _Refusal("No channels provided")
        leaving, signed = kind == "unsubscribe", self._authenticate(request, now)
        refusals: list[_Refusal] = []
        answered = leaving or self._answer_refused
        for channel in channels:
            try:
                item = self._item(request, channel, leaving=leaving, signed=signed)
            except _Refusal as refusal:
                refusals.append(refusal)
                continue
            refusals += item.refusals
            if leaving:
                session.leave(item)
            elif item.products or item.channel not in _PRODUCT_CHANNELS:
                session.join(item, signed=signed)
                answered = True
        messages = [refusal.answer(kind) for refusal in refusals]
        return [*messages, ("subscriptions", session.answer())] if answered else messages

    def _authenticate(self, request: Mapping[str, Any], now: float) -> bool:
        """Tell whether a request counts as signed; refuse one whose signature is wrong."""
        fields = [request.get(name) for name in _CREDENTIALS]
        if all(value is None for value in fields):
            return False
        signature, name, passphrase, timestamp = (value if isinstance(value, str) else "" for value in fields)
        key = self._keys.get(name)
        if key is None:
            return False  # as the venue answers to keys of its other API: "require authentication"
        try:
            off = abs(now - float(timestamp))
        except ValueError:
            off = math.inf
        if not off <= CLOCK_TOLERANCE:
            raise _Refusal("request timestamp expired", "Sorry, you could not be authenticated: Bad Request")
        unauthorized = "Sorry, you could not be authenticated: Unauthorized"
        if not key.ip_allowed:
            raise _Refusal("IP does not match IP whitelist", unauthorized)
        right_signature = hmac.compare_digest(signature.encode(), key.sign(timestamp).encode())
        if not (right_signature & hmac.compare_digest(passphrase.encode(), key.passphrase.encode())):
            raise _Refusal("invalid signature", unauthorized)  # today's text is not known
        return True

    def _item(self, request: Mapping[str, Any], channel: object, *, leaving: bool, signed: bool) -> _Item:
        """Return what one channel of a request comes to."""
        own: Mapping[str, Any] = channel if isinstance(channel, dict) else {"name": channel}
        asked = str(own.get("name", ""))
        item = _Item(venue_name(asked))
        if item.channel not in _CHANNELS:
            raise _Refusal(f"{asked} is not a valid channel")
        if item.channel in _SIGNED and not (signed or leaving):
            raise _Refusal(_LOGIN_NEEDED)
        if item.channel == "status":
            return item
        if item.channel == "balance":
            item.accounts = _ids(request, own, "account_ids")
            if not (item.accounts or leaving):
                # This text is our guess; it is made like the one for products.
                raise _Refusal("You need to specify at least one account ID for channel balance")
            return item
        products = _ids(request, own, "product_ids")
        item.named_products = bool(products)
        if item.channel == "rfq_matches":
            return item  # every product; nothing more is known about naming single ones
        if not (products or leaving):
            raise _Refusal(f"You need to specify at least one product ID for channel {asked}")
        for product in sorted(products):
            if product in self._products:
                item.products.add(product)
            else:
                fault = "delisted" if product in self._delisted else "not a valid product"
                item.refusals.append(_Refusal(f"{product} is {fault}"))
        return item


def _ids(request: Mapping[str, Any], own: Mapping[str, Any], name: str) -> set[str]:
    """Return the ids of one channel: its own and those at top level. An empty list is read as the id ``""``."""
    ids: set[str] = set()
    for source in (request, own):
        if name in source:
            given = source[name]
            if not isinstance(given, list) or not all(isinstance(entry, str) for entry in given):
                raise _Refusal("Invalid product ID provided")
            ids.update(given or [""])
    return ids
