"""Frames with their truth: label volumes, mask pictures, class folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.data import bccd, brats, ct_org, prostate_3t
from nerone.data.dicom import DicomSeries
from nerone.data.frame import Frame
from nerone.data.itk import ITK_ENDINGS, is_itk, read_itk
from nerone.data.nifti import is_nifti, read_nifti
from nerone.data.pictures import is_picture, read_picture
from nerone.data.reading import nothing_left
from nerone.data.sources import Source, find_sources
from nerone.errors import ConfigurationError, Error, ShapeError
from nerone.runtime.preprocessing import Preprocessing

__all__ = ["LabelledFrame", "LabelledFrames", "LabelledSource", "class_index", "labelled_frames", "pair_sources"]

VOLUME_ENDINGS = (".nii.gz", ".nii", *ITK_ENDINGS)
_MASK_FOLDERS = {"images": ("masks", "labels"), "imagestr": ("labelstr",), "imagests": ("labelsts",)}


@dataclass(frozen=True)
class LabelledFrame:
    """A frame and what is true of it.

    Attributes
    ----------
    frame : Frame
    truth : (H, W) uint8 class ids on the frame's grid, or str, the class's name
    """

    frame: Frame
    truth: NDArray[np.uint8] | str


@dataclass(frozen=True)
class LabelledSource:
    """A source that has labels, and how both are read."""

    source: Source
    reader: Callable[[Source], Iterator[LabelledFrame]]

    def read(self) -> Iterator[LabelledFrame]:
        """Read both."""
        return self.reader(self.source)

    def turned(self, steps: Preprocessing | None) -> LabelledSource:
        """Return both turned, as of :meth:`nerone.data.sources.Source.turned`."""
        return replace(self, source=self.source.turned(steps))


@dataclass
class LabelledFrames(Iterable[LabelledFrame]):
    """Labelled frames of a path, streamed; can be iterated again.

    Attributes
    ----------
    skipped : list of (Path, str), sources left out and why: without labels, damaged (``skip_bad``)
    """

    pairs: tuple[LabelledSource, ...]
    skip_bad: bool = False
    skipped: list[tuple[Path, str]] = field(default_factory=list)

    def turned(self, steps: Preprocessing | None) -> LabelledFrames:
        """Return the frames turned to the orientation that a network's preprocessing declares."""
        return replace(self, pairs=tuple(pair.turned(steps) for pair in self.pairs))

    def __len__(self) -> int:
        """Return the number of frames at most; slices that show the brain are dropped from CT-ORG while reading."""
        return sum(pair.source.count for pair in self.pairs)

    def __iter__(self) -> Iterator[LabelledFrame]:
        for pair in self.pairs:
            try:
                # All frames of a source or none, so that half a volume is not used and yet listed as left out.
                yield from list(pair.read()) if self.skip_bad else pair.read()
            except Error as error:
                if not self.skip_bad:
                    raise
                self.skipped.append((pair.source.path, str(error)))


def class_index(name: str, class_names: Iterable[str]) -> int:
    """Return the index of a class by its name, whatever the case.

    Raises
    ------
    ConfigurationError
        If there is no such class.
    """
    names = [known.lower() for known in class_names]
    if name.lower() not in names:
        raise ConfigurationError(
            f"the data has class '{name}', which the model does not know; it knows {', '.join(names)}; "
            "name the classes as the data does when the bundle is made, with --classes, or rename the data's folders"
        )
    return names.index(name.lower())


def _stem(path: Path) -> str:
    name = path.name
    for ending in VOLUME_ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem


def _label_path(path: Path) -> Path | None:
    """Return the label file that belongs to an image by name."""
    volume = is_nifti(path) or is_itk(path)
    stem, endings = _stem(path), (VOLUME_ENDINGS if volume else (".png", ".tif", ".tiff", ".bmp", ".npy"))
    names = [
        f"{stem}_seg",
        f"{stem}-seg",
        f"{stem}_mask",
        f"{stem}-mask",
        f"{stem}_label",
        f"{stem}_labels",
        f"mask_{stem}",
    ]
    if stem.startswith("volume-"):
        names.insert(0, f"labels-{stem[7:]}")
        names.append(f"segmentation-{stem[7:]}")
    folders = _MASK_FOLDERS.get(path.parent.name.lower(), ("masks", "labels"))
    places = [path.parent / name for name in names]
    for folder in folders:
        for root in (path.parent.parent, path.parent):
            places += [root / folder / stem, root / folder / stem.removesuffix("_0000")]
    for place in places:
        for ending in endings:
            candidate = place.with_name(place.name + ending)
            if candidate.is_file() and candidate != path:
                return candidate
    return None


def _ids(path: Path) -> NDArray[np.uint8]:
    if path.name.startswith("labels-"):
        return ct_org.read_labels(path)
    data, _ = read_itk(path) if is_itk(path) else read_nifti(path)
    ids = np.rint(data)
    if ids.size and not (ids.min() >= 0 and ids.max() <= 255 and np.abs(data - ids).max() <= 0.01):
        raise ConfigurationError(
            f"'{path}' has labels from {data.min():g} to {data.max():g}; expected whole numbers from 0 to 255"
        )
    return np.asarray(ids, np.uint8)


