"""From the ops of a DPU subgraph to its instructions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nerone.compilation.emit.legalize import legalize
from nerone.compilation.emit.machine import Machine
from nerone.compilation.emit.ops import SubgraphOps
from nerone.compilation.emit.parameters import Parameters
from nerone.compilation.emit.pointwise import emit_copy, emit_eltwise
from nerone.compilation.emit.program import Instruction, Program
from nerone.compilation.emit.rings import Rings
from nerone.compilation.emit.schedule import schedule
from nerone.compilation.emit.storage import assign_storage, place_workspace
from nerone.compilation.emit.tails import find_tail
from nerone.compilation.emit.tasks import Copy, Eltwise, Task, Window
from nerone.compilation.emit.tiling import plan_window
from nerone.compilation.emit.tokens import assign_tokens
from nerone.compilation.emit.views import OUTPUT, View
from nerone.compilation.emit.window import emit_window
from nerone.errors import ModelError

__all__ = ["Stream", "compile_subgraph"]


@dataclass(frozen=True)
class Stream:
    """A compiled subgraph.

    Attributes
    ----------
    instructions : list of Instruction, END last
    tokens : (dpdon, dpdby) of each
    parameters : bytes of REG_0
    addresses : of the constants that have a tensor, by name
    views : where the value of each op lies
    sizes : bytes of the registers 1, 2 and 3
    busy : names of the ops that have instructions
    """

    instructions: list[Instruction]
    tokens: list[tuple[int, int]]
    parameters: bytes
    addresses: dict[str, int]
    views: dict[str, View]
    sizes: dict[int, int]
    busy: frozenset[str]


def compile_subgraph(machine: Machine, sub: SubgraphOps) -> Stream:
    """Compile a DPU subgraph.

    Raises
    ------
    ModelError
        naming an op that the DPU cannot compute or whose smallest tile does not fit.
    """
    parameters = Parameters()
    views = assign_storage(sub, parameters)
    tasks = [part for task in legalize(machine, sub, views, parameters) for part in _fitting(machine, task)]
    placement = place_workspace(tasks, views, sub)
    program, rings = Program(), Rings()
    place = 0
    while place < len(tasks):
        task, place = tasks[place], place + 1
        follower = tasks[place] if place < len(tasks) else None
        found = find_tail(machine, program, rings, task, follower, _is_kept(tasks, place)) if follower else None
        if isinstance(task, Window) and found is not None:
            emit_window(machine, program, rings, task, *found)
            place += 1
        elif isinstance(task, Window):
            emit_window(machine, program, rings, task)
        elif isinstance(task, Eltwise):
            emit_eltwise(machine, program, task)
        else:
            emit_copy(machine, program, task)
    instructions = schedule(program.steps)
    tokens = assign_tokens(instructions)
    busy = frozenset(task.name for task in tasks)
    sizes = {register: placement.sizes.get(register, 0) for register in (1, 2, 3)}
    return Stream(instructions, tokens, parameters.to_bytes(), parameters.addresses, views, sizes, busy)


def _is_kept(tasks: list[Task], place: int) -> bool:
    """Whether the output of the task before ``place`` is read by another task than the one at ``place``."""
    task = tasks[place - 1]
    if not isinstance(task, Window) or task.target.buffer.register == OUTPUT:
        return True
    readers = [other for number, other in enumerate(tasks) if number != place]
    return any(view.buffer is task.target.buffer for other in readers for view in _sources(other))


def _sources(task: Task) -> tuple[View, ...]:
    return task.sources if isinstance(task, Eltwise) else (task.source,)


def _fitting(machine: Machine, task: Task) -> list[Task]:
    """Split a window that computes each channel by itself until a tile of it fits."""
    if isinstance(task, (Copy, Eltwise)) or task.kind == "conv":
        return [task]
    groups = machine.groups(task.target.channels)
    parts = 1
    while True:
        try:
            pieces = _sliced(machine, task, parts)
            for piece in pieces:
                plan_window(machine, piece)
            return list(pieces)
        except ModelError:
            if parts >= groups:
                raise
            parts = min(groups, 2 * parts)


def _sliced(machine: Machine, task: Window, parts: int) -> list[Window]:
    size = -(-machine.groups(task.target.channels) // parts) * machine.channels
    found = []
    for first in range(0, task.target.channels, size):
        count = min(size, task.target.channels - first)
        weights = task.weights
        if weights is not None:
            weights = replace(weights, address=weights.address + first, bias=weights.bias + first)
        source, target = task.source.slice(first, count), task.target.slice(first, count)
        found.append(replace(task, source=source, target=target, weights=weights))
    return found
