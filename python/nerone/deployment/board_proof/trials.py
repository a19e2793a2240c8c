"""The trials: a tiny network each, and for open questions a change of its instructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nerone.compat import zip
from nerone.compilation.emit.program import Instruction
from nerone.compilation.emit.tokens import assign_tokens
from nerone.graph import Graph, Node, Op
from nerone.quantization.model import QuantizedModel

__all__ = ["TRIALS", "Record", "Trial"]

Record = tuple[str, dict[str, int], int, int]
"""(name, fields, dpdon, dpdby) of an instruction."""

Change = Callable[[list[Instruction], list[tuple[int, int]]], list[Record]]


@dataclass(frozen=True)
class Trial:
    """One thing to try.

    Attributes
    ----------
    name : str
    question : str, what a wrong result or a hang would say
    model : callable that builds the network
    change : what is done to the instructions, None where nothing
    isa : int, the only instruction set that has it, -1 for both
    repeats : int, runs of which the time is taken
    """

    name: str
    question: str
    model: Callable[[], QuantizedModel]
    change: Change | None = None
    isa: int = -1
    repeats: int = 1


class _Net:
    """Nodes one after the other, with weights of a fixed seed."""

    def __init__(self, height: int = 12, width: int = 10, channels: int = 8) -> None:
        self._nodes = [Node("image", Op.INPUT, (), (height, width, channels))]
        self._fix_points, self._weights = {"image": 5}, dict[str, dict[str, int]]()
        self._rng = np.random.default_rng(3)

    def conv(self, channels: int, kernel: int = 3, stride: int = 1, kind: Op = Op.CONV2D) -> _Net:
        height, width, depth = self._nodes[-1].shape
        pad = (kernel - 1) // 2
        attrs: dict[str, Any] = {"strides": (stride, stride), "pad": (pad,) * 4, "dilation": (1, 1)}
        shape = ((height + 2 * pad - kernel) // stride + 1, (width + 2 * pad - kernel) // stride + 1, channels)
        weight_shape = (kernel, kernel, depth, 1 if kind is Op.DEPTHWISE_CONV2D else channels)
        if kind is Op.TRANSPOSED_CONV2D:
            attrs = {"strides": (stride, stride), "pad": (0, 1, 0, 1)}
            shape = (height * stride, width * stride, channels)
            weight_shape = (kernel, kernel, channels, depth)
        weights = {
            "kernel": self._rng.normal(0, 0.3, weight_shape).astype(np.float32),
            "bias": self._rng.normal(0, 0.5, channels).astype(np.float32),
        }
        return self.add(kind, shape, attrs, weights)

    def add(
        self,
        kind: Op,
        shape: tuple[int, ...],
        attrs: dict[str, Any] | None = None,
        weights: dict[str, Any] | None = None,
        inputs: tuple[str, ...] = (),
        fix_point: int | None = 5,
    ) -> _Net:
        name = f"{kind.value}_{len(self._nodes)}"
        self._nodes.append(Node(name, kind, inputs or (self._nodes[-1].name,), shape, attrs or {}, weights or {}, name))
        if fix_point is not None:
            self._fix_points[name] = fix_point
        if weights:
            self._weights[name] = dict.fromkeys(weights, 7)
        return self

    def then(self, kind: Op, **attrs: Any) -> _Net:
        """Append an activation, whose convolution then has no fix point of its own."""
        self._fix_points.pop(self._nodes[-1].name)
        return self.add(kind, self._nodes[-1].shape, attrs)

    def pool(self, kind: Op, kernel: int, stride: int) -> _Net:
        height, width, channels = self._nodes[-1].shape
        shape = ((height - kernel) // stride + 1, (width - kernel) // stride + 1, channels)
        attrs = {"kernel": (kernel, kernel), "strides": (stride, stride), "pad": (0, 0, 0, 0)}
        return self.add(kind, shape, {**attrs, "count_include_pad": True})

    def joined(self, kind: Op, *, attrs: dict[str, Any] | None = None, channels: int = 0) -> _Net:
        """Append a sum, product or concatenation of the last value and the image."""
        shape = self._nodes[-1].shape
        return self.add(kind, (*shape[:2], channels or shape[2]), attrs, None, (self._nodes[-1].name, "image"))

    def model(self) -> QuantizedModel:
        graph = Graph("trial", tuple(self._nodes), ("image",), (self._nodes[-1].name,))
        return QuantizedModel(graph, self._fix_points, self._weights, {})


def _records(instructions: list[Instruction], tokens: list[tuple[int, int]]) -> list[Record]:
    return [(one.name, one.fields, *pair) for one, pair in zip(instructions, tokens, strict=True)]


def _single_saves(instructions: list[Instruction], tokens: list[tuple[int, int]]) -> list[Record]:
    return [
        (name, {**fields, "hp": 0}, waits | 2, gives | 2) if name == "SAVE" else (name, fields, waits, gives)
        for name, fields, waits, gives in _records(instructions, tokens)
    ]


def _one_port(instructions: list[Instruction], tokens: list[tuple[int, int]]) -> list[Record]:
    return [
        (name, {**fields, "hp": 0} if name == "SAVE" else fields, waits, gives)
        for name, fields, waits, gives in _records(instructions, tokens)
    ]


def _no_own_bits(instructions: list[Instruction], tokens: list[tuple[int, int]]) -> list[Record]:
    return [
        (one.name, one.fields, waits & ~one.engine, gives & ~one.engine)
        for one, (waits, gives) in zip(instructions, tokens, strict=True)
    ]


def _loads_first(instructions: list[Instruction], tokens: list[tuple[int, int]]) -> list[Record]:
    """Put all loads in front: the queue of LOAD's tokens for CONV grows as deep as there are tiles."""
    order = sorted(range(len(instructions)), key=lambda place: instructions[place].name != "LOAD")
    moved = [instructions[place] for place in order]
    return _records(moved, assign_tokens(moved))


