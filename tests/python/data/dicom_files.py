"""Writes small DICOM series for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def ct_slice(
    pixels: np.ndarray,
    *,
    position: tuple[float, float, float] = (0.0, 0.0, 0.0),
    orientation: tuple[float, ...] = AXIAL,
    spacing: tuple[float, float] = (1.0, 1.0),
    series: str = "1.2.826.0.1.3680043.8.498.9",
    number: int = 1,
    **tags: Any,
) -> FileDataset:
    """Return one CT slice of (rows, columns) Hounsfield units; a tag of value ... is left out."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    file.StudyInstanceUID, file.SeriesInstanceUID, file.FrameOfReferenceUID = f"{series}.1", series, f"{series}.2"
    file.Modality, file.PatientID, file.PatientName, file.InstanceNumber = "CT", "phantom", "Phantom^CT", number
    file.StudyID = "1"
    file.PatientBirthDate = file.PatientSex = file.AccessionNumber = file.ReferringPhysicianName = ""
    file.StudyDate, file.StudyTime, file.SeriesNumber = "20200101", "120000", 1
    file.ImagePositionPatient, file.ImageOrientationPatient = list(position), list(orientation)
    file.PixelSpacing, file.SliceThickness = list(spacing), 1.0
    file.Rows, file.Columns = pixels.shape
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 16, 15, 0
    file.RescaleSlope, file.RescaleIntercept, file.RescaleType = 1, -1024, "HU"
    file.PixelData = (pixels.astype(np.int32) + 1024).astype(np.uint16).tobytes()
    for name, value in tags.items():
        if value is ...:
            delattr(file, name)
        else:
            setattr(file, name, value)
    return file


def write_slice(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ct_slice(pixels, **options).save_as(path, enforce_file_format=True)
    return path


def write_series(folder: Path, volume: np.ndarray, affine: np.ndarray, **options: Any) -> Path:
    """Write a volume (columns, rows, slices) of right-anterior-superior affine as one file a slice."""
    steps = np.diag([-1.0, -1.0, 1.0]) @ affine[:3, :]
    lengths = np.linalg.norm(steps, axis=0)
    orientation = (*(steps[:, 0] / lengths[0]), *(steps[:, 1] / lengths[1]))
    for index in range(volume.shape[2]):
        write_slice(
            folder / f"{index:03d}.dcm",
            volume[:, :, index].T,
            position=tuple(steps[:, 3] + index * steps[:, 2]),
            orientation=orientation,
            spacing=(float(lengths[1]), float(lengths[0])),
            number=volume.shape[2] - index,
            **options,
        )
    return folder
