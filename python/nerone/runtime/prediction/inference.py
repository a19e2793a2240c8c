"""Images through a bundle, one at a time and readably: preprocessing in numpy, the model, argmax.

`nerone.Pipeline` is the fast way; this one is what it is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.runtime.model import Model
from nerone.runtime.preprocessing import Spacing, Statistics
from nerone.runtime.preprocessing.image_grid import on_image_grid
from nerone.runtime.preprocessing.numpy_steps import apply

__all__ = ["Inference", "Prediction"]


@dataclass(frozen=True)
class Prediction:
    """The network's output for one image.

    Attributes
    ----------
    scores : (..., classes) float32, the network's output: probabilities where it ends in a softmax
    classes : (h, w) uint8 for a segmentation, () uint8 for a classification; the first maximum wins
    """

    scores: NDArray[np.float32]
    classes: NDArray[np.uint8]


class Inference:
    """Runs a bundle on images, one after the other.

    Parameters
    ----------
    bundle : Bundle
    device : "softdpu" or "board"

    Raises
    ------
    ModelError, DeviceError
        as `nerone.Model.load`.
    """

    def __init__(self, bundle: Bundle, *, device: str = "softdpu") -> None:
        board_path = bundle.board_model_path
        self.bundle = bundle
        self.path = board_path if device == "board" and board_path is not None else bundle.host_model_path
        self._model = Model.load(self.path, device=device)

    def run(
        self,
        image: NDArray[Any] | Sequence[NDArray[Any]],
        *,
        spacing_mm: Spacing = None,
        statistics: Statistics | None = None,
    ) -> Prediction:
        """Run one image.

        Parameters
        ----------
        image : (H, W) or (H, W, C) array, as `nerone.data.frames` gives them
        spacing_mm, statistics : as for `nerone.runtime.preprocessing.numpy_steps.apply`

        Raises
        ------
        ShapeError, DtypeError
            where the image does not fit the bundle.
        """
        values = apply(self.bundle.preprocessing, image, spacing_mm=spacing_mm, statistics=statistics)
        scores = np.asarray(self._model.run(values[np.newaxis]), np.float32)[0]
        classes = scores.argmax(-1).astype(np.uint8)
        if self.bundle.output.kind == "classification":
            scores, classes = scores.reshape(-1), classes.reshape(())
        return Prediction(scores, classes)

    def mask(
        self,
        image: NDArray[Any] | Sequence[NDArray[Any]],
        *,
        spacing_mm: Spacing = None,
        statistics: Statistics | None = None,
    ) -> NDArray[np.uint8]:
        """Run one image and return class numbers on the image's own grid.

        Returns
        -------
        (H, W) uint8; 0 outside of what the preprocessing keeps and the output covers
        """
        found = self.run(image, spacing_mm=spacing_mm, statistics=statistics).classes
        first = image if isinstance(image, np.ndarray) else image[0]
        size = (int(first.shape[0]), int(first.shape[1]))
        steps, covers = self.bundle.preprocessing, self.bundle.output.covers
        return on_image_grid(steps, found, size, spacing_mm=spacing_mm, covers=covers)
