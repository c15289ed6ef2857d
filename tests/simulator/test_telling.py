"""What the channels make of the messages of ``full``."""

from __future__ import annotations

from typing import Any

import pytest

from copra_tx.simulator.telling import level3_row, public
from support.samples import samples

FULL, SCHEMA = samples("server"), samples("server")["level3-schema"]["schema"]
ROWS = [name for name in FULL if name.startswith("level3-") and name != "level3-schema"]


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_made_as_the_venues(name: str) -> None:
    """Whatever the row's own message in ``full`` was, the row is the sample's."""
    row: Any = FULL[name]
    fields = dict(zip(SCHEMA[row[0]], row, strict=True))
    size = fields.pop("size", "0")
    message = {**fields, "sequence": int(row[2]), "remaining_size": size, "new_size": size, "size": size}
    if row[0] == "noop":
        message["type"] = "received"
    assert level3_row(message) == row


@pytest.mark.parametrize("name", ["received-limit", "received-market", "open", "done-filled", "match", "change-stp"])
def test_every_message_has_a_row_that_fits_the_schema(name: str) -> None:
    row = level3_row(FULL[name])
    assert len(row) == len(SCHEMA[row[0]])
    assert all(isinstance(member, str) for member in row)
    assert row[2] == str(FULL[name]["sequence"])


def test_a_modified_order_has_its_new_price() -> None:
    assert level3_row(FULL["change-modify"])[3:6] == [FULL["change-modify"]["order_id"], "6", "80"]


def test_a_change_without_a_price_is_a_noop() -> None:
    change = {name: value for name, value in FULL["change-stp"].items() if name != "price"}
    assert level3_row(change)[0] == "noop"


def test_others_see_nothing_private() -> None:
    assert set(FULL["match-own-taker"]) - set(public(FULL["match-own-taker"])) == {
        *("taker_user_id", "user_id", "taker_profile_id", "profile_id", "taker_fee_rate"),
    }
    assert public(FULL["match"]) == FULL["match"]
