"""An application at an address, behind the guard and the limits of connections."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from nerone.errors import ConfigurationError
from nerone.web.access import Access
from nerone.web.connections import Doorkeeper, stop_listening
from nerone.web.guard import Guard, quiet_log

if TYPE_CHECKING:
    import ssl

    from aiohttp import web

__all__ = ["Listener"]

_ANY_HOST = ("0.0.0.0", "::")


class Listener:
    """Listens for the requests of one application.

    Parameters
    ----------
    access : Access, where, and for whom
    keepalive_s : float, seconds for which a connection without a request stays open
    tls : ssl.SSLContext of HTTPS; None for HTTP
    read_ahead_bytes : int, of a request's body, before its sender has to wait for whoever reads it

    Attributes
    ----------
    port : int, where it listens once it is open
    """

    def __init__(
        self, access: Access, *, keepalive_s: float, tls: ssl.SSLContext | None = None, read_ahead_bytes: int = 1 << 16
    ) -> None:
        self.port = access.port
        self._access, self._keepalive_s, self._tls = access, keepalive_s, tls
        self._read_ahead_bytes = read_ahead_bytes
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The address, without a path or token."""
        host = "127.0.0.1" if self._access.host in _ANY_HOST else self._access.host
        return f"http{'s' if self._tls else ''}://{host}:{self.port}"

    async def open(self, app: web.Application, guard: Guard) -> None:
        """Listen. Raises ConfigurationError where the address cannot be had."""
        from aiohttp import web

        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=quiet_log(),
            handle_signals=False,
            shutdown_timeout=1.0,
            keepalive_timeout=self._keepalive_s,
            read_bufsize=self._read_ahead_bytes,
        )
        await self._runner.setup()
        answer: Any = self._runner.server
        guard.door = Doorkeeper(answer, self._access.max_connections, self._access.headers_s)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                guard.door,
                self._access.host,
                self._access.port,
                backlog=256,
                reuse_address=os.name == "posix",
                ssl=self._tls,
            )
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigurationError(
                f"cannot listen on {self._access.host}:{self._access.port} ({os.strerror(error.errno or 0)}); "
                "choose another --port"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop_accepting(self) -> None:
        """Take no more connections; those that there are stay."""
        if self._server is not None:
            await stop_listening(self._server)

    async def close(self) -> None:
        """End the connections that are left."""
        if self._runner is not None:
            await self._runner.cleanup()
