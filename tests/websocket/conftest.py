"""Certificate authorities for the tests of TLS."""

from __future__ import annotations

import pytest
import trustme


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The one that ``ca_file`` makes trusted."""
    return trustme.CA()


@pytest.fixture(scope="session")
def foreign() -> trustme.CA:
    """One that nobody trusts."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of the authority's certificate."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)
