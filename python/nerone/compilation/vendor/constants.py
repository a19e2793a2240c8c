"""Constants of the vendor's files in the form that their tensors declare, and ours as the vendor rescales them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["constant", "read_declared", "with_rescaled_biases"]

Graph = Mapping[str, Any]
Op = Mapping[str, Any]


def read_declared(path: str | Path) -> dict[str, Any]:
    """Return a compiled file in the schema of `nerone._core.read_xmodel`, with its constants' bytes beside their ops.

    A register of the vendor's file holds some biases with another fix point than their tensors declare, and transposed
    convolutions phase by phase; here they have the fix point of their bytes, and the declared order.
    """
    from nerone import _core

    file = _core.XmodelFile(str(path))
    graph, constants = file.graph(), file.constants()
    for op in graph["ops"]:
        if op["name"] in constants:
            op["attrs"]["data"], fix_point = constants[op["name"]]
            if fix_point is not None:
                op["output"]["attrs"]["fix_point"] = fix_point
    return graph


def constant(graph: Graph, op: Op, role: str) -> tuple[NDArray[np.int8], int | None] | None:
    """Return an op's weights or bias and their fix point; None where it has none of its own."""
    for name in op["inputs"].get(role, ()):
        source = next(candidate for candidate in graph["ops"] if candidate["name"] == name)
        data = np.frombuffer(bytes(source["attrs"].get("data", b"")), np.int8)
        if data.size == int(np.prod(source["output"]["shape"])):
            return data, source["output"]["attrs"].get("fix_point")
    return None


def with_rescaled_biases(
    own: Graph, other: Graph, pairs: Iterable[tuple[Op, Op]]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Give a graph the biases that the vendor's compiler had to rescale.

    A bias that is finer than the convolution's sum does not fit the DPU's instruction, and the compiler rounds it to
    the sum's fix point fi + fw + 1. What it made is taken over where it is such a rounding, less than a step away.

    Parameters
    ----------
    own, other : the host compilation, and the vendor's file as `read_declared` gives it
    pairs : convolutions that belong together

    Returns
    -------
    The changed graph, and the names of the convolutions whose bias is the vendor's.
    """
    ops = {op["name"]: op for op in own["ops"]}
    changed: dict[str, dict[str, Any]] = {}
    layers = []
    for mine, theirs in pairs:
        given, made = constant(own, mine, "bias"), constant(other, theirs, "bias")
        finest = _sum_fix_point(ops, mine)
        if given is None or made is None or finest is None or given[1] is None or made[0].size != given[0].size:
            continue
        if not given[1] > finest == made[1]:
            continue
        exact = given[0] * 2.0 ** (finest - given[1])
        if (np.abs(made[0] - exact) < 1).all():
            source = ops[mine["inputs"]["bias"][0]]
            output = {**source["output"], "attrs": {**source["output"]["attrs"], "fix_point": finest}}
            changed[source["name"]] = {
                **source,
                "attrs": {**source["attrs"], "data": made[0].tobytes()},
                "output": output,
            }
            layers.append(mine["name"])
    return {**own, "ops": [changed.get(op["name"], op) for op in own["ops"]]}, tuple(layers)


def _sum_fix_point(ops: Mapping[str, Op], convolution: Op) -> int | None:
    """Return fi + fw + 1, the fix point of a convolution's sum with its one further bit."""
    total = 1
    for role in ("input", "weights"):
        sources = convolution["inputs"].get(role, ())
        point = ops[sources[0]]["output"]["attrs"].get("fix_point") if sources else None
        if point is None:
            return None
        total += int(point)
    return total
