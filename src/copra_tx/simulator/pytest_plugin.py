"""
The pytest fixture ``simulated_exchange``.

It is found by itself where copra-tx is installed, and works under pytest-twisted::

    @pytest.mark.simulated_exchange(speed=60)
    @pytest_twisted.ensureDeferred
    async def test_my_client(simulated_exchange):
        client = MyClient(feed_url=simulated_exchange.url)
        await simulated_exchange.when_received(1)

The marker's arguments are those of ``SimulatedExchange``. With another way of running coroutines in tests, use
``async with SimulatedExchange() as exchange:`` in the test itself. No test that does not ask for the fixture has
Twisted imported by it, nor more of us than this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .exchange import SimulatedExchange

__all__ = ["simulated_exchange"]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "simulated_exchange(**arguments): arguments of the SimulatedExchange of the fixture of this name"
    )


@pytest.fixture
def simulated_exchange(request: pytest.FixtureRequest) -> Iterator[SimulatedExchange]:
    """A running ``SimulatedExchange``; when the test is over it is stopped, and everything of it closed."""
    if not request.config.pluginmanager.hasplugin("twisted"):
        pytest.fail("the fixture simulated_exchange needs pytest-twisted; else: async with SimulatedExchange()")
    import pytest_twisted

    from .exchange import SimulatedExchange

    marker = request.node.get_closest_marker("simulated_exchange")
    if marker and marker.args:
        pytest.fail("the marker simulated_exchange takes arguments by their names only, such as speed=60")
    exchange = SimulatedExchange(**(marker.kwargs if marker else {}))
    exchange.startService()
    try:
        yield exchange
    finally:
        pytest_twisted.blockon(exchange.stopService())
