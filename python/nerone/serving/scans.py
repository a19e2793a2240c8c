"""A raw scan in, its mask out: a NIfTI file or the slices of one DICOM series, stored in a folder of their own."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nerone.archives import DAMAGED_ZIP
from nerone.bundle.bundle import Bundle
from nerone.data.dicom import is_dicom
from nerone.data.extent import unpacked_bytes
from nerone.data.sources import find_sources
from nerone.errors import ConfigurationError, Error
from nerone.runtime.pipeline import Pipeline
from nerone.runtime.prediction.case_runner import CaseRunner
from nerone.runtime.prediction.cases import plan_cases
from nerone.runtime.prediction.options import RunOptions
from nerone.web.sent_files import MAX_UNPACKED_BYTES, sent_files

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["ScanMask", "TooLargeError", "receive", "segment"]

_MAX_FILES = 8192
_NIFTI_SIZES = (348, 540)


class TooLargeError(ConfigurationError):
    """A scan takes more bytes than are allowed."""


@dataclass(frozen=True)
class ScanMask:
    """The mask of a scan.

    Attributes
    ----------
    data : bytes of the file
    name : of the file
    counts : pixels per class name
    notes : sentences on what is unusual about the scan
    """

    data: bytes
    name: str
    counts: dict[str, int]
    notes: tuple[str, ...] = ()


async def receive(request: web.Request, folder: Path, max_bytes: int) -> None:
    """Store the files of a request: its body, or the parts of multipart/form-data.

    Raises
    ------
    TooLargeError
        If they are larger than ``max_bytes`` together.
    ConfigurationError
        If the request cannot be understood, or holds no file.
    """
    left = max_bytes
    count = 0
    async for _, chunks in sent_files(request, "the request"):
        if count == _MAX_FILES:
            raise ConfigurationError(f"the request has more than {_MAX_FILES} files; send one scan")
        with (folder / f"{count:05d}").open("wb") as out:
            async for chunk in chunks:
                left -= len(chunk)
                if left < 0:
                    raise TooLargeError(f"the scan is larger than {max_bytes} bytes, the limit; send a smaller one")
                out.write(chunk)
        count += 1
    if left == max_bytes:
        raise ConfigurationError("the request is empty; send a NIfTI file, or DICOM slices as a zip or in parts")


def segment(folder: Path, bundle: Bundle, pipeline: Pipeline, options: RunOptions) -> ScanMask:
    """Run the scan whose files lie in a folder.

    Parameters
    ----------
    folder : of `receive`; the mask is made beside it
    bundle : Bundle that segments
    pipeline : of the bundle; others may use it meanwhile
    options : of the run

    Raises
    ------
    ConfigurationError, ShapeError, DtypeError, DeviceError
        If the files are no scan, more than one, or one that the bundle cannot run.
    """
    try:
        _unpack(folder)
        sources, _ = find_sources(folder, steps=bundle.preprocessing)
        if len(sources) != 1 or sources[0].grid is None:
            what = "no volume" if len(sources) == 1 else f"{len(sources)} scans"
            raise ConfigurationError(f"the request holds {what}; send one NIfTI file or one DICOM series")
        output = folder.parent / "mask"
        (case,) = plan_cases(sources, folder, output)
        (found,) = CaseRunner(bundle, pipeline, options, folder, output).case(case)
    except Error as error:
        said = str(error).replace(f"{folder}/", "").replace(str(folder), "the request")
        raise type(error)(said) from error
    ending = ".nii.gz" if options.format == "nifti" else ".dcm"
    return ScanMask(found.target.read_bytes(), f"mask{ending}", found.counts, found.notes)


def _unpack(folder: Path) -> None:
    """Take archives apart, and give each file the ending that its content asks for."""
    unpacked = 0
    for file in sorted(folder.iterdir()):
        archived = zipfile.is_zipfile(file)
        members = list(_members(file)) if archived else [file]
        named = [found for found in map(_named, members) if found is not None]
        if not named:
            what = "the archive holds neither" if archived else f"file {int(file.name)} of the request is neither"
            raise ConfigurationError(f"{what} NIfTI nor DICOM; send a NIfTI file or the slices of a series")
        for one in named:
            unpacked += unpacked_bytes(one)
            _check_unpacked(unpacked)


def _check_unpacked(size: int) -> None:
    if size > MAX_UNPACKED_BYTES:
        raise TooLargeError(
            f"the scan unpacks to more than {MAX_UNPACKED_BYTES >> 30} GiB, the limit here; use nerone run"
        )


def _members(archive: Path) -> Iterator[Path]:
    """Write an archive's members under names of our own, and remove it."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [one for one in opened.infolist() if not one.is_dir()]
            if len(members) > _MAX_FILES:
                raise ConfigurationError(f"the archive has {len(members)} files; at most {_MAX_FILES} are read")
            # Others, such as LZMA, take as much memory as their header asks for.
            if any(one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for one in members):
                raise ConfigurationError("the archive is packed in another way than deflated; send a plain zip")
            size = 0
            for number, member in enumerate(members):
                target = archive.with_name(f"{archive.name}-{number:05d}")
                with opened.open(member) as packed, target.open("wb") as out:
                    # Sizes in the archive may lie.
                    while chunk := packed.read(1 << 18):
                        size += len(chunk)
                        _check_unpacked(size)
                        out.write(chunk)
                yield target
    except Error:
        raise
    except DAMAGED_ZIP as error:
        raise ConfigurationError("the archive is damaged or encrypted; send a plain zip") from error
    archive.unlink()


def _named(file: Path) -> Path | None:
    with file.open("rb") as opened:
        start = opened.read(4)
    if start[:2] == b"\x1f\x8b":
        return file.rename(file.with_suffix(".nii.gz"))
    if len(start) == 4 and any(
        size in _NIFTI_SIZES for size in struct.unpack("<i", start) + struct.unpack(">i", start)
    ):
        return file.rename(file.with_suffix(".nii"))
    return file.rename(file.with_suffix(".dcm")) if is_dicom(file) else None
