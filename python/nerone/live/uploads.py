"""Uploads: limited in size and type, kept in a private folder, read by the same safe readers as any file."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nerone.errors import ConfigurationError
from nerone.live.sources import LiveSource, open_source

if TYPE_CHECKING:
    from aiohttp import StreamReader

__all__ = ["receive"]

_SUFFIXES = (".nii", ".nii.gz", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
_CHUNK_BYTES = 1 << 18


async def receive(content: StreamReader, name: str, max_bytes: int) -> LiveSource:
    """Store an uploaded scan and open it as a source, which deletes it when closed.

    Parameters
    ----------
    content : the request's body
    name : str, the file's name on the sender's side; only its ending is used
    max_bytes : int, size at which the upload is refused

    Raises
    ------
    ConfigurationError : another type than NIfTI, PNG, JPEG or TIFF, too large, empty, or not readable
    """
    suffix = next(
        (ending for ending in sorted(_SUFFIXES, key=len, reverse=True) if name.lower().endswith(ending)), None
    )
    if suffix is None:
        raise ConfigurationError(f"files of this type are not accepted; send one of {', '.join(_SUFFIXES)}")
    folder = tempfile.TemporaryDirectory(prefix="nerone-upload-")
    file = Path(folder.name) / f"scan{suffix}"
    try:
        size = 0
        with file.open("wb") as out:
            async for chunk in content.iter_chunked(_CHUNK_BYTES):
                size += len(chunk)
                if size > max_bytes:
                    raise ConfigurationError(f"the file is larger than {max_bytes >> 20} MiB, the limit for an upload")
                out.write(chunk)
        if size == 0:
            raise ConfigurationError("the uploaded file is empty")
        source = await asyncio.get_running_loop().run_in_executor(None, open_source, file)
    except BaseException:
        folder.cleanup()
        raise
    source.on_close(folder.cleanup)
    return source
