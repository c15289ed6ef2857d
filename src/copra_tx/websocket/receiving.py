"""
The fast way in: plain text frames go straight from the receive buffer to the client.

Autobahn's parser makes some sixty calls for each message, whoever listens. Nearly all that a feed sends are whole text
frames, which need nothing of that. ``FastReceiving`` takes these and leaves everything else to Autobahn's parser, frame
by frame: control frames, fragments, binary and masked frames, reserved bits, wrong lengths, messages over a limit, bad
UTF-8. What is a violation, which close code is sent, what answers a ping: all of that stays Autobahn's.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from autobahn.twisted.websocket import WebSocketClientProtocol

from .decoding import LARGE
from .frames import COMPRESSED_TEXT, NO_LIMIT, TEXT, header_size, single_payload, split
from .inflating import fail, inflate
from .traffic import Traffic

__all__ = ["MESSAGE_PATH", "FastReceiving"]

MESSAGE_PATH = (
    *("dataReceived", "consumeData", "processData", "onFrameBegin", "onFrameData", "onFrameEnd"),
    *("onMessageBegin", "onMessageFrameBegin", "onMessageFrameData", "onMessageFrameEnd", "onMessageFrame"),
    *("onMessageEnd", "onMessage", "_dataReceived", "_onMessageBegin", "_onMessageFrameBegin", "_onMessageFrameData"),
    *("_onMessageFrameEnd", "_onMessageFrame", "_onMessageEnd", "_onMessage"),
)
"""Where a subclass can look into a message on its way: one that does gets Autobahn's way for all."""

ASSUMED = (
    *("current_frame", "data", "inside_message", "trafficStats", "_listeners", "_perMessageCompress"),
    *("autoPingInterval", "logFrames", "logOctets", "maxFramePayloadSize", "maxMessagePayloadSize", "trackedTimings"),
)
"""What is read or written of Autobahn's state beside the calls above; a release without one gets its own way."""


OPEN, CLOSING, CLOSED = (
    WebSocketClientProtocol.STATE_OPEN,
    WebSocketClientProtocol.STATE_CLOSING,
    WebSocketClientProtocol.STATE_CLOSED,
)


_SOME = 32  # messages: more are not looked at before each that may not be taken


