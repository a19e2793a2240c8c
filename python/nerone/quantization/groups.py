"""Groups of quantization points that share a fix point, and where the error of each choice is felt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nerone.dpu.ops import KEEPS_FIX_POINT, WEIGHTED
from nerone.graph import Graph, Node, Op
from nerone.quantization.topology import fix_point_source

__all__ = ["Group", "fix_point_groups", "reader_energy"]

# These choose or repeat their inputs' values: a second fix point would only round them again.
_CARRIERS = frozenset({Op.CONCAT, Op.MAX_POOL, Op.AVG_POOL, Op.UPSAMPLE})


@dataclass
class Group:
    """Points that get the same fix point.

    Attributes
    ----------
    members : names of the points, in topological order
    measured : those of them that another op than a carrier reads, or that are outputs of the graph
    """

    members: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)


def fix_point_groups(graph: Graph, points: Sequence[str]) -> list[Group]:
    """Return the groups of points joined by concatenations, pools and upsampling.

    Parameters
    ----------
    graph : Graph in its DPU form
    points : names of the quantization points
    """
    nodes, known = graph.by_name, dict.fromkeys(points, 0)
    leader = {name: name for name in points}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    carriers = {node.name for node in graph if node.op in _CARRIERS and node.name in known and not _averages_all(node)}
    for name in carriers:
        for source in nodes[name].inputs:
            origin = fix_point_source(nodes, known, source)
            if origin is not None:
                leader[find(origin)] = find(name)
    groups: dict[str, Group] = {}
    for name in points:
        group = groups.setdefault(find(name), Group())
        group.members.append(name)
        readers = list(_readers(graph, name))
        if name in graph.outputs or not readers or any(reader.name not in carriers for reader in readers):
            group.measured.append(name)
    return list(groups.values())


def _averages_all(node: Node) -> bool:
    # The mean of a whole image lies in a much smaller range than its pixels.
    return node.op is Op.AVG_POOL and bool(node.attrs.get("global", False))


def _readers(graph: Graph, name: str) -> list[Node]:
    """Nodes that read a value, through those that only move it."""
    found = []
    for reader in graph.consumers(name):
        found += _readers(graph, reader.name) if reader.op in KEEPS_FIX_POINT else [reader]
    return found


def reader_energy(graph: Graph, name: str) -> NDArray[np.float32] | None:
    """Return how strongly each channel of a point enters the layers that read it, mean 1; None where all alike.

    It is the sum of squares of the kernel values that a channel meets: white errors of the channel grow by it.
    """
    channels = graph[name].shape[-1]
    total = np.zeros(channels)
    for reader in graph.consumers(name):
        energy = _kernel_energy(reader, reader.weights) if reader.op in WEIGHTED else None
        if energy is None or energy.size != channels or energy.sum() == 0:
            energy = np.ones(channels)
        total += energy / energy.mean()
    if not total.any() or np.ptp(total) == 0:
        return None
    return np.asarray(total / total.mean(), np.float32)


def _kernel_energy(node: Node, weights: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    kernel = np.square(weights["kernel"].astype(np.float64))
    inputs = {Op.CONV2D: 2, Op.DEPTHWISE_CONV2D: 2, Op.TRANSPOSED_CONV2D: 3, Op.DENSE: 0}[node.op]
    return np.asarray(kernel.sum(axis=tuple(axis for axis in range(kernel.ndim) if axis != inputs)))
