"""Access to the page: address, token, limits."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from dataclasses import dataclass, field

from nerone.errors import ConfigurationError

__all__ = ["Access", "is_loopback"]

_COOKIE = "nerone_token"


def is_loopback(host: str) -> bool:
    """Whether ``host`` names this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Access:
    """Where the page is served and what a visitor must bring.

    Attributes
    ----------
    host : str, address to listen on; 127.0.0.1 reaches this machine only
    port : int, TCP port; 0 takes a free one
    token : str, what a visitor must give; made at random where the address is not this machine's own and none is given
    max_viewers : int, web sockets open at once; one more is refused
    max_upload_bytes : int, size of an uploaded scan
    max_uploads : int, uploads at the same time; one more is refused
    max_connections : int, of one address; one more is closed
    headers_s : float, seconds in which the headers of a request have to come
    stall_s : float, seconds after which an upload is ended that came at less than a kilobyte a second
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: str = ""
    max_viewers: int = 32
    max_upload_bytes: int = 256 * 1024 * 1024
    max_uploads: int = 2
    max_connections: int = 256
    headers_s: float = 10.0
    stall_s: float = 30.0
    cookie: str = field(default=_COOKIE, init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"port {self.port} is out of range; give a number from 0 to 65535")
        if not self.token and not is_loopback(self.host):
            object.__setattr__(self, "token", secrets.token_urlsafe(24))

    def allows(self, given: str | None) -> bool:
        """Whether the token ``given`` opens the page; always where none is required."""
        if not self.token:
            return True
        # A cookie may hold any bytes.
        return given is not None and hmac.compare_digest(
            given.encode("utf-8", "backslashreplace"), self.token.encode("utf-8", "backslashreplace")
        )

    def allows_host(self, header: str) -> bool:
        """Whether the Host header names this server; a foreign name on a loopback address is DNS rebinding."""
        name = header.rsplit(":", 1)[0].strip("[]") if not header.endswith("]") else header.strip("[]")
        return bool(self.token) or is_loopback(name)
