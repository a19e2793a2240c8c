"""The DPU's instructions: what a board runs of a compiled model."""

from __future__ import annotations

from nerone.instructions.program import Program, programs_of
from nerone.instructions.stream import Instruction, decode, encode

__all__ = ["Instruction", "Program", "decode", "encode", "programs_of"]
