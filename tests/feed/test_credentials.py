"""
``ExchangeCredentials``: the signature, and that no text shows a secret.

The vectors are those of the Coinbase Exchange facts; they were computed with ``hmac`` and ``base64``, and the last
one also stands in the unit tests of the asyncio library CoPrA.
"""

from __future__ import annotations

import base64
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.errors import ConfigurationError
from copra_tx.feed.credentials import ExchangeCredentials

KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
PASSPHRASE = "test-passphrase"
RISING = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="
FALLING = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eDf3t3c29rZ2NfW1dTT0tHQz87NzMvKycjHxsXEw8LBwA=="
COPRA = "aVGe54dHHYUSudB3sJdcQx4BfQ6K5oVdcYv4eRtDN6fBHEQf5Go6BACew4G0iFjfLKJHmWY5ZEwlqxdslop4CC=="

VECTORS = [
    (RISING, "1700000000", "4w5N81jN+R8BEl+8gu26Lel0jalXF5uTezix+T8v9eY="),
    (RISING, "1700000000.123456", "4ce8mVb02ZsQCji4RcYyxRt7rHid1vsadz1jaHBuDeA="),
    (RISING, "1785283200", "4ViurmaKztrClEafdtTNHGPa5Cbtd8QUy226c5p9wVc="),
    (FALLING, "1700000000", "w8cXD3srPuR5P6kQe0Ax8Nn/odzLQg8n92daGiXyO7E="),
    (COPRA, "1546384260.0321212", "KQq/poDCHjDDRURkQOc+QZi16c6cio9Yo/nF1+kts84="),
]
UNDECODED = "mrfYJJfLgYAQ17WPZ6ktZ5KtXBkLLB6MI9g6SvPc1ds="
"""What comes out if the first secret is used as it is, at 1700000000. It must not."""


def credentials(secret: str = RISING) -> ExchangeCredentials:
    return ExchangeCredentials(KEY, secret, PASSPHRASE)


def test_the_secrets_of_the_vectors_are_what_they_are_said_to_be() -> None:
    assert base64.b64decode(RISING) == bytes(range(64))
    assert base64.b64decode(FALLING) == bytes(range(255, 191, -1))


@pytest.mark.parametrize(("secret", "timestamp", "signature"), VECTORS)
def test_vectors(secret: str, timestamp: str, signature: str) -> None:
    assert credentials(secret).signature(timestamp) == signature
    assert credentials(secret).sign(timestamp) == {
        "signature": signature,
        "key": KEY,
        "passphrase": PASSPHRASE,
        "timestamp": timestamp,
    }


def test_negative_vector() -> None:
    assert credentials().signature("1700000000") != UNDECODED
    encoded_twice = base64.b64encode(RISING.encode()).decode()
    assert credentials(encoded_twice).signature("1700000000") == UNDECODED


def test_rest_vector() -> None:
    """The same rule with the path of a REST request, query and all."""
    signature = credentials().signature("1700000000", "GET", "/products/BTC-USD/book?level=3")
    assert signature == "syc5qY6ulK3cscGJpb/U+OXSHlO1dW9ATiwx0jdE9bo="


def test_key_and_passphrase_do_not_enter_the_signature() -> None:
    other = ExchangeCredentials("another key", RISING, "another passphrase")
    assert other.signature("1700000000") == credentials().signature("1700000000")


def test_another_moment_is_another_signature() -> None:
    moments = [f"{1_700_000_000 + step / 1e6:.6f}" for step in range(50)]
    assert len({credentials().signature(moment) for moment in moments}) == len(moments)


# What cannot work


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("", RISING, PASSPHRASE), "key is missing"),
        ((KEY, "", PASSPHRASE), "secret is missing"),
        ((KEY, RISING, ""), "passphrase is missing"),
        (("", RISING, ""), "key and passphrase are missing"),
        (("", "", ""), "key and secret and passphrase are missing"),
    ],
)
def test_all_three_are_needed(given: tuple[str, str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        ExchangeCredentials(*given)
    assert type(caught.value) is ConfigurationError
    assert "auth=True needs key, secret and passphrase" in str(caught.value)


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("value", [None, b"bytes", 7])
def test_all_three_are_strings(position: int, value: object) -> None:
    three: list = [KEY, RISING, PASSPHRASE]
    three[position] = value
    with pytest.raises(ConfigurationError, match=f"{('key', 'secret', 'passphrase')[position]} must be a string"):
        ExchangeCredentials(*three)


NOT_BASE64 = ["s3cr3t!", "s3cr3t", f"{RISING}\n", f" {RISING}", RISING.rstrip("="), "s3cr3t\u00e9=", "\ud800ecr3t=="]


@pytest.mark.parametrize("secret", NOT_BASE64, ids=ascii)
def test_a_secret_that_is_not_base64_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="the secret is not base64; pass it exactly as") as caught:
        credentials(secret)
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    shown = "".join(traceback.format_exception_only(error)) + repr(error) + repr(error.args)
    assert secret.strip() not in shown
    assert "s3cr3t" not in shown


@given(st.text(max_size=20))
def test_any_text_is_a_secret_or_refused(secret: str) -> None:
    try:
        made = credentials(secret)
    except ConfigurationError:
        return
    assert len(base64.b64decode(made.signature("1700000000"))) == 32


# A value that does not tell


def test_no_text_shows_any_of_the_three() -> None:
    one = credentials()
    shown = f"{one} {one!r} {[one]}"
    assert [part for part in (KEY, RISING, PASSPHRASE) if part in shown] == []
    assert "ExchangeCredentials" in shown


def test_it_is_a_value() -> None:
    assert credentials() == credentials() == pickle.loads(pickle.dumps(credentials()))
    assert hash(credentials()) == hash(credentials())
    assert credentials() != credentials(FALLING)
    with pytest.raises(AttributeError):
        credentials().secret = FALLING
