"""Lowering to fixed-point XIR, partition into subgraphs, and the vendor's compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nerone import lazy_names

if TYPE_CHECKING:
    from nerone.compilation.compiler import CompiledModel, compile
    from nerone.dpu.boards import BOARDS, Board, find_board

__all__ = ["BOARDS", "Board", "CompiledModel", "compile", "find_board"]

# Imported when first used: the board table does not need the compiler.
_HOMES = {
    "BOARDS": "nerone.dpu.boards",
    "Board": "nerone.dpu.boards",
    "CompiledModel": "compiler",
    "compile": "compiler",
    "find_board": "nerone.dpu.boards",
}

__getattr__ = lazy_names(__name__, _HOMES)
