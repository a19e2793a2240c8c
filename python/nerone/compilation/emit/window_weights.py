"""Weights and biases of a window on their way into the banks."""

from __future__ import annotations

from dataclasses import dataclass

from nerone.compat import zip
from nerone.compilation.emit.machine import Machine
from nerone.compilation.emit.program import Step
from nerone.compilation.emit.rings import Rings
from nerone.compilation.emit.tasks import Window
from nerone.compilation.emit.transfers import load
from nerone.compilation.emit.views import WEIGHTS

__all__ = ["Chunk", "load_weights"]


@dataclass(frozen=True)
class Chunk:
    """Weights of some groups of output channels in the banks.

    Attributes
    ----------
    first_group : int
    rows : per group of the chunk and phase, the first row of its weights
    lengths : per phase, the rows of its weights
    bias : int, row of the first group's biases
    """

    first_group: int
    rows: tuple[tuple[int, ...], ...]
    lengths: tuple[int, ...]
    bias: int


def load_weights(machine: Machine, rings: Rings, task: Window, group: int, groups: int, step: Step) -> Chunk:
    """Load weights and biases, and say where they lie."""
    assert task.weights is not None
    parallel, total = machine.channels, task.target.channels
    count = min(groups, machine.groups(total) - group)
    first = group * parallel
    bias = rings.biases.take(count)
    step.loads.append(
        load(
            machine,
            WEIGHTS,
            task.weights.bias + first,
            machine.bias_bank,
            bias,
            pieces=1,
            jump=min(total - first, count * parallel),
            channels=min(total - first, count * parallel),
            step=count,
        )
    )
    read_groups = machine.groups(task.source.channels)
    taps = [phase.kernel[0] * phase.kernel[1] for phase in task.phases]
    lengths = tuple(count * read_groups for count in taps)
    rows = []
    if task.kind == "depthwise":
        rows.append(_load_depthwise(machine, rings, task, taps, step))
    else:
        for number in range(group, group + count):
            rows.append(_load_group(machine, rings, task, number, taps, step))
    return Chunk(group, tuple(rows), lengths, bias)


def _load_group(
    machine: Machine, rings: Rings, task: Window, group: int, taps: list[int], step: Step
) -> tuple[int, ...]:
    """Load the kernels of one group of output channels, each channel's into its own bank."""
    assert task.weights is not None
    channels, read_groups = task.source.channels, machine.groups(task.source.channels)
    start = rings.weights.take(sum(taps) * read_groups)
    for lane in range(min(machine.channels, task.target.channels - group * machine.channels)):
        output = group * machine.channels + lane
        row = start
        for phase, count in zip(task.phases, taps, strict=True):
            ddr = task.weights.address + output * task.weights.jump + phase.slot * channels
            bank = machine.weight_bank + lane
            step.loads.append(
                load(
                    machine,
                    WEIGHTS,
                    ddr,
                    bank,
                    row,
                    pieces=count,
                    jump=channels,
                    channels=channels,
                    step=read_groups,
                )
            )
            row += count * read_groups
    firsts = [sum(taps[:number]) * read_groups for number in range(len(taps))]
    return tuple(start + first for first in firsts)


def _load_depthwise(machine: Machine, rings: Rings, task: Window, taps: list[int], step: Step) -> tuple[int, ...]:
    assert task.weights is not None
    channels, groups = task.source.channels, machine.groups(task.source.channels)
    rows = []
    for phase, count in zip(task.phases, taps, strict=True):
        row = rings.depthwise.take(count * groups)
        step.loads.append(
            load(
                machine,
                WEIGHTS,
                task.weights.address + phase.slot * task.weights.jump,
                machine.depthwise_bank,
                row,
                pieces=count,
                jump=task.weights.jump,
                channels=channels,
                step=groups,
            )
        )
        rows.append(row)
    return tuple(rows)
