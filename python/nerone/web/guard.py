"""Checks on every request (host name, origin, token), response headers, and one sentence for every failure."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from nerone.errors import Error
from nerone.web.access import Access
from nerone.web.connections import Doorkeeper

if TYPE_CHECKING:
    from aiohttp import web

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["Guard", "quiet_log", "unless_it_stalls"]

_T = TypeVar("_T")

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
    logger = logging.getLogger("nerone.web.http")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger


async def unless_it_stalls(task: asyncio.Future[_T], request: web.Request, stall_s: float) -> _T | None:
    """Wait for what reads a body; None where so few bytes come that somebody only keeps it open."""
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
    as_json : whether failures are said as {"error": sentence}, for programs, rather than as plain text

    Attributes
    ----------
    door : Doorkeeper of the connections, once there is one
    """

    def __init__(self, access: Access, *, as_json: bool = False) -> None:
        self.access = access
        self._as_json = as_json
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
            if self._as_json:
                return self._said(error.status, error.text or error.reason, error.headers.get("Allow"))
            error.headers.update(_HEADERS)
            raise
        except Error as error:
            return self._said(400, str(error))
        except web.RequestPayloadError:
            return self._said(400, "The request's body is not encoded as its headers say; send it again.")
        except ConnectionError:
            raise
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            text = (
                "The disk of this server is full." if full else f"The server failed ({os.strerror(error.errno or 0)})."
            )
            return self._said(507 if full else 503, text)
        except Exception as error:
            return self._said(500, f"The request failed ({type(error).__name__}); send it again.")

    def _refusal(self, request: web.Request) -> web.Response | None:
        if not self.access.allows_host(request.host):
            return self._said(403, "This name is not this server's; open the address it printed.")
        origin = request.headers.get("Origin")
        if origin is not None and origin.split("://")[-1] != request.host:
            return self._said(403, "Requests from other pages are refused.")
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = request.query.get("token") or request.cookies.get(self.access.cookie) or bearer
        if not self.access.allows(given):
            return self._said(401, "A token is required; open the address that was printed.")
        return None

    def _said(self, status: int, text: str, allow: str | None = None) -> web.Response:
        from aiohttp import web

        headers = {"Allow": allow} if allow else None
        if self._as_json:
            return web.json_response({"error": text}, status=status, headers=headers)
        return web.Response(status=status, text=text, headers=headers)
