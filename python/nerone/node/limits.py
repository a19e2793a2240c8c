"""Limits of what strangers may cost a node: connections, time, and bytes of a message."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import Any

__all__ = ["Limits"]

_LOG = logging.getLogger("nerone.node")
# Between two lines about connections that were refused.
_QUIET_S = 60.0

# An association request names many syntaxes, and data comes in the pieces that the node asked for.
_MOST_PDU_BYTES = 1 << 20
_PDU_S = 30.0


class Limits:
    """Closes connections that take more than their share.

    Parameters
    ----------
    max_connections : of all addresses
    max_per_address : of one address, which may be a gateway with many senders behind it
    max_bytes : of one message, such as an instance; all that are on their way take four times as much at most
    """

    def __init__(self, max_connections: int = 64, max_per_address: int = 16, max_bytes: int = 1 << 30) -> None:
        self._max_connections, self._max_per_address, self._max_bytes = max_connections, max_per_address, max_bytes
        self._told = -_QUIET_S
        self._lock = threading.Lock()
        self._came: dict[object, int] = {}
        self._server: Any = None

    def guard(self, server: Any) -> None:
        """Have the server of pynetdicom ask before it takes a connection."""
        self._server = server
        server.verify_request = self._admit

    def _admit(self, _: object, address: tuple[Any, ...]) -> bool:
        hosts = [association.requestor.address for association in self._server.active_associations]
        if len(hosts) >= self._max_connections:
            return self._refuse(address[0], f"{len(hosts)} are open; --connections allows more")
        if hosts.count(address[0]) >= self._max_per_address:
            why = "--connections-per-address allows more, of a gateway's senders"
            return self._refuse(address[0], f"{self._max_per_address} of it are open; {why}")
        return True

    def _refuse(self, host: object, why: str) -> bool:
        now = time.monotonic()
        if now - self._told >= _QUIET_S:
            self._told = now
            _LOG.warning("a connection of %s is refused: %s", host, why)
        return False

    def opened(self, event: Any) -> None:
        """Watch over what comes through a connection; for EVT_CONN_OPEN."""
        connection = event.assoc.dul.socket
        connection.recv = lambda count: self._received(event.assoc, connection.socket, count)

    def closed(self, event: Any) -> None:
        """Forget a connection; for EVT_CONN_CLOSE."""
        self.ended(event.assoc)

    def ended(self, association: object) -> None:
        """Count a message that came whole no more."""
        with self._lock:
            self._came.pop(association, None)

    def _received(self, association: object, opened: socket.socket, count: int) -> bytearray:
        """Read so many bytes, in time; fewer where the connection ends."""
        with self._lock:
            came = self._came[association] = self._came.get(association, 0) + count
            too_much = came > self._max_bytes or sum(self._came.values()) > 4 * self._max_bytes
        if too_much or count > _MOST_PDU_BYTES:
            raise _given_up(opened, "it sends more than is taken")
        data, end, before = bytearray(), time.monotonic() + _PDU_S, opened.gettimeout()
        try:
            while len(data) < count:
                opened.settimeout(max(1e-3, end - time.monotonic()))
                part = opened.recv(min(count - len(data), 1 << 16))
                if not part:
                    break
                data += part
        except TimeoutError:
            raise _given_up(opened, "it stalls") from None
        finally:
            with contextlib.suppress(OSError):
                opened.settimeout(before)
        return data


def _given_up(opened: socket.socket, why: str) -> OSError:
    with contextlib.suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)
    return OSError(f"the connection is closed: {why}")
