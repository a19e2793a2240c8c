"""The grid of a volume's voxels, and its frames and masks turned from one grid to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.frame import Frame
from nerone.data.orientation import AS_STORED, Turn, axis_codes
from nerone.errors import ConfigurationError
from nerone.runtime.preprocessing import Preprocessing

__all__ = ["Grid", "check_orientation", "turned_frames", "written_grid"]


@dataclass(frozen=True)
class Grid:
    """Voxels in space.

    Attributes
    ----------
    shape : (rows, columns, slices)
    affine : (4, 4) float64, index to millimetres, right-anterior-superior
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Distance of rows and of columns."""
        rows, columns = np.linalg.norm(self.affine[:3, :2], axis=0)
        return float(rows), float(columns)

    def turned(self, turn: Turn) -> Grid:
        """Return the grid after a turn."""
        return Grid(turn.shape(self.shape), turn.affine(self.affine, self.shape))


def turned_frames(frames: Iterator[Frame], turn: Turn, grid: Grid) -> Iterator[Frame]:
    """Yield the frames of a volume after a turn; where it cuts new slices, the whole volume is read first.

    Parameters
    ----------
    frames : of one volume, as stored
    turn : Turn
    grid : Grid of ``frames``
    """
    turned = grid.turned(turn)
    places = {"spacing_mm": turned.spacing_mm, "affine": turned.affine}
    if turn.keeps_slices:
        for frame in frames:
            yield replace(frame, image=turn.slice(frame.image), turn=turn.after(frame.turn), **places)  # type: ignore[arg-type]
        return
    stored = list(frames)
    volume = turn.volume(np.stack([frame.image for frame in stored], axis=2))
    for index in range(volume.shape[2]):
        image = np.ascontiguousarray(volume[:, :, index])
        more = {"index": index, "count": volume.shape[2], "turn": turn.after(stored[0].turn)}
        yield replace(stored[0], image=image, **places, **more)  # type: ignore[arg-type]


def written_grid(masks: NDArray[Any], frame: Frame) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the masks of all frames of a volume on the grid that they are written on, and its affine.

    Parameters
    ----------
    masks : (H, W, slices), as the frames lie
    frame : one of them
    """
    back = frame.turn.inverse()
    affine = np.eye(4) if frame.affine is None else frame.affine
    return back.volume(masks), back.affine(affine, masks.shape)


def check_orientation(frame: Frame, steps: Preprocessing) -> None:
    """Refuse a slice that does not lie as the network's preprocessing declares.

    Raises
    ------
    ConfigurationError
        naming its source.
    """
    if frame.affine is None or not steps.orientation:
        return
    if Turn.to(steps.orientation, frame.affine) != AS_STORED:
        raise ConfigurationError(
            f"'{frame.source}' lies {axis_codes(frame.affine)}, the network was trained on {steps.orientation}; "
            "read it with steps=preprocessing, which turns it"
        )
