"""The exceptions: their tree, their facts, their texts."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any

import pytest

from copra_tx import errors

CLASSES = {name: getattr(errors, name) for name in errors.__all__}

# One or more of each class: the arguments, the facts they become, the text that is made of them.
EXAMPLES: list[tuple[type[Exception], tuple, dict[str, Any], str]] = [
    (errors.CopraError, ("words",), {}, "words"),
    (errors.ConfigurationError, ("name= must be text",), {}, "name= must be text"),
    (
        errors.TooManyProductsError,
        ("level2", 31, 30),
        {"channel": "level2", "count": 31, "limit": 30},
        (
            "31 products of 'level2' are more than the 30 that one connection may hold; spread them over several "
            "clients, or raise max_level2_products if the venue's limit has changed"
        ),
    ),
    (errors.ReactorMismatchError, ("another reactor is in charge",), {}, "another reactor is in charge"),
    (
        errors.WrongThreadError,
        ("Client.close()",),
        {"call": "Client.close()"},
        (
            "Client.close() was called from a thread that does not run the reactor; "
            "use loop.call_soon_threadsafe(...) or reactor.callFromThread(...)"
        ),
    ),
    (
        errors.ClientClosedError,
        ("the answer to subscribe",),
        {"waiting_for": "the answer to subscribe"},
        "the client was closed while waiting for the answer to subscribe",
    ),
    (errors.LineError, ("closed by us while connecting",), {}, "closed by us while connecting"),
    (errors.BookError, ("words",), {}, "words"),
    (
        errors.BookUntrustedError,
        ("BTC-USD", "a message is missing"),
        {"product_id": "BTC-USD", "reason": "a message is missing"},
        (
            "the book of BTC-USD is not to be trusted: a message is missing; "
            "wait for its next snapshot, or pass trusted=False to read it all the same"
        ),
    ),
    (
        errors.BookSnapshotError,
        ("BTC-USD", "it has message"),
        {"product_id": "BTC-USD", "detail": "it has message"},
        (
            "what was to be loaded into the book of BTC-USD is no answer to GET /products/BTC-USD/book?level=3: "
            "it has message"
        ),
    ),
    (
        errors.RestError,
        ("https://api.example/time", None, "no connection"),
        {"url": "https://api.example/time", "status": None, "detail": "no connection", "retry_after": None},
        "GET https://api.example/time brought no answer: no connection",
    ),
    (
        errors.RestError,
        ("https://api.example/time", 429, "", 2.0),
        {"status": 429, "retry_after": 2.0},
        "GET https://api.example/time was answered with HTTP status 429",
    ),
    (
        errors.HostNotFoundError,
        ("feed.example", "no such name"),
        {"host": "feed.example", "detail": "no such name"},
        "host name 'feed.example' not found: no such name; check the URL and the network",
    ),
    (
        errors.HostNotFoundError,
        ("feed.example",),
        {"host": "feed.example", "detail": ""},
        "host name 'feed.example' not found; check the URL and the network",
    ),
    (
        errors.DialError,
        ("feed.example", 443, "connection refused"),
        {"host": "feed.example", "port": 443, "detail": "connection refused"},
        "no connection to feed.example:443: connection refused",
    ),
    (
        errors.ProxyError,
        ("proxy.example:3128", 403, "Forbidden"),
        {"proxy": "proxy.example:3128", "status": 403, "detail": "Forbidden"},
        "proxy proxy.example:3128 answered 403 to CONNECT: Forbidden",
    ),
    (
        errors.ProxyError,
        ("proxy.example:3128", 407, ""),
        {"status": 407},
        "proxy proxy.example:3128 answered 407 to CONNECT; check the user and password in proxy=",
    ),
    (
        errors.ProxyError,
        ("proxy.example:3128", None, "the answer is not HTTP"),
        {"status": None},
        "proxy proxy.example:3128 gave no usable answer to CONNECT: the answer is not HTTP",
    ),
    (
        errors.CertificateError,
        ("feed.example", "self-signed certificate"),
        {"host": "feed.example", "detail": "self-signed certificate"},
        (
            "certificate of 'feed.example' not accepted: self-signed certificate; "
            "a private CA is named with ca_file=, verification cannot be switched off"
        ),
    ),
    (
        errors.TlsError,
        ("feed.example", "no shared cipher"),
        {"host": "feed.example", "detail": "no shared cipher"},
        "TLS with 'feed.example' failed: no shared cipher",
    ),
    (
        errors.UpgradeRefusedError,
        (503, "Service Unavailable", 2.5),
        {"status": 503, "detail": "Service Unavailable", "retry_after": 2.5},
        "the server refused the upgrade with HTTP status 503: Service Unavailable (asked us to wait 2.5 s)",
    ),
    (
        errors.UpgradeRefusedError,
        (429, "", 0),
        {"retry_after": 0},
        "the server refused the upgrade with HTTP status 429 (asked us to wait 0 s)",
    ),
    (
        errors.UpgradeRefusedError,
        (None, "the answer is not HTTP"),
        {"status": None, "retry_after": None},
        "the server refused the upgrade: the answer is not HTTP",
    ),
    (
        errors.OpenTimeoutError,
        (10.0, "no connection"),
        {"seconds": 10.0, "stage": "no connection"},
        "not open after 10 s (no connection); open_timeout sets the limit",
    ),
    (
        errors.PongTimeoutError,
        (7.5,),
        {"seconds": 7.5},
        "no answer to a ping and nothing else received for 7.5 s",
    ),
    (
        errors.StallError,
        ("heartbeat", 5.0, frozenset({"BTC-USD"})),
        {"what": "heartbeat", "seconds": 5.0, "product_ids": {"BTC-USD"}},
        "the feed stalled: no heartbeat of BTC-USD for 5 s",
    ),
    (
        errors.StallError,
        ("heartbeat", 5.0, frozenset("ABCDEFG")),
        {"what": "heartbeat", "seconds": 5.0},
        "the feed stalled: no heartbeat of A, B, C, D, E and 2 more for 5 s",
    ),
    (
        errors.StallError,
        ("first data", 15.0, frozenset()),
        {"what": "first data", "seconds": 15.0, "product_ids": frozenset()},
        "the feed stalled: no first data for 15 s",
    ),
    (
        errors.MessageTooLargeError,
        (70_000_000, 67_108_864),
        {"size": 70_000_000, "limit": 67_108_864},
        (
            "a message of 70000000 bytes (or more) exceeds max_message_bytes=67108864; "
            "pass a larger max_message_bytes to receive it"
        ),
    ),
    (
        errors.ConnectionLostError,
        (False, 1006, "connection reset"),
        {"was_clean": False, "code": 1006, "reason": "connection reset"},
        "connection lost (code 1006): connection reset",
    ),
    (errors.ConnectionLostError, (True, 1000, ""), {"was_clean": True}, "connection lost (code 1000)"),
    (errors.SubscriptionError, ("words",), {}, "words"),
    (
        errors.SubscriptionRefusedError,
        ("ticker", ["NOPE-USD", "A-USD"], ["Failed to subscribe: NOPE-USD is not a valid product", "more"]),
        {
            "channel": "ticker",
            "product_ids": frozenset({"NOPE-USD", "A-USD"}),
            "words": ("Failed to subscribe: NOPE-USD is not a valid product", "more"),
            "candidates": (),
            "others": (),
        },
        (
            "subscription to 'ticker' for A-USD, NOPE-USD refused: "
            "Failed to subscribe: NOPE-USD is not a valid product; more"
        ),
    ),
    (
        errors.SubscriptionRefusedError,
        ("status", ()),
        {"product_ids": frozenset(), "words": ()},
        "subscription to 'status' refused: the server's answer lacks it",
    ),
    (
        errors.SubscriptionRefusedError,
        ("full", {"BTC-USD"}, ("Unauthorized",), ("full", "ticker")),
        {"candidates": ("full", "ticker")},
        (
            "subscription to 'full' for BTC-USD refused: Unauthorized "
            "(the error names no channel; open were: full, ticker)"
        ),
    ),
    (
        errors.UnsubscribeRefusedError,
        ("ticker", ["A-USD"]),
        {"channel": "ticker", "product_ids": frozenset({"A-USD"})},
        "the server did not end the subscription to 'ticker' for A-USD: its answer lists it still",
    ),
    (
        errors.SubscriptionTimeoutError,
        (["full", "ticker"], 10.0),
        {"channels": ("full", "ticker"), "seconds": 10.0},
        "no answer to the request for full, ticker within 10 s; it is asked again on the next connection",
    ),
]
# Without the arguments: the order of a set differs in each process, but a name of a test may not.
IDS = [cls.__name__ for cls, _, _, _ in EXAMPLES]


def test_every_class_has_an_example_and_a_public_name() -> None:
    classes = {cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, BaseException)}
    assert classes == set(CLASSES.values()) == {cls for cls, _, _, _ in EXAMPLES}


@pytest.mark.parametrize(("cls", "arguments", "facts", "text"), EXAMPLES, ids=IDS)
def test_facts_are_attributes_and_the_text_is_made_of_them(
    cls: type[Exception], arguments: tuple, facts: dict[str, Any], text: str
) -> None:
    error = cls(*arguments)
    assert str(error) == text
    assert {name: getattr(error, name) for name in facts} == facts


@pytest.mark.parametrize(("cls", "arguments", "facts", "text"), EXAMPLES, ids=IDS)
def test_errors_can_be_pickled_and_copied(
    cls: type[Exception], arguments: tuple, facts: dict[str, Any], text: str
) -> None:
    """As they are between processes."""
    error = cls(*arguments)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is cls
        assert str(other) == text
        assert vars(other) == vars(error)


@pytest.mark.parametrize(("cls", "arguments", "facts", "text"), EXAMPLES, ids=IDS)
def test_arguments_may_be_given_by_name(
    cls: type[Exception], arguments: tuple, facts: dict[str, Any], text: str
) -> None:
    """A copy is made of ``args``, which then must hold them all the same."""
    if "__init__" in vars(cls):
        named = inspect.signature(cls).bind(*arguments).arguments
        assert str(pickle.loads(pickle.dumps(cls(**named)))) == text


def test_further_refusals_of_one_call_go_along() -> None:
    error = errors.SubscriptionRefusedError("ticker", ["A-USD"])
    error.others = (errors.SubscriptionRefusedError("full", ["B-USD"], ["no"]),)
    (other,) = pickle.loads(pickle.dumps(error)).others
    assert (other.channel, other.product_ids, other.words) == ("full", {"B-USD"}, ("no",))
    assert errors.SubscriptionRefusedError("ticker", ["A-USD"]).others == ()


def test_iterables_are_taken_once_and_kept() -> None:
    refused = errors.SubscriptionRefusedError("ticker", iter(["A-USD"]), iter(["no"]), iter(["full"]))
    assert (refused.product_ids, refused.words, refused.candidates) == ({"A-USD"}, ("no",), ("full",))
    assert str(refused) == str(refused) == str(pickle.loads(pickle.dumps(refused)))
    assert errors.SubscriptionTimeoutError(iter(["full"]), 1).channels == ("full",)


# The tree


def documented_tree() -> tuple[dict[str, str], dict[str, str]]:
    """Return parent by name, and further base by name, as the module's docstring draws them."""
    parents, further, path = {}, {}, []
    for line in str(errors.__doc__).splitlines():
        found = re.match(r"    (?P<branches>[│├└─ ]*)(?P<name>\w+)(?: +\(also (?P<also>\w+)\))?", line)
        if found is None:
            continue
        depth = len(found["branches"]) // 4
        del path[depth:]
        if path:
            parents[found["name"]] = path[-1]
        path.append(found["name"])
        if found["also"]:
            further[found["name"]] = found["also"]
    return parents, further


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    parents, further = documented_tree()
    assert parents == {name: cls.__bases__[0].__name__ for name, cls in CLASSES.items() if name != "CopraError"}
    assert further == {name: cls.__bases__[1].__name__ for name, cls in CLASSES.items() if len(cls.__bases__) > 1}


def test_bases_that_callers_may_know() -> None:
    assert issubclass(errors.ConfigurationError, ValueError)
    assert issubclass(errors.ReactorMismatchError, RuntimeError)
    assert issubclass(errors.WrongThreadError, RuntimeError)
    assert all(issubclass(cls, errors.CopraError) for cls in CLASSES.values())
    lines = {name for name, cls in CLASSES.items() if issubclass(cls, errors.LineError)}
    assert lines == {
        *("CertificateError", "ConnectionLostError", "DialError", "HostNotFoundError", "LineError"),
        *("MessageTooLargeError", "OpenTimeoutError", "PongTimeoutError", "ProxyError", "StallError"),
        "TlsError",
        "UpgradeRefusedError",
    }


@pytest.mark.parametrize("cls", CLASSES.values(), ids=lambda cls: cls.__name__)
def test_every_class_says_when_it_is_raised(cls: type[Exception]) -> None:
    assert cls.__doc__
    assert "__doc__" in vars(cls)
