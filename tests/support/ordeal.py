"""
A client with a book, a numbered channel of another product and heartbeats, that lives through a schedule of faults.

    ordeal = Ordeal(seed)
    ordeal.live_through()  # AssertionError, with the schedule in its words, for whatever is not as promised

The promises: every number came or was told missing, once, and nothing else was (``support.ledger``); whenever the book
is ``LIVE`` it is the venue's at its own sequence, also right after each frame that shows a loss; when the faults are
over the client is ready again and its book ``LIVE``.

Many seeds share a market, which takes longer to make than to live in; each begins elsewhere in it.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
from txaio.tx import config as txaio_config

from copra_tx.book import BookState
from copra_tx.books import BookClient
from copra_tx.integrity.gaps import Gap
from copra_tx.websocket import Channel
from support.keepers import BTC, Venue
from support.ledger import Ledger
from support.reactors import FakeReactor
from support.schedules import FaultSchedule
from support.truths import true_levels, true_orders

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KINDS", "Ordeal"]

ETH = "ETH-USD"

KINDS = ("full", "level3", "advanced")
"""What a seed may be about: a book of orders from either channel, or one of levels on the Advanced Trade feed."""

SEEDS_A_MARKET = 100

MINUTES = 1
"""Length of the market's period: some schedules live through its end, where every order is cancelled."""

ENDS = 10.0
"""Seconds after which nothing goes wrong any more."""

LONGEST_QUIET = 45.0
"""Seconds after that: a wait of 30 s may have begun just then, and what follows takes a while, too."""

SETTLED = 2.0
"""Seconds for which all must stay well then."""


class Witness(BookClient):
    """
    Writes down what it is told, and has the book looked at whenever a number is out of order.

    Attributes:
        log: Messages, gaps and the position of each line among the venue's, in order.
        happened: How often what was told.
        problems: What was seen to be wrong.
        newest: The newest message that its book was made of on this line.
    """

    jitter = 0.0

    def __init__(self, *args: Any, ordeal: Ordeal, **kwargs: Any) -> None:
        self.log: list[Any] = []
        self.happened: Counter[str] = Counter()
        self.problems: list[str] = []
        self.newest: Any = None
        self._ordeal, self._next = ordeal, -1
        super().__init__(*args, **kwargs)

    def on_open(self) -> None:
        self.log.append(len(self._ordeal.venue.lines))
        self.newest, self._next = None, -1
        super().on_open()

    def on_message(self, message: Any) -> None:
        super().on_message(message)
        self.log.append(message)
        number = self._ordeal.number_for_book(message)
        if number is None:
            return
        if number >= self._next:
            self.newest = message
        if number != self._next:
            self.look()
        self._next = max(self._next, number + 1)

    def on_gap(self, gap: Gap) -> None:
        super().on_gap(gap)
        self.log.append(gap)
        if not gap.channel and not gap.recovered and self.books[BTC].state is BookState.LIVE:
            self.problems.append(f"the book is LIVE after {gap}")

    def look(self) -> None:
        """See that the book is right, or does not say so."""
        if self.books[BTC].state is BookState.LIVE and not self._ordeal.book_is_true():
            self.problems.append(f"the book is not the venue's after {self.newest}")

    def on_stall(self, what: str, seconds: float) -> None:
        self.happened["stall"] += 1
        super().on_stall(what, seconds)

    def on_error(self, message: str, reason: str = "") -> None:
        self.happened["error"] += 1

    def on_close(self, was_clean: bool, code: int, reason: str) -> None:
        self.happened["close"] += 1
        super().on_close(was_clean, code, reason)


