"""Two lines, connected by each kind of transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trustme

from support.transports import HOST, PLAIN, TLS, Connect, Way, connecting, reading_as

__all__ = ["reading_as"]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The one that ``ca_file`` makes trusted."""
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    """Valid for ``HOST``."""
    return authority.issue_cert(HOST)


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of the authority's certificate."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(params=[way.mark() for way in [*PLAIN, *TLS]])
def way(request: pytest.FixtureRequest, reading_as: Callable[[Way], Way]) -> Way:
    """Each kind of transport."""
    return reading_as(request.param)


@pytest.fixture
def connect(way: Way, certificate: Any, ca_file: str) -> Connect:
    """What connects two lines: ``async with connect() as (near, far)``."""
    return connecting(way, certificate, ca_file)
