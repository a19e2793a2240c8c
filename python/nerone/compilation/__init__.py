"""Lowering to fixed-point XIR, partition into subgraphs, boards, and the vendor's compiler."""

from nerone.compilation.boards import BOARDS, Board, find_board
from nerone.compilation.compiler import CompiledModel, compile

__all__ = ["BOARDS", "Board", "CompiledModel", "compile", "find_board"]
