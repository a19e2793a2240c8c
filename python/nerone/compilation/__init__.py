"""Lowering to fixed-point XIR, partition into subgraphs, boards, and the vendor's compiler."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nerone.compilation' has no attribute '{name}'")
    return getattr(importlib.import_module(f"nerone.compilation.{_HOMES[name]}"), name)
