"""What went wrong, in one line that says what to do."""

from __future__ import annotations

import pytest

from copra_tx.commands.complaints import about_line, about_subscription, complain, one_line, remark
from copra_tx.errors import (
    CertificateError,
    DialError,
    HostNotFoundError,
    OpenTimeoutError,
    ProxyError,
    SubscriptionRefusedError,
    SubscriptionTimeoutError,
    UpgradeRefusedError,
)

NETWORK = "check the network and the feed's address"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (DialError("h", 1, "refused"), f"no connection to h:1: refused; {NETWORK}"),
        (HostNotFoundError("h"), "host name 'h' not found; check the URL and the network"),
        (UpgradeRefusedError(503, "Busy"), f"the server refused the upgrade with HTTP status 503: Busy; {NETWORK}"),
        (
            CertificateError("h", "expired"),
            (
                "certificate of 'h' not accepted: expired; "
                "a private CA is named with --ca-file, verification cannot be switched off"
            ),
        ),
        (
            ProxyError("p:3128", 407, "No"),
            "proxy p:3128 answered 407 to CONNECT: No; check the user and password in --proxy",
        ),
        (
            OpenTimeoutError(10, "no connection"),
            f"not open after 10 s (no connection); open_timeout sets the limit; {NETWORK}",
        ),
    ],
)
def test_why_there_is_no_connection(error: Exception, text: str) -> None:
    assert about_line(str(error)) == text


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("X is not a valid product", "; check its spelling: product ids look like BTC-USD"),
        ("X is delisted", "; choose another product"),
        (
            "level2 channels now require authentication",
            "; name an API key of Coinbase Exchange with --credentials FILE",
        ),
        (
            "Sorry, you could not be authenticated: Bad Request: request timestamp expired",
            "; set the clock of this machine",
        ),
        (
            "Sorry, you could not be authenticated: Unauthorized",
            "; check key, secret and passphrase in the file of --credentials",
        ),
        ("something new", ""),
    ],
)
def test_why_a_subscription_does_not_stand(words: str, advice: str) -> None:
    error = SubscriptionRefusedError("ticker", ["X"], [words, words])
    assert about_subscription(error) == f"subscription to 'ticker' for X refused: {words}{advice}"


def test_other_errors_of_a_subscription() -> None:
    error = SubscriptionTimeoutError(["ticker"], 10)
    assert about_subscription(error) == "the server did not answer within 10 s; try again later"
    assert about_subscription(ValueError("odd")) == "odd"


def test_a_line_is_one_and_harmless() -> None:
    assert one_line(" a\n\tb \x1b[2J\x07 é▲ \u2028c ") == "a b ?[2J? é▲ c"


def test_complaints_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    remark("one\ntwo")
    assert complain("three") == 1
    assert capsys.readouterr() == ("", "copra-tx: one two\ncopra-tx: three\n")
