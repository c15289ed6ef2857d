"""Tunnels through an HTTP proxy, and everything that a proxy can do instead."""

from __future__ import annotations

import base64
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.errors import ConfigurationError, ProxyError
from copra_tx.websocket.options import Options
from copra_tx.websocket.proxy import ConnectAnswer, Proxy

HOST = "feed.example"
SECRET = "s3cr3t"

# The URL.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://proxy.example:3128", Proxy("proxy.example", 3128)),
        ("http://proxy.example:3128/", Proxy("proxy.example", 3128)),
        ("http://proxy.example", Proxy("proxy.example", 80)),
        ("HTTP://Proxy.Example:3128", Proxy("proxy.example", 3128)),
        ("http://[::1]:3128", Proxy("::1", 3128)),
        ("http://10.0.0.1:3128", Proxy("10.0.0.1", 3128)),
        ("http://me:pw@proxy.example:3128", Proxy("proxy.example", 3128, "me", "pw")),
        ("http://me@proxy.example:3128", Proxy("proxy.example", 3128, "me", None)),
        ("http://me:@proxy.example:3128", Proxy("proxy.example", 3128, "me", "")),
        ("http://m%40e:p%3Aw%2F%C3%BC%25@proxy.example:3128", Proxy("proxy.example", 3128, "m@e", "p:w/ü%")),
        ("http://me:p:w@proxy.example:3128", Proxy("proxy.example", 3128, "me", "p:w")),
        ("http://bücher.example:3128", Proxy("bücher.example", 3128)),
    ],
)
def test_a_url_is_taken_apart(url: str, expected: Proxy) -> None:
    assert Proxy.parse(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        f"me:{SECRET}@proxy.example:3128",
        f"http:me:{SECRET}@proxy.example",
        f"ftp://me:{SECRET}@proxy.example:3128",
        f"http://me:{SECRET}@:3128",
        f"http://me:{SECRET}@proxy.example:port",
        f"http://me:{SECRET}@proxy.example:0",
        f"http://me:{SECRET}@proxy.example:65536",
        f"http://me:{SECRET}/{SECRET}@proxy.example:3128",
        f"http://me:{SECRET}#{SECRET}@proxy.example:3128",
        f"http://me:{SECRET}?{SECRET}@proxy.example:3128",
        f"http://me:{SECRET}@proxy.example:3128/{SECRET}",
        f"http://me:{SECRET}@proxy.example:3128?{SECRET}",
        f"http://me:{SECRET}@proxy.example:3128/#{SECRET}",
        f"http://me:{SECRET}%FF@proxy.example:3128",
        f"http://me:{SECRET} @proxy.example:3128",
        f"http://me:{SECRET}\r\nX: y@proxy.example:3128",
        f"http://me:{SECRET}@[::1:3128",
        f"http://me:{SECRET}@{'a' * 64}.example:3128",
        f"http://m%3Ae:{SECRET}@proxy.example:3128",
        f"https://me:{SECRET}@proxy.example:3128",
        f"socks5h://me:{SECRET}@proxy.example:1080",
        "",
        "proxy.example",
        None,
        b"http://proxy.example",
    ],
)
def test_a_url_that_cannot_be_used_is_not_repeated(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="proxy") as caught:
        Proxy.parse(url)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize(("url", "scheme"), [("https://p.example:1", "https"), ("socks5h://p.example:1", "socks")])
