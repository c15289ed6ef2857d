"""What can be done wrong on purpose to answers of the REST interface."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .planned import Planned

__all__ = ["RestFaults", "RestPlans", "Treatment"]


@dataclass(frozen=True, slots=True)
class Treatment:
    """
    What is done to one request.

    Attributes:
        about: What its path must contain.
        status: HTTP status to refuse it with; zero: it is answered.
        message: What the refusal says.
        retry_after: Value of the ``Retry-After`` header; ``None`` sends none.
        seconds: How long the answer is held back, or how far what it shows is off.
        cut: Whether the line ends in the middle of the body.
    """

    about: str = ""
    status: int = 0
    message: str = ""
    retry_after: str | None = None
    seconds: float = 0.0
    cut: bool = False


class RestPlans:
    """What is planned for requests still to come; one of each kind is done to a request at most."""

    def __init__(self) -> None:
        self.refusals: Planned[Treatment] = Planned()
        self.delays: Planned[Treatment] = Planned()
        self.cuts: Planned[Treatment] = Planned()
        self.shifts: Planned[Treatment] = Planned()
        self.unlisted: set[tuple[str, int]] = set()  # product and trade

    def forget(self) -> None:
        """Plan nothing any more."""
        for planned in (self.refusals, self.delays, self.cuts, self.shifts):
            planned.clear()
        self.unlisted.clear()


class RestFaults:
    """
    What can be done to requests of the REST interface that are still to come.

    ``count`` says to how many of the next (``math.inf``: to all). A second call of the same method queues up behind the
    first; different ones add up. ``about`` takes only requests whose path contains it, such as ``"/trades"``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rest_plans = RestPlans()

    def refuse_requests(
        self,
        count: float = 1,
        *,
        status: int = 429,
        message: str = "Public rate limit exceeded",
        retry_after: float | str | None = None,
        about: str = "",
    ) -> None:
        """
        Answer the next requests with an HTTP error.

        Args:
            count: How many.
            status: HTTP status.
            message: What the body says.
            retry_after: The ``Retry-After`` header, in seconds or as text; ``None`` sends none, as the venue does.
            about: What their path must contain.
        """
        header = f"{retry_after:g}" if isinstance(retry_after, int | float) else retry_after
        self._rest_plans.refusals.add(Treatment(about, status, message, header), count)

    def delay_requests(self, count: float = 1, *, seconds: float = 5.0, about: str = "") -> None:
        """Answer the next requests late: the answer is made at once and held back for ``seconds``."""
        self._rest_plans.delays.add(Treatment(about, seconds=seconds), count)

    def cut_requests(self, count: float = 1, *, about: str = "") -> None:
        """Send half of the body of the next answers, then end the line."""
        self._rest_plans.cuts.add(Treatment(about, cut=True), count)

    def serve_old_books(self, count: float = 1, *, seconds: float = 1.0) -> None:
        """Answer the next requests of a book with one that is ``seconds`` of the market old."""
        self._rest_plans.shifts.add(Treatment("/book", seconds=-seconds), count)

    def serve_early_books(self, count: float = 1, *, seconds: float = 1.0) -> None:
        """Answer the next requests of a book with one that is ``seconds`` of the market ahead of the feed."""
        self._rest_plans.shifts.add(Treatment("/book", seconds=seconds), count)

    def serve_old_trades(self, count: float = 1, *, seconds: float = 1.0) -> None:
        """Answer the next requests of trades without those of the last ``seconds`` of the market."""
        self._rest_plans.shifts.add(Treatment("/trades", seconds=-seconds), count)

    def unlist_trades(self, product_id: str, trade_ids: Iterable[int]) -> None:
        """List these trades in no answer any more, until ``behave``."""
        self._rest_plans.unlisted.update((product_id, trade_id) for trade_id in trade_ids)
