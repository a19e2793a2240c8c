"""Ops become tasks: what the DPU has no instruction for is put together from what it has, or named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nerone.compilation.emit.legal_context import Legal
from nerone.compilation.emit.legal_conv import convolution_tasks, depthwise_tasks, transposed_tasks
from nerone.compilation.emit.legal_pool import gated_tasks, pool_tasks, reduction_tasks, sigmoid_tasks
from nerone.compilation.emit.legal_shape import (
    concat_tasks,
    downsample_tasks,
    eltwise_tasks,
    pad_tasks,
    reshape_tasks,
    tile_tasks,
    upsample_tasks,
)
from nerone.compilation.emit.machine import Machine
from nerone.compilation.emit.ops import Operation, SubgraphOps
from nerone.compilation.emit.parameters import Parameters
from nerone.compilation.emit.tasks import Task
from nerone.compilation.emit.views import View
from nerone.errors import ModelError

__all__ = ["legalize"]

_BUILDERS: dict[str, Callable[[Legal, Operation], list[Task]]] = {
    "conv2d-fix": convolution_tasks,
    "depthwise-conv2d-fix": depthwise_tasks,
    "transposed-conv2d-fix": transposed_tasks,
    "transposed-depthwise-conv2d-fix": transposed_tasks,
    "pool-fix": pool_tasks,
    "reduction_max": reduction_tasks,
    "hard-sigmoid-fix": sigmoid_tasks,
    "eltwise-fix": eltwise_tasks,
    "concat-fix": concat_tasks,
    "reshape-fix": reshape_tasks,
    "upsample-fix": upsample_tasks,
    "downsample-fix": downsample_tasks,
    "tile-fix": tile_tasks,
    "pad-fix": pad_tasks,
}

_GATES = ("HSIGMOID", "HSWISH")
_UNSET = -128  # what the vendor's compiler stores where a shift does not apply


def legalize(machine: Machine, sub: SubgraphOps, views: dict[str, View], parameters: Parameters) -> list[Task]:
    """Return the tasks of a subgraph in order.

    Raises
    ------
    ModelError
        naming an op that no DPU, or not this one, can compute, with what would help.
    """
    legal = Legal(machine, sub, views, parameters)
    tasks: list[Task] = []
    for op in sub.ops.values():
        if op.type in ("upload", "const-fix"):
            continue
        if op.type not in _BUILDERS:
            raise ModelError(
                f"op '{op.name}' is a {op.type}, which no DPU has; leave it to the CPU, or replace the layer"
            )
        tasks += _gated(legal, op) if op.text("nonlinear") in _GATES else _BUILDERS[op.type](legal, op)
    return tasks


def _gated(legal: Legal, op: Operation) -> list[Task]:
    """Compute an op without its HSIGMOID or HSWISH, and that after it, from the rounded value.

    A convolution's stored shifts are those of the step before, which the output's fix point does not tell.
    """
    value = legal.temporary(*op.image)
    fix_point, sub = op.fix_point, legal.sub
    if "weights" in op.inputs:
        product = legal.source(op).fix_point + sub.constant_fix[op.inputs["weights"][0]]
        cut, bias = (int(op.attrs.get(key, _UNSET)) for key in ("shift_cut", "shift_bias"))
        fix_point = fix_point if cut == _UNSET else product - cut
        if bias != _UNSET and op.inputs.get("bias"):
            sub = replace(sub, constant_fix={**sub.constant_fix, op.inputs["bias"][0]: product - bias})
    inner = replace(op, attrs={**op.attrs, "nonlinear": "NONE"}, fix_point=fix_point)
    within = replace(legal, sub=sub, views={**legal.views, op.name: value})
    return [*_BUILDERS[op.type](within, inner), *gated_tasks(legal, op, value)]
