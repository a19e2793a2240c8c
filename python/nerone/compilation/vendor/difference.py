"""Finds the first layer that two compilations of one model compute differently, and why."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compilation.vendor.constants import constant
from nerone.compilation.vendor.run import Feed, plain_name, run_model
from nerone.errors import ModelError

__all__ = ["TAP", "first_difference", "op_pairs", "tapped"]

Graph = Mapping[str, Any]
Op = Mapping[str, Any]

TAP = "__tap"
"""Ends the name of what `tapped` adds."""
_TENSOR_ATTRS = ("fix_point", "bit_width", "if_signed", "round_mode")
_ATTRS = ("kernel", "stride", "pad", "dilation", "nonlinear", "type", "mode", "axis", "scale")


def first_difference(own: Graph, other: Graph, layers: Mapping[str, str], feeds: Sequence[Feed]) -> str:
    """Say which layer differs first; its inputs are equal in both files.

    The files are run with every intermediate value as an output. Values belong together where their ops have the same
    name, which the vendor's compiler takes from the model's layers.

    Parameters
    ----------
    own, other : graphs as `nerone.compilation.vendor.constants.read_declared` gives them
    layers : layer of the user's model for an op of ``own``
    feeds : the image on which the results differ

    Returns
    -------
    str, half a sentence
    """
    try:
        first, second = _values(own, feeds), _values(other, feeds)
    except ModelError:
        first, second = {}, {}
    for mine, theirs in op_pairs(own, other):
        found = _declared(mine, theirs)
        if not found and mine["name"] in first and theirs["name"] in second:
            found = _counted(mine, first[mine["name"]], second[theirs["name"]])
        if found:
            layer = layers.get(mine["name"], mine["name"])
            return f"layer '{layer}' is the first that differs, {found}{_why(own, other, mine, theirs)}"
    return "no layer of the same name differs, so an op of the vendor's file has no counterpart in the model"


def _counted(mine: Op, expected: NDArray[np.float32], got: NDArray[np.float32]) -> str:
    away = np.abs(expected.reshape(-1) - got.reshape(-1))
    if not away.any():
        return ""
    steps = away.max() * 2.0 ** mine["output"]["attrs"]["fix_point"]
    return f"in {np.count_nonzero(away)} of {away.size} values, by {steps:g} steps at most"


def _fixed(graph: Graph) -> list[Op]:
    """Return the computing ops of the DPU subgraphs, in topological order."""
    inside = {
        name for part in graph["root"]["children"] if part["attrs"].get("device") == "DPU" for name in part["ops"]
    }
    return [
        op for op in graph["ops"] if op["name"] in inside and op["type"].endswith("-fix") and "const" not in op["type"]
    ]


def op_pairs(own: Graph, other: Graph) -> list[tuple[Op, Op]]:
    """Return the computing ops of two compilations that have the same plain name."""
    by_name = {plain_name(op["name"]): op for op in _fixed(other)}
    by_name |= {plain_name(op["output"]["name"]): op for op in _fixed(other) if plain_name(op["name"]) not in by_name}
    found = [(op, by_name.get(plain_name(op["name"]))) for op in _fixed(own)]
    return [(mine, theirs) for mine, theirs in found if theirs is not None]


def _declared(mine: Op, theirs: Op) -> str:
    for what in ("type", "shape", "fix_point"):
        expected, got = _fact(mine, what), _fact(theirs, what)
        if expected != got:
            return f"its {what} is {got} instead of {expected}"
    return ""


def _fact(op: Op, what: str) -> Any:
    if what == "type":
        return op["type"]
    return op["output"]["shape"] if what == "shape" else op["output"]["attrs"].get("fix_point")


def _why(own: Graph, other: Graph, mine: Op, theirs: Op) -> str:
    for role in ("weights", "bias"):
        expected, got = constant(own, mine, role), constant(other, theirs, role)
        if expected is None or got is None or expected[0].size != got[0].size:
            continue
        if expected[1] != got[1]:
            return f"; its {role} have fix point {got[1]} instead of {expected[1]}"
        if not np.array_equal(expected[0], got[0]):
            return f"; {np.count_nonzero(expected[0] != got[0])} of its {got[0].size} {role} differ"
    for key in _ATTRS:
        expected, got = mine["attrs"].get(key), theirs["attrs"].get(key)
        if None not in (expected, got) and expected != got:
            return f"; its {key} is {got} instead of {expected}"
    return ""


def _values(graph: Graph, feeds: Sequence[Feed]) -> dict[str, NDArray[np.float32]]:
    """Return the value of every fixed-point op by its name."""
    from nerone import _core

    whole = tapped(graph)
    with tempfile.TemporaryDirectory(prefix="nerone-") as scratch:
        path = str(Path(scratch) / "tapped.xmodel")
        _core.write_xmodel(whole, path)
        outputs = run_model(_core.Model(path, _core.DeviceOptions()), feeds)
    return {name.removesuffix(TAP): values for name, values in outputs.items() if name.endswith(TAP)}


def tapped(graph: Graph) -> dict[str, Any]:
    """Return the graph with a download, which makes it an output, behind every fixed-point op."""
    ops, root = list(graph["ops"]), _copied(graph["root"])
    computing = {op["name"]: op for op in _fixed(graph)}
    for part in root["children"]:
        if part["attrs"].get("device") != "DPU":
            continue
        part["attrs"].pop("children_topological_sort", None)
        for name in [name for name in part["ops"] if name in computing]:
            tap = _tap(computing[name])
            ops.append(tap)
            part["ops"].append(tap["name"])
            root["ops"].append(tap["name"])
            part["children"].append(
                {"name": f"subgraph_{tap['name']}", "attrs": {}, "ops": [tap["name"]], "children": []}
            )
    return {"name": graph["name"], "attrs": {}, "ops": ops, "root": root}


def _copied(subgraph: Mapping[str, Any]) -> dict[str, Any]:
    children = [_copied(child) for child in subgraph["children"]]
    return {**subgraph, "attrs": dict(subgraph["attrs"]), "ops": list(subgraph["ops"]), "children": children}


def _tap(op: Op) -> dict[str, Any]:
    name, output = f"{op['name']}{TAP}", op["output"]
    attrs = {key: output["attrs"][key] for key in _TENSOR_ATTRS if key in output["attrs"]}
    return {
        "name": name,
        "type": "download",
        "attrs": {"device": "DPU"},
        "inputs": {"input": [op["name"]]},
        "output": {**output, "name": name, "attrs": attrs},
    }
