"""Run and check instruction streams without a board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone import _core
from nerone.errors import ModelError, ShapeError
from nerone.instructions.ports import Port
from nerone.instructions.program import Program

__all__ = ["Finding", "OrderReport", "check", "check_stream", "run", "run_program"]


@dataclass(frozen=True)
class Finding:
    """Findings of a check.

    Attributes
    ----------
    kind : str
        "read after write", "write after read" or "write after write" (two accesses that no token orders), "unwritten"
        (a row read that nothing has written), or "token".
    instruction, earlier : int
        Numbers of the instruction and of the one that it is not ordered with.
    text : str
        A sentence.
    """

    kind: str
    instruction: int
    earlier: int
    text: str


@dataclass(frozen=True)
class OrderReport:
    """Findings of one stream.

    Attributes
    ----------
    findings : tuple of Finding
        The first ones, at most one of a kind for an instruction.
    count : int
        Of all findings.
    pairs : int
        Dependencies between units that were looked at.
    deepest_queue : int
        Most tokens in one queue at a time, in the order of the stream.
    """

    findings: tuple[Finding, ...]
    count: int
    pairs: int
    deepest_queue: int


def check(
    code: bytes,
    fingerprint: int,
    dpu_name: str = "",
    *,
    register_bytes: Mapping[int, int] | None = None,
    order: bool = True,
    tokens: bool = True,
    unwritten: bool = True,
    most_findings: int = 100,
) -> OrderReport:
    """Check a stream; no access depends on data, so that nothing is run.

    Parameters
    ----------
    code : bytes
        The stream.
    fingerprint : int
        Of the DPU.
    dpu_name : str, optional
        The vendor's name of it; tells the number of banks for version 0 of the instruction set.
    register_bytes : mapping of int to int, optional
        Sizes of the registers; none: accesses outside them are not looked for.
    order, tokens, unwritten : bool
        Which checks to make.

    Raises
    ------
    ModelError
        Names the first instruction that cannot be decoded or run, or that leaves its register.
    """
    found = _core.check_instructions(
        code, fingerprint, dpu_name, dict(register_bytes or {}), order, tokens, unwritten, most_findings
    )
    findings = tuple(Finding(*each) for each in found["findings"])
    return OrderReport(findings, found["count"], found["pairs"], found["deepest_queue"])


def check_stream(program: Program) -> OrderReport:
    """Check all streams of a program as one."""
    return check(program.code, program.fingerprint, program.dpu_name, register_bytes=program.register_bytes or None)


def run(code: bytes, fingerprint: int, registers: Mapping[int, bytes], dpu_name: str = "") -> dict[int, bytes]:
    """Run a stream on banks and registers.

    Parameters
    ----------
    code : bytes
        The stream.
    fingerprint : int
        Of the DPU.
    registers : mapping of int to bytes
        Contents before the run; a register has no more than these bytes.

    Returns
    -------
    dict of int to bytes
        Contents after the run.

    Raises
    ------
    ModelError
        Names the first instruction that cannot be decoded or run, or that leaves its register.
    """
    return _core.run_instructions(code, fingerprint, dict(registers), dpu_name)


def run_program(
    program: Program, inputs: Mapping[Port, NDArray[Any]], outputs: list[Port]
) -> dict[str, NDArray[np.int8]]:
    """Run a program on int8 inputs and return its outputs by the tensors' names."""
    registers = {register: bytearray(size) for register, size in program.register_bytes.items()}
    for register, content in program.registers.items():
        registers[register][: len(content)] = content
    for port, value in inputs.items():
        if port.register not in registers:
            raise ModelError(f"tensor '{port.tensor}' lies in register {port.register}, which the program lacks")
        if value.dtype != np.int8 or value.shape != port.shape:
            raise ShapeError(f"'{port.op}' is {value.dtype} {value.shape}, expected int8 {port.shape}")
        port.view(registers[port.register])[...] = value
    contents = {register: bytes(content) for register, content in registers.items()}
    after = run(program.code, program.fingerprint, contents, program.dpu_name)
    return {port.tensor: port.view(bytearray(after[port.register])).copy() for port in outputs}
