"""What a gap says."""

from __future__ import annotations

import pytest

from copra_tx.integrity.gaps import Gap


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (
            Gap("", "", 5, 8, 3, "sequence_num skipped"),
            "the connection: 3 messages missing (sequence_num skipped; expected 5, received 8)",
        ),
        (
            Gap("full", "BTC-USD", 5, 6, 1, "sequence skipped"),
            "full BTC-USD: 1 message missing (sequence skipped; expected 5, received 6)",
        ),
        (
            Gap("matches", "BTC-USD", 5, 7, 2, "trade_id skipped", recovered=True),
            "matches BTC-USD: 2 messages came late (expected 5, received 7)",
        ),
    ],
)
def test_a_gap_says_what_is_missing_and_how_it_showed(gap: Gap, text: str) -> None:
    """Whoever logs it needs no more."""
    assert str(gap) == text


def test_a_gap_is_a_value() -> None:
    """It is handed to several, and none can change it for the others."""
    gap = Gap("", "", 1, 2, 1, "why")
    assert gap == Gap("", "", 1, 2, 1, "why")
    assert hash(gap) == hash(Gap("", "", 1, 2, 1, "why"))
    with pytest.raises(AttributeError):
        gap.missing = 0  # type: ignore[misc]
