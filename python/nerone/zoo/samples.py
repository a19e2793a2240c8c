"""Training samples: a data set prepared once into two memory-mapped arrays, split by patient or original image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ConfigurationError

__all__ = ["Augment", "Samples", "batches", "draw_order", "write_samples"]


@dataclass(frozen=True)
class Samples:
    """Prepared samples.

    Attributes
    ----------
    images : (N, H, W, C) float16, as the network takes them
    truth : (N, H, W) uint8 class ids, or (N,) uint8 for classification
    groups : (N,) int, the patient or original image each sample came from; no group is on both sides of a split
    """

    images: NDArray[np.float16]
    truth: NDArray[np.uint8]
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.groups)

    def split(self, share: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the indices of training and validation samples; ``share`` of the groups, drawn by ``seed``,
        validates.
        """
        groups = np.unique(self.groups)
        if len(groups) < 2:
            raise ConfigurationError("training needs at least two volumes or images, one of them for validation")
        count = min(max(1, round(share * len(groups))), len(groups) - 1)
        drawn = np.random.default_rng([seed, 0x5B]).permutation(groups)[:count]
        validates = np.isin(self.groups, drawn)
        return np.flatnonzero(~validates), np.flatnonzero(validates)


def write_samples(folder: Path, samples: Iterator[tuple[NDArray[Any], NDArray[Any] | int, int]]) -> Samples:
    """Prepare samples one by one into ``folder`` and return them memory-mapped; a folder that is complete is reused.

    Parameters
    ----------
    folder : Path
    samples : iterator of image (H, W, C) float, truth (H, W) or int, group int
    """
    names = {kind: folder / f"{kind}.npy" for kind in ("images", "truth", "groups")}
    if not names["groups"].is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shapes: list[tuple[int, ...]] = []
        groups: list[int] = []
        truths: list[NDArray[np.uint8]] = []
        with (folder / "images.raw").open("wb") as raw:
            for image, truth, group in samples:
                raw.write(np.ascontiguousarray(image, np.float16).tobytes())
                truths.append(np.asarray(truth, np.uint8))
                groups.append(group)
                shapes.append(image.shape)
        if not groups or len(set(shapes)) != 1:
            raise ConfigurationError(
                f"the data gave {len(groups)} samples of shapes {sorted(set(shapes))}; expected one shape"
            )
        flat = np.memmap(folder / "images.raw", np.float16, "r")
        np.save(names["images"], flat.reshape(len(groups), *shapes[0]))
        (folder / "images.raw").unlink()
        np.save(names["truth"], np.stack(truths))
        np.save(names["groups"], np.array(groups, np.int64))
    images, truth, groups_array = (np.load(names[kind], mmap_mode="r") for kind in ("images", "truth", "groups"))
    return Samples(images, truth, np.array(groups_array))


Augment = Callable[
    [NDArray[np.float32], NDArray[np.uint8], np.random.Generator], tuple[NDArray[np.float32], NDArray[np.uint8]]
]


def draw_order(
    truth: NDArray[np.uint8], indices: NDArray[np.intp], count: int, rng: np.random.Generator, *, balance: float = 0.0
) -> NDArray[np.intp]:
    """Draw ``count`` samples in random order: every one equally often, or for class ids every class equally often.

    Parameters
    ----------
    balance : float, for masks the share of the samples that are drawn class by class, from those that show the class
    """
    if truth.ndim == 1:
        members = [indices[truth[indices] == c] for c in np.unique(truth[indices])]
        share = -(-count // len(members))
        return rng.permutation(np.concatenate([rng.choice(group, share) for group in members]))[:count]
    balanced = round(balance * count)
    rounds = -(-(count - balanced) // len(indices))
    plain = np.concatenate([rng.permutation(indices) for _ in range(rounds)] or [indices[:0]])[: count - balanced]
    if not balanced:
        return plain
    shown = _classes_shown(truth, indices)
    members = [indices[column] for column in shown.T[1:] if column.any()] or [indices]
    chosen = [rng.choice(members[number % len(members)]) for number in range(balanced)]
    return rng.permutation(np.concatenate([plain, np.array(chosen, np.intp)]))


def _classes_shown(truth: NDArray[np.uint8], indices: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return (samples, classes): which class has a pixel in which sample."""
    counts = [np.bincount(truth[index].ravel(), minlength=256) for index in indices]
    shown = np.stack(counts) > 0
    return np.asarray(shown[:, : int(np.flatnonzero(shown.any(axis=0)).max()) + 1])


def batches(
    samples: Samples,
    indices: NDArray[np.intp],
    batch_size: int,
    steps: int,
    seed: tuple[int, int],
    augment: Augment | None,
    balance: float = 0.0,
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
    """Yield ``steps`` shuffled batches; the same seed gives the same batches, bit for bit."""
    rng = np.random.default_rng([*seed, 0xBA])
    order = draw_order(samples.truth, indices, steps * batch_size, rng, balance=balance)
    for step in range(steps):
        chosen = order[step * batch_size : (step + 1) * batch_size]
        pairs = [(np.asarray(samples.images[i], np.float32), np.asarray(samples.truth[i])) for i in chosen]
        if augment is not None:
            pairs = [augment(image, truth, rng) for image, truth in pairs]
        yield np.stack([image for image, _ in pairs]), np.stack([truth for _, truth in pairs])
