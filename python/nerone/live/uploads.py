"""Uploads: limited in size and type, kept in a private folder, read by the same safe readers as any file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from nerone.data.dicom import is_dicom
from nerone.data.extent import unpacked_bytes
from nerone.data.prepared import source_statistics
from nerone.data.sources import Source
from nerone.errors import ConfigurationError, Error
from nerone.live.sources import LiveSource, no_truths, open_source
from nerone.ownership import temporary_folder
from nerone.runtime.preprocessing import Preprocessing, Statistics
from nerone.web.sent_files import MAX_UNPACKED_BYTES, sent_files

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["receive"]

_SUFFIXES = (".nii", ".nii.gz", ".dcm", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_MAX_FILES = 4096
_MAX_NAME = 60


async def receive(request: web.Request, max_bytes: int, steps: Preprocessing | None = None) -> LiveSource:
    """Store uploaded scans and open them as a source, which deletes them when closed.

    Parameters
    ----------
    request : its body is one file, called as the query's ``name`` says, or multipart/form-data with several, such as
        the slices of a DICOM series
    max_bytes : int, size of all files at which the upload is refused
    steps : Preprocessing, to turn volumes to the orientation that it declares

    Raises
    ------
    ConfigurationError : another type than NIfTI, DICOM, PNG, JPEG, TIFF or BMP, too large, empty, or not readable
    """
    folder = temporary_folder("upload")
    store = _Store(Path(folder.name), max_bytes, steps)
    try:
        async for name, chunks in sent_files(request, "the upload"):
            await store.add(name, chunks)
        source = await asyncio.get_running_loop().run_in_executor(None, store.open)
    except BaseException:
        folder.cleanup()
        raise
    source.on_close(folder.cleanup)
    return source


class _Store:
    """The files of one upload, under names of our own."""

    def __init__(self, folder: Path, max_bytes: int, steps: Preprocessing | None) -> None:
        self._folder = folder
        self._steps = steps
        self._max_bytes = max_bytes
        self._size = 0
        self._files: list[Path] = []
        self._given: dict[str, str] = {}
        self._first_name = ""

    async def add(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Write one file; of ``name`` only the ending is used, and the text for the page."""
        if len(self._files) >= _MAX_FILES:
            raise ConfigurationError(f"more than {_MAX_FILES} files were sent; send one scan at a time")
        ending = _ending(name)
        file = self._folder / f"{len(self._files):05d}{ending}"
        before = self._size
        with file.open("wb") as out:
            async for chunk in chunks:
                self._size += len(chunk)
                if self._size > self._max_bytes:
                    raise ConfigurationError(
                        f"more than {self._max_bytes >> 20} MiB were sent, the limit for an upload"
                    )
                out.write(chunk)
        if self._size == before:
            raise ConfigurationError("the uploaded file is empty")
        if not ending:
            if not is_dicom(file):
                raise ConfigurationError(_refusal())
            file = file.rename(file.with_suffix(".dcm"))
        self._files.append(file)
        self._given[file.name] = "".join(c for c in name if c.isprintable())[-_MAX_NAME:]
        self._first_name = self._first_name or self._given[file.name]

    def _in_their_names(self, text: str) -> str:
        """Return what an error says, with the names that the files came with."""
        text = text.replace(f"{self._folder}/", "").replace(str(self._folder), "the upload")
        return re.sub(r"\d{5}(\.[a-z]+)*", lambda found: self._given.get(found[0]) or found[0], text)

    def _statistics(self, source: Source) -> Statistics | None:
        return source_statistics(source, self._steps) if self._steps is not None else None

    def open(self) -> LiveSource:
        """Open what came as one source."""
        if not self._files:
            raise ConfigurationError("the upload holds no file")
        try:
            _check_unpacked(self._files)
            place = self._files[0] if len(self._files) == 1 else self._folder
            source = open_source(place, no_truths, self._statistics, self._steps, whole=True)
        except Error as error:
            raise ConfigurationError(self._in_their_names(str(error))) from error
        more = f" and {len(self._files) - 1} more" if len(self._files) > 1 else ""
        source.name, source.names = self._first_name + more, self._given
        return source


def _ending(name: str) -> str:
    """Return the accepted ending of a name; empty where there is none, as DICOM slices often have none."""
    found = next((e for e in sorted(_SUFFIXES, key=len, reverse=True) if name.lower().endswith(e)), None)
    if found is not None:
        return found
    last = name.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)
    if len(last) == 1 or last[1].isdecimal():  # a UID such as 1.2.840.113619 has no ending either
        return ""
    raise ConfigurationError(_refusal())


def _refusal() -> str:
    return f"files of this type are not accepted; send DICOM slices, or one of {', '.join(_SUFFIXES)}"


def _check_unpacked(files: list[Path]) -> None:
    """Refuse what would unpack to more than fits."""
    unpacked = 0
    for file in files:
        unpacked += unpacked_bytes(file)
        if unpacked > MAX_UNPACKED_BYTES:
            raise ConfigurationError(
                f"the scan would unpack to {unpacked / 2**30:.1f} GiB or more; at most {MAX_UNPACKED_BYTES >> 30} GiB "
                "are read here, use nerone run"
            )
