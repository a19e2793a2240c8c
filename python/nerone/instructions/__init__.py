"""The DPU's instructions: what a board runs of a compiled model."""

from __future__ import annotations

from nerone.instructions.ports import Port, ports_of
from nerone.instructions.program import Program, programs_of
from nerone.instructions.running import Finding, OrderReport, check, check_stream, run, run_program
from nerone.instructions.stream import Instruction, decode, encode

__all__ = [
    "Finding",
    "Instruction",
    "OrderReport",
    "Port",
    "Program",
    "check",
    "check_stream",
    "decode",
    "encode",
    "ports_of",
    "programs_of",
    "run",
    "run_program",
]
