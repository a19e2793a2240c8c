"""What every request passes: name, origin and token, headers of every answer, one sentence for every failure."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from nerone.errors import Error
from nerone.live.access import Access
from nerone.live.connections import Doorkeeper
from nerone.live.sources import LiveSource

if TYPE_CHECKING:
    from aiohttp import web

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["Guard", "quiet_log", "unless_it_stalls"]

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def quiet_log() -> logging.Logger:
    """Return a log that keeps to itself what strangers send."""
    logger = logging.getLogger("nerone.live.http")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger


async def unless_it_stalls(task: asyncio.Future[LiveSource], request: web.Request, stall_s: float) -> LiveSource | None:
    """Wait for an upload; None where so few bytes come that somebody only keeps it open."""
    seen = 0
    try:
        while not (await asyncio.wait({task}, timeout=stall_s))[0]:
            came, seen = request.content.total_bytes - seen, request.content.total_bytes
            if came < 1024 * stall_s and not request.content.is_eof():
                return None
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class Guard:
    """Stands before every handler.

    Parameters
    ----------
    access : Access

    Attributes
    ----------
    door : Doorkeeper of the connections, once there is one
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self.door: Doorkeeper | None = None

    def middleware(self) -> Any:
        """Return it as aiohttp takes it."""
        from aiohttp import web

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        return guard

    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        with self.door.answering(request.protocol) if self.door else contextlib.nullcontext():
            response = await self._answer(request, handler)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer whatever comes with one sentence."""
        from aiohttp import web

        try:
            return self._refusal(request) or await handler(request)
        except web.HTTPException as error:
            error.headers.update(_HEADERS)
            raise
        except Error as error:
            return web.Response(status=400, text=str(error))
        except ConnectionError:
            raise
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            text = (
                "The disk of this server is full." if full else f"The server failed ({os.strerror(error.errno or 0)})."
            )
            return web.Response(status=507 if full else 503, text=text)
        except Exception as error:
            return web.Response(status=500, text=f"The request failed ({type(error).__name__}); reload the page.")

    def _refusal(self, request: web.Request) -> web.Response | None:
        from aiohttp import web

        if not self.access.allows_host(request.host):
            return web.Response(status=403, text="This name is not this server's; open the address it printed.")
        origin = request.headers.get("Origin")
        if origin is not None and origin.split("://")[-1] != request.host:
            return web.Response(status=403, text="Requests from other pages are refused.")
        given = request.query.get("token") or request.cookies.get(self.access.cookie)
        if not self.access.allows(given):
            return web.Response(status=401, text="A token is required; open the address that nerone live printed.")
        return None
