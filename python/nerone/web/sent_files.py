"""Files of a request, as its body or as parts of multipart/form-data, read piece by piece."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from nerone.errors import ConfigurationError, Error

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["MAX_UNPACKED_BYTES", "sent_files"]

MAX_UNPACKED_BYTES = 1 << 31
"""A small compressed file may unpack to any size: 2 GiB are a CT of 512 x 512 x 4096 voxels."""


async def sent_files(request: web.Request, what: str) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """Give each file's name, "" where it has none, and its bytes; a body is called as the query's ``name`` says.

    Parameters
    ----------
    what : words for the request in errors, such as "the upload"

    Raises
    ------
    ConfigurationError
        If the request cannot be understood, here or while the bytes are read.
    """
    from aiohttp import BodyPartReader

    if not request.content_type.startswith("multipart/"):
        yield request.query.get("name", ""), request.content.iter_any()
        return
    with _understood(what):
        reader = await request.multipart()
    while True:
        with _understood(what):
            part = await reader.next()
        if part is None:
            return
        if not isinstance(part, BodyPartReader):
            raise ConfigurationError(f"{what} is nested; send plain files")
        yield part.filename or "", _chunks(part, what)


async def _chunks(part: Any, what: str) -> AsyncIterator[bytes]:
    while True:
        with _understood(what):
            chunk = await part.read_chunk(1 << 18)
        if not chunk:
            return
        yield chunk


@contextlib.contextmanager
def _understood(what: str) -> Iterator[None]:
    from aiohttp.http_exceptions import HttpProcessingError

    try:
        yield
    except Error:
        raise
    except (ValueError, AssertionError, KeyError, EOFError, HttpProcessingError) as error:
        raise ConfigurationError(f"{what} cannot be understood; send the files again") from error
