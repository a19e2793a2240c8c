"""Lowering to fixed-point XIR, partition into subgraphs, boards, and the vendor's compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nerone import lazy_names

if TYPE_CHECKING:
    from nerone.compilation.boards import BOARDS, Board, find_board
    from nerone.compilation.compiler import CompiledModel, compile

__all__ = ["BOARDS", "Board", "CompiledModel", "compile", "find_board"]

# Imported when first used: the board table does not need the compiler.
_HOMES = {
    "BOARDS": "boards",
    "Board": "boards",
    "CompiledModel": "compiler",
    "compile": "compiler",
    "find_board": "boards",
}

__getattr__ = lazy_names(__name__, _HOMES)
