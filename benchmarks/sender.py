"""
The sender: a process that has everything ready before it sends.

``python -m benchmarks.sender`` prints one line ``ws PORT wss PORT ca_file PATH`` and ends with its standard input. A
client connects to ``ws://localhost:PORT/PROFILE?messages=N&segment=N``; once it has subscribed, it gets the answer to
that, and the messages.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import trustme

from copra_tx.simulator.market import Market

from .corpus import CHANNELS, PRODUCTS, STREAMS
from .frames import MARK, Deflater, final_mark, frame, marked
from .profiles import PROFILES, Profile
from .upgrade import accept, await_frame
from .wire import PlainWire, TlsWire, Wire

__all__ = ["STAMP", "Sender"]

SUBSCRIPTIONS = json.dumps(
    {
        "type": "subscriptions",
        "channels": [{"name": name, "product_ids": PRODUCTS, "account_ids": None} for name in CHANNELS],
    }
).encode()

STAMP = "sent_ns"
"""The field of a paced message that tells when it was sent, on ``time.monotonic_ns``."""

DEFLATING = frozenset(name for name, profile in PROFILES.items() if profile.deflate)

_DIGITS = 19
_SLEEP = 200_000  # ns: a shorter wait is spun away
_LATE = 1_000_000  # ns


class Sender:
    """Serves any number of clients, each in a thread, from frames that are made once."""

    def __init__(self) -> None:
        self._market = Market()
        self._authority = trustme.CA()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("localhost", "127.0.0.1").configure_cert(self._context)
        # The next client of a profile gets the same frames.
        self._frames = functools.lru_cache(maxsize=4)(self._make_frames)

    def write_ca(self, path: Path) -> None:
        """Write the authority's certificate, for clients to trust."""
        self._authority.cert_pem.write_to_path(str(path))

    def listen(self, *, tls: bool) -> int:
        """Listen on a port of the system's choice, and return it."""
        listening = socket.create_server(("127.0.0.1", 0))

        def accept_clients() -> None:
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=self._serve, args=(connection, tls), daemon=True).start()

        threading.Thread(target=accept_clients, daemon=True).start()
        port: int = listening.getsockname()[1]
        return port

    def _serve(self, connection: socket.socket, tls: bool) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, contextlib.suppress(OSError):  # the client leaves as soon as it has the last mark
            wire = TlsWire(connection, self._context) if tls else PlainWire(connection)
            request = accept(wire, DEFLATING)
            self._send(wire, PROFILES[request.profile], request.query, request.buffered)
            while wire.receive():
                pass

    def _send(self, wire: Wire, profile: Profile, query: dict[str, int], buffered: bytes) -> None:
        messages, segment = query.get("messages", profile.messages), query.get("segment", profile.segment)
        if profile.rate:
            payloads = list(itertools.islice(STREAMS[profile.stream](self._market), messages))
            await_frame(wire, buffered)
            _send_paced(wire, payloads, segment, profile.rate)
            return
        frames = self._frames(profile, messages, segment)
        await_frame(wire, buffered)
        if profile.counted:
            for one in frames:
                wire.send(one)
                wire.wait_until_read()
        else:
            wire.stream(frames, record_per_frame=profile.record_per_message)

    def _make_frames(self, profile: Profile, messages: int, segment: int) -> Sequence[bytes]:
        encode = Deflater().frame if profile.deflate else frame
        payloads = STREAMS[profile.stream](self._market)
        return [encode(SUBSCRIPTIONS), *marked(payloads, messages, segment, encode)]


def _send_paced(wire: Wire, payloads: Sequence[bytes], segment: int, rate: float) -> None:
    """Send one message after the other, each when it is due; tell at the end how well that went."""
    gap = int(1e9 / rate)
    ready = [_stamped(payload) for payload in payloads]
    mark = frame(MARK)
    wire.send(frame(SUBSCRIPTIONS))
    began = due = time.monotonic_ns() + gap
    late = 0
    for number, (message, at) in enumerate(ready):
        if number % segment == 0:
            _wait_until(due)
            wire.send(mark)
            due += gap
        now = _wait_until(due)
        late += now - due > _LATE
        message[at : at + _DIGITS] = b"%19d" % now
        wire.send(message)
        due += gap
    took = (_wait_until(due) - began) / 1e9
    wire.send(frame(final_mark(rate=len(payloads) / took, late=late / len(payloads))))


def _wait_until(due: int) -> int:
    """Return at that moment, or at once if it has passed; and which it is."""
    while (now := time.monotonic_ns()) < due:
        if due - now > _SLEEP:
            time.sleep((due - now - _SLEEP) / 1e9)
    return now


def _stamped(payload: bytes) -> tuple[bytearray, int]:
    """Return a frame with room for the moment of its sending, and where in it that is."""
    message = bytearray(frame(b'%b,"%b":%19d}' % (payload[:-1], STAMP.encode(), 0)))
    return message, len(message) - 1 - _DIGITS


def main() -> None:
    """Send until nobody wants it any more."""
    sender = Sender()
    with tempfile.TemporaryDirectory(prefix="copra-tx-bench-") as folder:
        ca_file = Path(folder, "ca.pem")
        sender.write_ca(ca_file)
        print(f"ws {sender.listen(tls=False)} wss {sender.listen(tls=True)} ca_file {ca_file}", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
