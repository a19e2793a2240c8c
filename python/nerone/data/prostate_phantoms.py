"""Prostate phantoms: axial T2-weighted DICOM series and NRRD zone masks in the layout of Prostate-3T.

They have its traps too: InstanceNumber runs against the position, and the masks' axes are swapped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.anatomy import Floats, draw_wobble
from nerone.data.phantoms import blur
from nerone.errors import ConfigurationError

__all__ = ["ProstatePhantom", "draw_prostate_phantom", "write_prostate_phantoms"]

SLICE_MM = 3.0


@dataclass(frozen=True)
class ProstatePhantom:
    """A drawn pelvis.

    Attributes
    ----------
    volume : (rows, columns, slices) uint16, lowest slice first
    labels : the same shape, uint8: 1 peripheral zone, 2 central gland
    pixel_mm : float
    """

    volume: NDArray[np.uint16]
    labels: NDArray[np.uint8]
    pixel_mm: float


def _paint(x: Floats, y: Floats, z: float, seed: int) -> tuple[Floats, NDArray[np.uint8]]:
    rng = np.random.default_rng([seed, 0x98])
    level = np.full(x.shape, 420, np.float32)
    body = (np.abs(x) / rng.uniform(150, 180)) ** 2.4 + (np.abs(y) / rng.uniform(95, 120)) ** 2.4
    level[body > 0.93] = 700
    fibres = draw_wobble(rng, 25, 9, 8)
    for side in (-1, 1):
        muscle = ((x - side * 62) / 22) ** 2 + ((y - 8) / 42) ** 2
        level[muscle < 1] = 150 + fibres(x[muscle < 1], y[muscle < 1], z)
        bone = ((x - side * 98) / 26) ** 2 + ((y + 5) / 30) ** 2
        level[bone < 1] = 380
        level[(bone > 0.85) & (bone < 1)] = 60
    rectum = ((x - rng.normal(0, 3)) / 17) ** 2 + ((y - 42) / 15) ** 2
    level[rectum < 1], level[rectum < 0.7] = 190, rng.choice([40, 330])
    bladder = (x / 34) ** 2 + ((y + 22) / 26) ** 2 + ((z - 42) / 24) ** 2
    level[bladder < 1.15], level[bladder < 1] = 170, 900
    size = rng.uniform(0.85, 1.25)
    edge, nodules = draw_wobble(rng, 0.1, 40), draw_wobble(rng, 110, 9, 8)
    gland = ((x / (25 * size)) ** 2 + ((y - 6) / (19 * size)) ** 2 + (z / (21 * size)) ** 2) * (1 + edge(x, y, z))
    centre = (x / (18 * size)) ** 2 + ((y - 1) / (13.5 * size)) ** 2 + ((z - 2) / (18 * size)) ** 2
    centre = centre * (1 + edge(y, x, z))
    labels = np.zeros(x.shape, np.uint8)
    labels[gland < 1] = 1
    labels[(gland < 1) & (centre < 1)] = 2
    level[(gland < 1.12) & (gland >= 1)] = 130
    level[labels == 1] = rng.uniform(560, 760)
    inside = labels == 2
    level[inside] = 330 + nodules(x[inside], y[inside], z)
    level[(gland < 1) & (centre < 1.1) & (centre >= 1)] = 210
    level[body > 1] = 0
    return level, labels


def draw_prostate_phantom(seed: int, *, size: int = 320, slices: int = 19) -> ProstatePhantom:
    """Draw a pelvis with a prostate in the middle; Prostate-3T has 320 rows and columns of 0.6 mm.

    Raises
    ------
    ConfigurationError
        If the volume would be empty.
    """
    if size < 32 or slices < 1:
        raise ConfigurationError(f"a phantom of {size}x{size}x{slices} voxels is too small; use at least 32x32x1")
    rng = np.random.default_rng([seed, 0x99])
    pixel_mm = 0.6 * 320 / size
    place = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * np.float32(pixel_mm)
    y, x = (axis.ravel() for axis in np.meshgrid(place + rng.normal(0, 4), place + rng.normal(0, 4), indexing="ij"))
    gain, noise, shade = rng.uniform(0.6, 1.5), rng.uniform(8, 25), draw_wobble(rng, 0.15, 250)
    volume = np.zeros((size, size, slices), np.uint16)
    labels = np.zeros((size, size, slices), np.uint8)
    for index in range(slices):
        z = (index - (slices - 1) / 2) * SLICE_MM * max(1.0, 19 / slices)
        level, ids = _paint(x.astype(np.float32), y.astype(np.float32), z, seed)
        image = blur((level * (1 + shade(x, y, z)) * np.float32(gain)).astype(np.float32).reshape(size, size), 0.7)
        noisy = np.hypot(image + rng.normal(0, noise, image.shape), rng.normal(0, noise, image.shape))  # Rician
        volume[:, :, index] = np.clip(np.rint(noisy), 0, 4095)
        labels[:, :, index] = ids.reshape(size, size)
    return ProstatePhantom(volume, labels, pixel_mm)


def _dataset(phantom: ProstatePhantom, name: str, index: int) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    slices = phantom.volume.shape[2]
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = MRImageStorage
    uid = generate_uid(entropy_srcs=[name, str(index)])
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = uid
    data.SeriesInstanceUID = generate_uid(entropy_srcs=[name])
    data.StudyInstanceUID = generate_uid(entropy_srcs=[name, "study"])
    data.PatientID = data.PatientName = name
    data.Modality, data.SeriesDescription = "MR", "t2_tse_tra phantom"
    data.InstanceNumber = slices - index
    half = (phantom.volume.shape[0] - 1) / 2 * phantom.pixel_mm
    data.ImagePositionPatient = [-half, -half, (index - (slices - 1) / 2) * SLICE_MM]
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [phantom.pixel_mm, phantom.pixel_mm], SLICE_MM
    data.Rows, data.Columns = phantom.volume.shape[:2]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = np.ascontiguousarray(phantom.volume[:, :, index]).tobytes()
    return data


def _write_mask(phantom: ProstatePhantom, path: Path) -> None:
    import SimpleITK

    rows, _, slices = phantom.labels.shape
    # Axes (row, column, slice) in the file where the images have (column, row, slice).
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(phantom.labels.transpose(2, 1, 0)))
    half = (rows - 1) / 2 * phantom.pixel_mm
    image.SetOrigin((-half, -half, -(slices - 1) / 2 * SLICE_MM))
    image.SetSpacing((phantom.pixel_mm, phantom.pixel_mm, SLICE_MM))
    image.SetDirection((0, 1, 0, 1, 0, 0, 0, 0, 1))
    SimpleITK.WriteImage(image, str(path), useCompression=True)


def write_prostate_phantoms(
    folder: Path | str, *, count: int = 1, seed: int = 0, size: int = 320, slices: int = 19
) -> list[Path]:
    """Write series ``Phantom-3T-NN-0001/t2_tse_tra/NNNNNN.dcm`` and masks ``masks/Phantom-3T-NN-0001.nrrd``."""
    folders = []
    (Path(folder) / "masks").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        phantom = draw_prostate_phantom(seed + number, size=size, slices=slices)
        name = f"Phantom-3T-{number:02d}-0001"
        series = Path(folder) / name / "t2_tse_tra"
        series.mkdir(parents=True, exist_ok=True)
        for index in range(slices):
            path = series / f"{slices - index:06d}.dcm"
            _dataset(phantom, name, index).save_as(path, enforce_file_format=True)
        _write_mask(phantom, Path(folder) / "masks" / f"{name}.nrrd")
        folders.append(series)
    return folders