class FastReceiving(WebSocketClientProtocol):  # type: ignore[misc]  # Autobahn is not looked at
    """
    An Autobahn client protocol that hands plain text frames to ``_take_payloads`` instead of to its parser.

    Attributes:
        receives_fast: Whether it does so. Decided when the line opens, by the class and the options.
    """

    data: bytes  # Autobahn's receive buffer
    trafficStats: Any  # noqa: N815  # Autobahn's; a ``Traffic`` where it receives fast
    receives_fast = False
    _most = NO_LIMIT  # octets of a payload that is taken
    _pieces: list[bytes] | None = None  # of a frame that is not complete; Autobahn's buffer is empty meanwhile
    _lacking = 0  # octets that frame still lacks
    _is_idle = False  # whether the last read left nothing, so that the next one may be a message, and no more

    def _take_payload(self, payload: bytes) -> bool:
        """Take one message, and tell whether it was taken; as ``_take_payloads``."""
        raise NotImplementedError

    def _take_payloads(self, payloads: Sequence[bytes]) -> int:
        """
        Take messages, and return how many.

        Fewer than all, if one cannot be decoded, or if the line is not open any more: the rest is for Autobahn's
        parser.
        """
        raise NotImplementedError

    def _begin_fast_receiving(self) -> None:
        """Decide whether this line receives fast; when it has opened."""
        self.receives_fast = (
            _is_untouched(type(self).__mro__)
            and all(hasattr(self, name) for name in ASSUMED)
            and not (self.logOctets or self.logFrames or self.trackedTimings or self.autoPingInterval)
        )
        if self.receives_fast:
            self.trafficStats = Traffic(self.trafficStats)
            limits = [limit for limit in (self.maxFramePayloadSize, self.maxMessagePayloadSize) if limit]
            self._most = min(limits, default=NO_LIMIT)

    def _is_between_messages(self) -> bool:
        return self.state == OPEN and self.current_frame is None and not self.inside_message and self._listeners is None

    def dataReceived(self, data: bytes) -> None:
        """Take what a read brought."""
        if self._is_idle and self.state == OPEN and self._listeners is None:  # at real rates that is all but always so
            payload = single_payload(data, self._most)
            if payload is not None and self._take_payload(payload):
                traffic = self.trafficStats
                traffic.single_messages += 1
                traffic.single_octets += len(payload)
                traffic.single_octets_read += len(data)
                return
        self._is_idle = False
        if self._pieces is not None:
            self._receive_piece(data)
        else:
            self._dataReceived(data)  # Autobahn's own dataReceived adds a log line that is formatted and dropped
        self._is_idle = (
            self.receives_fast
            and self._perMessageCompress is None
            and not self.data
            and self._pieces is None
            and self._is_between_messages()
        )

    def consumeData(self) -> None:
        """Work off the receive buffer."""
        if not self.receives_fast or self.state not in (OPEN, CLOSING):
            super().consumeData()
            return
        while True:
            if self._is_between_messages() and (not self._consume_plain(self.data) or self.state == CLOSED):
                return
            # one step of Autobahn's parser: a header, or a payload as far as it is there
            if not self.processData() or self.state == CLOSED:
                return

    def _consume_plain(self, data: bytes, start: int = 0) -> bool:
        """
        Take the plain frames that begin at ``start``, and tell whether the next one is Autobahn's to parse.

        What is left is in Autobahn's buffer then, or among the pieces.
        """
        while True:
            kind = TEXT
            if self._perMessageCompress is not None and data[start : start + 1] == b"\xc1":
                kind = COMPRESSED_TEXT
            payloads, octets, position, lacking, is_foreign = split(data, start, self._most, kind)
            self.data = data[position:]
            if kind == COMPRESSED_TEXT:
                if not self._take_compressed(payloads):
                    return True
            elif payloads:
                left = self._take_and_count(payloads, octets)
                if left and not self._have_judged(left, data[position - _size(left) : position]):
                    return True
            if is_foreign and payloads and self._perMessageCompress is not None:
                data, start = self.data, 0  # what follows may be the other kind of plain frame
                continue
            if lacking:
                self._pieces, self._lacking, self.data = [self.data], lacking, b""
            return is_foreign

    def _take_and_count(self, payloads: Sequence[bytes], octets: int) -> Sequence[bytes]:
        """Take messages that have so many octets, and return those that were not taken."""
        taken = self._take_payloads(payloads)
        left = payloads[taken:]
        octets -= sum(map(len, left))
        self._count(taken, octets, octets)
        return left

    def _have_judged(self, left: Sequence[bytes], frames: bytes) -> bool:
        """
        Have Autobahn's parser judge a message that was not taken, and take those after it, until all are done.

        To cut them anew after each that cannot be taken would need minutes for a read that is full of these.

        Returns:
            Whether all are done; else what is left is in Autobahn's buffer, before what was there.
        """
        rest, self.data = self.data, b""
        done = begin = 0
        try:
            while self._is_between_messages() and done < len(left):
                self.data = frames[begin : begin + _size(left[done : done + 1])]
                done, begin = done + 1, begin + len(self.data)
                while self.processData() and self.state != CLOSED:
                    pass
                if self._is_between_messages() and (some := left[done : done + _SOME]):
                    done, begin = done + len(some), begin + _size(some)
                    back = self._take_and_count(some, sum(map(len, some)))
                    done, begin = done - len(back), begin - _size(back)
        finally:
            self.data += frames[begin:] + rest
        return self._is_between_messages()

    def _take_compressed(self, frames: Sequence[bytes]) -> bool:
        """Inflate and take messages; tell whether the line is still open."""
        left, done = iter(frames), 0
        while self.state == OPEN and done < len(frames):
            messages, error = inflate(self, left)
            taken = self._take_inflated(messages)
            octets = sum(map(len, frames[done : done + taken]))
            self._count(taken, octets, sum(map(len, messages[:taken])))
            done += taken
            if error is not None and self.state == OPEN:
                fail(self, error)
        return bool(self.state == OPEN)

    def _take_inflated(self, messages: Sequence[bytes]) -> int:
        """Take messages of which the last may be a large one, and return how many, be it for Autobahn to judge."""
        done = 0
        while done < len(messages) and self.state == OPEN:
            begin, end = done, len(messages)
            if len(messages[-1]) > LARGE and begin < end - 1:
                end -= 1
            done += self._take_payloads(messages[begin:end])
            if done < end and self.state == OPEN:
                self._take_undecodable(messages[done])
                done += self.state == OPEN
        return done

    def _take_undecodable(self, payload: bytes) -> None:
        # An inflated frame cannot be handed back to Autobahn's parser: say what that would.
        try:
            payload.decode()
        except UnicodeDecodeError as error:
            self._invalid_payload(
                f"encountered invalid UTF-8 while processing text message at payload octet index {error.start}"
            )
        else:
            self._onMessage(payload, isBinary=False)

    def _receive_piece(self, data: bytes) -> None:
        pieces, lacking = self._pieces or [], self._lacking
        if self.state == OPEN and len(data) < lacking:
            pieces.append(data)
            self._lacking -= len(data)
            self.trafficStats.incomingOctetsWireLevel += len(data)
            return
        self._pieces = None
        if self.state != OPEN:  # nothing for us any more: back to where it belongs
            self.data = b"".join(pieces)
            self._dataReceived(data)
            return
        # It is complete. All that follows it is cut where it is: to join them would copy the whole read.
        self.trafficStats.incomingOctetsWireLevel += len(data)
        pieces.append(data[:lacking])
        self.data = b"".join(pieces)
        try:
            self.consumeData()
        except BaseException:  # Ctrl-C in a callback: what follows is still to come
            self.data += data[lacking:]
            raise
        if self.data or not self._is_between_messages():  # it was not to be taken, or something ended the line
            self.data += data[lacking:]
            if self.state != CLOSED:
                self.consumeData()
        elif self._consume_plain(data, lacking):
            self.consumeData()

    def _count(self, messages: int, octets: int, inflated_octets: int) -> None:
        stats = self.trafficStats
        stats.incomingOctetsWebSocketLevel += octets
        stats.incomingOctetsAppLevel += inflated_octets
        stats.incomingWebSocketFrames += messages
        stats.incomingWebSocketMessages += messages


def _size(payloads: Sequence[bytes]) -> int:
    """Return how many bytes the frames have."""
    return sum(len(payload) + header_size(len(payload)) for payload in payloads)


@functools.cache
def _is_untouched(classes: tuple[type[Any], ...]) -> bool:
    """Tell whether every step of a message's way is there, and ours or Autobahn's own."""
    makers = [next((base.__module__ for base in classes if name in vars(base)), "") for name in MESSAGE_PATH]
    return all(maker.partition(".")[0] in ("autobahn", "copra_tx") for maker in makers)
