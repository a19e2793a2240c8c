"""Pictures of masks over images, side by side, as in the paper's Fig. 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ConfigurationError, ShapeError

__all__ = ["OverlayRow", "blend", "write_overlay"]

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class OverlayRow:
    """One line of the picture.

    Attributes
    ----------
    image : (H, W) or (H, W, C) of any dtype; shown in grey from its lowest to its highest value, RGB uint8 as it is
    masks : mapping of a column's title ("ground truth", "INT8", "FP32") to (H, W) class ids
    title : str, written left of the line
    """

    image: NDArray[Any]
    masks: Mapping[str, NDArray[Any]]
    title: str = ""


def _grey(image: NDArray[Any]) -> NDArray[np.float64]:
    """Return (H, W, 3) float64 from 0 to 255; of several MR channels the first is shown."""
    if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8:
        return image.astype(np.float64)
    plane = np.asarray(image if image.ndim == 2 else image[:, :, 0], np.float64)
    low, high = float(plane.min()), float(plane.max())
    level = (plane - low) * (255 / (high - low)) if high > low else np.zeros_like(plane)
    return np.repeat(level[:, :, np.newaxis], 3, axis=2)


def blend(
    image: NDArray[Any], mask: NDArray[Any], colours: Sequence[Colour], *, opacity: float = 0.55
) -> NDArray[np.uint8]:
    """Paint the classes from 1 over an image.

    Parameters
    ----------
    image : as of :class:`OverlayRow`
    mask : (H, W) class ids
    colours : (R, G, B) of every class, background first
    opacity : float, of the colours

    Returns
    -------
    (H, W, 3) uint8

    Raises
    ------
    ShapeError
        If the mask is not as large as the image.
    ConfigurationError
        If a class has no colour.
    """
    if mask.shape != image.shape[:2]:
        raise ShapeError(f"the mask has shape {mask.shape}, the image {image.shape[:2]}; they must be the same")
    if mask.size and int(mask.max()) >= len(colours):
        raise ConfigurationError(f"the mask has class {int(mask.max())}; there are colours for {len(colours)} classes")
    picture = _grey(image)
    paint = np.asarray(colours, np.float64)[np.asarray(mask, np.intp)]
    painted = (mask > 0)[:, :, np.newaxis]
    return np.rint(np.where(painted, (1 - opacity) * picture + opacity * paint, picture)).astype(np.uint8)


def _draw_row(line: Any, row: OverlayRow, colours: Sequence[Colour], turn: int) -> None:
    painted = (blend(row.image, mask, colours) for mask in row.masks.values())
    pictures = [np.rint(_grey(row.image)).astype(np.uint8), *painted]
    for place, picture in zip(line, pictures, strict=True):
        place.imshow(np.rot90(picture, turn), interpolation="nearest")
        place.set_xticks([])
        place.set_yticks([])
    line[0].set_ylabel(row.title, fontsize=9)


def write_overlay(
    path: Path | str,
    rows: Sequence[OverlayRow],
    *,
    class_names: Sequence[str],
    colours: Sequence[Colour],
    title: str = "",
    turn: int = 0,
) -> Path:
    """Write a PNG with one line per image: the input, then each mask over it, and a legend of the classes.

    Parameters
    ----------
    path : file to write
    rows : lines, all with the same columns
    class_names, colours : of every class, background first
    title : str
    turn : int, quarter turns counter-clockwise; slices of NIfTI volumes are stored with the first axis across the
        patient and look upright after one

    Raises
    ------
    ConfigurationError
        If there is no row, or the rows have different columns, or the file cannot be written.
    """
    columns = list(rows[0].masks) if rows else []
    if not rows or any(list(row.masks) != columns for row in rows):
        raise ConfigurationError("an overlay needs at least one row, and the same masks in every row")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    figure = Figure(figsize=(2.6 * (len(columns) + 1), 2.6 * len(rows) + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), len(columns) + 1, squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        _draw_row(line, row, colours, turn)
    for place, name in zip(axes[0], ["input", *columns], strict=True):
        place.set_title(name, fontsize=11)
    patches = [
        Patch(color=tuple(value / 255 for value in colour), label=name)
        for name, colour in list(zip(class_names, colours, strict=True))[1:]
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), 6), frameon=False, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=12)
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise ConfigurationError(f"the picture cannot be written to '{path}': {error}") from error
    return path
