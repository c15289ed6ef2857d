"""Which transport is chosen, and what is said when it cannot be had."""

from __future__ import annotations

import sys
from typing import Any

import aiofastnet
import pytest
import uvloop
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.endpoints import HostnameEndpoint

from copra_tx.bridge.transports import LoopEndpoint
from copra_tx.errors import ConfigurationError
from copra_tx.websocket.dialing import TlsEndpoint, make_endpoint
from copra_tx.websocket.options import Options
from copra_tx.websocket.transports import TRANSPORTS, choose_transport
from support.reactors import FakeReactor
from support.world import World

ALL = ("fastnet", "asyncio", "twisted")


@pytest.fixture
def on_asyncio() -> Any:
    """A reactor of asyncio's that is not the one of the tests."""
    import asyncio

    loop = asyncio.new_event_loop()
    yield AsyncioSelectorReactor(loop)
    loop.close()


@pytest.fixture
def without_aiofastnet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiofastnet", None)


@pytest.mark.parametrize("wanted", ALL)
def test_what_is_asked_for_is_chosen(on_asyncio: Any, wanted: str) -> None:
    assert choose_transport(on_asyncio, wanted) == wanted
    endpoint = make_endpoint(on_asyncio, "feed.example", 443, True, Options(transport=wanted))
    assert type(endpoint) is (LoopEndpoint if wanted == "fastnet" else TlsEndpoint)
    plain = make_endpoint(on_asyncio, "feed.example", 80, False, Options(transport=wanted))
    assert type(plain) is (HostnameEndpoint if wanted == "twisted" else LoopEndpoint)


def test_the_best_that_can_be_used_is_chosen_by_itself(on_asyncio: Any, request: pytest.FixtureRequest) -> None:
    assert choose_transport(FakeReactor(), "auto") == "twisted"
    assert choose_transport(on_asyncio, "auto") == "fastnet"
    request.getfixturevalue("without_aiofastnet")
    assert choose_transport(on_asyncio, "auto") == "asyncio"


def test_on_uvloop_its_own_is_chosen() -> None:
    loop = uvloop.new_event_loop()
    try:
        reactor = AsyncioSelectorReactor(loop)
        assert choose_transport(reactor, "auto") == "asyncio"
        assert choose_transport(reactor, "fastnet") == "fastnet"
    finally:
        loop.close()


@pytest.mark.parametrize("wanted", ["asyncio", "fastnet"])
def test_another_reactor_cannot_have_it(wanted: str) -> None:
    with pytest.raises(ConfigurationError, match=f"transport='{wanted}' needs asyncio's reactor.*FakeReactor"):
        World().client(transport=wanted)


def test_it_says_what_to_install(on_asyncio: Any, without_aiofastnet: None) -> None:
    with pytest.raises(ConfigurationError, match=r"pip install copra-tx\[fast\]"):
        choose_transport(on_asyncio, "fastnet")


def test_a_python_with_openssl_linked_in_cannot_have_aiofastnet(
    on_asyncio: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiofastnet, "OPENSSL_DYN_LIBS", None)
    with pytest.raises(ConfigurationError, match="OpenSSL linked in"):
        choose_transport(on_asyncio, "fastnet")


def test_what_may_be_asked_for() -> None:
    assert set(TRANSPORTS) == {"auto", *ALL}
    for transport in TRANSPORTS:
        assert Options(transport=transport).transport == transport
