"""Writes what a bundle says of one scan: masks in the format that was asked for, counted by class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.bundle.writing import replacing_file
from nerone.compat import zip
from nerone.data.dicom import DicomSeries
from nerone.data.dicom.segmentation import SegmentationClass, write_segmentation
from nerone.data.frame import Frame
from nerone.data.grid import Grid, written_grid
from nerone.data.nifti import MaskStream, write_mask
from nerone.data.source import Source
from nerone.errors import ConfigurationError
from nerone.runtime.prediction.options import RunOptions

__all__ = ["Result", "write_results"]

Masks = Iterator[tuple[Frame, NDArray[np.uint8]]]


@dataclass
class Result:
    """Files and figures written for one scan.

    Attributes
    ----------
    targets : list of (file, pixels per class); one file of a volume, one per picture
    voxel_ml : float, volume of a voxel in millilitres; 0 of pictures
    first : Frame or None, the first one
    """

    targets: list[tuple[Path, NDArray[np.int64]]] = field(default_factory=list)
    voxel_ml: float = 0.0
    first: Frame | None = None


class _Writer:
    def __init__(self, bundle: Bundle, options: RunOptions) -> None:
        self.options = options
        self.classes = len(bundle.output.class_names)
        self.bundle = bundle
        self.ids = np.asarray(bundle.output.label_ids or range(self.classes), np.uint8)

    def counts(self, mask: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.bincount(mask.ravel(), minlength=self.classes)[: self.classes].astype(np.int64)

    def stream(self, masks: Masks, source: Source, grid: Grid, target: Path, result: Result) -> None:
        """Write NIfTI slice by slice, so that only one is in memory."""
        first, mask = next(masks)
        result.first, total = first, self.counts(mask)
        back = first.turn.inverse()
        written = grid.turned(back)
        with replacing_file(target) as file, MaskStream(file, written.shape, written.affine) as stream:
            stream.add(back.slice(self.ids[mask]))
            for _, mask in masks:
                total = total + self.counts(mask)
                stream.add(back.slice(self.ids[mask]))
        result.targets.append((target, total))

    def whole(self, masks: Masks, source: Source, target: Path, output_format: str, result: Result) -> None:
        """Write a volume whose slices were cut anew, or a DICOM segmentation."""
        items = list(masks)
        result.first = items[0][0]
        stack = np.stack([mask for _, mask in items], axis=-1)
        del items
        stored, affine = written_grid(stack, result.first)
        with replacing_file(target) as file:
            if output_format == "nifti":
                write_mask(file, self.ids[stored], affine)
            else:
                kind: Literal["LABELMAP", "BINARY"] = "LABELMAP" if output_format == "dicom-labelmap" else "BINARY"
                detail = source.detail
                assert isinstance(detail, DicomSeries)
                name, version = self.bundle.name, self.bundle.versions.get("nerone", "0")
                write_segmentation(
                    file, stored, detail, _coded(self.bundle), kind=kind, algorithm=name, version=version
                )
        result.targets.append((target, self.counts(stack)))

    def pictures(self, masks: Masks, source: Source, stem: Path, single: Path | None, result: Result) -> None:
        """Write grey images whose levels are the ids, which every reader gives as they are, and coloured ones."""
        from PIL import Image

        for number, (frame, mask) in enumerate(masks):
            result.first = result.first or frame
            lone = source.count == 1 and frame.affine is None
            target = stem.with_name(f"{stem.name}_mask" + (".png" if lone else f"_{number:04d}.png"))
            # Of a volume, columns of the picture are the grid's first axis, as every viewer shows it.
            shown = mask if frame.affine is None else written_grid(mask[:, :, np.newaxis], frame)[0][:, :, 0].T
            place = single if single is not None and lone else target
            with replacing_file(place) as file:
                Image.fromarray(np.ascontiguousarray(self.ids[shown])).save(file)
            if self.options.colours:
                coloured = np.asarray(self.bundle.output.colours, np.uint8)[shown]
                with replacing_file(_coloured(place)) as file:
                    Image.fromarray(coloured).save(file)
            result.targets.append((place, self.counts(mask)))


def write_results(
    bundle: Bundle, source: Source, masks: Masks, stem: Path, options: RunOptions, single: Path | None
) -> Result:
    """Write the masks of one scan as they come.

    Parameters
    ----------
    bundle : Bundle
    source : Source, whose frames ``masks`` go through
    masks : each frame with its mask (H, W) of class numbers
    stem : where the result goes, without "_mask" and ending
    options : RunOptions, of which the format and the colours count
    single : Path or None, the very file to write where its ending fits

    Raises
    ------
    ConfigurationError
        If the format does not fit the scan, naming it.
    """
    output_format = options.format
    writer, result, grid = _Writer(bundle, options), Result(), source.grid
    if grid is not None:
        result.voxel_ml = abs(float(np.linalg.det(grid.affine[:3, :3]))) / 1000
    if grid is None or output_format == "png":
        writer.pictures(masks, source, stem, _fitting(single, ".png"), result)
        return result
    if output_format.startswith("dicom") and not isinstance(source.detail, DicomSeries):
        raise ConfigurationError(
            f"'{source.path}' is no DICOM series; a DICOM segmentation needs one: use --format nifti"
        )
    ending = ".nii.gz" if output_format == "nifti" else ".dcm"
    target = _fitting(single, ending) or stem.with_name(f"{stem.name}_mask{ending}")
    if output_format == "nifti" and source.turn.keeps_slices:
        writer.stream(masks, source, grid, target, result)
    else:
        writer.whole(masks, source, target, output_format, result)
    return result


def _coloured(mask: Path) -> Path:
    """Return the name of the coloured picture, which is known as a mask by its ending too."""
    return mask.with_name(f"{mask.stem.removesuffix('_mask')}_colour_mask.png")


def _fitting(single: Path | None, ending: str) -> Path | None:
    return single if single is not None and single.name.endswith(ending) and not single.is_dir() else None


def _coded(bundle: Bundle) -> list[SegmentationClass]:
    names, codes = bundle.output.class_names, bundle.output.codes
    found: list[Any] = list(codes) if codes else [()] * len(names)
    return [SegmentationClass(n, tuple(c[:2]), len(c) > 2) for n, c in list(zip(names, found, strict=True))[1:]]
