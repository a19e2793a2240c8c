"""Images of a Ray dataset through a bundle: a column of arrays in, a column of results out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nerone.bundle.bundle import Bundle
from nerone.compat import zip
from nerone.errors import ConfigurationError
from nerone.ray.actors import through_actors
from nerone.runtime.frame import Frame
from nerone.runtime.pipeline import Pipeline

__all__ = ["map_images"]


def map_images(
    bundle: str | Path,
    dataset: Any,
    *,
    column: str = "image",
    spacing_column: str = "",
    result: Literal["classes", "probabilities"] = "classes",
    workers: int = 2,
    threads: int | None = None,
    device: str = "softdpu",
    batch_size: int = 16,
    resources: Mapping[str, float] | None = None,
) -> Any:
    """Return a dataset whose images went through a bundle, each by one of some actors, when it is read.

    Ray Data reads no further ahead than its store and the actors take, and each actor's pipeline takes no more of a
    batch than it has room for.

    Parameters
    ----------
    bundle : path that means the same on every machine
    dataset : ray.data.Dataset
    column : of images as the bundle's preprocessing takes them, all (H, W) or all (H, W, C): Ray gives those of a batch
        the same number of axes
    spacing_column : of (2,) millimetres from row to row and column to column, where the preprocessing resamples
    result : as for `nerone.Pipeline`
    workers, threads : actors, and the CPUs and pipeline threads of each, 1 where None
    device : "softdpu" or "board"
    batch_size : images at once
    resources : what else each actor takes of its machine, such as {"dpu": 1}

    Returns
    -------
    ray.data.Dataset, its other columns, "result" as of `nerone.Pipeline.run`, and "error", empty where there is none;
    the result of a row with an error is an empty array, or null where a result is one class

    Raises
    ------
    ConfigurationError
        If the bundle or a number cannot be used, before anything runs.
    """
    opened = Bundle.open(bundle)
    if opened.preprocessing.volume_steps:
        raise ConfigurationError(
            f"'{opened.path}' needs statistics of whole volumes, and map_images sees single images; use map_scans"
        )
    return through_actors(
        dataset,
        _ImageActor,
        (str(opened.path.resolve()), column, spacing_column, result, 1 if threads is None else threads, device),
        workers=workers,
        threads=threads,
        batch_size=batch_size,
        resources=resources,
    )


class _ImageActor:
    """Runs the images of its batches, with a pipeline of its own."""

    def __init__(self, bundle: str, column: str, spacing_column: str, result: Any, threads: int, device: str) -> None:
        self._column, self._spacing_column = column, spacing_column
        opened = Bundle.open(bundle)
        self._pipeline = Pipeline(opened, threads=threads, device=device, result=result)
        # (h, w) classes or (h, w, classes) probabilities of a segmentation, () or (classes,) of a classification.
        self._axes = 2 * (opened.output.kind == "segmentation") + (result == "probabilities")
        self._dtype = np.uint8 if result == "classes" else np.float32

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Run the images of a batch; an error is one of its row."""
        missing = [name for name in (self._column, self._spacing_column) if name and name not in batch]
        if missing:
            raise ConfigurationError(f"the dataset has no column '{missing[0]}'; it has {', '.join(batch)}")
        images = [np.ascontiguousarray(image) for image in batch[self._column]]
        spacing = batch[self._spacing_column] if self._spacing_column else [None] * len(images)
        frames = [
            Frame(image, None if mm is None else (float(mm[0]), float(mm[1])))
            for image, mm in zip(images, spacing, strict=True)
        ]
        found = list(self._pipeline.map(frames, on_error="yield"))
        errors = [str(one) if isinstance(one, Exception) else "" for one in found]
        kept = {name: values for name, values in batch.items() if name != self._column}
        return {**kept, "result": self._results(found), "error": errors}

    def _results(self, found: list[Any]) -> Any:
        """Return results as one column; those of errors are empty arrays, null among classes of pictures."""
        wrong = [isinstance(one, Exception) for one in found]
        if not any(wrong):
            return np.stack(found)
        if self._axes == 0:
            return [None if bad else int(one) for one, bad in zip(found, wrong, strict=True)]
        empty = np.zeros((0,) * self._axes, self._dtype)
        column = np.empty(len(found), object)
        column[:] = [empty if bad else np.asarray(one) for one, bad in zip(found, wrong, strict=True)]
        return column
