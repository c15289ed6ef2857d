"""``copra-tx simulate``: the simulated exchange, for any client."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from twisted.internet.error import CannotListenError

from copra_tx.bridge import reactor_for
from copra_tx.simulator import SimulatedExchange
from copra_tx.simulator.minute import RECORDED_PRODUCTS

from .complaints import about_output, complain, tell
from .running import Run

__all__ = ["simulate"]


def simulate(
    *,
    host: str,
    port: int,
    tls: bool,
    speed: float,
    products: Sequence[str],
    feed: str,
    seed: int | None,
    seconds: float | None,
) -> int:
    """
    Serve the simulated exchange until Ctrl-C, and print where it is.

    Args:
        host: Address to listen on.
        port: Port; 0 takes any that is free.
        tls: Speak wss, with a certificate of a throw-away authority whose file is printed.
        speed: Seconds of the market in one second; ``math.inf`` is as fast as a client reads.
        products: Ids of the listed products; none for those that have a recorded market.
        feed: ``exchange`` or ``advanced``.
        seed: Makes the market of orders; ``None`` for the recorded one.
        seconds: End after this many; ``None`` for no limit.

    Returns:
        The program's status.
    """
    reactor = reactor_for(None)
    listed = products or RECORDED_PRODUCTS
    exchange = SimulatedExchange(
        reactor, host=host, port=port, tls=tls, speed=speed, products=listed, feed=feed, seed=seed
    )
    try:
        exchange.startService()
    except CannotListenError as error:
        reason = error.socketError.strerror or error.socketError
        is_about_port = error.socketError.errno in (errno.EADDRINUSE, errno.EACCES)
        other = "another --port (0 takes any that is free)" if is_about_port else "a --host of this machine"
        return complain(f"cannot listen on {host}:{port}: {reason}; choose {other}")
    lines = [f"Simulated exchange at {exchange.url}", f"REST at {exchange.rest_url}"]
    further = "" if feed == "exchange" else f" --feed {feed}"
    if tls:
        lines.append(f"Certificate authority in {exchange.ca_file}")
        further += f" --ca-file {exchange.ca_file}"
    product = next(iter(products), "BTC-USD")
    lines.append(f"To see it: copra-tx watch {product} --feed-url {exchange.url}{further}")
    run = Run(reactor, seconds)
    try:
        tell("\n".join(lines))
    except OSError as error:
        run.end(about_output(error))
    return run(exchange)
