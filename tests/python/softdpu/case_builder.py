"""Builds cases in the schema of ../../data/ops.json, op by op, with random attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Rng = np.random.Generator

CONVOLUTIONS = ["conv2d-fix", "depthwise-conv2d-fix", "transposed-conv2d-fix", "transposed-depthwise-conv2d-fix"]
NONLINEARS = ["", "NONE", "RELU", "RELU6", "LEAKYRELU"]


class Builder:
    """Collects the nodes of one case; sizes are chosen so that the numpy statement stays quick."""

    def __init__(self, rng: Rng, number: int) -> None:
        self.rng, self.number = rng, number
        self.nodes: list[dict[str, Any]] = []
        self.arrays: dict[str, Array] = {}
        self.shapes: dict[str, list[int]] = {}
        self.fixes: dict[str, int] = {}

    def pick(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def choose(self, options: list[Any]) -> Any:
        return options[self.pick(0, len(options) - 1)]

    def integers(self, shape: list[int]) -> Array:
        """int8 of one of several characters: full range, small, extremes only."""
        match self.pick(0, 3):
            case 0:
                values = self.rng.choice([-128, 127], shape)
            case 1:
                values = np.clip(np.rint(self.rng.normal(0, 6, shape)), -128, 127)
            case _:
                values = self.rng.integers(-128, 128, shape)
        return values.astype(np.int8)

    def leaf(self, kind: str, value: Array, fix_point: int | None) -> str:
        name = f"v{len(self.nodes)}"
        key = f"{self.number}_{name}"
        fixed = value.dtype == np.int8
        node = {"kind": kind, "name": name, "type": kind + ("-fix" if fixed else ""), "attrs": {}, "inputs": {}}
        self.nodes.append(node | {"fix_point": fix_point, "data": key})
        self.arrays[key] = value
        self.shapes[name] = list(value.shape)
        if fix_point is not None:
            self.fixes[name] = fix_point
        return name

    def input(self, shape: list[int]) -> str:
        return self.leaf("data", self.integers(shape), self.pick(-2, 9))

    def either(self, shape: list[int]) -> str:
        """An input, or sometimes a constant."""
        if self.pick(0, 4):
            return self.input(shape)
        return self.leaf("const", self.integers(shape), self.pick(-2, 9))

    def op(
        self, kind: str, inputs: dict[str, list[str]], shape: list[int], fo: int | None, attrs: dict[str, Any]
    ) -> str:
        name = f"v{len(self.nodes)}"
        node = {"kind": "op", "name": name, "type": kind, "attrs": attrs, "inputs": inputs, "fix_point": fo}
        self.nodes.append(node | {"shape": shape})
        self.shapes[name] = shape
        if fo is not None:
            self.fixes[name] = fo
        return name

    def case(self) -> dict[str, Any]:
        return {"id": self.number, "nodes": self.nodes, "output": self.nodes[-1]["name"]}

    # One method per op: applies it to a tensor and returns the result's name.

    def near(self, fix_point: int) -> int:
        return fix_point + self.choose([0, 0, 0, 1, -1, 2, -3])

    def convolution(self, source: str, kind: str, out_channels: int | None = None) -> str:
        _, h, w, c = self.shapes[source]
        transposed, depthwise = kind.startswith("transposed"), "depthwise" in kind
        dilation = [self.pick(1, 2), self.pick(1, 2)] if not transposed and self.pick(0, 4) == 0 else [1, 1]
        kernel = self.choose([[1, 1], [3, 3], [3, 3], [2, 2], [self.pick(1, 5), self.pick(1, 5)]])
        pad = [0 if size == 1 else self.pick(0, size - 1) for size in (kernel[0], kernel[0], kernel[1], kernel[1])]
        stride = self.choose([[1, 1], [1, 1], [2, 2], [self.pick(1, 3), self.pick(1, 3)]])
        for axis, extent in ((0, w), (1, h)):
            low, high = 2 * axis, 2 * axis + 1
            if transposed:
                if (extent - 1) * stride[axis] + kernel[axis] - pad[low] - pad[high] < 1:
                    pad[low] = pad[high] = 0
            elif extent + pad[low] + pad[high] < (kernel[axis] - 1) * dilation[axis] + 1:
                kernel[axis], dilation[axis] = 1, 1
        sizes = []
        for axis, extent in ((1, h), (0, w)):
            pads = pad[2 * axis] + pad[2 * axis + 1]
            if transposed:
                sizes.append((extent - 1) * stride[axis] + kernel[axis] - pads)
            else:
                sizes.append((extent + pads - (kernel[axis] - 1) * dilation[axis] - 1) // stride[axis] + 1)
        filters = self.choose([1, 1, 1, 2]) if depthwise else out_channels or self.choose([1, 3, 6, 8, 16, 17, 24, 33])
        fw = self.pick(2, 10)
        roles = {
            "input": [source],
            "weights": [self.leaf("const", self.integers([filters, kernel[1], kernel[0], c]), fw)],
        }
        channels = filters * c if depthwise else filters
        product = self.fixes[source] + fw
        if self.pick(0, 4):
            bias = self.integers([channels])
            roles["bias"] = [self.leaf("const", bias, product - self.choose([self.pick(-6, 12), 5, 4, 6]))]
        attrs = {"kernel": kernel, "stride": stride, "pad": pad, "dilation": dilation, "pad_mode": "FLOOR"}
        attrs |= {"nonlinear": self.choose(NONLINEARS)}
        cut = self.choose([self.pick(-4, 20), self.pick(3, 10), self.pick(3, 10), self.pick(3, 10)])
        if not transposed and self.pick(0, 12) == 0:
            attrs |= {
                "nonlinear": self.choose(["HSIGMOID", "HSWISH"]),
                "shift_cut": cut,
                "shift_bias": self.pick(-2, 6),
            }
            attrs |= {
                "hsigmoid_in": self.pick(0, 6),
                "shift_hsigmoid": self.pick(8, 14),
                "shift_hswish": self.pick(3, 8),
            }
        return self.op(kind, roles, [1, *sizes, channels], product - cut, attrs)

    def pool(self, source: str) -> str:
        _, h, w, c = self.shapes[source]
        fo = self.near(self.fixes[source])
        kind = self.choose(["MAX", "AVG"])
        if self.pick(0, 5) == 0:
            attrs = {"type": kind, "global": True, "kernel": [w, h], "stride": [1, 1]}
            return self.op("pool-fix", {"input": [source]}, [1, 1, 1, c], fo, attrs)
        kernel = self.choose([[2, 2], [2, 2], [3, 3], [self.pick(1, 5), self.pick(1, 5)]])
        kernel = [min(kernel[0], w), min(kernel[1], h)]
        stride = self.choose([kernel, [2, 2], [1, 1], [self.pick(1, 3), self.pick(1, 3)]])
        pad = [self.pick(0, kernel[axis] - 1) if self.pick(0, 1) else 0 for axis in (0, 0, 1, 1)]
        shape = [
            1,
            (h + pad[2] + pad[3] - kernel[1]) // stride[1] + 1,
            (w + pad[0] + pad[1] - kernel[0]) // stride[0] + 1,
            c,
        ]
        attrs = {"kernel": kernel, "stride": stride, "pad": pad, "type": kind, "global": False}
        return self.op("pool-fix", {"input": [source]}, shape, fo, attrs)

    def eltwise(self, sources: list[str], kind: str) -> str:
        shape = list(np.broadcast_shapes(*(self.shapes[source] for source in sources)))
        fixes = [self.fixes[source] for source in sources]
        fo = self.near(min(fixes)) if kind == "ADD" else sum(fixes) - self.pick(3, 9)
        attrs = {"type": kind, "nonlinear": self.choose(["NONE", "RELU", "", "RELU6", "LEAKYRELU"])}
        return self.op("eltwise-fix", {"input": sources}, shape, fo, attrs)

    def concat(self, sources: list[str], axis: int) -> str:
        shape = list(self.shapes[sources[0]])
        shape[axis] = sum(self.shapes[source][axis] for source in sources)
        fo = self.near(self.fixes[sources[0]])
        return self.op("concat-fix", {"input": sources}, shape, fo, {"axis": self.choose([axis, axis - 4])})

    def upsample(self, source: str) -> str:
        _, h, w, c = self.shapes[source]
        scale = self.choose([[2.0, 2.0], [2.0, 2.0], [float(self.pick(1, 3)), float(self.pick(1, 3))]])
        mode = self.choose(["NEAREST", "NEAREST", "BILINEAR"])
        align, half = self.choose([(False, False), (True, False), (False, True)])
        shape = [1, int(h * scale[1]), int(w * scale[0]), c]
        attrs = {"scale": scale, "mode": mode, "align_corners": align, "half_pixel_centers": half}
        return self.op("upsample-fix", {"input": [source]}, shape, self.near(self.fixes[source]), attrs)

    def downsample(self, source: str) -> str:
        _, h, w, c = self.shapes[source]
        sw, sh = self.pick(1, min(3, w)), self.pick(1, min(3, h))
        shape = [1, -(-h // sh), -(-w // sw), c]
        fo = self.near(self.fixes[source])
        attrs = {"scale": [float(sw), float(sh)], "mode": self.choose(["NEAREST", "BILINEAR"])}
        return self.op("downsample-fix", {"input": [source]}, shape, fo, attrs)

    def tile(self, source: str) -> str:
        """Depth to space where the channels allow it, else the inverse; the source's shape has to allow either."""
        n, h, w, c = self.shapes[source]
        step = next(step for step in (3, 2, 1) if c % step**2 == 0 or (h % step == 0 and w % step == 0))
        reverse = c % step**2 == 0
        shape = [n, h * step, w * step, c // step**2] if reverse else [n, h // step, w // step, c * step**2]
        attrs = {"stride": step, "reverse": reverse}
        return self.op("tile-fix", {"input": [source]}, shape, self.fixes[source], attrs)

    def reduction_max(self, source: str) -> str:
        axes, kept = self.choose([[1], [2], [1, 2]]), self.choose([True, False])
        shape = [
            1 if axis in axes else extent for axis, extent in enumerate(self.shapes[source]) if kept or axis not in axes
        ]
        attrs = {"axis": axes, "keep_dims": kept}
        return self.op("reduction_max", {"input": [source]}, shape, self.near(self.fixes[source]), attrs)

    def pad(self, source: str) -> str:
        shape = self.shapes[source]
        mode = self.choose(["CONSTANT", "SYMMETRIC", "REFLECT"])
        most = [0, *(min(3, extent - (mode == "REFLECT")) for extent in shape[1:3]), 0]
        paddings = [self.pick(0, limit) for limit in most for _ in range(2)]
        grown = [extent + paddings[2 * i] + paddings[2 * i + 1] for i, extent in enumerate(shape)]
        constants = [self.pick(-128, 127)] * 8
        attrs = {"paddings": paddings, "mode": mode, "constant_values": constants}
        return self.op("pad-fix", {"input": [source]}, grown, self.fixes[source], attrs)

    def copy(self, source: str, kind: str) -> str:
        shape = list(self.shapes[source])
        attrs = {}
        if kind == "reshape-fix":
            shape = [shape[0], shape[2], shape[1], shape[3]]
            attrs = {"shape": shape}
        return self.op(kind, {"input": [source]}, shape, self.fixes[source], attrs)

    def hard_sigmoid(self, source: str) -> str:
        attrs = {"hsigmoid_in": self.pick(0, 6), "shift_hsigmoid": self.pick(8, 14)}
        return self.op("hard-sigmoid-fix", {"input": [source]}, self.shapes[source], 7, attrs)

    def crossing(self, kind: str) -> str:
        shape = self.shape()
        rounding = {
            "bit_width": 8,
            "if_signed": True,
            "round_mode": self.choose(["DPU_ROUND", "STD_ROUND", "PY3_ROUND"]),
        }
        if kind == "fix2float":
            source = self.input(shape)
            return self.op(kind, {"input": [source]}, shape, None, {"fix_point": self.fixes[source]} | rounding)
        fix_point = self.pick(-3, 8)
        # Many exact ties, and values beyond the range.
        values = self.rng.integers(-300, 300, shape) / 2 * 2.0**-fix_point + self.rng.choice([0, 1e-3], shape)
        source = self.leaf("data", values.astype(np.float32), None)
        fixed = fix_point if kind == "float2fix" else None
        return self.op(kind, {"input": [source]}, shape, fixed, {"fix_point": fix_point} | rounding)

    def shape(self) -> list[int]:
        h = self.pick(1, 70 if self.pick(0, 7) == 0 else 14)
        w = self.choose([self.pick(1, 18), self.pick(1, 18), self.pick(1, 70), 16, 32, 64])
        return [1, h, w, self.choose([1, 2, 3, 4, 5, 8, 8, 12, 16, 19, 32, 40, self.pick(1, 40)])]
