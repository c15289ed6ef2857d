"""
A tunnel through an HTTP proxy: ``CONNECT`` (RFC 9110, section 9.3.6), with user and password if need be.

TLS begins inside the tunnel, with our own verification; the proxy sees nothing but the name of the server. Autobahn's
own ``factory.proxy`` knows no passwords and makes its own TLS context.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionDone, NoProtocol
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IStreamClientEndpoint, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from copra_tx.errors import ConfigurationError, DialError, HostNotFoundError, ProxyError

from .causes import describe

__all__ = ["ConnectAnswer", "Proxy", "TunnelEndpoint"]

MOST_ANSWER_BYTES = 65536
"""A proxy's answer without end is refused at this size."""

DEFAULT_PORT = 80
"""That of http URLs (RFC 9110, section 4.2.1). Proxies listen on all kinds of ports: better name it."""

_FORM = "proxy is http://user:password@host:port; special characters in user and password are percent-encoded"
_OTHER_SCHEMES = {"https", "socks", "socks4", "socks4a", "socks5", "socks5h"}
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: ([^\r\n]*))?\r?\n")
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")
_MOST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Proxy:
    """
    An HTTP proxy.

    Attributes:
        host: Its name or address.
        port: Its port.
        user: Whom to log in as, or ``None``. It is in no ``repr``.
        password: As ``user``.

    Raises:
        ConfigurationError: If host, port or user cannot be.
    """

    host: str
    port: int = DEFAULT_PORT
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        try:
            possible = bool(self.host.encode("idna")) and 0 < self.port < 65536
        except UnicodeError:
            possible = False
        if not possible:
            raise ConfigurationError(f"proxy cannot be at {self.host!r}, port {self.port}")
        if self.user is not None and ":" in self.user:
            raise ConfigurationError("proxy has a user with a colon, which Basic authentication cannot send")

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """
        Take a URL apart.

        Args:
            url: ``http://host:port`` or ``http://user:password@host:port``. Without a port it is 80.

        Raises:
            ConfigurationError: If it is nothing of the kind. The text does not repeat the URL, which holds a password.
        """
        if not isinstance(url, str) or not url.isprintable() or " " in url:
            raise ConfigurationError(_FORM)
        scheme = url.partition("://")[0].lower()
        if scheme in _OTHER_SCHEMES:
            raise ConfigurationError(
                f"proxy speaks {scheme}, which is not supported: only http:// is. wss through it is encrypted from "
                f"end to end nevertheless"
            )
        try:
            parts = urlsplit(url)
            port = DEFAULT_PORT if parts.port is None else parts.port
            user = None if parts.username is None else unquote(parts.username, errors="strict")
            password = None if parts.password is None else unquote(parts.password, errors="strict")
        except ValueError:  # its text may hold a part of the password
            raise ConfigurationError(_FORM) from None
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ConfigurationError(_FORM)
        return cls(parts.hostname, port, user, password)

    @property
    def address(self) -> str:
        """Host and port, for texts."""
        return _authority(self.host, self.port)

    def connect_request(self, host: str, port: int) -> bytes:
        """Return the request for a tunnel to a server. Never to be logged: it holds the password."""
        authority = _authority(host, port)
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
        if self.user is not None:
            login = base64.b64encode(f"{self.user}:{self.password or ''}".encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {login}")
        return "\r\n".join([*lines, "", ""]).encode("ascii")


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host.encode('idna').decode()}:{port}"


class ConnectAnswer:
    """
    A proxy's answer to ``CONNECT``, taken from bytes that may be cut anywhere.

    Args:
        proxy: Address of the proxy, for the errors.
    """

    def __init__(self, proxy: str) -> None:
        self._proxy = proxy
        self._received = bytearray()
        self._begin = 0  # of the current header: interim ones may precede the last

    def feed(self, data: bytes) -> bytes | None:
        """
        Take more bytes.

        Returns:
            ``None`` while the answer is not complete; then what followed it, the first bytes from the server.

        Raises:
            ProxyError: If the proxy refuses, or this is no answer. Nothing may be fed any more.
        """
        search_from = max(self._begin, len(self._received) - 3)
        self._received += data
        while True:
            if not b"HTTP/".startswith(self._received[self._begin : self._begin + 5]):
                raise ProxyError(self._proxy, None, "what it sends is not HTTP/1")
            end = _END_OF_HEADER.search(self._received, search_from)
            if (end.end() if end else len(self._received)) > MOST_ANSWER_BYTES:
                raise ProxyError(self._proxy, None, f"its header has more than {MOST_ANSWER_BYTES} bytes")
            if end is None:
                return None
            if self._is_final():
                return bytes(self._received[end.end() :])
            self._begin = search_from = end.end()

    def _is_final(self) -> bool:
        """Tell whether the tunnel is open, or only an interim answer is over."""
        line = _STATUS_LINE.match(self._received, self._begin)
        if line is None:
            raise ProxyError(self._proxy, None, "its status line cannot be read")
        status = int(line[1])
        if 200 <= status <= 299:
            return True
        if 100 <= status <= 199 and status != 101:  # RFC 9110, section 15.2: to be skipped
            return False
        raise ProxyError(self._proxy, status, _printable(line[2] or b""))


