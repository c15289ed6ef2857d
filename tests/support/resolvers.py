"""A resolver of host names that looks nothing up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

from twisted.internet.abstract import isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer


def address_of(host: str, port: int) -> IPv4Address | IPv6Address:
    """Return a TCP address of the family that the host's own address is of."""
    return IPv6Address("TCP", host, port) if isIPv6Address(host) else IPv4Address("TCP", host, port)


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Do nothing: it is complete as soon as it began."""


@implementer(IHostnameResolver)
class Resolver:
    """
    Answers at once.

    Args:
        hosts: Returns the addresses of a name; none for one that does not resolve.
    """

    def __init__(self, hosts: Callable[[str], Iterable[str]]) -> None:
        self._hosts = hosts

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        resolution = cast("IHostResolution", _Resolution(hostName))
        resolutionReceiver.resolutionBegan(resolution)
        for host in self._hosts(hostName):
            resolutionReceiver.addressResolved(address_of(host, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution
