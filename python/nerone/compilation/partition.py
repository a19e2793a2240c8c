"""Cut a lowered graph into USER, DPU and CPU subgraphs, with the vendor's attribute names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nerone.compilation.xir import XirGraph, XirOp, XirSubgraph

__all__ = ["DPU_NAME", "SOFTDPU_LIBRARY", "partition"]

DPU_NAME = "DPUCZDX8G_NERONE"
SOFTDPU_FINGERPRINT = 0
SOFTDPU_LIBRARY = "libnerone_softdpu.so"
CPU_LIBRARY = "libvart-cpu-runner.so"

_CONSTANTS = frozenset({"const", "const-fix"})

Key = tuple[int, str]


def partition(graph: XirGraph, *, uint64: Callable[[int], Any] = int) -> tuple[XirGraph, XirSubgraph]:
    """Cut a graph into subgraphs of one device each, none of which waits for itself.

    Ops of one device with the same number of device changes before them form a subgraph; an edge never leads to a
    smaller number, so the subgraphs can run one after the other. Values that enter or leave a DPU subgraph get an
    ``upload`` or ``download`` op, as in the vendor's files.

    Parameters
    ----------
    graph : XirGraph, from `lower`
    uint64 : callable that marks an attribute value as 64 bit unsigned (`nerone._core.UInt64`)

    Returns
    -------
    The graph with its uploads and downloads, in an order in which it can run, and the tree of subgraphs.
    """
    keys = _keys(graph)
    groups: dict[Key, list[XirOp]] = {}
    for op in graph:
        groups.setdefault(keys[op.name], []).append(op)
    cut = XirGraph(graph.name)
    crossing = _Crossings(graph, keys, cut)
    tree = []
    for key in sorted(groups, key=lambda key: (key[0], key[1] != "USER")):
        names = crossing.copy(groups[key], key)
        tree.append(_subgraph(cut, key[1], names, uint64))
    total = sum(op.macs for op in cut)
    root = XirSubgraph("root", {"workload": uint64(2 * total)}, [op.name for op in cut], tree)
    return cut, root


def _keys(graph: XirGraph) -> dict[str, Key]:
    """Return (number of device changes before it, device) for every op; constants go with their reader."""
    keys: dict[str, Key] = {}
    for op in graph:
        if op.type in _CONSTANTS:
            continue
        before = [keys[name] for name in op.input_names() if graph[name].type not in _CONSTANTS]
        changes = max((count + (device != op.device) for count, device in before), default=0)
        keys[op.name] = (changes, op.device)
    for op in graph:
        for name in op.input_names():
            if graph[name].type in _CONSTANTS:
                keys[name] = keys[op.name]
    return keys


class _Crossings:
    """Copies groups of ops, inserting uploads and downloads where a value enters or leaves a DPU subgraph."""

    def __init__(self, graph: XirGraph, keys: dict[str, Key], cut: XirGraph) -> None:
        self._keys, self._cut, self._graph = keys, cut, graph
        self._left: dict[str, str] = {}  # op inside a DPU subgraph -> its download
        self._leaving = {
            name for op in graph for name in op.input_names() if keys[name] != keys[op.name] and keys[name][1] == "DPU"
        }

    def copy(self, ops: list[XirOp], key: Key) -> list[str]:
        """Append a group to the cut graph and return the names of all its ops."""
        uploads: dict[str, str] = {}
        names: list[str] = []
        for op in ops:
            inputs = {
                role: [self._source(name, key, uploads, names) for name in producers]
                for role, producers in op.inputs.items()
            }
            names.append(self._cut.add(replace(op, inputs=inputs)).name)
        for op in ops:
            if op.name in self._leaving:
                names.append(self._download(op))
        return names

    def _source(self, name: str, key: Key, uploads: dict[str, str], names: list[str]) -> str:
        if self._keys[name] == key:
            return name
        outside = self._left.get(name, name)
        if key[1] != "DPU":
            return outside
        if outside not in uploads:
            source = self._cut[outside]
            uploads[outside] = self._copy_of(source, source.name, "upload", f"{source.tensor}_upload")
            names.append(uploads[outside])
        return uploads[outside]

    def _download(self, op: XirOp) -> str:
        """The value that leaves keeps the tensor's name, as in the vendor's files."""
        inside = self._cut[op.name]
        tensor, inside.tensor = inside.tensor, f"{inside.tensor}_inside"
        self._left[op.name] = self._copy_of(inside, op.name, "download", tensor)
        return self._left[op.name]

    def _copy_of(self, source: XirOp, base: str, kind: str, tensor: str) -> str:
        name, count = f"{base}_{kind}_0", 0
        while name in self._cut or name in self._graph:
            count += 1
            name = f"{base}_{kind}_{count}"
        if count:
            tensor = f"{tensor}_{count}"
        op = XirOp(
            name,
            kind,
            {},
            {"input": [source.name]},
            source.shape,
            source.fix_point,
            "DPU",
            source.source,
            tensor=tensor,
        )
        return self._cut.add(op).name


def _subgraph(graph: XirGraph, device: str, names: list[str], uint64: Callable[[int], Any]) -> XirSubgraph:
    work = uint64(2 * sum(graph[name].macs for name in names))
    first = next(name for name in names if graph[name].type not in _CONSTANTS and graph[name].type != "upload")
    attrs: dict[str, Any] = {"device": device, "workload": work}
    children: list[XirSubgraph] = []
    if device == "CPU":
        attrs["runner"] = dict.fromkeys(("ref", "run", "sim"), CPU_LIBRARY)
    if device == "DPU":
        children = _children(graph, names, uint64)
        attrs |= {
            "dpu_name": DPU_NAME,
            "dpu_fingerprint": uint64(SOFTDPU_FINGERPRINT),
            "constant_layout": "declared",  # not as the vendor's instructions want them: cpp/src/compiled
            "runner": dict.fromkeys(("ref", "run", "sim"), SOFTDPU_LIBRARY),
            "children_topological_sort": [child.name for child in children],
        }
    return XirSubgraph(f"subgraph_{first}", attrs, names, children)


def _children(graph: XirGraph, names: list[str], uint64: Callable[[int], Any]) -> list[XirSubgraph]:
    """One child per op, with its constants: the vendor's layout, which `xir subgraph` prints."""
    children = []
    for name in names:
        op = graph[name]
        if op.type in _CONSTANTS:
            continue
        constants = [source for source in op.input_names() if graph[source].type in _CONSTANTS]
        child = XirSubgraph(f"subgraph_{name}_op", {"workload": uint64(2 * op.macs)}, [*constants, name])
        children.append(child)
    return children
