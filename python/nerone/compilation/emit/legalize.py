"""Ops become tasks: what the DPU has no instruction for is put together from what it has, or named."""

from __future__ import annotations

from collections.abc import Callable

from nerone.compilation.emit.legal_context import Legal
from nerone.compilation.emit.legal_conv import convolution_tasks, depthwise_tasks, transposed_tasks
from nerone.compilation.emit.legal_pool import pool_tasks, sigmoid_tasks
from nerone.compilation.emit.legal_shape import (
    concat_tasks,
    downsample_tasks,
    eltwise_tasks,
    pad_tasks,
    reshape_tasks,
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
    "hard-sigmoid-fix": sigmoid_tasks,
    "eltwise-fix": eltwise_tasks,
    "concat-fix": concat_tasks,
    "reshape-fix": reshape_tasks,
    "upsample-fix": upsample_tasks,
    "downsample-fix": downsample_tasks,
    "pad-fix": pad_tasks,
}


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
        if op.type == "upload":
            continue
        if op.type not in _BUILDERS:
            raise ModelError(
                f"op '{op.name}' is a {op.type}, which no DPU has; leave it to the CPU, or replace the layer"
            )
        tasks += _BUILDERS[op.type](legal, op)
    return tasks
