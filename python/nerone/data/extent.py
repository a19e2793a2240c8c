"""How much memory a file takes once unpacked, read from its header; a small compressed file may hold any amount."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

from nerone.data.nifti import is_nifti, open_nifti
from nerone.data.pictures import is_picture
from nerone.data.reading import named_errors
from nerone.errors import ConfigurationError

__all__ = ["DEFLATED", "MAX_DEFLATED_BYTES", "check_deflated", "unpacked_bytes"]

# No image of one file comes near; pydicom inflates a deflated file as a whole before it looks at it.
MAX_DEFLATED_BYTES = 1 << 30
DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1")


def unpacked_bytes(path: Path) -> int:
    """Return the bytes that the values of a scan or picture take in memory while it is read.

    Raises
    ------
    ConfigurationError, ShapeError
        If its header cannot be read.
    """
    if is_nifti(path):
        image = open_nifti(path)
        slope, intercept = image.dataobj.slope, image.dataobj.inter
        item = image.get_data_dtype().itemsize if (slope, intercept) == (1, 0) else 8
        return int(math.prod(int(n) for n in image.shape) * int(item) + int(image.dataobj.offset))
    if is_picture(path) and path.suffix.lower() != ".npy":
        from PIL import Image

        with named_errors(path, "a picture"), Image.open(path) as picture:
            pages = int(getattr(picture, "n_frames", 1)) if path.suffix.lower() in (".tif", ".tiff") else 1
            return int(picture.width * picture.height * len(picture.getbands()) * pages)
    return _dicom_bytes(path) if path.suffix.lower() == ".dcm" else path.stat().st_size


def _dicom_bytes(path: Path) -> int:
    import pydicom

    check_deflated(path)
    with named_errors(path, "DICOM"):
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        names = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel")
        values = math.prod(int(header.get(name) or 1) for name in names)
        return values * max(8, int(header.get("BitsAllocated") or 8)) // 8


def check_deflated(path: Path) -> None:
    """Refuse a deflated DICOM file that unpacks to more than :data:`MAX_DEFLATED_BYTES`.

    Raises
    ------
    ConfigurationError
        naming the file.
    """
    import pydicom

    with named_errors(path, "DICOM"), path.open("rb") as file:
        start = file.read(132)
        if start[128:] != b"DICM":
            return
        meta = pydicom.filereader.read_file_meta_info(path)
        if str(meta.get("TransferSyntaxUID", "")) not in DEFLATED:
            return
        file.seek(132 + 12 + int(meta.get("FileMetaInformationGroupLength", 0)))
        inflate, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while size <= MAX_DEFLATED_BYTES and not inflate.eof:
            chunk = inflate.unconsumed_tail or file.read(1 << 16)
            if not chunk:
                return
            size += len(inflate.decompress(chunk, 1 << 22))
    if size > MAX_DEFLATED_BYTES:
        raise ConfigurationError(
            f"'{path}' is deflated and unpacks to more than {MAX_DEFLATED_BYTES >> 20} MiB; store it uncompressed"
        )
