"""``Channel``: what it takes, what it refuses and how it says so, and that it is a value."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copra_tx.errors import ConfigurationError
from copra_tx.websocket.channel import Channel

WITH_PRODUCTS = (
    *("heartbeat", "auctionfeed", "matches", "ticker", "ticker_batch", "level2", "level2_batch", "level3"),
    *("full", "user"),
)
WITH_OR_WITHOUT = ("status", "rfq_matches")
ACCOUNT = "d50ec984-77a8-460a-b958-66f114b0de9b"

ids = st.frozensets(st.sampled_from(["BTC-USD", "ETH-USD", "LTC-EUR", "SOL-USD"]), min_size=1)


# What it takes


@pytest.mark.parametrize("name", [*WITH_PRODUCTS, *WITH_OR_WITHOUT])
def test_a_name_may_come_in_any_case(name: str) -> None:
    for spelled in (name, name.upper(), name.title(), name.swapcase()):
        assert Channel(spelled, "BTC-USD").name == name


@pytest.mark.parametrize("name", [*WITH_PRODUCTS, *WITH_OR_WITHOUT])
def test_products_are_one_string_or_a_list(name: str) -> None:
    assert Channel(name, "BTC-USD").product_ids == frozenset({"BTC-USD"})
    assert Channel(name, ["BTC-USD", "LTC-EUR"]).product_ids == frozenset({"BTC-USD", "LTC-EUR"})
    assert Channel(name=name, product_ids=["BTC-USD"]).product_ids == frozenset({"BTC-USD"})
    assert isinstance(Channel(name, "BTC-USD").product_ids, frozenset)
    assert Channel(name, "BTC-USD").account_ids == frozenset()


@pytest.mark.parametrize("many", [tuple, set, frozenset, iter, dict.fromkeys], ids=lambda many: many.__name__)
def test_any_iterable_of_strings_is_a_list(many: type) -> None:
    assert Channel("ticker", many(["BTC-USD", "ETH-USD", "BTC-USD"])) == Channel("ticker", ["BTC-USD", "ETH-USD"])


def test_the_list_is_copied() -> None:
    products = ["BTC-USD"]
    channel = Channel("ticker", products)
    products.append("ETH-USD")
    assert channel.product_ids == frozenset({"BTC-USD"})


@pytest.mark.parametrize("name", WITH_OR_WITHOUT)
@pytest.mark.parametrize("products", [(), [], "", "ALL", ["ALL"], ["BTC-USD", "ALL"]])
def test_status_and_rfq_matches_may_be_about_everything(name: str, products: object) -> None:
    channel = Channel(name, products)
    assert channel == Channel(name)
    assert channel.product_ids == channel.members == frozenset()


@pytest.mark.parametrize("name", ["candles", "market_trades", "Market_Trades"])
def test_names_of_the_advanced_trade_feed(name: str) -> None:
    assert Channel(name, "BTC-USD").name == name.lower()
    assert Channel(name, "BTC-USD").product_ids == frozenset({"BTC-USD"})


@pytest.mark.parametrize("name", ["heartbeats", "futures_balance_summary"])
def test_some_of_its_channels_have_no_products(name: str) -> None:
    assert Channel(name).members == frozenset()
    assert Channel(name, "ALL") == Channel(name) == Channel(name) + Channel(name)
    assert Channel(name) - Channel(name) is None


def test_user_may_be_about_everything_if_told_so() -> None:
    """The Advanced Trade feed has that; the Exchange feed does not, and nobody is to ask for it by omission."""
    everything = Channel("user", "ALL")
    assert everything.members == frozenset()
    assert everything + Channel("user", "BTC-USD") == everything
    assert everything - Channel("user", "BTC-USD") == everything
    assert pickle.loads(pickle.dumps(everything)) == everything
    assert Channel("user", "BTC-USD").with_members(()) == everything


def test_all_is_no_product_of_other_channels() -> None:
    """There the venue is asked, and refuses it by its name."""
    assert Channel("ticker", "ALL").product_ids == frozenset({"ALL"})


def test_balance_takes_accounts() -> None:
    channel = Channel("Balance", account_ids=ACCOUNT)
    assert channel == Channel("balance", account_ids=[ACCOUNT])
    assert (channel.name, channel.product_ids) == ("balance", frozenset())
    assert channel.account_ids == channel.members == frozenset({ACCOUNT})


# What it refuses. Each text says what would be right.

REFUSED = [
    # names that do not exist, with the name that was meant
    (
        ("tikker", "BTC-USD"),
        ["'tikker'", "heartbeat, status, auctionfeed, matches", "balance", "Advanced Trade", "heartbeats, candles"],
    ),
    (("", "BTC-USD"), ["''", "the channels are heartbeat"]),
    ((" ticker", "BTC-USD"), ["' ticker'", "the channels are"]),
    (("l2_data", "BTC-USD"), ["'l2_data'", "Advanced Trade", "'level2'", "use that"]),
    (("level2_50", "BTC-USD"), ["'level2_50'", "'level2_batch'", "use that"]),
    (("ticker_1000", "BTC-USD"), ["'ticker_1000'", "'ticker_batch'", "use that"]),
    # names that are no strings
    ((None, "BTC-USD"), ["name is a string", "None"]),
    ((b"ticker", "BTC-USD"), ["name is a string", "b'ticker'"]),
    ((["ticker"], "BTC-USD"), ["name is a string"]),
    # no products
    (("ticker",), ["at least one product id", "Channel('ticker', 'BTC-USD')"]),
    (("ticker", ""), ["at least one product id"]),
    (("ticker", []), ["at least one product id"]),
    (("user",), ["at least one product id", "Channel('user', 'BTC-USD')", "'ALL' on the Advanced Trade feed"]),
    (("candles",), ["at least one product id", "Channel('candles', 'BTC-USD')"]),
    # products where there are none
    (("heartbeats", "BTC-USD"), ["takes no products", "Channel('heartbeats')"]),
    (("Futures_Balance_Summary", ["BTC-USD"]), ["takes no products", "Channel('futures_balance_summary')"]),
    # products that are none
    (("ticker", None), ["product_ids is a string or a list of strings", "None"]),
    (("ticker", 7), ["product_ids is a string or a list of strings", "7"]),
    (("ticker", b"BTC-USD"), ["product_ids is a string or a list of strings", "b'BTC-USD'"]),
    (("ticker", bytearray(b"BTC")), ["product_ids holds strings", "66"]),
    (("ticker", [b"BTC-USD"]), ["product_ids holds strings", "b'BTC-USD'"]),
    (("ticker", ["BTC-USD", None]), ["product_ids holds strings", "None"]),
    (("ticker", [["BTC-USD"]]), ["product_ids holds strings", "['BTC-USD']"]),
    (("ticker", [""]), ["''", "ids look like 'BTC-USD'"]),
    (("ticker", "  "), ["'  '", "ids look like 'BTC-USD'"]),
    (("ticker", ["BTC-USD "]), ["'BTC-USD '", "ids look like 'BTC-USD'"]),
    (("ticker", "\tBTC-USD\n"), ["ids look like 'BTC-USD'"]),
    (("status", [""]), ["ids look like 'BTC-USD'"]),
    # accounts and products in each other's place
    (("balance",), ["takes accounts", "Channel('balance', account_ids=['...'])"]),
    (("balance", ACCOUNT), ["takes accounts", "account_ids="]),
    (("balance", "ALL"), ["takes accounts", "account_ids="]),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED, ids=[repr(arguments) for arguments, _ in REFUSED])
def test_nonsense_is_refused_in_words_that_say_what_is_right(arguments: tuple, words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        Channel(*arguments)
    assert type(caught.value) is ConfigurationError
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("name", "products", "accounts", "words"),
    [
        ("balance", "BTC-USD", ACCOUNT, "takes accounts, not products"),
        ("balance", (), [], "takes accounts"),
        ("balance", (), [ACCOUNT, ""], "account_ids is no id"),
        ("balance", (), b"account", "account_ids is a string or a list"),
        ("balance", (), [1], "account_ids holds strings"),
        ("ticker", "BTC-USD", ACCOUNT, "account_ids go with 'balance'"),
        ("status", (), ACCOUNT, "account_ids go with 'balance'"),
    ],
)
def test_accounts_are_looked_at_too(name: str, products: object, accounts: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Channel(name, products, account_ids=accounts)


def test_accounts_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        Channel("balance", (), ACCOUNT)


# A value


@given(ids, ids)
def test_channels_are_equal_when_name_and_products_are(some: frozenset[str], others: frozenset[str]) -> None:
    one, other = Channel("TICKER", sorted(some)), Channel("ticker", sorted(others, reverse=True))
    assert (one == other) is (some == others)
    assert (one != other) is (some != others)
    if one == other:
        assert hash(one) == hash(other)
        assert len({one, other}) == 1
    assert one != Channel("matches", sorted(some))


@pytest.mark.parametrize("other", ["ticker", ("ticker", frozenset({"BTC-USD"})), None, 1])
def test_a_channel_equals_nothing_else(other: object) -> None:
    channel = Channel("ticker", "BTC-USD")
    assert channel.__eq__(other) is NotImplemented
    assert channel != other


def test_accounts_count_for_equality() -> None:
    assert Channel("balance", account_ids="a") != Channel("balance", account_ids="b")


@pytest.mark.parametrize(
    ("channel", "text"),
    [
        (Channel("TICKER", ["ETH-USD", "BTC-USD"]), "Channel('ticker', ['BTC-USD', 'ETH-USD'])"),
        (Channel("status"), "Channel('status')"),
        (Channel("balance", account_ids=["b", "a"]), "Channel('balance', account_ids=['a', 'b'])"),
    ],
)
def test_the_repr_shows_name_and_products_and_makes_it_again(channel: Channel, text: str) -> None:
    assert repr(channel) == text
    assert eval(text) == channel


@pytest.mark.parametrize("attribute", ["name", "product_ids", "account_ids", "members", "anything"])
def test_nothing_can_be_changed(attribute: str) -> None:
    channel = Channel("ticker", "BTC-USD")
    with pytest.raises(AttributeError, match="make another one"):
        setattr(channel, attribute, frozenset())
    with pytest.raises(AttributeError, match="make another one"):
        delattr(channel, attribute)
    assert channel == Channel("ticker", "BTC-USD")
    assert not hasattr(channel, "__dict__")


@pytest.mark.parametrize(
    "channel",
    [Channel("ticker", ["BTC-USD", "ETH-USD"]), Channel("rfq_matches"), Channel("balance", account_ids=ACCOUNT)],
    ids=repr,
)
def test_it_can_be_copied_and_pickled(channel: Channel) -> None:
    copies = [copy.copy(channel), copy.deepcopy(channel)]
    copies += [pickle.loads(pickle.dumps(channel, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for one in copies:
        assert type(one) is Channel
        assert (one.name, one.product_ids, one.account_ids) == (
            channel.name,
            channel.product_ids,
            channel.account_ids,
        )


# Sets of products


@given(ids, ids)
def test_a_sum_has_the_products_of_both(some: frozenset[str], others: frozenset[str]) -> None:
    assert (Channel("ticker", some) + Channel("ticker", others)).product_ids == some | others


@given(ids, ids)
def test_a_difference_has_what_is_left_or_is_none(some: frozenset[str], others: frozenset[str]) -> None:
    rest = Channel("ticker", some) - Channel("ticker", others)
    assert rest == (Channel("ticker", some - others) if some - others else None)


@given(ids, ids, ids)
def test_sums_and_differences_keep_the_laws_of_sets(a: frozenset[str], b: frozenset[str], c: frozenset[str]) -> None:
    one, two, three = (Channel("full", some) for some in (a, b, c))
    assert one + one == one
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert (one + two) - two == one - two
    assert one - one is None


def test_operands_are_left_as_they_are() -> None:
    one, other = Channel("ticker", "BTC-USD"), Channel("ticker", "ETH-USD")
    before = one
    one += other
    assert (before, other) == (Channel("ticker", "BTC-USD"), Channel("ticker", "ETH-USD"))
    assert one == Channel("ticker", ["BTC-USD", "ETH-USD"])


def test_accounts_are_added_and_taken_away_alike() -> None:
    both = Channel("balance", account_ids=["a", "b"])
    assert Channel("balance", account_ids="a") + Channel("balance", account_ids="b") == both
    assert both - Channel("balance", account_ids="a") == Channel("balance", account_ids="b")


def test_everything_absorbs_products_and_gives_none_away() -> None:
    everything, one = Channel("rfq_matches"), Channel("rfq_matches", "BTC-USD")
    assert everything + one == one + everything == everything + everything == everything
    assert one - everything is None
    assert everything - everything is None
    assert everything - one == everything


def test_channels_of_two_names_have_no_sum_and_no_difference() -> None:
    one, other = Channel("ticker", "BTC-USD"), Channel("matches", "BTC-USD")
    with pytest.raises(TypeError, match="same name can be added, not 'ticker' and 'matches'"):
        one + other
    with pytest.raises(TypeError, match="same name can be subtracted, not 'ticker' and 'matches'"):
        one - other


@pytest.mark.parametrize("other", ["BTC-USD", None, 1, {"BTC-USD"}])
def test_nothing_but_channels_can_be_added_or_subtracted(other: object) -> None:
    for calculate in (lambda a, b: a + b, lambda a, b: a - b, lambda a, b: b + a, lambda a, b: b - a):
        with pytest.raises(TypeError):
            calculate(Channel("ticker", "BTC-USD"), other)


def test_the_same_channel_about_other_members() -> None:
    assert Channel("ticker", "BTC-USD").with_members(["ETH-USD"]) == Channel("ticker", "ETH-USD")
    assert Channel("rfq_matches", "BTC-USD").with_members(()) == Channel("rfq_matches")
    assert Channel("balance", account_ids="a").with_members({"b"}) == Channel("balance", account_ids="b")
    with pytest.raises(ConfigurationError, match="at least one product id"):
        Channel("ticker", "BTC-USD").with_members(())
