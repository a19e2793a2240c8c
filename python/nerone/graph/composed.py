"""Functions that the DPU has no op for, as the nodes it has: every formula is exact in real numbers.

Names of the added nodes start with ``name``; the last one is called so, and reports name ``layer`` for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike

from nerone.graph.builder import GraphBuilder
from nerone.graph.graph import Op

__all__ = ["Composer"]


@dataclass(frozen=True)
class Composer:
    """Adds the nodes of one layer to ``builder``; every method returns the name of the node with the result."""

    builder: GraphBuilder
    name: str
    layer: str

    def affine(self, source: str, scale: ArrayLike, offset: ArrayLike, suffix: str = "") -> str:
        """``scale * x + offset`` per channel, as a batch norm so that it folds into its neighbours."""
        channels = self.builder.shape(source)[-1]
        factor, shift = (np.broadcast_to(np.asarray(value, np.float32), (channels,)) for value in (scale, offset))
        if suffix and np.all(factor == 1) and np.all(shift == 0):
            return source
        one, zero = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        return self.builder.add(
            Op.BATCH_NORM,
            [source],
            name=self._named(suffix),
            layer=self.layer,
            attrs={"epsilon": 0.0},
            weights={"gamma": factor, "beta": shift, "mean": zero, "variance": one},
        )

    def add(self, sources: Sequence[str], suffix: str = "") -> str:
        """Sum of tensors."""
        return self.builder.add(Op.ADD, sources, name=self._named(suffix), layer=self.layer)

    def subtract(self, left: str, right: str, suffix: str = "") -> str:
        """``left - right``."""
        return self.add([left, self.affine(right, -1.0, 0.0, f"{suffix or 'difference'}_negative")], suffix)

    def average(self, sources: Sequence[str]) -> str:
        """Mean of tensors."""
        return self.affine(self.add(sources, "sum"), 1.0 / len(sources), 0.0)

    def maximum(self, sources: Sequence[str]) -> str:
        """Largest of tensors: ``max(a, b) = a + relu(b - a)``."""
        return self._extreme(sources, largest=True)

    def minimum(self, sources: Sequence[str]) -> str:
        """Smallest of tensors: ``min(a, b) = a - relu(a - b)``."""
        return self._extreme(sources, largest=False)

    def _extreme(self, sources: Sequence[str], *, largest: bool) -> str:
        def pair(best: str, item: tuple[int, str]) -> str:
            number, other = item
            last = "" if number == len(sources) - 1 else f"of{number + 1}"
            ends = (other, best) if largest else (best, other)
            beyond = self._relu(self.subtract(*ends, f"step{number}"), f"step{number}_relu")
            return self.add([best, beyond], last) if largest else self.subtract(best, beyond, last)

        return reduce(pair, list(enumerate(sources))[1:], sources[0])

    def prelu(self, source: str, slope: ArrayLike) -> str:
        """``x`` above zero, ``slope * x`` below: ``slope * x + sign(1 - slope) * relu(|1 - slope| * x)``.

        Parameters
        ----------
        slope : number, or (C,) one per channel
        """
        slopes = np.asarray(slope, np.float32)
        rest = 1.0 - slopes
        bent = self._relu(self.affine(source, np.abs(rest), 0.0, "above"), "above_relu")
        return self.add([self.affine(source, slopes, 0.0, "slope"), self.affine(bent, np.sign(rest), 0.0, "sign")])

    def clip(self, source: str, low: float | None, high: float | None) -> str:
        """``x`` limited to ``low .. high``, through a ReLU or a ReLU6; None is no limit."""
        if low is not None and high is not None:
            width = high - low
            inside = self.affine(source, 6.0 / width, -6.0 * low / width, "to6")
            if (low, high) == (0.0, 6.0):
                return self.builder.add(Op.RELU6, [inside], name=self.name, layer=self.layer)
            capped = self.builder.add(Op.RELU6, [inside], name=self._named("relu6"), layer=self.layer)
            return self.affine(capped, width / 6.0, low)
        if low is not None:
            return self.affine(self._relu(self.affine(source, 1.0, -low, "above"), "relu"), 1.0, low)
        assert high is not None
        return self.affine(self._relu(self.affine(source, -1.0, high, "below"), "relu"), -1.0, high)

    def crop(self, source: str, rows: slice, columns: slice) -> str:
        """``x[:, rows, columns]`` with non-negative bounds and steps: a crop, and a 1x1 pool that takes every n-th."""
        height, width, _ = self.builder.shape(source)
        edges = (rows.start, height - rows.stop, columns.start, width - columns.stop)
        steps = (rows.step or 1, columns.step or 1)
        every = steps != (1, 1)
        if any(edges) or not every:
            name = self._named("crop" if every else "")
            source = self.builder.add(Op.CROP, [source], name=name, layer=self.layer, attrs={"crop": edges})
        if not every:
            return source
        attrs = {"kernel": (1, 1), "strides": steps, "pad": (0, 0, 0, 0)}
        return self.builder.add(Op.MAX_POOL, [source], name=self.name, layer=self.layer, attrs=attrs)

    def channels(self, source: str, kept: Sequence[int]) -> str:
        """``x[..., kept]``, as a 1x1 convolution with a one per kept channel."""
        kernel = np.zeros((1, 1, self.builder.shape(source)[-1], len(kept)), np.float32)
        kernel[0, 0, list(kept), range(len(kept))] = 1.0
        attrs = {"strides": (1, 1), "pad": (0, 0, 0, 0), "dilation": (1, 1)}
        return self.builder.add(
            Op.CONV2D, [source], name=self.name, layer=self.layer, attrs=attrs, weights={"kernel": kernel}
        )

    def channel_mean(self, source: str) -> str:
        """``mean(x, -1, keepdims=True)`` of an image, as a 1x1 convolution."""
        channels = self.builder.shape(source)[-1]
        kernel = np.full((1, 1, channels, 1), 1.0 / channels, np.float32)
        attrs = {"strides": (1, 1), "pad": (0, 0, 0, 0), "dilation": (1, 1)}
        return self.builder.add(
            Op.CONV2D, [source], name=self.name, layer=self.layer, attrs=attrs, weights={"kernel": kernel}
        )

    def channel_maximum(self, source: str) -> str:
        """``max(x, -1, keepdims=True)`` of an image, as a pool over its channels laid out as pixels."""
        height, width, channels = self.builder.shape(source)
        flat = {"shape": (height * width, channels, 1)}
        pixels = self.builder.add(Op.RESHAPE, [source], name=self._named("pixels"), layer=self.layer, attrs=flat)
        attrs = {"kernel": (1, channels), "strides": (1, 1), "pad": (0, 0, 0, 0)}
        name = self._named("largest")
        largest = self.builder.add(Op.MAX_POOL, [pixels], name=name, layer=self.layer, attrs=attrs)
        back = {"shape": (height, width, 1)}
        return self.builder.add(Op.RESHAPE, [largest], name=self.name, layer=self.layer, attrs=back)

    def _relu(self, source: str, suffix: str) -> str:
        return self.builder.add(Op.RELU, [source], name=self._named(suffix), layer=self.layer)

    def _named(self, suffix: str) -> str:
        return f"{self.name}_{suffix}" if suffix else self.name
