"""API keys for Advanced Trade: the formats they come in, the tokens made with them, and keys of the wrong feed."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import textwrap
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from copra_tx.errors import ConfigurationError
from copra_tx.feed import advanced_trade, exchange
from copra_tx.feed.credentials import ExchangeCredentials
from copra_tx.keys import CdpCredentials, _read, signer_of
from copra_tx.simulator import TEST_KEY
from support.samples import advanced_samples

# RFC 6979, A.2.5, and RFC 8032, 7.1, test 1: keys that everybody knows.
EC_KEY = ec.derive_private_key(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721, ec.SECP256R1())
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
ED_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(SEED)

NAME = advanced_samples("client")["jwt-claims"]["sub"]
NOW, NONCE = 1700000000, "00112233445566778899aabbccddeeff"


def pem(key: Any, form: PrivateFormat) -> str:
    return str(key.private_bytes(Encoding.PEM, form, NoEncryption()).decode())


EC_SEC1, EC_PKCS8 = pem(EC_KEY, PrivateFormat.TraditionalOpenSSL), pem(EC_KEY, PrivateFormat.PKCS8)
ED_PKCS8 = pem(ED_KEY, PrivateFormat.PKCS8)
ED_SEED = base64.b64encode(SEED).decode()
ED_WHOLE = base64.b64encode(SEED + ED_KEY.public_key().public_bytes_raw()).decode()

FORMATS = {
    "SEC1": (EC_SEC1, "ES256"),
    "SEC1, literal line ends": (EC_SEC1.replace("\n", "\\n"), "ES256"),
    "SEC1, spaces around": (f"  {EC_SEC1}\n\n", "ES256"),
    "PKCS8 of ECDSA": (EC_PKCS8, "ES256"),
    "PKCS8": (ED_PKCS8, "EdDSA"),
    "PKCS8, literal line ends": (ED_PKCS8.replace("\n", "\\n"), "EdDSA"),
    "32 bytes": (ED_SEED, "EdDSA"),
    "64 bytes": (ED_WHOLE, "EdDSA"),
    "64 bytes, line end": (ED_WHOLE + "\n", "EdDSA"),
}


@pytest.mark.parametrize(("secret", "algorithm"), FORMATS.values(), ids=FORMATS)
def test_every_format_makes_the_documented_token(secret: str, algorithm: str) -> None:
    token = CdpCredentials(NAME, secret).token(NOW, NONCE)
    public = (EC_KEY if algorithm == "ES256" else ED_KEY).public_key()
    claims = jwt.decode(token, public, [algorithm], options={"verify_exp": False})  # which checks the signature
    assert claims == advanced_samples("client")["jwt-claims"]
    assert jwt.get_unverified_header(token) == advanced_samples("client")[f"jwt-header-{algorithm.lower()}"]
    assert token.count(".") == 2
    assert "=" not in token


def test_the_signature_of_es256_is_raw() -> None:
    signature = CdpCredentials(NAME, EC_SEC1).token(NOW, NONCE).split(".")[2]
    assert len(base64.urlsafe_b64decode(signature + "==")) == 64


def test_eddsa_signs_as_the_vector_does() -> None:
    """It is deterministic; the vector is for members in the documented order."""
    parts = [advanced_samples("client")[name] for name in ("jwt-header-eddsa", "jwt-claims")]
    signed = b".".join(
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).rstrip(b"=") for part in parts
    )
    signature = base64.urlsafe_b64encode(_read(ED_WHOLE)[0].sign(signed)).rstrip(b"=")
    assert signature == b"uZs1NFPvwrxBIvmmdgUAGigvwN-i0vDWo2g4jjeKBVNGB8ptYDC_TVMQ1WqpT0GohPVKV4xUQnW2JY7FS8bKAA"


def test_every_request_has_a_new_token() -> None:
    credentials = CdpCredentials("a-uuid", ED_SEED)
    first, second = (credentials.sign("1700000000.9") for _ in range(2))
    assert first.keys() == {"jwt"}
    headers = [jwt.get_unverified_header(one["jwt"]) for one in (first, second)]
    assert headers[0]["nonce"] != headers[1]["nonce"]
    assert [len(header["nonce"]) for header in headers] == [32, 32]
    claims = jwt.decode(first["jwt"], ED_KEY.public_key(), ["EdDSA"], options={"verify_exp": False})
    assert (claims["nbf"], claims["exp"]) == (NOW, NOW + 120)


REFUSED = {
    "not base64": "!secret!",
    "too short": base64.b64encode(b"secret").decode(),
    "halves that do not fit, as an Exchange secret's": TEST_KEY.secret,
    "no PEM inside": "-----BEGIN EC PRIVATE KEY-----\nsecret\n-----END EC PRIVATE KEY-----",
    "another curve": pem(ec.derive_private_key(7, ec.SECP384R1()), PrivateFormat.PKCS8),
    "RSA": pem(rsa.generate_private_key(65537, 2048), PrivateFormat.PKCS8),
    "with a password": EC_KEY.private_bytes(
        Encoding.PEM,
        PrivateFormat.PKCS8,
        BestAvailableEncryption(b"x"),
    ).decode(),
}


@pytest.mark.parametrize("secret", REFUSED.values(), ids=REFUSED)
def test_what_is_no_such_key_is_refused_at_once(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="no private key of a CDP API key") as caught:
        CdpCredentials(NAME, secret)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("key", "secret", "words"),
    [
        ("", ED_SEED, "key is missing"),
        (NAME, "", "secret is missing"),
        (7, ED_SEED, "key must be a string"),
        (NAME, None, "secret must be a string"),
    ],
)
def test_both_parts_are_needed(key: Any, secret: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        CdpCredentials(key, secret)


def test_no_repr_has_anything_of_it() -> None:
    shown = repr(CdpCredentials(NAME, ED_WHOLE))
    assert shown == "<CdpCredentials EdDSA>"


# Which key is for which feed


def test_each_feed_gets_its_own() -> None:
    signer = signer_of(exchange.DIALECT, TEST_KEY.key, TEST_KEY.secret, TEST_KEY.passphrase)
    assert isinstance(signer, ExchangeCredentials)
    assert isinstance(signer_of(advanced_trade.DIALECT, NAME, EC_SEC1, ""), CdpCredentials)
    assert isinstance(signer_of(advanced_trade.USER_DIALECT, NAME, EC_SEC1, ""), CdpCredentials)


@pytest.mark.parametrize(("key", "secret"), [(NAME, ED_WHOLE), ("a-uuid", EC_SEC1), (NAME, TEST_KEY.secret)])
def test_a_cdp_key_on_the_exchange_feed_is_told(key: str, secret: str) -> None:
    with pytest.raises(ConfigurationError, match="CDP API key, which only the Advanced Trade feed takes"):
        signer_of(exchange.DIALECT, key, secret, "")


def test_a_cdp_key_without_its_marks_lacks_a_passphrase_there() -> None:
    with pytest.raises(ConfigurationError, match="passphrase is missing"):
        signer_of(exchange.DIALECT, "8b1a9953-c461-4f2b-9d2a-5b1f6a3c7e10", ED_WHOLE, "")


def test_an_exchange_key_on_the_advanced_trade_feed_is_told() -> None:
    with pytest.raises(ConfigurationError, match="key with a passphrase is one of Coinbase Exchange"):
        signer_of(advanced_trade.DIALECT, TEST_KEY.key, TEST_KEY.secret, TEST_KEY.passphrase)


def test_what_is_no_text_is_for_the_feed_s_own_key_to_say() -> None:
    with pytest.raises(ConfigurationError, match="key must be a string"):
        signer_of(exchange.DIALECT, 7, 7, "x")  # type: ignore[arg-type]


def test_it_says_what_to_install() -> None:
    """The extra is needed for signing alone: nothing of it is imported before."""
    program = """
        import sys
        import copra_tx.websocket
        from copra_tx.errors import ConfigurationError
        from copra_tx.keys import CdpCredentials
        assert "jwt" not in sys.modules
        sys.modules["jwt"] = None
        try:
            CdpCredentials("name", "secret")
        except ConfigurationError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install copra-tx[advanced]" in done.stdout
