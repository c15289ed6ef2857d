"""The recorded minute ships with the package, whole and as it was received, with its source and licence."""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from importlib import resources

from copra_tx.simulator.recording import load_recording

PACKAGE = resources.files("copra_tx.simulator")


def test_the_recording_is_byte_for_byte_the_published_one() -> None:
    packed = PACKAGE.joinpath("minute.jsonl.gz").read_bytes()
    digest = hashlib.sha256(gzip.decompress(packed)).hexdigest()
    assert digest == "eec01dd48ebf78c235cd69bc866feb18d8446e02bd32c0369fe305b20be267da"


def test_it_has_what_its_description_says() -> None:
    assert Counter(frame.message["type"] for frame in load_recording()) == {
        "subscriptions": 1,
        "snapshot": 2,
        "last_match": 2,
        "l2update": 1898,
        "match": 435,
        "heartbeat": 118,
    }
    levels = {
        frame.message["product_id"]: len(frame.message["bids"]) + len(frame.message["asks"])
        for frame in load_recording()
        if frame.message["type"] == "snapshot"
    }
    assert levels == {"BTC-USD": 42390, "ETH-USD": 22768}


def test_frames_are_the_bytes_received_and_what_they_mean() -> None:
    frame = load_recording()[0]
    assert frame.raw.startswith(b'{"type":"subscriptions","channels":[{"name":"level2_50",')
    assert frame.message["channels"][0]["product_ids"] == ["BTC-USD", "ETH-USD"]
    assert load_recording() is load_recording()


def test_source_and_licence_are_named_beside_it() -> None:
    description = PACKAGE.joinpath("minute.DATA.txt").read_text()
    assert "davidvo-lyft/flashbook" in description
    assert "minute.LICENCE.txt" in description
    licence = PACKAGE.joinpath("minute.LICENCE.txt").read_text()
    assert licence.startswith("MIT License\n\nCopyright (c) 2026 David Vo\n")
    assert "Permission is hereby granted, free of charge" in licence
