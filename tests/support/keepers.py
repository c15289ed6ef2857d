"""Book clients on a simulated exchange in memory."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from copra_tx.book import Book, BookState, Level3Book
from copra_tx.books import BookClient
from copra_tx.simulator import TEST_KEY
from copra_tx.websocket import Channel
from copra_tx.websocket.pacing import Pacer
from support.exchange import Hall
from support.reactors import FakeReactor

__all__ = ["BTC", "BookRecorder", "Venue", "truth"]

BTC = "BTC-USD"


class BookRecorder(BookClient):
    """Keeps what its callbacks get, in order; of books, state and sequence (or best bid)."""

    jitter = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.told: list[tuple[Any, ...]] = []
        super().__init__(*args, **kwargs)

    def on_book(self, book: Book[Any]) -> None:
        self.told.append(("book", book.product_id, book.state))

    def on_drift(self, book: Book[Any], drifts: Any) -> None:
        self.told.append(("drift", book.product_id, drifts))
        super().on_drift(book, drifts)

    def on_error(self, message: str, reason: str = "") -> None:
        self.told.append(("error", message, reason))

    def on_close(self, was_clean: bool, code: int, reason: str) -> None:
        self.told.append(("close", code))
        super().on_close(was_clean, code, reason)

    def states(self, product_id: str = BTC) -> list[BookState]:
        """Return the states of a book so far, each once in a row."""
        states = [told[2] for told in self.told if told[:2] == ("book", product_id)]
        return [state for before, state in zip([None, *states], states, strict=False) if state is not before]

    def heard(self, kind: str) -> list[tuple[Any, ...]]:
        """Return what one callback was told."""
        return [told[1:] for told in self.told if told[0] == kind]


class Venue(Hall):
    """A ``Hall`` with a market of orders, that ends in good order."""

    def __init__(self, reactor: FakeReactor, seed: int = 7, **arguments: Any) -> None:
        super().__init__(reactor, **({"seed": seed, "products": [BTC]} | arguments))
        self._reactor = reactor
        self.clients: list[BookRecorder] = []

    def client(self, channels: Any, *, kind: type[BookRecorder] = BookRecorder, **options: Any) -> Any:
        """Make a client that dials the exchange."""
        client = kind(
            None,
            channels,
            self.exchange.url,
            **{
                "auth": True,
                "key": TEST_KEY.key,
                "secret": TEST_KEY.secret,
                "passphrase": TEST_KEY.passphrase,
                "reactor": self._reactor,
                "pacer": Pacer(self._reactor, rate=1000, burst=1000),
                "rest_url": self.exchange.rest_url,
            }
            | options,
        )
        self.clients.append(client)
        return client

    def end(self) -> None:
        """Close the clients, stop the exchange, and see that no timer is left."""
        for client in self.clients:
            client.close()
        self.exchange.stopService()
        self.pass_time(10.0, step=1.0)
        assert self._reactor.getDelayedCalls() == []


def truth(hall: Hall, book: Book[Any]) -> bool:
    """Tell whether a book of orders is the venue's at its own sequence."""
    market: Any = hall.exchange.market
    assert isinstance(book, Level3Book)
    assert book.sequence is not None
    there = market.book_at(book.product_id, book.sequence)
    return all(
        [(order.price, order.size, order.order_id) for order in book.orders(side)]
        == [(Decimal(price), Decimal(size), order_id) for price, size, order_id in there.orders(side)]
        for side in ("buy", "sell")
    )


def channel(name: str, *products: str) -> Channel:
    """Return a channel of these products, or of the only one."""
    return Channel(name, list(products) or [BTC])
