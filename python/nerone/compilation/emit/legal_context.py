"""Shared by the builders of tasks: views, constants, and the ranges of the fields."""

from __future__ import annotations

from dataclasses import dataclass

from nerone.compat import zip
from nerone.compilation.emit.machine import Machine
from nerone.compilation.emit.ops import Operation, SubgraphOps
from nerone.compilation.emit.parameters import Parameters
from nerone.compilation.emit.tasks import Eltwise
from nerone.compilation.emit.views import Buffer, View, dense
from nerone.errors import ModelError

__all__ = ["Legal", "activation_of"]

_ACTIVATIONS = {"": 0, "NONE": 0, "RELU": 1, "LEAKYRELU": 3, "RELU6": 4}
_CLAMPS = 4  # up to this fix point 6.0 lies within int8, or the DPU clamps to 96 all the same


@dataclass(frozen=True)
class Legal:
    """The subgraph that is being legalized."""

    machine: Machine
    sub: SubgraphOps
    views: dict[str, View]
    parameters: Parameters

    def source(self, op: Operation, number: int = 0) -> Operation:
        """Return the op of an input."""
        return self.sub.ops[op.inputs["input"][number]]

    def source_view(self, op: Operation, number: int = 0) -> View:
        """Return where an input lies."""
        return self.views[op.inputs["input"][number]]

    def temporary(self, height: int, width: int, channels: int) -> View:
        """Return a new image in the workspace."""
        return dense(Buffer(height * width * channels), (height, width, channels))

    def within(self, op: Operation, what: str, value: int, most: int) -> int:
        """Return a field's value; ModelError where it is negative or too large."""
        if not 0 <= value <= most:
            raise ModelError(
                f"op '{op.name}': {what} is {value}, the DPU takes 0 to {most}; quantize it with other fix points"
            )
        return value

    def check_padding(self, op: Operation, kernel: tuple[int, int]) -> None:
        """Refuse a window that would lie in the padding alone, which no field can say."""
        reach = [(size - 1) * step for size, step in zip(kernel, op.pair("dilation"), strict=True)]
        pad = op.pads()
        if max(pad[:2]) > reach[0] or max(pad[2:]) > reach[1]:
            raise ModelError(
                f"op '{op.name}': padding {pad} is more than (kernel - 1) * dilation = {tuple(reach)}, so that a "
                "window lies in the padding alone; take a layer of its own for the padding"
            )

    def scale_shift(self, op: Operation, power: int, what: str) -> int:
        """Return ELEW's shift_write for a factor of 2^power."""
        right = 16 if self.machine.isa == 1 else 8
        if power >= 0:
            return self.within(op, what, power, right - 1)
        return right + self.within(op, what, -power, right - 1)

    def window_shift(self, op: Operation, power: int, what: str) -> int:
        """Return shift_cut of a pool for a factor of 2^power."""
        if power >= 0:
            return self.within(op, what, power, 7)
        return 8 + self.within(op, what, -power, 55 if self.machine.isa == 1 else 7)

    def requantize(self, op: Operation, source: View, target: View, power: int) -> Eltwise:
        """Return a task that multiplies an image by 2^power and rounds."""
        # Two fractional bits of the input are zero: shifting them out loses nothing.
        spare = max(0, min(2, -power - (15 if self.machine.isa == 1 else 7)))
        shift = self.scale_shift(op, power + spare, "the difference of fix points")
        return Eltwise(op.name, (source,), target, False, (spare,), shift, False)


def activation_of(op: Operation) -> int:
    """Return the activation as the instructions have it."""
    kind = op.text("nonlinear", "NONE")
    if kind not in _ACTIVATIONS:
        raise ModelError(
            f"op '{op.name}' ends in {kind}, which this compiler does not fuse; write it as a layer of its own"
        )
    if kind == "RELU6" and op.fix_point > _CLAMPS:
        return _ACTIVATIONS["RELU"]
    return _ACTIVATIONS[kind]
