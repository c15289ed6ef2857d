"""What is wrong and what to do about it, in one line for a person."""

from __future__ import annotations

import sys

from copra_tx.errors import SubscriptionRefusedError, SubscriptionTimeoutError

__all__ = ["about_line", "about_output", "about_subscription", "complain", "one_line", "remark", "tell"]

_ADVICE = (
    # What the venue says, and what is to be done about it.
    ("not a valid product", "check its spelling: product ids look like BTC-USD"),
    ("is delisted", "choose another product"),
    ("require authentication", "name an API key of Coinbase Exchange with --credentials FILE"),
    ("authentication failure", "name a CDP API key with --credentials FILE, and set the clock of this machine"),
    ("timestamp expired", "set the clock of this machine"),
    ("could not be authenticated", "check key, secret and passphrase in the file of --credentials"),
)


def one_line(text: str) -> str:
    """Return a text that comes from anywhere as one line that no terminal stumbles over."""
    return "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))


def complain(text: str) -> int:
    """Write a line to standard error and return the status of a program that failed."""
    remark(text)
    return 1


def remark(text: str) -> None:
    """Write a line to standard error; nothing, if the program was started without one."""
    if sys.stderr is not None:  # print() would write it to standard output, among the messages
        print(f"copra-tx: {one_line(text)}", file=sys.stderr, flush=True)  # noqa: T201


def tell(line: str) -> None:
    """Write a line to standard output, at once; nothing, if the program was started without one."""
    if sys.stdout is not None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def about_output(error: OSError) -> str:
    """Say why standard output takes nothing more; nothing, if that is because its reader has gone."""
    return "" if isinstance(error, BrokenPipeError) else f"cannot write to standard output: {error.strerror}"


def about_line(reason: str) -> str:
    """Say why there is no connection; ``reason`` is what ``on_close`` gets."""
    text = reason.replace("ca_file=", "--ca-file").replace("proxy=", "--proxy")
    return text if "check the" in text or "--ca-file" in text else f"{text}; check the network and the feed's address"


def about_subscription(error: BaseException) -> str:
    """Say why a subscription does not stand."""
    if isinstance(error, SubscriptionTimeoutError):
        return f"the server did not answer within {error.seconds:g} s; try again later"
    if not isinstance(error, SubscriptionRefusedError):
        return str(error)
    # Two channels refused for the same reason would have it told twice.
    words = list(dict.fromkeys(error.words))
    text = str(SubscriptionRefusedError(error.channel, error.product_ids, words, error.candidates))
    advice = next((advice for said, advice in _ADVICE if said in text), "")
    return f"{text}; {advice}" if advice else text
