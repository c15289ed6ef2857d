"""Which feed the command ``copra-tx`` speaks."""

from __future__ import annotations

import json

from copra_tx.simulator import SimulatedExchange
from support.processes import COPRA_TX, process


async def test_the_demo_speaks_either_feed() -> None:
    arguments = "--feed", "advanced", "--seconds", "1.5", "--speed", "10"
    for channel in [], ["--channel", "user"]:
        async with process(*COPRA_TX, "demo", *arguments, *channel) as running:
            assert (await running.ended(), running.errors) == (0, "")
            told = {json.loads(line)["channel"] for line in running.text.splitlines()}
            assert told == {"subscriptions", channel[-1] if channel else "ticker"}


async def test_the_demo_of_public_channels_needs_nothing_that_signs() -> None:
    code = "import sys; sys.modules['jwt'] = None; from copra_tx.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = "demo", "--feed", "advanced", "--seconds", "1.5", "--speed", "10"
    async with process(COPRA_TX[0], "-c", code, *arguments, "--channel", "level2") as running:
        assert (await running.ended(), running.errors) == (0, "")
        assert '"l2_data"' in running.text
    async with process(COPRA_TX[0], "-c", code, *arguments, "--channel", "user") as running:
        assert await running.ended() == 2
        assert "pip install copra-tx[advanced]" in running.errors


async def test_what_is_watched_by_default_goes_by_the_feed_not_by_words_in_its_address() -> None:
    async with SimulatedExchange(speed=10) as exchange:
        async with process(
            *COPRA_TX, "watch", "BTC-USD", "--feed-url", f"{exchange.url}/advanced", "--seconds", "30"
        ) as running:
            await running.wrote('"type":"heartbeat"')
        assert exchange.received[0]["channels"] == [  # type: ignore[index]
            {"name": name, "product_ids": ["BTC-USD"]} for name in ("heartbeat", "ticker")
        ]
    async with (
        SimulatedExchange(speed=10, feed="advanced") as exchange,
        process(*COPRA_TX, "watch", "BTC-USD", "--feed-url", exchange.url, "--feed", "advanced") as running,
    ):
        await running.wrote('"channel":"ticker"')
