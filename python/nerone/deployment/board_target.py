"""The board's side of a deployment: its fingerprint, and the model that the vendor's compiler made for it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nerone.compilation.emit.compile import emit_for_board
from nerone.compilation.vendor.arch import Arch, arch_for
from nerone.compilation.vendor.compiler import check_vendor_model, vendor_compile
from nerone.dpu.boards import Board, find_board
from nerone.errors import ModelError
from nerone.quantization.model import QuantizedModel

__all__ = ["BoardTarget", "board_target", "for_board"]


@dataclass(frozen=True)
class BoardTarget:
    """The board a bundle is made for.

    Attributes
    ----------
    board : Board
    arch : Arch of its DPU
    vitis_ai : version of its overlay, or None
    board_model : xmodel that the vendor's compiler made of this model, or None
    log : called with each line of the vendor's compiler, or None
    """

    board: Board
    arch: Arch
    vitis_ai: str | None = None
    board_model: str | Path | None = None
    log: Callable[[str], None] | None = None


def board_target(
    board: str,
    *,
    vitis_ai: str | None,
    arch: str | Path | None,
    board_model: str | Path | None,
    log: Callable[[str], None] | None,
) -> BoardTarget:
    """Look a board up; what is wrong with it shows before the long work begins.

    Raises
    ------
    ConfigurationError
        An unknown board, version or arch.json.
    """
    found = find_board(board)
    found.dpu_of(vitis_ai)
    known = Arch(None) if found.is_host else arch_for(found, arch, vitis_ai)
    return BoardTarget(found, known, vitis_ai, board_model, log)


def for_board(
    quantized: QuantizedModel, target: BoardTarget, q_model: Path | None, place: Path, folder: Path
) -> tuple[int | None, Path | None]:
    """Return the board's fingerprint and the model that the vendor's compiler made for it, where there is one.

    Parameters
    ----------
    quantized : QuantizedModel
    target : BoardTarget
    q_model : h5 of vai_q that the model was read from, or None
    place : the bundle to make; the compiler's log is beside it where the compiler fails
    folder : for the compiler's files
    """
    board, arch = target.board, target.arch
    if board.is_host:
        return None, None
    if target.board_model is not None:
        made = Path(target.board_model)
        check = check_vendor_model(
            made, quantized, arch.fingerprint, board=board.name, vitis_ai=target.vitis_ai, target=arch.target
        )
        _warn(check.notes())
        return check.fingerprint, made
    # Outside of the scratch folder, so that it can be read where the compiler fails.
    log_file = place.with_name(f"{place.stem}_compile.log")
    compilation = vendor_compile(
        quantized,
        board=board.name,
        output=folder / "vendor",
        arch=arch,
        vitis_ai=target.vitis_ai,
        q_model=q_model,
        log=target.log,
        log_file=log_file,
    )
    log_file.unlink(missing_ok=True)
    if compilation.xmodel is None or compilation.check is None:
        return _own_model(quantized, target, folder)
    _warn(compilation.check.notes())
    return compilation.check.fingerprint, compilation.xmodel


def _own_model(quantized: QuantizedModel, target: BoardTarget, folder: Path) -> tuple[int | None, Path | None]:
    """Return what NERONE's own compiler makes; where it cannot compile the model, the bundle is for the host alone."""
    board = target.board
    later = (
        f"'nerone compile --board {board.name}' leaves a folder for the vendor's compiler, then deploy again with "
        "--board-model"
    )
    place = folder / "own.xmodel"
    try:
        made = emit_for_board(quantized, board, place, arch=target.arch, vitis_ai=target.vitis_ai)
    except ModelError as error:
        _warn(
            [
                "the vendor's compiler is not here, and NERONE's own cannot compile this model, so the bundle runs on "
                f"the software DPU only: {error}. {later[0].upper()}{later[1:]}"
            ]
        )
        return target.arch.fingerprint, None
    _warn(
        [
            f"the vendor's compiler is not here, so NERONE's own made the board's model: {made.note()}. For the "
            f"vendor's, {later}"
        ]
    )
    return made.machine.fingerprint, made.path


def _warn(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        warnings.warn(sentence, stacklevel=4)
