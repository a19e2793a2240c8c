"""The draw of calibration images: how many, and how often each class is among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import dataclass
from nerone.errors import ConfigurationError, ShapeError, check_whole

__all__ = ["FEW_PER_CLASS", "Sampling", "class_presence", "coverage", "sample"]

# "A few dozen images for each class": below it the coverage report warns.
FEW_PER_CLASS = 24


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How calibration images are drawn.

    Attributes
    ----------
    images : int, number to draw; all where there are no more
    seed : int, of the draw; the same seed draws the same images
    shares : mapping of class number to the wanted share (0 to 1) of images that contain the class
    factors : mapping of class number to the factor by which its natural share is raised or lowered; not beside
        ``shares`` for the same class
    """

    images: int = 500
    seed: int = 0
    shares: Mapping[int, float] = field(default_factory=dict)
    factors: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ConfigurationError(f"images is {self.images}; draw at least 1, better 100 to 1000")
        check_whole("seed", self.seed, 0)
        bad = [label for label, share in self.shares.items() if not 0 <= share <= 1]
        if bad:
            raise ConfigurationError(f"the share of class {bad[0]} is {self.shares[bad[0]]}; give 0 to 1")
        bad = [label for label, factor in self.factors.items() if not factor >= 0]
        if bad:
            raise ConfigurationError(f"the factor of class {bad[0]} is {self.factors[bad[0]]}; give 0 or more")
        both = sorted(set(self.shares) & set(self.factors))
        if both:
            raise ConfigurationError(f"class {both[0]} has a share and a factor; give one of them")


def class_presence(labels: Iterable[Any], classes: int) -> NDArray[np.bool_]:
    """Return which classes each image contains, (N, classes).

    Parameters
    ----------
    labels : per image a mask of class numbers, or one class number
    classes : int, number of classes; larger class numbers raise

    Raises
    ------
    ShapeError
        A class number outside 0 .. classes - 1.
    """
    rows = []
    for number, label in enumerate(labels):
        found = np.unique(np.asarray(label))
        if found.size and not 0 <= found.min() <= found.max() < classes:
            raise ShapeError(f"label {number} holds class {found.max():g}; expected 0 to {classes - 1}")
        row = np.zeros(classes, np.bool_)
        row[found.astype(np.int64)] = True
        rows.append(row)
    return np.array(rows, np.bool_).reshape(-1, classes)


def sample(presence: NDArray[np.bool_], sampling: Sampling) -> NDArray[np.int64]:
    """Return the indices of the drawn images, ascending.

    Parameters
    ----------
    presence : (N, classes) bool, as :func:`class_presence` gives it; (N, 0) where nothing is known
    sampling : Sampling

    Returns
    -------
    (n,) int64, n = min(N, sampling.images)
        Drawn at random without targets; with them one by one, each the image that brings the shares closest to the
        targets.
    """
    count, classes = presence.shape
    if not count:
        raise ConfigurationError("there are no images to draw from; check the folder")
    wanted = min(count, sampling.images)
    order = np.random.default_rng(sampling.seed).permutation(count)
    targets = _targets(presence, sampling)
    labels = sorted(targets)
    outside = [label for label in labels if not 0 <= label < classes]
    if outside:
        raise ConfigurationError(f"class {outside[0]} is not among the {classes} classes of the labels")
    if not targets or wanted == count:
        return np.sort(order[:wanted]).astype(np.int64)
    goal = np.array([targets[label] for label in labels]) * wanted
    shown = presence[order][:, labels].astype(np.float64)
    return np.sort(order[_closest(shown, goal, wanted)]).astype(np.int64)


def _targets(presence: NDArray[np.bool_], sampling: Sampling) -> dict[int, float]:
    natural = presence.mean(axis=0)
    raised = {
        label: min(1.0, float(natural[label]) * factor)
        for label, factor in sampling.factors.items()
        if 0 <= label < len(natural)
    }
    unknown = [label for label in sampling.factors if label not in raised]
    return {**dict.fromkeys(unknown, 0.0), **raised, **sampling.shares}


def _closest(shown: NDArray[np.float64], goal: NDArray[np.float64], wanted: int) -> NDArray[np.int64]:
    """Rows chosen one by one so that their sum approaches ``goal`` evenly on the way."""
    free = np.ones(len(shown), np.bool_)
    have = np.zeros(shown.shape[1])
    chosen = []
    for drawn in range(1, wanted + 1):
        distance = np.square(have + shown - goal * (drawn / wanted)).sum(axis=1)
        distance[~free] = np.inf
        best = int(np.argmin(distance))
        chosen.append(best)
        free[best] = False
        have += shown[best]
    return np.array(chosen, np.int64)


def coverage(
    presence: NDArray[np.bool_], chosen: Sequence[int] | NDArray[np.int64], names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return what the drawn images contain, JSON-ready.

    Parameters
    ----------
    presence : (N, classes) bool
    chosen : indices of the drawn images
    names : of the classes; their numbers by default

    Returns
    -------
    dict with "images", "classes" (per class: name, images, share, natural_share) and "warnings"
    """
    drawn = presence[np.asarray(chosen, np.int64)]
    total, classes = len(drawn), presence.shape[1]
    titles = [str(number) for number in range(classes)] if names is None else list(names)
    if len(titles) != classes:
        raise ConfigurationError(f"{len(titles)} class names for {classes} classes; give one name per class")
    rows: list[dict[str, Any]] = []
    for number, title in enumerate(titles):
        images = int(drawn[:, number].sum())
        natural = float(presence[:, number].mean())
        rows.append({"name": title, "images": images, "share": images / max(total, 1), "natural_share": natural})
    return {"images": total, "classes": rows, "warnings": _warnings(rows, total)}


def _warnings(rows: Sequence[Mapping[str, Any]], total: int) -> list[str]:
    shown = [row["name"] for row in rows if row["images"]]
    if total and len(rows) > 1 and len(shown) == 1:
        return [f"all {total} calibration images contain class '{shown[0]}' only; draw from all classes"]
    few = [f"'{row['name']}' in {row['images']}" for row in rows if row["images"] < FEW_PER_CLASS]
    if not few:
        return []
    return [f"of the {total} calibration images, class {', '.join(few)}; some dozens of each give safe fix points"]
