"""What Autobahn tells its users about a connection, where it cannot find that out by itself."""

from __future__ import annotations

import hashlib
from typing import Any

from autobahn.twisted.util import extract_peer_certificate
from autobahn.wamp.types import TransportDetails
from twisted.internet.interfaces import ISSLTransport
from zope.interface import directlyProvides

__all__ = ["complete_details"]


class _Shown:
    """As much of an ``ISSLTransport`` as Autobahn looks at."""

    def __init__(self, transport: Any) -> None:
        self.getPeerCertificate = transport.getPeerCertificate
        directlyProvides(self, ISSLTransport)


def complete_details(details: Any, transport: Any) -> None:
    """
    Note in a protocol's ``transport_details`` what TLS has brought.

    Autobahn asks pyOpenSSL; its way for asyncio, whose answers are the same, asks ``ssl`` as this does.

    Args:
        details: Of the transport.
        transport: An ``IStdlibTls`` whose TLS is up.
    """
    finished = transport.getHandle().get_channel_binding("tls-unique")
    details.channel_type, details.is_secure = TransportDetails.CHANNEL_TYPE_TLS, True
    details.channel_id = {"tls-unique": hashlib.sha256(finished).digest() if finished else bytes(32)}
    details.peer_cert = extract_peer_certificate(_Shown(transport))
