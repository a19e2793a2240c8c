"""Masks as DICOM segmentations, through highdicom: coded classes, geometry and references of the source."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nerone.data.dicom.series import DicomSeries
from nerone.data.reading import named_errors
from nerone.errors import ConfigurationError

__all__ = ["SegmentationClass", "write_segmentation"]

# SNOMED CT, for classes that no preset codes: any part of a body.
_ANATOMY = ("91723000", "Anatomical Structure")
_BODY = ("123037004", "Body structure")


@dataclass(frozen=True)
class SegmentationClass:
    """One class of a mask.

    Attributes
    ----------
    name : str
    code : (value, meaning) of SNOMED CT, or empty
    morphology : bool, whether it is an abnormality rather than a part of the body
    """

    name: str
    code: tuple[str, ...] = ()
    morphology: bool = False


def write_segmentation(
    path: Path,
    mask: NDArray[np.uint8],
    series: DicomSeries,
    classes: Sequence[SegmentationClass],
    *,
    kind: Literal["BINARY", "LABELMAP"] = "BINARY",
    algorithm: str,
    version: str,
) -> None:
    """Write the mask of a series as one SEG file.

    Parameters
    ----------
    path : file to write
    mask : (columns, rows, slices) uint8 class numbers, 0 where there is none, on the series' grid
    series : DicomSeries that it tells of
    classes : those from 1 on
    kind : BINARY, one bit plane a class, or LABELMAP, one image of class numbers
    algorithm, version : name of the network, and the version of NERONE

    Raises
    ------
    ConfigurationError
        If a source file lacks what a segmentation has to repeat of it, naming it.
    """
    import highdicom

    if mask.size and int(mask.max()) > len(classes):
        raise ConfigurationError(f"the mask has class {int(mask.max())}; there are names for {len(classes)} classes")
    with named_errors(series.path, "the source of a DICOM segmentation"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sources = _sources(series)
        pixels: Any = np.ascontiguousarray(mask.transpose(2, 1, 0))
        if series.multiframe:
            # highdicom's axes are (slice, row, column), its millimetres left-posterior-superior.
            affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ series.affine[:, [2, 0, 1, 3]]
            reference = sources[0].get("FrameOfReferenceUID")
            pixels = highdicom.Volume(pixels, affine, "PATIENT", frame_of_reference_uid=reference)
        described = [_description(number, known, algorithm, version) for number, known in enumerate(classes, 1)]
        found = highdicom.seg.Segmentation(
            source_images=sources,
            pixel_array=pixels,
            segmentation_type=kind,
            segment_descriptions=described,
            series_instance_uid=highdicom.UID(),
            series_number=1000,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="NERONE",
            manufacturer_model_name=algorithm[:64],
            software_versions=version[:64],
            omit_empty_frames=kind == "BINARY" and bool(mask.any()),
            device_serial_number="0",
            series_description="NERONE, not for medical use",
        )
    found.save_as(path)


def _sources(series: DicomSeries) -> list[Any]:
    import pydicom

    files = (series.path,) if series.multiframe else series.files
    return [pydicom.dcmread(file, stop_before_pixels=True, force=True) for file in files]


def _description(number: int, known: SegmentationClass, algorithm: str, version: str) -> Any:
    import highdicom
    from pydicom.sr.coding import Code

    category = ("49755003", "Morphologically Abnormal Structure") if known.morphology else _ANATOMY
    value, meaning = known.code or _BODY
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=known.name[:64],
        segmented_property_category=Code(category[0], "SCT", category[1]),
        segmented_property_type=Code(value, "SCT", meaning),
        algorithm_type="AUTOMATIC",
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=algorithm[:64],
            version=version[:64],
            family=Code("123109", "DCM", "Artificial Intelligence"),
        ),
    )