def test_other_kinds_of_proxies_are_named(url: str, scheme: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{scheme}.*only http://"):
        Proxy.parse(url)


@pytest.mark.parametrize("arguments", [("",), ("a" * 64,), ("p", 0), ("p", 65536), ("p", 80, "m:e", SECRET)], ids=repr)
def test_a_proxy_that_cannot_be(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigurationError, match="proxy") as caught:
        Proxy(*arguments)
    assert SECRET not in str(caught.value)


def test_secrets_are_in_no_repr() -> None:
    options = Options.from_arguments(proxy=f"http://{SECRET}user:{SECRET}@proxy.example:3128")
    assert options.proxy is not None
    for text in (repr(options.proxy), str(options.proxy), repr(options), options.proxy.address):
        assert SECRET not in text
        assert "proxy.example" in text


def test_the_request() -> None:
    login = base64.b64encode("me:pü".encode())
    assert Proxy("p", 1, "me", "pü").connect_request(HOST, 443).split(b"\r\n") == [
        b"CONNECT feed.example:443 HTTP/1.1",
        b"Host: feed.example:443",
        b"Proxy-Authorization: Basic " + login,
        b"",
        b"",
    ]
    assert Proxy("p", 1).connect_request("::1", 443) == b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n"
    assert b"CONNECT xn--bcher-kva.example:80 " in Proxy("p", 1).connect_request("bücher.example", 80)


# The answer.


def answered(*pieces: bytes) -> bytes | None:
    answer = ConnectAnswer("p:1")
    for piece in pieces[:-1]:
        assert answer.feed(piece) is None
    return answer.feed(pieces[-1])


HEADERS = [
    b"HTTP/1.1 200 Connection established\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nVia: x\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200\r\n\r\n",
    b"HTTP/1.1 299 \r\n\r\n",
    b"HTTP/1.1 200 OK\nVia: x\n\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
]


@given(st.data(), st.sampled_from(HEADERS), st.binary(max_size=8) | st.just(b"\r\n\r\nHTTP/1.1 500 no\r\n\r\n"))
def test_an_open_tunnel_is_recognized_however_it_is_cut(data: st.DataObject, header: bytes, rest: bytes) -> None:
    """What follows the header belongs to the server, be it what it will."""
    cuts = data.draw(st.sets(st.integers(0, len(header) - 1), max_size=6))
    bounds = [0, *sorted(cuts), len(header) + len(rest)]
    pieces = [(header + rest)[begin:end] for begin, end in pairwise(bounds)]
    assert answered(*pieces) == rest


def test_a_long_header_is_taken_if_it_ends_in_time() -> None:
    header = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 65000 + b"\r\n\r\n"
    assert answered(*(header[n : n + 1] for n in range(len(header)))) == b""


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", 407, "check the user and password"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n<html>", 403, "answered 403 to CONNECT: Forbidden"),
        (b"HTTP/1.1 502\r\n\r\n", 502, "answered 502 to CONNECT"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://x\r\n\r\n", 302, "Found"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", 101, "Switching"),
        (b"HTTP/1.1 500 a\x1b[2Jb\xff\r\n\r\n", 500, "a?[2Jb\ufffd"),
        (b"HTTP/1.1 500 " + b"x" * 999 + b"\r\n\r\n", 500, "x" * 200),
        (b"HTTP/1.1 abc OK\r\n\r\n", None, "status line"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", None, "status line"),
        (b"HTTP/2 200 OK\r\n\r\n", None, "status line"),
        (b"HTTP/1.1 099 OK\r\n\r\n", None, "status line"),
        (b"SSH-2.0-OpenSSH\r\n", None, "not HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x50", None, "not HTTP"),
        (b"\r\n\r\n", None, "not HTTP"),
        (b"HTTP/1.1 100 Continue\r\n\r\nnonsense", None, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000, None, "more than 65536 bytes"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n", None, "more than 65536 bytes"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 4000, None, "more than 65536 bytes"),
    ],
)
def test_every_other_answer_is_an_error(answer: bytes, status: int | None, words: str) -> None:
    for size in (len(answer), 1 if len(answer) < 1000 else 1000):
        with pytest.raises(ProxyError) as caught:
            answered(*(answer[begin : begin + size] for begin in range(0, len(answer), size)))
        assert caught.value.status == status
        assert words in str(caught.value)
        assert "proxy p:1" in str(caught.value)
        assert len(str(caught.value)) < 400


@given(st.binary(max_size=200))
def test_garbage_never_does_anything_else(garbage: bytes) -> None:
    for data in (garbage, b"HTTP/1.1 " + garbage):
        with suppress(ProxyError):
            ConnectAnswer("p:1").feed(data)
