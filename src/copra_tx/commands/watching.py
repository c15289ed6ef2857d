"""``copra-tx watch`` and ``copra-tx demo``: a client whose messages are shown."""

from __future__ import annotations

import functools
import math
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from copra_tx.bridge import reactor_for
from copra_tx.configuration import Configuration
from copra_tx.errors import ClientClosedError
from copra_tx.service import FeedService
from copra_tx.websocket import FEED_URL, Client

from .complaints import about_line, about_subscription, remark
from .running import Run
from .shows import Show, show_for_stdout

__all__ = ["WatchingClient", "demo", "watch"]


class WatchingClient(Client):
    """
    Shows what comes.

    Until the server has confirmed the subscription, whatever goes wrong is the user's to mend, and ends the run. After
    that the client reconnects as ever, and tells the news.

    Args:
        arguments: As of ``Client``.
        show: Where to.
        run: The program's run.
        options: As of ``Client``.
    """

    def __init__(self, *arguments: Any, show: Show, run: Run, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._show, self._run = show, run
        self._confirmed = False
        self._early_news: list[str] = []
        run.expired = self._fault_at_the_deadline

    def on_open(self) -> None:
        """Subscribe, and see what becomes of it."""
        super().on_open()
        subscribed = self.subscribe(self.channels.values())
        subscribed.addCallbacks(self._subscribed, self._refused)

    def on_message(self, message: Any) -> Deferred[None] | None:
        """Show a message."""
        return self._show.message(message)

    def on_error(self, message: str, reason: str = "") -> None:
        """Tell an error, unless the run is to end because of it."""
        text = f"{message}: {reason}" if reason else message
        if self._confirmed:
            self._show.news(text)
        else:
            self._early_news.append(text)

    def on_close(self, was_clean: bool, code: int, reason: str) -> None:
        """Reconnect, or end the run."""
        if self.closing:
            return
        reason = reason or f"the server closed the connection (code {code})"
        if not self._confirmed:
            self._run.end(about_line(reason))
            return
        self._show.lost(reason)
        super().on_close(was_clean, code, reason)

    def _subscribed(self, _: None) -> None:
        self._confirmed = True
        self._show.connected()
        news, self._early_news = self._early_news, []
        for text in news:
            self._show.news(text)

    def _refused(self, failure: Failure) -> None:
        error = failure.value
        assert error is not None
        if failure.check(ClientClosedError):
            return
        if self._confirmed:  # it is wanted still, and asked for again on the next connection
            self._show.news(str(error))
        else:
            self._run.end(about_subscription(error))

    def _fault_at_the_deadline(self) -> str:
        return "" if self._confirmed else about_line("the time is over, and there is no connection yet")


def watch(configuration: Configuration, seconds: float | None) -> int:
    """
    Show the real feed, or whichever is configured, until Ctrl-C.

    Args:
        configuration: What to watch, and where.
        seconds: End after this many; ``None`` for no limit.

    Returns:
        The program's status.

    Raises:
        ConfigurationError: If the configuration cannot work.
    """
    arguments = configuration.arguments(remark)
    feed = "Advanced Trade" if configuration.dialect.is_numbered else "Exchange"
    title = f"Coinbase {feed} at {arguments.get('feed_url', FEED_URL)}"
    return _run(MultiService(), configuration, seconds, title, arguments)


def demo(configuration: Configuration, seconds: float | None, speed: float) -> int:
    """
    Start the simulated exchange and show it until Ctrl-C.

    Args:
        configuration: What to watch.
        seconds: End after this many; ``None`` for no limit.
        speed: Seconds of the market in one second; ``math.inf`` is as fast as possible.

    Returns, Raises: As ``watch``.
    """
    from copra_tx.simulator import TEST_CDP_KEY, TEST_KEY, SimulatedExchange

    is_advanced = configuration.dialect.is_numbered
    feed = "advanced" if is_advanced else "exchange"
    exchange = SimulatedExchange(reactor_for(None), speed=speed, feed=feed)
    exchange.startService()
    services = MultiService()
    exchange.setServiceParent(services)
    key = {"auth": True, "key": TEST_KEY.key, "secret": TEST_KEY.secret, "passphrase": TEST_KEY.passphrase}
    if is_advanced:
        key = {"auth": True, "key": TEST_CDP_KEY.key, "secret": TEST_CDP_KEY.secret}
    if not configuration.dialect.must_sign(configuration.channels()):
        key = {}  # what signs for the Advanced Trade feed is not in every installation
    pace = "" if speed == 1 else ", as fast as possible" if speed == math.inf else f", {speed:g} times as fast"
    title = f"Simulated exchange at {exchange.url}: a recorded minute, repeated{pace}"
    return _run(services, configuration, seconds, title, {"feed_url": exchange.url, "feed": feed, **key})


def _run(
    services: MultiService,
    configuration: Configuration,
    seconds: float | None,
    title: str,
    arguments: dict[str, Any],
) -> int:
    reactor = reactor_for(None)
    run = Run(reactor, seconds)
    show, shown = show_for_stdout(run, reactor, title, configuration.products)
    shown.setServiceParent(services)
    client = functools.partial(WatchingClient, show=show, run=run)
    arguments["decode"] = show.decode
    feed = configuration.made(lambda: FeedService(configuration.channels(), client, **arguments))
    feed.setServiceParent(services)
    return run(services)