def _with_volume(
    source: Source, ids: Callable[[], NDArray[np.uint8]], labels: Path, *, drop_brain: bool = False
) -> LabelledSource:
    def read(source: Source) -> Iterator[LabelledFrame]:
        stored = ids()
        extent = source.stored.grid if source.stored else source.grid
        if extent is not None and stored.shape != extent.shape:
            raise ShapeError(f"'{labels}' has shape {stored.shape}, its volume {extent.shape}; they must be the same")
        truth = source.turn.volume(stored)
        keep = set(ct_org.slices_without_brain(truth)) if drop_brain else None
        for frame in source.read():
            if keep is None or frame.index in keep:
                yield LabelledFrame(frame, np.ascontiguousarray(truth[:, :, frame.index]))

    return LabelledSource(source, read)


def _with_picture(source: Source, labels: Path) -> LabelledSource:
    def read(source: Source) -> Iterator[LabelledFrame]:
        truth: NDArray[Any] = read_picture(labels)
        for frame in source.read():
            if truth.shape != frame.image.shape[:2]:
                raise ShapeError(
                    f"'{labels}' has shape {truth.shape}, its picture {frame.image.shape[:2]}; "
                    "expected class ids, one per pixel"
                )
            yield LabelledFrame(frame, truth.astype(np.uint8))

    return LabelledSource(source, read)


def _with_class(source: Source, name: str) -> LabelledSource:
    return LabelledSource(source, lambda source: (LabelledFrame(frame, name) for frame in source.read()))


def _with_mask(source: Source, series: DicomSeries, root: Path) -> LabelledSource | None:
    masks = [path for path in prostate_3t.mask_files(root) if not path.is_relative_to(source.path)]
    path = prostate_3t.find_mask(series, masks)
    if path is None:
        return None

    def read(source: Source) -> Iterator[LabelledFrame]:
        mask = prostate_3t.read_mask(path)
        on_series = source.turn.volume(prostate_3t.mask_on_series(mask, series, series.rows, series.columns))
        for frame in source.read():
            yield LabelledFrame(frame, np.ascontiguousarray(on_series[:, :, frame.index]))

    return LabelledSource(source, read)


def _pair(source: Source, root: Path, blood: dict[Path, str]) -> LabelledSource | None:
    if isinstance(source.detail, brats.BratsCase):
        seg = source.detail.labels
        return _with_volume(source, lambda: brats.classes_from_ids(_ids(seg), seg), seg) if seg else None
    if isinstance(source.detail, DicomSeries):
        return _with_mask(source, source.detail, root)
    labels = _label_path(source.path)
    if source.kind in ("nifti", "itk"):
        ct = source.path.name.startswith("volume-")
        return _with_volume(source, lambda: _ids(labels), labels, drop_brain=ct) if labels else None
    if labels is not None:
        return _with_picture(source, labels)
    name = blood.get(source.path, "" if source.path.parent == root else source.path.parent.name)
    return _with_class(source, name) if name else None


def pair_sources(sources: list[Source], root: Path) -> list[LabelledSource | Error | None]:
    """Return, for each source, it with its labels, None where it has none, or what is wrong with them."""
    blood = {}
    if any(is_picture(source.path) for source in sources) and any(root.rglob("labels.csv")):
        blood = {image.path: image.label for image in bccd.images(root)}
    pairs: list[LabelledSource | Error | None] = []
    for source in sources:
        try:
            pairs.append(_pair(source, root, blood))
        except Error as error:
            pairs.append(error)
    return pairs


def labelled_frames(path: Path | str, *, skip_bad: bool = False, steps: Preprocessing | None = None) -> LabelledFrames:
    """Return the frames of a file or folder with their truth, streamed.

    Truth is found by name: ``labels-N`` beside ``volume-N`` (CT-ORG), ``_seg`` beside four modalities (BraTS), NRRD
    masks that name the patient of a DICOM series (Prostate-3T), ``_seg``, ``_mask`` or a folder ``masks`` or
    ``labels`` beside others, ``labels.csv`` or the name of its folder for a picture of one class.

    Parameters
    ----------
    path : as of :func:`nerone.data.sources.frames`
    skip_bad : bool, leave out what is damaged or has no labels, and list it in ``skipped``
    steps : Preprocessing, to turn volumes and labels to the orientation that it declares

    Raises
    ------
    ConfigurationError
        If nothing has labels, or (without ``skip_bad``) one source has none.
    """
    sources, skipped = find_sources(path, skip_bad=skip_bad, steps=steps)
    root = Path(path) if Path(path).is_dir() else Path(path).parent
    pairs = []
    for source, pair in zip(sources, pair_sources(sources, root), strict=True):
        if isinstance(pair, LabelledSource):
            pairs.append(pair)
            continue
        error = pair or ConfigurationError(f"'{source.path}' has no labels beside it")
        if not skip_bad:
            raise error
        skipped.append((source.path, str(error)))
    if not pairs:
        nothing = f"nothing in '{path}' has labels; expected labels-N.nii.gz, *_seg.nii.gz, masks or class folders"
        raise ConfigurationError(nothing_left(nothing, skipped))
    return LabelledFrames(tuple(pairs), skip_bad, skipped)
