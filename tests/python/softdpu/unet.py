"""The CT-ORG U-Net as published, layer by layer, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from runtime import xmodels


class _Network:
    def __init__(self) -> None:
        self.rng = np.random.default_rng(7)
        self.ops: list[dict[str, Any]] = []
        self.shapes: dict[str, tuple[int, ...]] = {}

    def add(
        self, kind: str, extents: tuple[int, ...], fix_point: int, inputs: dict[str, list[str]], **attrs: Any
    ) -> str:
        name = f"n{len(self.ops)}"
        self.ops.append(xmodels.op(name, kind, xmodels.fixed(extents, fix_point), inputs, **attrs))
        self.shapes[name] = extents
        return name

    def constant(self, shape: tuple[int, ...], spread: int, fix_point: int) -> str:
        values = self.rng.integers(-spread, spread + 1, shape).astype(np.int8)
        return self.add("const-fix", shape, fix_point, {}, shape=list(shape), data_type="XINT8", data=values.tobytes())

    def conv(self, source: str, filters: int, *, transposed: bool = False, nonlinear: str = "RELU") -> str:
        _, h, w, channels = self.shapes[source]
        weights = self.constant((filters, 3, 3, channels), 40, 7)
        roles = {"input": [source], "weights": [weights], "bias": [self.constant((filters,), 60, 6)]}
        # Sums grow with the channels; the shift brings them back into the range of int8.
        shift = 6 + int(np.log2(channels)) // 2
        attrs = {"kernel": [3, 3], "dilation": [1, 1], "nonlinear": nonlinear}
        if transposed:
            attrs |= {"stride": [2, 2], "pad": [0, 1, 0, 1], "pad_mode": "SAME"}
            return self.add("transposed-conv2d-fix", (1, 2 * h, 2 * w, filters), 11 - shift, roles, **attrs)
        attrs |= {"stride": [1, 1], "pad": [1, 1, 1, 1], "pad_mode": "SAME"}
        return self.add("conv2d-fix", (1, h, w, filters), 11 - shift, roles, **attrs)

    def pair(self, source: str, filters: int) -> str:
        return self.conv(self.conv(source, filters), filters)

    def pool(self, source: str) -> str:
        _, h, w, channels = self.shapes[source]
        attrs = {"kernel": [2, 2], "stride": [2, 2], "pad": [0, 0, 0, 0], "type": "MAX", "global": False}
        return self.add("pool-fix", (1, h // 2, w // 2, channels), 4, {"input": [source]}, **attrs)

    def concat(self, left: str, right: str) -> str:
        shape = (*self.shapes[left][:3], self.shapes[left][3] + self.shapes[right][3])
        return self.add("concat-fix", shape, 4, {"input": [left, right]}, axis=3)


def write_unet(path: Path, size: int = 256) -> Path:
    """int8 (1, size, size, 1) to (1, size, size, 6)."""
    net = _Network()
    net.ops.append(xmodels.data_fix("image", (1, size, size, 1), 6))
    net.shapes["image"] = (1, size, size, 1)
    level, skips = "image", []
    for filters in (8, 16, 32, 64):
        skips.append(net.pair(level, filters))
        level = net.pool(skips[-1])
    level = net.pair(level, 128)
    for filters, skip in zip((128, 64, 32, 16), reversed(skips), strict=True):
        level = net.pair(net.concat(net.conv(level, filters, transposed=True, nonlinear="NONE"), skip), filters)
    net.conv(level, 6, nonlinear="NONE")
    names = [op["name"] for op in net.ops if op["name"] != "image"]
    children = [xmodels.subgraph("in", "USER", ["image"]), xmodels.subgraph("dpu", "DPU", names)]
    return xmodels.write(path, net.ops, children)
