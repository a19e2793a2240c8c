"""The result of a quantizer: a graph, the fix points of its tensors, and a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nerone.graph import Graph

__all__ = ["QuantizedModel"]


@dataclass(frozen=True)
class QuantizedModel:
    """A model with power-of-two scales (the vendor's ``pof2s`` scheme).

    Attributes
    ----------
    graph : Graph, batch norms folded and dropouts removed, weights still float32. Average pools carry the attribute
        ``factor`` (DPU average / true average) and hard sigmoids ``scale`` (2731 / 16384); swish is a hard sigmoid
        and a multiplication.
    fix_points : mapping of node name to int, fix point of the node's int8 output. Only nodes after which a
        value is quantized have one: a convolution followed by its fused activation (``topology.fused_activation``)
        has none, the activation has it; padding, reshape and permute have none, they keep their input's
        (``topology.fix_point_source``); a node that stays in float (softmax) has one only where an int8 node reads it:
        its output is then quantized again with that fix point.
    weight_fix_points : mapping of node name to {"kernel": int, "bias": int}
    float_nodes : mapping of node name to the reason why that node stays in float on the CPU
    report : what quantization did, JSON-ready: method, images, per-layer rows; ``output_snr_db``, signal over error of
        the outputs against the trained network, None where there was nothing to compare with
    """

    graph: Graph
    fix_points: Mapping[str, int]
    weight_fix_points: Mapping[str, Mapping[str, int]]
    float_nodes: Mapping[str, str] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def positions(self) -> Mapping[str, int]:
        """Former name of ``fix_points``."""
        return self.fix_points

    @property
    def weight_positions(self) -> Mapping[str, Mapping[str, int]]:
        """Former name of ``weight_fix_points``."""
        return self.weight_fix_points
