"""What counts as a number of a message."""

from __future__ import annotations

import pytest

from copra_tx.integrity.numbers import MOST_DIGITS, number_or_same


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("17", 17),
        ("0017", 17),
        ("9" * MOST_DIGITS, 10**MOST_DIGITS - 1),
        ("9" * (MOST_DIGITS + 1), "9" * (MOST_DIGITS + 1)),
        ("-1", "-1"),
        ("1.0", "1.0"),
        ("", ""),
        (17, 17),
        (True, True),
        (None, None),
    ],
)
def test_a_decimal_text_is_its_number_and_all_else_is_itself(value: object, number: object) -> None:
    read = number_or_same(value)
    assert (read, type(read)) == (number, type(number))
