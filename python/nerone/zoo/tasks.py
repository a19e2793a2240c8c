"""From a data set to a trained network: what ``nerone train`` calls."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from nerone.data import bccd
from nerone.data.geometry import geometry_notes
from nerone.data.labelled import LabelledFrame, class_index, labelled_frames
from nerone.data.pictures import read_picture
from nerone.errors import ConfigurationError, Error
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.preprocessing.network_grid import labels_on_grid
from nerone.runtime.preprocessing.numpy_steps import apply, volume_statistics
from nerone.runtime.presets import preset
from nerone.zoo.models import NETWORKS
from nerone.zoo.samples import Samples, write_samples
from nerone.zoo.training import TrainingOptions, TrainingResult, fit

__all__ = ["prepare", "train"]

Sample = tuple[NDArray[np.float32], Union[NDArray[Any], int], int]
Progress = Callable[[int, int], None]


def _volume_samples(members: list[LabelledFrame], steps: Preprocessing, group: int) -> Iterator[Sample]:
    statistics = volume_statistics(steps, [m.frame.image for m in members]) if steps.volume_steps else None
    for member in members:
        if isinstance(member.truth, str):
            raise ConfigurationError(f"'{member.frame.source}' has a class, not a mask; this network needs masks")
        spacing = member.frame.spacing_mm
        image = apply(steps, member.frame.image, spacing_mm=spacing, statistics=statistics)
        yield image, labels_on_grid(steps, member.truth, spacing_mm=spacing), group


def _segmentation_samples(
    data: Path, steps: Preprocessing, progress: Progress | None, skipped: list[tuple[Path, str]] | None
) -> Iterator[Sample]:
    found, done = labelled_frames(data, skip_bad=skipped is not None, steps=steps), 0
    for group, (source, members) in enumerate(itertools.groupby(found, key=lambda member: member.frame.source)):
        volume = list(members)
        affine = volume[0].frame.affine
        for note in [] if affine is None else geometry_notes(affine):
            warnings.warn(f"'{source}': {note}", stacklevel=2)
        try:
            yield from list(_volume_samples(volume, steps, group))
        except Error as error:
            if skipped is None:
                raise
            skipped.append((source, str(error)))
        done += len(volume)
        if progress is not None:
            progress(done, len(found))
    if skipped is not None:
        skipped += found.skipped


def _blood_samples(
    data: Path, steps: Preprocessing, progress: Progress | None, skipped: list[tuple[Path, str]] | None
) -> Iterator[Sample]:
    found = bccd.images(data)
    shared = bccd.check_split(found)
    if shared:
        raise ConfigurationError(f"'{data}': original {shared[0]} is in train and in test; split by original")
    chosen = [image for image in found if image.part != "test"]
    for done, image in enumerate(chosen, 1):
        try:
            values = apply(steps, read_picture(image.path))
        except Error as error:
            if skipped is None:
                raise
            skipped.append((image.path, str(error)))
            continue
        yield values, class_index(image.label, bccd.CLASSES), image.original
        if progress is not None:
            progress(done, len(chosen))


def prepare(
    task: str,
    data: Path | str,
    folder: Path | str,
    *,
    variant: str = "published",
    skipped: list[tuple[Path, str]] | None = None,
    progress: Progress | None = None,
) -> Samples:
    """Prepare a data set for a network with the very preprocessing that is deployed with it.

    Parameters
    ----------
    task : "ct-org", "brats", "prostate" or "bccd"
    data : the data set's folder; images below a folder "test" are never used
    folder : where the prepared arrays are kept and found again
    variant : as of :func:`nerone.zoo.models.build`
    skipped : list, where what is damaged or has no labels is left out: each such file and why is added to it
    progress : called with slices or images done and to do

    Raises
    ------
    ConfigurationError
        If the data set is missing, damaged, without labels, or splits an original over train and test.
    """
    if task not in NETWORKS:
        raise ConfigurationError(f"task '{task}' is unknown; use one of {', '.join(NETWORKS)}")
    network = NETWORKS[task]
    steps = preset(network.preset_of(variant)).preprocessing
    draw = _segmentation_samples if network.segmentation else _blood_samples
    return write_samples(Path(folder), draw(Path(data), steps, progress, skipped))


def train(
    task: str,
    data: Path | str,
    output: Path | str,
    options: TrainingOptions | None = None,
    *,
    skipped: list[tuple[Path, str]] | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train the network of a task on a data set, or go on where a run in ``output`` stopped.

    Parameters
    ----------
    task : "ct-org", "brats", "prostate" or "bccd"
    data : the data set's folder
    output : folder for samples, checkpoints, best.keras, log.csv and curve.png
    options : TrainingOptions
    skipped : as of :func:`prepare`

    Raises
    ------
    ConfigurationError
        If the data does not fit, or ``output`` holds a run with other options.
    """
    options = options or TrainingOptions()
    samples = prepare(task, data, Path(output) / "samples", variant=options.variant, skipped=skipped, progress=progress)
    return fit(task, samples, output, options)
