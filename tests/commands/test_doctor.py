"""What ``copra-tx doctor`` finds out; each time in a process of its own, since it runs a reactor."""

from __future__ import annotations

import textwrap

import pytest

from support.processes import COPRA_TX, process

pytestmark = pytest.mark.asyncio_only  # the program chooses its own reactor: once is enough

BEFORE = """
    import sys
    from copra_tx.cli import main
    from copra_tx.commands import doctor
    from copra_tx.simulator import SimulatedExchange
    from copra_tx.websocket import receiving, tls_reading

    class Failing(SimulatedExchange):
        def startService(self):
            super().startService()
            self.fail()
"""


async def examined(before: str = "") -> tuple[int, dict[str, str], str]:
    """Run it; return the status, what it says of each transport, and what it complains about."""
    code = textwrap.dedent(BEFORE) + textwrap.dedent(before) + '\nsys.exit(main(["doctor"]))\n'
    async with process(*COPRA_TX[:3], "-c", code) as program:
        status = await program.ended()
        ways = dict(line.split(maxsplit=1) for line in program.text.splitlines()[4:])
        return status, ways, program.errors


async def test_each_way_is_tried_and_what_is_chosen_is_told() -> None:
    async with process(*COPRA_TX, "doctor") as program:
        assert await program.ended() == 0
        assert program.errors == ""
        first, packages, tls, reactor, *ways = program.text.splitlines()
    assert first.startswith("copra-tx ")
    assert "autobahn 2" in packages
    assert tls.count("OpenSSL ") == 2
    assert reactor.startswith("GuestReactor on asyncio.")
    assert ways == [
        "fastnet   works, on the fast path (chosen by itself)",
        "asyncio   works, on the fast path, all TLS records of a read at once, with SSL_read",
        "twisted   works, on the fast path, all TLS records of a read at once, with SSL_read",
    ]


async def test_what_is_not_installed_is_told_and_is_no_complaint() -> None:
    status, ways, errors = await examined('sys.modules["aiofastnet"] = None')
    assert (status, errors) == (0, "")
    assert ways["fastnet"].startswith("needs aiofastnet, which cannot be imported")
    assert ways["fastnet"].endswith("pip install copra-tx[fast]")
    assert ways["asyncio"].startswith("works, on the fast path, all TLS records of a read at once")
    assert ways["asyncio"].endswith(" (chosen by itself)")


async def test_a_release_of_autobahn_that_is_not_known_is_complained_about() -> None:
    status, ways, errors = await examined('receiving.ASSUMED = ("something_else",)')
    assert status == 1
    assert "through Autobahn's parser" in ways["twisted"]
    assert errors.startswith("copra-tx: transport='fastnet' is what clients take by themselves, and it works, but each")


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("tls_reading._lib = None", "all TLS records of a read at once, with pyOpenSSL"),
        ('tls_reading._TWISTEDS = ("something_else",)', "TLS records one by one"),
    ],
)
async def test_the_slower_ways_of_twisteds_tls_are_told(before: str, words: str) -> None:
    status, ways, _ = await examined(before)
    assert status == 0
    assert ways["asyncio"] == ways["twisted"] == f"works, on the fast path, {words}"


async def test_a_line_that_cannot_be_is_told_with_its_reason() -> None:
    status, ways, errors = await examined("""
        Failing.fail = lambda self: self.refuse_upgrades(9)
        doctor.SimulatedExchange = Failing
    """)
    assert status == 1
    assert ways["asyncio"].startswith("has its line end at once: ")
    assert "503" in errors


async def test_a_line_without_messages_is_told_in_time() -> None:
    status, ways, _ = await examined("""
        Failing.fail = lambda self: self.at("opened", lambda connection: self.stall(), count=9)
        doctor.PATIENCE, doctor.SimulatedExchange = 0.3, Failing
    """)
    assert status == 1
    assert ways["twisted"] == "brings no message within 0.3 s"
