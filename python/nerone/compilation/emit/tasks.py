"""Work of the DPU, independent of its size: tasks on views, in an order in which they can run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

from nerone.compilation.emit.views import View

__all__ = ["Copy", "Eltwise", "Pads", "Phase", "Task", "Weights", "Window"]

Pads = tuple[int, int, int, int]
"""(top, bottom, left, right), in lines and columns; negative where the first window begins inside the image."""


@dataclass(frozen=True)
class Weights:
    """Weights and biases of a window in REG_0.

    Attributes
    ----------
    address : int, of the first tap of output channel 0 (or of channel 0 of a depthwise one)
    jump : int, bytes from one output channel to the next
    bias : int, address of the biases
    shift_bias, shift_cut : int, as the instructions have them
    activation : int, as CONVINIT has it
    """

    address: int
    jump: int
    bias: int
    shift_bias: int
    shift_cut: int
    activation: int


@dataclass(frozen=True)
class Phase:
    """One kernel of a window: a whole convolution has one, a transposed one as many as its stride has places.

    Attributes
    ----------
    column : int, first column of the output that it computes; the others follow at the window's step
    kernel : (height, width)
    pad : Pads
    width : int, columns that it computes
    slot : int, its first tap among the stored ones
    row : int, first line of the output that it computes
    height : int, lines that it computes; 0 for all of the output's
    """

    column: int
    kernel: tuple[int, int]
    pad: Pads
    width: int
    slot: int = 0
    row: int = 0
    height: int = 0


@dataclass(frozen=True)
class Window:
    """A convolution, depthwise convolution, pool or hard sigmoid.

    Attributes
    ----------
    name : str, the op it comes from
    kind : "conv", "depthwise", "max", "average" or "sigmoid"
    source, target : View; lines and columns of the target are those of the output
    stride : (height, width)
    step : int, columns of the target from one column of a phase to the next
    phases : tuple of Phase
    rows : int, lines of the target from one line of a phase to the next
    weights : Weights or None
    shift, factor : int, of pools and the hard sigmoid: shift_cut, and multi or shift_bias
    """

    name: str
    kind: str
    source: View
    target: View
    stride: tuple[int, int]
    phases: tuple[Phase, ...]
    step: int = 1
    weights: Weights | None = None
    shift: int = 0
    factor: int = 0
    rows: int = 1

    def height_of(self, phase: Phase) -> int:
        """Return the lines that a phase computes."""
        return phase.height or self.target.height

    @property
    def grid(self) -> int:
        """Lines of the phase with the most."""
        return max(self.height_of(phase) for phase in self.phases)

    @property
    def above(self) -> int:
        """Lines that the windows of a line of the grid reach above the first real one."""
        return max(phase.pad[0] for phase in self.phases)

    @property
    def reach(self) -> int:
        """Lines from the first to the last that the windows of one line of the grid read."""
        return self.above + max(phase.kernel[0] - phase.pad[0] for phase in self.phases)


@dataclass(frozen=True)
class Eltwise:
    """A sum or product of images, or one image with another fix point.

    Attributes
    ----------
    shifts : tuple of int, shift_read per source
    shift : int, shift_write as the ISA has it
    """

    name: str
    sources: tuple[View, ...]
    target: View
    product: bool
    shifts: tuple[int, ...]
    shift: int
    relu: bool


@dataclass(frozen=True)
class Copy:
    """The bytes of an image, written to one or several places."""

    name: str
    source: View
    targets: tuple[View, ...] = field(default_factory=tuple)


Task = Union[Window, Eltwise, Copy]