def _printable(words: bytes) -> str:
    text = words.decode("utf-8", "replace").strip()[:_MOST_WORDS]
    return "".join(character if character.isprintable() else "?" for character in text)


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """
    An endpoint that reaches a server through a proxy.

    Args:
        endpoint: Dials the proxy.
        proxy: The proxy.
        host, port: The server.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, proxy: Proxy, host: str, port: int) -> None:
        self._endpoint, self._proxy = endpoint, proxy
        self._request = proxy.connect_request(host, port)

    def connect(self, protocol_factory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Dial the proxy, have the tunnel opened, and connect what the factory builds to its other end.

        Returns:
            Fires with the protocol. Fails with ``HostNotFoundError`` or ``DialError`` for the proxy itself, or with
            ``ProxyError``. Cancelling it ends the attempt in any stage, and closes the connection.
        """
        dial = self._endpoint.connect(_TunnelFactory(self._proxy, self._request, protocol_factory))
        dial.addErrback(self._describe)
        return dial.addCallback(_opened)

    def _describe(self, reason: Failure) -> Failure:
        if reason.check(CancelledError, ConnectingCancelledError):
            return reason
        match describe(reason, self._proxy.host, self._proxy.port):
            case HostNotFoundError(host=host):
                return Failure(HostNotFoundError(host, "it is the proxy's"))
            case DialError(host=host, port=port, detail=detail):
                return Failure(DialError(host, port, f"{detail}; it is the proxy's address"))
            case described:
                return Failure(described)


def _opened(tunnel: IProtocol) -> Deferred[IProtocol]:
    assert isinstance(tunnel, _Tunnel)
    return tunnel.opened


class _TunnelFactory(Factory):
    noisy = False

    def __init__(self, proxy: Proxy, request: bytes, protocol_factory: IProtocolFactory) -> None:
        self._arguments = proxy, request, protocol_factory

    def buildProtocol(self, addr: IAddress | None) -> _Tunnel:  # noqa: ARG002
        return _Tunnel(*self._arguments)


class _Tunnel(Protocol):
    """
    Asks for the tunnel; once it is open, passes everything on.

    Attributes:
        opened: Fires with the protocol at our end of the open tunnel. Cancelling it aborts the connection.
    """

    transport: ITCPTransport

    def __init__(self, proxy: Proxy, request: bytes, protocol_factory: IProtocolFactory) -> None:
        self.opened: Deferred[IProtocol] = Deferred(lambda _: self.transport.abortConnection())
        self._proxy, self._request = proxy.address, request
        self._answer = ConnectAnswer(proxy.address)
        self._protocol_factory = protocol_factory
        self._inside: IProtocol | None = None

    def connectionMade(self) -> None:
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        if self._inside is not None:
            self._inside.dataReceived(data)
        elif not self.opened.called:
            self._read_answer(data)

    def _read_answer(self, data: bytes) -> None:
        try:
            rest = self._answer.feed(data)
            if rest is None:
                return
            self._inside = self._protocol_factory.buildProtocol(self.transport.getPeer())
            if self._inside is None:
                raise NoProtocol  # noqa: TRY301  # as if the factory had raised it
        except Exception:  # noqa: BLE001  # it goes to whoever waits for the connection
            self.transport.abortConnection()
            self.opened.errback()
            return
        self._inside.makeConnection(self.transport)
        self.opened.callback(self._inside)
        if rest:
            self._inside.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inside is not None:
            self._inside.connectionLost(reason)
        elif not self.opened.called:
            how = "it ended the connection" if reason.check(ConnectionDone) else "the connection to it was lost"
            self.opened.errback(ProxyError(self._proxy, None, f"{how} before it had answered"))
