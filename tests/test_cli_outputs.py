"""What becomes of the commands where standard output or error takes nothing, or nobody can listen."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest

from support.processes import COPRA_TX, Process, process


def shell(line: str) -> AbstractAsyncContextManager[Process]:
    """Run the command by way of a shell, which says where its output goes."""
    return process("/bin/sh", "-c", f"exec {' '.join(COPRA_TX)} {line}")


@pytest.mark.parametrize("command", ["simulate --seconds 0.1", "doctor"])
async def test_without_standard_output_nothing_is_said(command: str) -> None:
    async with shell(f"{command} >&-") as running:
        assert (await running.ended(), running.errors) == (0, "")


@pytest.mark.parametrize("command", ["simulate", "doctor"])
async def test_a_full_disk_is_told_by_all(command: str) -> None:
    async with shell(f"{command} >/dev/full") as running:
        assert await running.ended() == 1
        assert running.errors == "copra-tx: cannot write to standard output: No space left on device\n"


async def test_without_standard_error_complaints_do_not_stand_among_the_messages() -> None:
    async with shell("demo NOPE-USD 2>&-") as running:
        assert (await running.ended(), running.text) == (1, "")


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1"])
async def test_an_address_of_another_machine_is_told(host: str) -> None:
    async with shell(f"simulate --host {host}") as running:
        assert await running.ended() == 1
        assert running.errors.startswith(f"copra-tx: cannot listen on {host}:0: ")
        assert running.errors.endswith("; choose a --host of this machine\n")


async def test_a_reader_that_leaves_the_doctor_is_no_error() -> None:
    async with process(*COPRA_TX, "doctor") as running:
        await running.wrote("GuestReactor")
        running.close_output()
        assert (await running.ended(), running.errors) == (0, "")