def _copy() -> QuantizedModel:
    return _Net().joined(Op.CONCAT, attrs={"axis": 3}, channels=16).model()


def _leaky() -> QuantizedModel:
    return _Net().conv(8).then(Op.LEAKY_RELU, alpha=26 / 256).model()


def _transposed() -> QuantizedModel:
    return _Net().conv(8, 3, 2, Op.TRANSPOSED_CONV2D).model()


def _pooled() -> QuantizedModel:
    return _Net().conv(8).pool(Op.MAX_POOL, 2, 2).model()


def _large() -> QuantizedModel:
    return _Net(64, 64, 64).conv(64).model()


TRIALS = (
    Trial("copy", "do LOAD and SAVE move bytes", _copy),
    Trial("conv_1x1", "does CONV multiply", lambda: _Net().conv(8, 1).model()),
    Trial("conv_3x3", "are windows and their padding read so", lambda: _Net().conv(8).model()),
    Trial("conv_strided", "are lines of a stride packed so", lambda: _Net().conv(8, 3, 2).model()),
    Trial("conv_groups", "are several groups of channels ordered so", lambda: _Net(12, 10, 37).conv(45).model()),
    Trial("conv_turns", "do many lines run through the banks so", lambda: _Net(61, 9, 8).conv(8, 5).model()),
    Trial("conv_folded", "do masks of overlapping pixels work so", lambda: _Net(12, 10, 3).conv(8).model()),
    Trial("unaligned", "may lines begin at any byte of DDR", lambda: _Net(9, 7, 5).conv(3).conv(5).model()),
    Trial("relu", "is activation 1 a ReLU", lambda: _Net().conv(8).then(Op.RELU).model()),
    Trial("relu6", "is activation 4 a ReLU6", lambda: _Net().conv(8).then(Op.RELU6).model()),
    Trial("leaky", "is activation 3 a leaky ReLU of 26/256", _leaky),
    Trial(
        "transposed",
        "are phases of a transposed convolution so",
        _transposed,
    ),
    Trial("depthwise", "are depthwise weights read so", lambda: _Net().conv(8, 3, 1, Op.DEPTHWISE_CONV2D).model()),
    Trial("max_pool", "is the maximum taken so", lambda: _Net().conv(8).pool(Op.MAX_POOL, 3, 2).model()),
    Trial("average_pool", "is the average rounded so", lambda: _Net().conv(8).pool(Op.AVG_POOL, 3, 3).model()),
    Trial("add", "is the sum aligned and rounded so", lambda: _Net().conv(8).joined(Op.ADD).model()),
    Trial("multiply", "is the product shifted so", lambda: _Net().conv(8).joined(Op.MULTIPLY).model()),
    Trial(
        "pool_in_banks",
        "does MISC read what CONV left in the banks",
        _pooled,
    ),
    Trial("timing", "how long does a known number of cycles take", _large, repeats=30),
    Trial("single_saves", "must SAVEs come in pairs", lambda: _Net().conv(8).model(), _single_saves),
    Trial("one_port", "is hp only the port of a SAVE", lambda: _Net().conv(8).model(), _one_port),
    Trial("deep_queue", "how many tokens may wait", lambda: _Net(250, 4, 8).conv(8, 1).model(), _loads_first),
    Trial("no_own_bits", "does the own bit mean anything", lambda: _Net().conv(8).model(), _no_own_bits),
)
"""Features first; those that may hang a DPU last."""
