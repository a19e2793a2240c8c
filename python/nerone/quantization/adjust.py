"""Moves fix points until every shift is one that the DPU has.

The rules are those of :mod:`nerone.quantization.shifts`, and two alignments: all tensors of a concatenation, and both
sides of a window pool, get the lowest of their fix points. vai_q_tensorflow2 makes one pass, in which a later rule can
break an earlier one. Here the passes repeat until nothing moves. Should the vendor's directions chase each other,
further passes only lower fix points, down to the floors that hard sigmoids set: that always ends, since every fix point
equal to 7 obeys all rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nerone.dpu.arithmetic import GATE_FIX_POINT, MAX_CUT, MAX_ELTWISE, SIGMOID_SHIFT
from nerone.dpu.ops import WEIGHTED
from nerone.graph import Graph, Node, Op
from nerone.quantization.shifts import Neighbours, bias_range

__all__ = ["adjust"]

_VENDOR_PASSES = 50
_ELTWISE = (Op.ADD, Op.MULTIPLY)
WeightFixPoints = dict[str, dict[str, int]]


def adjust(
    graph: Graph,
    fix_points: Mapping[str, int],
    weights: Mapping[str, Mapping[str, int]],
    floors: Mapping[str, int] | None = None,
) -> tuple[dict[str, int], WeightFixPoints]:
    """Return activation and weight fix points that satisfy every rule.

    Parameters
    ----------
    graph : Graph in its DPU form
    fix_points : by name of the quantization point
    weights : {"kernel": int, "bias": int} by name of the weighted node
    floors : fix points below which points should not go, at most 7; an alignment that needs it is left out
    """
    adjuster = _Adjuster(graph, fix_points, weights, floors or {})
    adjuster.run()
    return adjuster.fix_points, adjuster.weights


class _Adjuster:
    def __init__(
        self,
        graph: Graph,
        fix_points: Mapping[str, int],
        weights: Mapping[str, Mapping[str, int]],
        floors: Mapping[str, int],
    ) -> None:
        self.fix_points = dict(fix_points)
        self.weights: WeightFixPoints = {name: dict(values) for name, values in weights.items()}
        self._graph = graph
        self._near = Neighbours(graph, fix_points)
        self._floors = self._all_floors(floors)
        self._lower_only = False
        self._moved = False

    def run(self) -> None:
        """Apply the rules of activations until they are quiet, then those of weights, which activations do not see."""
        for name, floor in self._floors.items():
            self.fix_points[name] = max(self.fix_points[name], floor)
        count = 0
        while self._pass():
            count += 1
            self._lower_only = count >= _VENDOR_PASSES
        for node in self._graph:
            if node.op in WEIGHTED:
                self._weights(node)

    def _pass(self) -> bool:
        self._moved = False
        rules: tuple[Callable[[Node], None], ...] = (
            self._sigmoid,
            self._shift_read,
            self._shift_write,
            self._shift_swish,
            self._align,
        )
        for rule in rules:
            for node in self._graph:
                if self._near.inputs[node.name] and self._near.outputs[node.name] is not None:
                    rule(node)
        return self._moved

    def _set(self, name: str, fix_point: int) -> None:
        # Two rules may undo each other within one pass; that is not rest.
        self._moved |= self.fix_points[name] != fix_point
        self.fix_points[name] = fix_point

    def _all_floors(self, given: Mapping[str, int]) -> dict[str, int]:
        """The lowest fix point of every point at which the floors of the points it meets can still be kept."""
        floors = dict(given)

        def raise_to(floor: int, *names: str) -> bool:
            lower = [name for name in names if floors.get(name, floor - 1) < floor]
            floors.update(dict.fromkeys(lower, floor))
            return bool(lower)

        moved = True
        while moved:
            moved = False
            for node in self._graph:
                inputs, output = self._near.inputs[node.name], self._near.outputs[node.name]
                if output is None:
                    continue
                if node.op is Op.HARD_SIGMOID:
                    moved |= raise_to(GATE_FIX_POINT, output)
                    moved |= raise_to(0, *inputs)
                known = [floors[name] for name in inputs if name in floors]
                if node.op in _ELTWISE and known:
                    moved |= raise_to(max(known) - MAX_ELTWISE, *inputs, output)
                if node.op in _ELTWISE and output in floors:
                    moved |= raise_to(floors[output] - MAX_ELTWISE, *inputs)
                if node.name in self._near.swishes and len(known) == 2:
                    moved |= raise_to(sum(known) - MAX_ELTWISE, output)
        return floors

    def _lower(self, name: str, fix_point: int) -> None:
        limit = max(fix_point, self._floors.get(name, fix_point))
        self._set(name, min(self.fix_points[name], limit))

    def _sigmoid(self, node: Node) -> None:
        if node.op is not Op.HARD_SIGMOID:
            return
        for source in self._near.inputs[node.name]:
            self._set(source, min(max(self.fix_points[source], 0), MAX_ELTWISE))
            highest = SIGMOID_SHIFT + self.fix_points[source]
            self._set(node.name, min(max(self.fix_points[node.name], GATE_FIX_POINT), highest))

    def _shift_read(self, node: Node) -> None:
        if node.op in _ELTWISE:
            inputs = self._near.inputs[node.name]
            lowest = min(self.fix_points[name] for name in inputs)
            for name in inputs:
                self._lower(name, lowest + MAX_ELTWISE)

    def _shift_write(self, node: Node) -> None:
        output = self._near.outputs[node.name]
        if node.op not in _ELTWISE or output is None:
            return
        inputs = self._near.inputs[node.name]
        lowest = min(self.fix_points[name] for name in inputs)
        if self.fix_points[output] > lowest + MAX_ELTWISE:
            self._lower(output, lowest + MAX_ELTWISE)
        elif self.fix_points[output] < lowest - MAX_ELTWISE and not self._lower_only:
            self._set(output, lowest - MAX_ELTWISE)
        elif self.fix_points[output] < lowest - MAX_ELTWISE:
            for name in inputs:
                self._lower(name, self.fix_points[output] + MAX_ELTWISE)

    def _shift_swish(self, node: Node) -> None:
        output = self._near.outputs[node.name]
        if node.name not in self._near.swishes or output is None:
            return
        inputs = self._near.inputs[node.name]
        total = sum(self.fix_points[name] for name in inputs)
        if self.fix_points[output] > total:
            self._lower(output, total)
        elif self.fix_points[output] < total - MAX_ELTWISE and not self._lower_only:
            self._set(output, total - MAX_ELTWISE)
        elif self.fix_points[output] < total - MAX_ELTWISE:
            for name, other in (inputs, inputs[::-1]):
                self._lower(name, self.fix_points[output] + MAX_ELTWISE - self.fix_points[other])

    def _align(self, node: Node) -> None:
        window = node.op in (Op.MAX_POOL, Op.AVG_POOL) and not node.attrs.get("global", False)
        output = self._near.outputs[node.name]
        if output is not None and (window or node.op is Op.CONCAT):
            names = [*self._near.inputs[node.name], output]
            lowest = min(self.fix_points[name] for name in names)
            for name in names:
                self._lower(name, lowest)

    def _weights(self, node: Node) -> None:
        own, inputs, output = self.weights.get(node.name), self._near.inputs[node.name], self._near.outputs[node.name]
        if own is None or "kernel" not in own or not inputs or output is None:
            return
        source, result = self.fix_points[inputs[0]], self.fix_points[output]
        shift_cut = min(max(own["kernel"] + source - result, 0), MAX_CUT)
        own["kernel"] = shift_cut + result - source
        if "bias" in own:
            low, high = bias_range(shift_cut, leaky=node.name in self._near.leaky)
            total = own["kernel"] + source
            own["bias"] = total - min(max(total - own["bias"], low), high)
