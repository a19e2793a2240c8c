"""Lowered graphs for a DPU of any size, and what the vendor's own streams look like."""

from __future__ import annotations

from dataclasses import replace

from nerone import _core
from nerone.compilation.compiler import lower_to_xir
from nerone.dpu.boards import DPUS, Board


def lowered(quantized, size, isa=1):
    """Return a graph whose DPU part respects the limits of a size and a version of the instruction set."""
    dpu = replace(DPUS[size], version=isa)
    board = Board("host", "software DPU", {"2.5": dpu}, 1, 300.0, 4.0, 19.2, "2.5")
    return lower_to_xir(quantized, board, uint64=_core.UInt64)[0]


def dpu_parts(graph):
    """Return the DPU subgraphs."""
    return [part for part in graph["root"]["children"] if part["attrs"].get("device") == "DPU"]


def instructions(part):
    """Return the decoded instructions of a DPU subgraph."""
    version = (int(part["attrs"]["dpu_fingerprint"]) >> 48) & 0xFF
    return _core.decode_instructions(bytes(part["attrs"]["mc_code"]), version)
