"""The paper's networks as published, as far as the cycle model reads them: no weights, no file, no TensorFlow.

Written down from the published compiled models: 2.100, 1.449, 0.154 and 0.476 GMAC per image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nerone.compat import zip

__all__ = ["NETWORKS", "bccd_cnn", "brats_mobilenet", "ct_org_unet", "prostate_vnet"]

Shape = tuple[int, int, int]


class _Ops:
    """Ops in the schema of `nerone._core.read_xmodel`."""

    def __init__(self, name: str, shape: Shape) -> None:
        self._name = name
        self._ops: dict[str, dict[str, Any]] = {}
        self.last = ""
        self.last = self._add("data-fix", shape, {}, {})

    def graph(self) -> dict[str, Any]:
        return {"name": self._name, "ops": list(self._ops.values())}

    def _add(self, kind: str, shape: tuple[int, ...], inputs: dict[str, list[str]], attrs: dict[str, Any]) -> str:
        name = f"{kind}_{len(self._ops)}"
        batch = (1, *shape) if len(shape) == 3 else shape
        self._ops[name] = {
            "name": name,
            "type": kind,
            "inputs": inputs,
            "attrs": attrs,
            "output": {"shape": list(batch)},
        }
        return name

    def _shape(self, name: str = "") -> Shape:
        _, height, width, depth = self._ops[name or self.last]["output"]["shape"]
        return height, width, depth

    def _weighted(self, kind: str, shape: Shape, weights: tuple[int, ...], source: str, stride: int) -> str:
        inputs = {"input": [source], "weights": [self._add("const-fix", weights, {}, {})]}
        attrs = {"kernel": list(weights[1:3]), "stride": [stride, stride]}
        self.last = self._add(kind, shape, inputs, attrs)
        return self.last

    def convolution(self, channels: int, kernel: int = 3, stride: int = 1, source: str = "") -> str:
        height, width, depth = self._shape(source)
        shape = (-(-height // stride), -(-width // stride), channels)
        weights = (channels, kernel, kernel, depth)
        return self._weighted("conv2d-fix", shape, weights, source or self.last, stride)

    def convolution_over_all(self, channels: int) -> str:
        height, width, depth = self._shape()
        return self._weighted("conv2d-fix", (1, 1, channels), (channels, height, width, depth), self.last, 1)

    def transposed(self, channels: int) -> str:
        height, width, depth = self._shape()
        shape, weights = (2 * height, 2 * width, channels), (channels, 3, 3, depth)
        return self._weighted("transposed-conv2d-fix", shape, weights, self.last, 2)

    def depthwise(self, stride: int) -> str:
        height, width, depth = self._shape()
        shape = (height // stride, width // stride, depth)
        return self._weighted("depthwise-conv2d-fix", shape, (1, 3, 3, depth), self.last, stride)

    def max_pool(self) -> str:
        height, width, depth = self._shape()
        attrs = {"kernel": [2, 2], "stride": [2, 2]}
        self.last = self._add("pool-fix", (height // 2, width // 2, depth), {"input": [self.last]}, attrs)
        return self.last

    def upsample(self) -> str:
        height, width, depth = self._shape()
        self.last = self._add("upsample-fix", (2 * height, 2 * width, depth), {"input": [self.last]}, {})
        return self.last

    def concat(self, other: str) -> str:
        height, width, depth = self._shape()
        shape = (height, width, depth + self._shape(other)[2])
        self.last = self._add("concat-fix", shape, {"input": [self.last, other]}, {})
        return self.last

    def add(self, other: str) -> str:
        self.last = self._add("eltwise-fix", self._shape(), {"input": [self.last, other]}, {})
        return self.last


def ct_org_unet() -> dict[str, Any]:
    """Return the published CT-ORG U-Net, 256x256x1 to 6 classes."""
    net, skips = _Ops("U-Net (CT-ORG)", (256, 256, 1)), []
    for channels in (8, 16, 32, 64):
        net.convolution(channels)
        skips.append(net.convolution(channels))
        net.max_pool()
    net.convolution(128)
    net.convolution(128)
    for channels, skip in zip((128, 64, 32, 16), reversed(skips), strict=True):
        net.transposed(channels)
        net.concat(skip)
        net.convolution(channels)
        net.convolution(channels)
    net.convolution(6)
    return net.graph()


def prostate_vnet() -> dict[str, Any]:
    """Return the published prostate V-Net, 256x256x1 to 3 classes."""
    net, skips = _Ops("V-Net (Prostate-3T)", (256, 256, 1)), []
    for channels in (4, 8, 16, 32, 64):
        skips.append(net.convolution(channels))
        net.max_pool()
    for channels, skip in zip((64, 32, 16, 8, 4), reversed(skips), strict=True):
        net.upsample()
        net.concat(skip)
        net.convolution(channels)
    net.convolution(3, kernel=1)
    return net.graph()


def bccd_cnn() -> dict[str, Any]:
    """Return the published blood cell network, 200x250x3 to 4 classes."""
    net = _Ops("2D CNN (BCCD)", (200, 250, 3))
    for channels in (8, 16, 32, 64, 128, 30):
        source = net.last
        skip = net.convolution(channels)
        net.convolution(channels, source=source)
        net.convolution(channels)
        net.convolution(channels)
        net.add(skip)
        net.convolution(channels, stride=2)
    net.convolution_over_all(4)
    return net.graph()


# Expansion, output channels and stride of the inverted residuals up to the last one whose expansion is used.
_RESIDUALS = (
    *((48, 8, 2), (48, 8, 1), (48, 16, 2), (96, 16, 1), (96, 16, 1), (96, 24, 2)),
    *((144, 24, 1), (144, 24, 1), (144, 24, 1), (144, 32, 1), (192, 32, 1), (192, 32, 1)),
)
_LAST_EXPANSION = 192


def brats_mobilenet() -> dict[str, Any]:
    """Return the published BraTS network on a MobileNetV2 of width 0.35, 240x240x4 to 4 classes."""
    net = _Ops("MobileNetV2 FCN (BraTS)", (240, 240, 4))
    skips = [net.last]
    net.convolution(16, stride=2)
    net.depthwise(1)
    net.convolution(8, kernel=1)
    channels = 8
    for expansion, output, stride in _RESIDUALS:
        source = net.last
        expanded = net.convolution(expansion, kernel=1)
        if stride == 2:
            skips.append(expanded)
        net.depthwise(stride)
        net.convolution(output, kernel=1)
        if stride == 1 and output == channels:
            net.add(source)
        channels = output
    net.convolution(_LAST_EXPANSION, kernel=1)
    for width, skip in zip((64, 48, 32, 16), reversed(skips), strict=True):
        net.upsample()
        net.concat(skip)
        net.convolution(width)
        net.convolution(width)
    net.convolution(4, kernel=1)
    return net.graph()


NETWORKS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "ct-org": ct_org_unet,
    "brats": brats_mobilenet,
    "prostate": prostate_vnet,
    "bccd": bccd_cnn,
}
"""By the paper's task."""
