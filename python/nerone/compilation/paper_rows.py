"""The paper's measured rows that the cycle model is compared with, and the published networks they belong to.

The graph is written down from the published compiled model (2.100 GMAC per image); the comparison needs no file.
"""

from __future__ import annotations

from typing import Any

from nerone.compilation.boards import BOARDS
from nerone.compilation.estimate import estimate_graph

__all__ = ["ct_org_unet", "paper_error"]

_ENCODER = (8, 16, 32, 64)
_BRIDGE = 128
_DECODER = (128, 64, 32, 16)
_CLASSES = 6

ROWS = (("U-Net (CT-ORG), VART, ZCU104", "zcu104", 335.4),)
"""Network, board and frames per second with VART: the paper's Table I."""


def paper_error() -> list[tuple[str, float, float]]:
    """Return (row, measured frames per second, predicted ones) of every row whose network is known."""
    return [(name, measured, estimate_graph(ct_org_unet(), BOARDS[board], "1.4").fps) for name, board, measured in ROWS]


class _Ops:
    """Ops in the schema of `nerone._core.read_xmodel`, as far as the estimate reads them."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.ops: list[dict[str, Any]] = []
        self.last = self._add("data-fix", shape, {}, {})

    def _add(self, kind: str, shape: tuple[int, ...], inputs: dict[str, list[str]], attrs: dict[str, Any]) -> str:
        name = f"{kind}_{len(self.ops)}"
        batch = (1, *shape) if len(shape) == 3 else shape
        self.ops.append(
            {"name": name, "type": kind, "inputs": inputs, "attrs": attrs, "output": {"shape": list(batch)}}
        )
        return name

    def shape(self, name: str) -> tuple[int, int, int]:
        found = next(op for op in self.ops if op["name"] == name)["output"]["shape"]
        return found[1], found[2], found[3]

    def convolution(self, channels: int, kind: str = "conv2d-fix") -> None:
        height, width, depth = self.shape(self.last)
        steps = 2 if kind.startswith("transposed") else 1
        weights = self._add("const-fix", (channels, 3, 3, depth), {}, {})
        inputs = {"input": [self.last], "weights": [weights]}
        attrs = {"kernel": [3, 3], "stride": [steps, steps]}
        self.last = self._add(kind, (height * steps, width * steps, channels), inputs, attrs)

    def max_pool(self) -> None:
        height, width, depth = self.shape(self.last)
        attrs = {"kernel": [2, 2], "stride": [2, 2]}
        self.last = self._add("pool-fix", (height // 2, width // 2, depth), {"input": [self.last]}, attrs)

    def concat(self, other: str) -> None:
        height, width, depth = self.shape(self.last)
        inputs = {"input": [self.last, other]}
        self.last = self._add("concat-fix", (height, width, depth + self.shape(other)[2]), inputs, {})


def ct_org_unet() -> dict[str, Any]:
    """Return the published CT-ORG U-Net, 256x256x1 to 6 classes."""
    net = _Ops((256, 256, 1))
    skips = []
    for channels in _ENCODER:
        net.convolution(channels)
        net.convolution(channels)
        skips.append(net.last)
        net.max_pool()
    net.convolution(_BRIDGE)
    net.convolution(_BRIDGE)
    for channels, skip in zip(_DECODER, reversed(skips), strict=True):
        net.convolution(channels, "transposed-conv2d-fix")
        net.concat(skip)
        net.convolution(channels)
        net.convolution(channels)
    net.convolution(_CLASSES)
    return {"name": "U-Net (CT-ORG)", "ops": net.ops}
