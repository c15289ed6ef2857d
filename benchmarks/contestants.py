"""Who receives: copra-tx, its peers, and the floors below them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CONTESTANTS", "CONTESTS", "COPRA", "FAST", "OURS", "PICOWS", "Contestant"]


@dataclass(frozen=True, slots=True)
class Contestant:
    """
    One client under test.

    Attributes:
        title: Its name in tables.
        environment: Where it runs; one of ``environments``.
        function: Module and function in ``clients``.
        distributions: Whose versions matter.
        slowness: By what its number of messages is divided; the segments remain, since each must span some reads.
    """

    title: str
    environment: str
    function: str
    distributions: tuple[str, ...]
    slowness: int = 1


OURS, FAST, PICOWS, COPRA = "copra-tx", "copra-tx[fast]", "picows", "CoPrA"

CONTESTANTS = {
    OURS: Contestant("copra-tx", "copra-tx", "ours.automatic", ("copra-tx", "autobahn", "twisted", "msgspec")),
    FAST: Contestant("copra-tx[fast]", "copra-tx[fast]", "ours.fastnet_transport", ("copra-tx", "aiofastnet")),
    "copra-tx asyncio": Contestant(
        "copra-tx, transport='asyncio'", "copra-tx", "ours.asyncio_transport", ("copra-tx",)
    ),
    "copra-tx twisted": Contestant(
        "copra-tx, transport='twisted'", "copra-tx", "ours.twisted_transport", ("copra-tx",)
    ),
    PICOWS: Contestant("picows + orjson", "picows", "cython.listener", ("picows", "orjson")),
    "picows.websockets": Contestant(
        "picows.websockets + orjson", "picows", "cython.websockets_layer", ("picows", "orjson")
    ),
    "websockets": Contestant(
        "websockets + orjson", "websockets", "asynchronous.orjson_bytes", ("websockets", "orjson")
    ),
    "Autobahn": Contestant(
        "Autobahn + json", "copra-tx", "plain.json_on_asyncio_reactor", ("autobahn", "twisted"), slowness=2
    ),
    COPRA: Contestant("CoPrA 1.2.9", "CoPrA", "original.asyncio_loop", ("copra", "autobahn"), slowness=2),
    "msgspec": Contestant("decode and call only, msgspec", "copra-tx", "floor.msgspec_dict", ("msgspec",)),
    "orjson": Contestant("decode and call only, orjson", "picows", "floor.orjson_dict", ("orjson",)),
    "asyncio": Contestant("an asyncio protocol that parses nothing", "copra-tx", "layers.asyncio_protocol", ()),
    "Twisted": Contestant(
        "a Twisted protocol that parses nothing", "copra-tx", "layers.twisted_protocol", ("twisted",)
    ),
}
"""Every client, by its name on the command line."""

_ALL = (OURS, PICOWS, "websockets", "Autobahn", COPRA)
_TRANSPORTS = (OURS, FAST, "copra-tx asyncio", "copra-tx twisted")
_COUNTED = (*_TRANSPORTS, PICOWS, "websockets", "Autobahn", COPRA, "asyncio", "Twisted")

CONTESTS = {
    "small": (*_ALL, *_TRANSPORTS[1:], "msgspec", "orjson"),
    "tick": (*_ALL, "msgspec", "orjson"),
    "mix": (*_ALL, "msgspec", "orjson"),
    "wss": (*_ALL, *_TRANSPORTS[1:]),
    "wssrec": (*_ALL, *_TRANSPORTS[1:]),
    "snap": (*_ALL, "msgspec", "orjson"),
    "deflate": (OURS, "picows.websockets", "websockets", "Autobahn"),
    "paced": (*_ALL, *_TRANSPORTS[1:]),
    "pacedwss": (*_ALL, *_TRANSPORTS[1:]),
    "single": _COUNTED,
    "singlewss": _COUNTED,
}
"""Who takes part in which profile."""
