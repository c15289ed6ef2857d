"""What is sent: the kinds of load."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MINUTE", "PROFILES", "Profile"]

MINUTE = 2_718
"""Messages of the recorded minute, what is sent at its beginning included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """
    One kind of load.

    Attributes:
        about: What it is, in words that follow its name in a table.
        stream: The messages; a stream of ``corpus``.
        messages: How many in one run.
        segment: Messages between two looks at the clock.
        tls: Over TLS.
        record_per_message: One TLS record for each message, else records are full (16 KiB).
        deflate: Compressed (permessage-deflate with context takeover).
        rate: Messages a second, each in a write of its own; 0 sends as fast as the client takes them.
        counted: Instructions are counted, under callgrind, of messages of which each is sent when the one before was
            read; else CPU time is taken.
        unit: In which unit its figures are given.
    """

    about: str
    stream: str = "small"
    messages: int = 100_000
    segment: int = 5_000
    tls: bool = False
    record_per_message: bool = False
    deflate: bool = False
    rate: float = 0.0
    counted: bool = False
    unit: str = "µs"

    @property
    def scheme(self) -> str:
        """The scheme of the URL."""
        return "wss" if self.tls else "ws"

    @property
    def stamped(self) -> bool:
        """Whether each message carries the moment of its sending."""
        return self.rate > 0


PROFILES = {
    "small": Profile(about="the recorded minute, messages of up to 1 kB"),
    "tick": Profile(about="ticker and match only", stream="tick"),
    "mix": Profile(about="the minute whole, snapshots included", stream="mix", messages=12 * MINUTE, segment=MINUTE),
    "wss": Profile(about="small over TLS, in records of 16 kB", tls=True),
    "wssrec": Profile(about="small over TLS, a record for each message", tls=True, record_per_message=True),
    "snap": Profile(about="snapshots of 1.4 MB", stream="snap", messages=40, segment=4, unit="ms"),
    "deflate": Profile(
        # In one segment: peers inflate far ahead and queue what came out, so a part of the stream says nothing.
        about="small, compressed with context takeover",
        segment=100_000,
        deflate=True,
    ),
    "paced": Profile(about="20 000 a second, a write for each", messages=60_000, segment=2_000, rate=20_000),
    "pacedwss": Profile(
        about="5 000 a second over TLS, a write for each", messages=20_000, segment=1_000, rate=5_000, tls=True
    ),
    "single": Profile(about="one message a read", counted=True, unit="thousand instructions"),
    "singlewss": Profile(about="one message a read, over TLS", counted=True, unit="thousand instructions", tls=True),
}
"""Every kind of load, by its name."""
