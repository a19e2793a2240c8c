"""Pixels of DICOM files, in the modality's own unit (Hounsfield units for CT)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.dicom.multiframe import read_frames
from nerone.data.dicom.series import DicomSeries
from nerone.data.frame import plain
from nerone.data.reading import named_errors, one_line
from nerone.errors import ConfigurationError, ShapeError

__all__ = ["read_pages", "read_slice", "read_slices"]


def read_slices(series: DicomSeries) -> Iterator[NDArray[Any]]:
    """Yield the slices of a volume, (rows, columns), in its order."""
    if series.multiframe:
        yield from read_frames(series)
        return
    for file in series.files:
        pixels = read_slice(file)
        if pixels.shape != (series.rows, series.columns):
            raise ShapeError(
                f"'{file}' holds pixels of shape {pixels.shape}, its header says {(series.rows, series.columns)}"
            )
        yield pixels


def read_slice(path: Path) -> NDArray[Any]:
    """Read one slice (rows, columns), rescaled to Hounsfield units where the header says so.

    Raises
    ------
    ConfigurationError
        If the file cannot be decoded, holds no grey slice, or is rescaled by what is no number.
    """
    from pydicom.pixels import apply_modality_lut

    with named_errors(path, "DICOM"):
        data = _whole(path)
        pixels = _decoded(data, path)
        if pixels.ndim != 2:
            raise ConfigurationError(f"'{path}' holds pixels of shape {pixels.shape}; expected one grey slice")
        if data.get("ModalityLUTSequence"):
            return plain(np.asarray(apply_modality_lut(pixels, data)))
        slope = _rescale_number(data, "RescaleSlope", 1, path)
        intercept = _rescale_number(data, "RescaleIntercept", 0, path)
        return plain(pixels if (slope, intercept) == (1.0, 0.0) else pixels * slope + intercept)


def _rescale_number(data: Any, name: str, default: float, path: Path) -> float:
    """Return a tag of one number; an empty or missing one counts as ``default``."""
    value = data.get(name)
    if value is None or value == "":
        return float(default)
    number = float("nan") if not isinstance(value, (int, float, str)) else float(value)
    if not math.isfinite(number) or (name == "RescaleSlope" and number == 0):
        raise ConfigurationError(f"'{path}' has {name} {value}; expected one number: mend the header or leave it out")
    return number


def _whole(path: Path) -> Any:
    """Read a file with its pixels; where it does not say how they are stored, they are as its elements are."""
    import pydicom

    data = pydicom.dcmread(path, force=True)
    if "TransferSyntaxUID" not in data.file_meta:
        implicit, little = data.original_encoding
        explicit = pydicom.uid.ExplicitVRLittleEndian if little else pydicom.uid.ExplicitVRBigEndian
        data.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian if implicit else explicit
    return data


def _decoded(data: Any, path: Path) -> NDArray[Any]:
    try:
        return np.asarray(data.pixel_array)
    except Exception as error:
        raise ConfigurationError(
            f"'{path}' cannot be decoded ({one_line(error)}); it may be damaged, or nerone[data] with its codecs is "
            "not installed"
        ) from error


def read_pages(path: Path) -> Iterator[NDArray[Any]]:
    """Yield the pictures of an image that lies nowhere in space, (H, W) or (H, W, 3) in RGB.

    Raises
    ------
    ConfigurationError
        If the file cannot be decoded.
    """
    from pydicom.pixels import apply_color_lut

    with named_errors(path, "DICOM"):
        data = _whole(path)
        pixels = _decoded(data, path)
        if data.get("PhotometricInterpretation") == "PALETTE COLOR":
            pixels = np.asarray(apply_color_lut(pixels, data))
        colours = int(data.get("SamplesPerPixel") or 1) > 1 or data.get("PhotometricInterpretation") == "PALETTE COLOR"
        if colours and pixels.dtype != np.uint8:
            pixels = (pixels >> (8 * pixels.dtype.itemsize - 8)).astype(np.uint8)
        pages = pixels if pixels.ndim == 3 + colours else pixels[np.newaxis]
    yield from (plain(page) for page in pages)
