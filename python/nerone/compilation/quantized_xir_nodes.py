"""Shared by the ops of a quantized XIR graph on their way to nodes: its sources, constants and fix points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compilation.xir_attrs import Attrs
from nerone.errors import ModelError
from nerone.graph import Node, Op

__all__ = ["XirNodes"]


class XirNodes:
    """Collects nodes.

    Attributes
    ----------
    nodes : list of Node, in topological order
    alias : dict, for each op the node whose value its output is
    fix_points : dict, node to fix point
    weight_fix_points : dict, node to the fix points of its weights
    reshaped : dict, for a reshape that an op brings along the node before it, which has the same fix point
    constants : dict, for each constant op its values and, once a fix op followed, their fix point
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.alias: dict[str, str] = {}
        self.fix_points: dict[str, int] = {}
        self.weight_fix_points: dict[str, dict[str, int]] = {}
        self.reshaped: dict[str, str] = {}
        self.constants: dict[str, tuple[NDArray[np.float32], int | None]] = {}

    def source(self, op: Mapping[str, Any], number: int = 0) -> str:
        """Return the node whose value an op reads."""
        sources = op["inputs"].get("input", [])
        if len(sources) <= number or sources[number] not in self.alias:
            raise ModelError(
                f"op '{op['name']}' ({op['type']}) reads no value that was imported; export the model again"
            )
        return self.alias[sources[number]]

    def fix(self, op: Mapping[str, Any]) -> None:
        """Take the fix point of a fix op for what it quantizes."""
        source = op["inputs"]["input"][0]
        fix_point = Attrs(op).integer("fix_point")
        if Attrs(op).integer("bit_width") != 8:
            raise ModelError(f"op '{op['name']}' quantizes to {Attrs(op).integer('bit_width')} bit; the DPU has 8")
        if source in self.constants:
            self.constants[op["name"]] = (self.constants[source][0], fix_point)
            return
        node = self.alias[source]
        if self.fix_points.setdefault(node, fix_point) != fix_point:
            raise ModelError(
                f"'{node}' is quantized to fix points {self.fix_points[node]} and {fix_point}; one is possible"
            )
        if node in self.reshaped:
            self.fix_points[self.reshaped[node]] = fix_point
        self.alias[op["name"]] = node

    def node(
        self,
        op: Mapping[str, Any],
        kind: Op,
        attrs: Mapping[str, Any] | None = None,
        weights: Mapping[str, NDArray[np.float32]] | None = None,
        sources: int = 1,
    ) -> Node:
        """Return a node of the op's name and output shape."""
        shape = tuple(int(size) for size in op["output"]["shape"][1:])
        inputs = tuple(self.source(op, number) for number in range(sources))
        return Node(op["name"], kind, inputs, shape, attrs or {}, weights or {}, op["name"])

    def input_shape(self, op: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the shape of what an op reads, without the batch axis."""
        name = self.source(op)
        return next(node.shape for node in self.nodes if node.name == name)

    def weights(self, op: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
        """Return the constants of an op by their names here, and keep their fix points."""
        weights, fix_points = {}, {}
        for role, key in (("weights", "kernel"), ("bias", "bias")):
            for name in op["inputs"].get(role, []):
                if name not in self.constants:
                    raise ModelError(f"the {role} of op '{op['name']}' are computed, not constant; fold them first")
                weights[key], fix_point = self.constants[name]
                if fix_point is not None:
                    fix_points[key] = fix_point
        if "kernel" not in weights:
            raise ModelError(f"op '{op['name']}' has no weights; export the model again")
        self.weight_fix_points[op["name"]] = fix_points
        return weights