class Ordeal:
    """
    One seed.

    Args:
        seed: Decides what the client subscribes to, what goes wrong, and where in the market it all begins.
        kind: One of ``KINDS``; by default the seed decides that, too.

    Attributes:
        schedule: What goes wrong.
        happened: How often what happened.
    """

    def __init__(self, seed: int, kind: str | None = None) -> None:
        chance = random.Random(f"ordeal {seed}")
        self.seed, self.kind = seed, kind or KINDS[seed % len(KINDS)]
        self.is_advanced = self.kind == "advanced"
        self.happened: Counter[str] = Counter()
        self._reactor = txaio_config.loop = FakeReactor()
        self.venue = Venue(
            self._reactor,
            seed=seed // SEEDS_A_MARKET,
            products=[BTC, ETH],
            order_rate=8.0,
            book_depth=10,
            market_minutes=MINUTES,
            feed="advanced" if self.is_advanced else "exchange",
        )
        self._reactor.advance(chance.random() * 60 * MINUTES)
        self._began = self._reactor.seconds()
        self._step = chance.choice((1 / 16, 1 / 8, 1 / 4))
        self._channels = ("level2", "market_trades") if self.is_advanced else (self.kind, "matches")
        own, trades = self._channels
        streams: list[tuple[str, str | None]] = [(own, BTC), (own, BTC), (trades, ETH)]
        channels = [Channel(own, BTC), Channel(trades, ETH)]
        self._hears_beats = chance.random() < 0.5
        if self._hears_beats:
            beats = Channel("heartbeats") if self.is_advanced else Channel("heartbeat", [BTC, ETH])
            streams.append((beats.name, None))
            channels.append(beats)
        # Of Advanced Trade, heartbeats that are not delivered have numbers nonetheless, which the test would not see.
        options = {"feed": "advanced", "auth": False, "heartbeats": False} if self.is_advanced else {}
        self.client: Any = self.venue.client(channels, kind=Witness, ordeal=self, **options)
        self.schedule = FaultSchedule(seed, streams, ends=ENDS)
        self.schedule.arrange(self.venue.exchange, self._reactor)

    def live_through(self) -> None:
        """Live through it all, and hold what was told against what was so."""
        chance = random.getstate()
        random.seed(f"waits {self.seed}")  # REST requests that are tried again wait by chance
        try:
            self._live_until_settled()
            self._hold_numbers_against_the_lines()
        except AssertionError as error:
            where = f"seed {self.seed} ({self.kind}), {self._time():.3f} s after it began"
            raise AssertionError(f"{where}: {error}\n{self.schedule!r}") from error
        finally:
            random.setstate(chance)
        self.venue.end()

    def number_for_book(self, message: Any) -> int | None:
        """Return the number of a message that the book is made of; ``None`` for any other."""
        if type(message) is list:
            return int(message[2])
        if self.is_advanced:
            is_own = message.get("channel") == "l2_data"
            return message["sequence_num"] if is_own else None
        is_own = message.get("product_id") == BTC and message["type"] != "heartbeat"
        return message.get("sequence") if is_own else None

    def book_is_true(self) -> bool:
        """Tell whether the book, which is ``LIVE``, is the venue's at its own sequence."""
        market: Any = self.venue.exchange.market
        book = self.client.books[BTC]
        if self.is_advanced:
            levels = (book.bids(), book.asks())
            return any(levels == there for there in true_levels(market, BTC, self.client.newest))
        return true_orders(market, BTC, book.sequence) == (book.orders("buy"), book.orders("sell"))

    # -- inside

    def _time(self) -> float:
        return self._reactor.seconds() - self._began

    def _pass_time(self) -> None:
        self.venue.pass_time(0.5, self._step)
        self.client.look()
        assert not self.client.problems, self.client.problems[0]

    def _is_well(self) -> bool:
        return self.client.books[BTC].state is BookState.LIVE and self.client.status.is_ready

    def _live_until_settled(self) -> None:
        while self._time() < ENDS:
            self._pass_time()
        well_since: float | None = None
        while well_since is None or self._time() - well_since < SETTLED:
            assert self._time() < ENDS + LONGEST_QUIET, (
                f"not well again: {self.client.status}, {self.client.books[BTC]}"
            )
            self._pass_time()
            well_since = (well_since or self._time()) if self._is_well() else None

    def _hold_numbers_against_the_lines(self) -> None:
        """Go through what came and what was told, line by line."""
        log, client = self.client.log, self.client
        ledgers = {} if self.is_advanced else {BTC: Ledger(), ETH: Ledger()}
        done: list[Ledger] = [*ledgers.values()]
        starts = [index for index, entry in enumerate(log) if type(entry) is int]
        for start, end in pairwise([*starts, len(log)]):
            frames = self._frames(log[start])
            if self.is_advanced:
                ledgers = {"": Ledger(begins=0)}
                done += ledgers.values()
            self._read_line(log[start + 1 : end], frames, ledgers)
        for ledger in done:
            ledger.close()
        for name in ("gaps", "missing", "late", "repeated"):
            counted, so = getattr(client.counters, name), sum(getattr(ledger, name) for ledger in done)
            assert counted == so, f"{counted} {name} were counted, and there were {so}"
            self.happened[name] = so
        self.happened["recovered"] = sum(ledger.recovered for ledger in done)
        self.happened["lines"] = len(starts)
        self.happened.update(client.happened)

    def _read_line(self, told: list[Any], frames: list[Any], ledgers: dict[str, Ledger]) -> None:
        """Read what was told on one line beside what the venue put on it, which is more if the line was lost."""
        at = 0
        for index, entry in enumerate(told):
            if isinstance(entry, Gap):
                ledgers[entry.product_id].take_gap(entry)
                assert entry.recovered or self._is_justified(entry, told[index:], frames, at), f"{entry}: why?"
                continue
            while at < len(frames) and frames[at] != entry:
                assert self._may_be_hidden(frames[at]), f"{frames[at]} was not delivered"
                at += 1
            assert at < len(frames), f"{entry} was delivered, and not sent"
            at += 1
            self._take(entry, ledgers)

    def _take(self, message: Any, ledgers: dict[str, Ledger]) -> None:
        product_id, number, may_repeat = self._number_of(message)
        if number is not None:
            ledgers[product_id].take(number, may_repeat=may_repeat)

    def _number_of(self, message: Any) -> tuple[str, int | None, bool]:
        """Return whose number a message has, which, and whether the venue sends it again on purpose."""
        if self.is_advanced:
            return "", message["sequence_num"], False
        if type(message) is dict and message["type"] in ("match", "last_match") and message["product_id"] == ETH:
            return ETH, message["trade_id"], message["type"] == "last_match"
        return BTC, self.number_for_book(message), False

    def _is_justified(self, gap: Gap, told: list[Any], frames: list[Any], at: int) -> bool:
        """Tell whether a gap shows by the next message, or by what a heartbeat said before the latest one."""
        message = next((one for one in told if not isinstance(one, Gap)), None)
        if message is not None and self._number_of(message)[:2] == (gap.product_id, gap.received):
            return True
        if self.is_advanced:
            return False
        while at < len(frames) and _is_heartbeat(frames[at]):
            at += 1
        member = "last_trade_id" if gap.channel == "matches" else "sequence"
        beats = [one[member] for one in frames[:at] if _is_heartbeat(one) and one["product_id"] == gap.product_id]
        return any(beat >= gap.received - 1 for beat in beats[:-1])

    def _may_be_hidden(self, frame: Any) -> bool:
        is_answer = type(frame) is dict and frame.get("type") == "subscriptions"
        return not self._hears_beats and not self.is_advanced and (is_answer or _is_heartbeat(frame))

    def _frames(self, lines: int) -> list[Any]:
        """Return what the venue put on the newest of the first so many lines that was upgraded."""
        for line in reversed(self.venue.lines[:lines]):
            head, _, frames = line.value().partition(b"\r\n\r\n")
            if b" 101 " in head[:20]:
                return list(_messages(frames))
        raise AssertionError("no line was upgraded")


def _is_heartbeat(message: Any) -> bool:
    return type(message) is dict and message.get("type") == "heartbeat"


def _messages(octets: bytes) -> Iterator[Any]:
    """Yield the messages in the frames of a server: whole, not masked, not compressed."""
    at = 0
    while at < len(octets):
        size, begin = octets[at + 1], at + 2
        if size > 125:
            begin = at + (4 if size == 126 else 10)
            size = int.from_bytes(octets[at + 2 : begin], "big")
        if octets[at] == 0x81:
            yield msgspec.json.decode(octets[begin : begin + size])
        at = begin + size
