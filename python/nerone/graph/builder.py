"""Builds graphs node by node: unique names, inferred shapes, checked weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ModelError
from nerone.graph.graph import Graph, Node, Op
from nerone.graph.shapes import infer_shape

__all__ = ["GraphBuilder"]


class GraphBuilder:
    """Collects nodes in topological order; :meth:`build` returns the graph of those that the outputs need."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: dict[str, Node] = {}

    def add(
        self,
        op: Op,
        inputs: Sequence[str],
        *,
        name: str,
        layer: str | None = None,
        attrs: Mapping[str, Any] | None = None,
        weights: Mapping[str, NDArray[Any] | None] | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> str:
        """Append a node and return its name, which gets a suffix where ``name`` is taken.

        Parameters
        ----------
        op, attrs, weights : as listed at :class:`Op`; a weight that is None is left out
        inputs : names of earlier nodes
        layer : the user's layer, for reports and errors; ``name`` by default
        shape : shape of the output where it cannot be inferred (unsupported ops)

        Raises
        ------
        ModelError
            A weight holds NaN or infinity, or the inputs do not fit the op; the message names the layer.
        """
        layer = name if layer is None else layer
        arrays = {key: _checked(array, key, layer) for key, array in (weights or {}).items() if array is not None}
        if shape is None:
            try:
                shape = infer_shape(op, [self._nodes[source].shape for source in inputs], attrs or {}, arrays)
            except ModelError as error:
                raise ModelError(f"{self._cause(inputs)}layer '{layer}': {error}") from error
        unique = self._unique(name)
        self._nodes[unique] = Node(unique, op, tuple(inputs), shape, dict(attrs or {}), arrays, layer)
        return unique

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of the output of node ``name``, without the batch axis."""
        return self._nodes[name].shape

    def names(self) -> tuple[str, ...]:
        """Names of all nodes so far."""
        return tuple(self._nodes)

    def op(self, name: str) -> Op:
        """Kind of node ``name``."""
        return self._nodes[name].op

    def sources(self, name: str) -> tuple[str, ...]:
        """Names of the nodes that node ``name`` reads."""
        return self._nodes[name].inputs

    def build(self, inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
        """Return the graph. Nodes that no output needs are left out; inputs are always kept."""
        needed = set(outputs)
        for node in reversed(self._nodes.values()):
            if node.name in needed:
                needed.update(node.inputs)
        kept = tuple(node for node in self._nodes.values() if node.name in needed or node.name in inputs)
        return Graph(self.name, kept, tuple(inputs), tuple(outputs))

    def _cause(self, inputs: Sequence[str]) -> str:
        """Words for a layer further up that could not be taken, and whose shape is therefore only guessed."""
        stack, seen = list(inputs), set(inputs)
        while stack:
            node = self._nodes[stack.pop()]
            if node.op is Op.UNSUPPORTED:
                return f"layer '{node.layer}' ({node.attrs['layer_class']}): {node.attrs['reason']}; without it, "
            stack += [name for name in node.inputs if name not in seen]
            seen.update(node.inputs)
        return ""

    def _unique(self, name: str) -> str:
        unique, call = name, 1
        while unique in self._nodes:
            call += 1
            unique = f"{name}_call{call}"
        return unique


def _checked(array: NDArray[Any], key: str, layer: str) -> NDArray[np.float32]:
    values = np.ascontiguousarray(array, dtype=np.float32)
    bad = values.size - int(np.count_nonzero(np.isfinite(values)))
    if bad:
        raise ModelError(
            f"layer '{layer}': {bad} of the {values.size} values of '{key}' are NaN or infinite; "
            "load a checkpoint from before training diverged"
        )
    return values
