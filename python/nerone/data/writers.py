"""Writes masks where they belong: NIfTI with the volume's affine for volumes and series, PNG for pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nerone.data.frame import Frame
from nerone.data.grid import written_grid
from nerone.data.itk import ITK_ENDINGS
from nerone.data.nifti import is_nifti, write_mask
from nerone.data.pictures import write_png
from nerone.errors import ConfigurationError, ShapeError

__all__ = ["mask_path", "write_masks"]


def mask_path(frame: Frame, output: Path, root: Path | None = None) -> Path:
    """Return where the mask of a frame goes: its source's name with ``_mask``, in the same subfolder as below
    ``root``.
    """
    source = frame.source
    name = source.name
    for ending in (".nii.gz", ".nii", *ITK_ENDINGS):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
            break
    else:
        name = source.stem if source.suffix and frame.affine is None else name
    below = source.parent.relative_to(root) if root is not None and source.parent.is_relative_to(root) else Path()
    volume = frame.affine is not None or is_nifti(source)
    number = "" if volume or frame.index is None else f"_{frame.index:04d}"
    return output / below / f"{name}{number}_mask{'.nii.gz' if volume else '.png'}"


def write_masks(
    pairs: Iterable[tuple[Frame, NDArray[np.uint8]]], output: Path | str, *, root: Path | None = None
) -> list[Path]:
    """Write masks (H, W) uint8, each on its frame's grid, one file per volume or picture, as the frames come.

    Parameters
    ----------
    pairs : frames in the order of :func:`nerone.data.sources.frames` and their masks
    output : folder
    root : the folder the frames were found in; its subfolders are kept

    Returns
    -------
    list of Path, the files written

    Raises
    ------
    ShapeError
        If a mask is not as large as its frame.
    ConfigurationError
        If the folder cannot be written, the disk is full, or two sources would get the same file.
    """
    output = Path(output)
    written: list[Path] = []
    path: Path | None = None
    pending: NDArray[np.uint8] | None = None
    last: Frame | None = None

    def finish() -> None:
        if path is not None and pending is not None and last is not None:
            write_mask(path, *written_grid(pending, last))

    try:
        for frame, mask in pairs:
            if mask.shape != frame.image.shape[:2]:
                raise ShapeError(
                    f"the mask of '{frame.source}' has shape {mask.shape}, its frame {frame.image.shape[:2]}"
                )
            target = mask_path(frame, output, root)
            if target != path or last is None or frame.source != last.source:
                finish()
                if target in written:
                    raise ConfigurationError(f"two sources would be written to '{target}'; give their folder as root")
                path, pending, last = target, None, frame
                written.append(target)
            if frame.affine is None:
                write_png(target, mask)
                continue
            if pending is None:
                pending = np.zeros((*mask.shape, frame.count), np.uint8)
            pending[:, :, frame.index or 0] = mask
        finish()
    except OSError as error:
        raise ConfigurationError(f"the masks cannot be written to '{output}': {error}") from error
    return written
