"""The loop of the paper's PYNQ-DPU deployment: everything per image, in Python, with float32 buffers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone import _core
from nerone.backends.pynq.overlay import load_overlay
from nerone.errors import DeviceError, ModelError, ShapeError
from nerone.runtime.preprocessing import Preprocessing, Spacing, Statistics
from nerone.runtime.preprocessing.numpy_steps import apply

__all__ = ["PynqLoop"]

Array = NDArray[Any]


class PynqLoop:
    """Preprocess in numpy, fill a float32 buffer, ``execute_async``, ``wait``, ``argmax`` in numpy, image by image.

    Parameters
    ----------
    model : path of a compiled model with one DPU subgraph, one input and one output
    preprocessing : what happens to an image before; None where images are the network's input already
    options : the device behind VART; device "board" uses the board's own ``pynq_dpu``
    literal : True for the paper's loop as it is, in which the runner truncates float32 to the input's steps. By default
        the loop rounds to them first, as the C++ path does, and masks are equal.
    bitfile : the overlay to load on a board

    Raises
    ------
    ConfigurationError, ModelError, DeviceError
        where the model or the device cannot be used.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        preprocessing: Preprocessing | None = None,
        options: _core.DeviceOptions | None = None,
        literal: bool = False,
        bitfile: str = "dpu.bit",
    ) -> None:
        self._preprocessing = preprocessing
        self._literal = literal
        overlay = load_overlay(bitfile, options)
        overlay.load_model(str(model))
        self._runner: Any = overlay.runner
        inputs, outputs = self._runner.get_input_tensors(), self._runner.get_output_tensors()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"'{model}' has {len(inputs)} inputs and {len(outputs)} outputs; the loop takes one of each"
            )
        self._scale = np.float32(2.0 ** inputs[0].get_attr("fix_point"))
        self._stages_s = {"preprocess": 0.0, "device": 0.0}
        self._frames = 0
        self._input: NDArray[np.float32] = np.zeros(tuple(inputs[0].dims), np.float32)
        self._output: NDArray[np.float32] = np.zeros(tuple(outputs[0].dims), np.float32)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the network's input, with the batch axis."""
        return tuple(self._input.shape)

    def scores(
        self,
        image: Array | Sequence[Array],
        *,
        spacing_mm: Spacing = None,
        statistics: Statistics | None = None,
    ) -> NDArray[np.float32]:
        """Run one image and return what the DPU gives, without the batch axis; the next image overwrites it.

        Parameters
        ----------
        image : (H, W) or (H, W, C) array, or C arrays (H, W); the network's input without a preprocessing
        spacing_mm, statistics : as for `nerone.runtime.preprocessing.numpy_steps.apply`

        Raises
        ------
        ShapeError, DtypeError, DeviceError
            where the image does not fit, or the device fails.
        """
        if self._runner is None:
            raise DeviceError("the loop is closed; make a new one")
        began = time.perf_counter()
        values = self._values(image, spacing_mm, statistics)
        if values.shape != self._input.shape[1:]:
            raise ShapeError(f"the network's input would be {values.shape}, expected {self._input.shape[1:]}")
        self._input[0] = values if self._literal else self._rounded(values)
        ready = time.perf_counter()
        job = self._runner.execute_async([self._input], [self._output])
        self._runner.wait(job)
        self._stages_s["preprocess"] += ready - began
        self._stages_s["device"] += time.perf_counter() - ready
        self._frames += 1
        scores: NDArray[np.float32] = self._output[0]
        return scores

    def run(
        self,
        image: Array | Sequence[Array],
        *,
        spacing_mm: Spacing = None,
        statistics: Statistics | None = None,
    ) -> NDArray[np.uint8]:
        """Run one image and return the class of every pixel, or of the image; the first maximum wins.

        Returns
        -------
        (h, w) uint8 on the network's grid, () uint8 for a network that classifies
        """
        scores = self.scores(image, spacing_mm=spacing_mm, statistics=statistics)
        classes: NDArray[np.uint8] = scores.argmax(-1).astype(np.uint8)
        return classes

    def stages_ms(self) -> dict[str, float]:
        """Return the mean milliseconds of preprocessing and of the device since the last call, and begin again."""
        means = {name: 1e3 * taken / max(1, self._frames) for name, taken in self._stages_s.items()}
        self._stages_s = dict.fromkeys(self._stages_s, 0.0)
        self._frames = 0
        return means

    def map(self, images: Iterable[Array | Sequence[Array]]) -> Iterator[NDArray[np.uint8]]:
        """Run images one after the other, as they are asked for."""
        return (self.run(image) for image in images)

    def _values(self, image: Any, spacing_mm: Spacing, statistics: Statistics | None) -> NDArray[np.float32]:
        if self._preprocessing is not None:
            return apply(self._preprocessing, image, spacing_mm=spacing_mm, statistics=statistics)
        return np.asarray(image, np.float32)

    def _rounded(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        steps = np.floor(values.astype(np.float64) * float(self._scale) + 0.5)
        return (np.clip(steps, -128, 127) / float(self._scale)).astype(np.float32)

    def close(self) -> None:
        """Give the device back; closing again does nothing."""
        self._runner = None

    def __enter__(self) -> PynqLoop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
