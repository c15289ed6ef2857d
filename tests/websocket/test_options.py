"""The keyword-only arguments: what is taken, and what is refused with its name."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from copra_tx.errors import ConfigurationError
from copra_tx.websocket.options import Options

TIMES_ABOVE_ZERO = [
    *("pong_timeout", "open_timeout", "close_timeout", "answer_timeout", "initial_delay", "max_delay", "stable_after"),
]
TIMES = [*TIMES_ABOVE_ZERO, "ping_interval", "first_data_timeout", "heartbeat_timeout", "cadence_timeout"]
COUNTS = ["max_message_bytes", "max_buffered", "max_level2_products"]
SWITCHES = ["compression", "heartbeats", "sign_public", "backfill"]


def test_the_defaults() -> None:
    options = Options()
    assert dataclasses.asdict(options) == {
        "proxy": None,
        "ca_file": None,
        "compression": False,
        "max_message_bytes": 64 * 1024 * 1024,
        "ping_interval": 20.0,
        "pong_timeout": 10.0,
        "open_timeout": 10.0,
        "close_timeout": 2.0,
        "answer_timeout": 10.0,
        "first_data_timeout": 15.0,
        "heartbeat_timeout": 5.0,
        "cadence_timeout": 15.0,
        "initial_delay": 1.0,
        "max_delay": 30.0,
        "stable_after": 10.0,
        "max_buffered": 10_000,
        "decode": "dict",
        "transport": "auto",
        "feed": "auto",
        "heartbeats": True,
        "max_level2_products": 30,
        "sign_public": False,
        "backfill": False,
        "rest_url": None,
    }
    assert Options.from_arguments() == options


def test_none_is_left_out_here() -> None:
    """What ``decode`` may be is the subject of ``test_decoding``."""
    checked = {*TIMES, *COUNTS, *SWITCHES, "proxy", "ca_file", "decode", "transport", "feed", "rest_url"}
    assert checked == {field.name for field in dataclasses.fields(Options)}


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", ["1", None, True, math.nan, math.inf, -math.inf, [1], 1j])
def test_a_time_is_a_finite_number(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} is a number of seconds, not ") as caught:
        Options.from_arguments(**{name: value})
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("name", TIMES)
def test_a_time_is_not_negative(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be (above|at least) zero, not -0.1$"):
        Options.from_arguments(**{name: -0.1})


@pytest.mark.parametrize("name", TIMES_ABOVE_ZERO)
def test_no_time_at_all_cannot_work(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be above zero, not 0$"):
        Options.from_arguments(**{name: 0})


def test_but_pings_can_be_left_out() -> None:
    assert Options(ping_interval=0).ping_interval == 0


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", [3, 2.5])
def test_a_time_may_be_whole_or_not(name: str, value: float) -> None:
    delays = {"initial_delay": 0.5, "max_delay": 5}
    assert getattr(Options.from_arguments(**delays | {name: value}), name) == value


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", ["1", None, True, 1.0, 0, -1, math.inf])
def test_a_count_is_a_whole_number_above_zero(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} is a whole number above zero, not {value!r}$"):
        Options.from_arguments(**{name: value})


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_may_be_one(name: str) -> None:
    assert getattr(Options.from_arguments(**{name: 1}), name) == 1


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", [1, 0, "yes", None])
def test_a_switch_is_yes_or_no(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} is True or False, not {value!r}$"):
        Options.from_arguments(**{name: value})


@pytest.mark.parametrize("value", ["", "Exchange", None, 1])
def test_a_feed_is_one_of_three(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^feed is one of auto, exchange, advanced, not ") as caught:
        Options.from_arguments(feed=value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", ["", "Twisted", None, 1, "uvloop"])
def test_a_transport_is_one_of_a_few(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^transport is one of auto, .*twisted, not ") as caught:
        Options.from_arguments(transport=value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    "value", ["", "api.example.com", "ftp://a", "https://a/b", "https://a?b", "http://a:b", 7, b"http://a"]
)
def test_a_rest_url_is_an_address(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^rest_url is https://HOST or http://HOST:PORT, not ") as caught:
        Options.from_arguments(rest_url=value)
    assert repr(value) in str(caught.value)
    assert Options(rest_url="https://api.example.com:8443/").rest_url == "https://api.example.com:8443/"


def test_the_longest_wait_is_not_shorter_than_the_first() -> None:
    with pytest.raises(ConfigurationError, match=r"^max_delay=2 is less than initial_delay=3$"):
        Options.from_arguments(initial_delay=3, max_delay=2)
    assert Options.from_arguments(initial_delay=3, max_delay=3).max_delay == 3


def test_a_proxy_is_taken_apart_and_a_wrong_one_not_repeated() -> None:
    proxy = Options.from_arguments(proxy="http://user:hush@proxy.example:3128").proxy
    assert proxy is not None
    assert (proxy.host, proxy.port, proxy.user, proxy.password) == ("proxy.example", 3128, "user", "hush")
    with pytest.raises(ConfigurationError, match=r"^proxy is ") as caught:
        Options.from_arguments(proxy="http://user:hush@")
    assert "hush" not in str(caught.value)


def test_a_file_is_any_kind_of_path() -> None:
    assert Options.from_arguments(ca_file=Path("a") / "ca.pem").ca_file == "a/ca.pem"
    assert Options.from_arguments(ca_file="ca.pem").ca_file == "ca.pem"
    with pytest.raises(ConfigurationError, match=r"^ca_file is a path, not 7$"):
        Options.from_arguments(ca_file=7)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"^ca_file is a path, not b'ca.pem'$"):
        Options.from_arguments(ca_file=b"ca.pem")  # type: ignore[arg-type]


def test_an_unknown_argument_is_named_beside_those_there_are() -> None:
    with pytest.raises(TypeError, match=r"^unknown argument pingInterval, verify; there are proxy, ca_file, "):
        Options.from_arguments(verify=False, pingInterval=1)


def test_they_cannot_be_changed_and_show_no_password() -> None:
    options = Options.from_arguments(proxy="http://user:hush@proxy.example:3128")
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.ping_interval = 1  # type: ignore[misc]
    assert "hush" not in repr(options)
