"""Model files of any kind to an xmodel: what `nerone compile` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nerone.bundle.writing import check_not_read
from nerone.compat import dataclass
from nerone.compilation import CompiledModel
from nerone.compilation import compile as compile_model
from nerone.compilation.compiler import check_output
from nerone.compilation.emit.compile import Emitted, emit_for_board
from nerone.compilation.vendor.compiler import TIME_LIMIT_S, VendorCompilation, check_request, vendor_compile
from nerone.deployment.board_target import BoardTarget
from nerone.deployment.prepare import Progress, prepare
from nerone.deployment.request import Request
from nerone.dpu.boards import board_names
from nerone.errors import ConfigurationError

__all__ = ["OWN", "VendorRun", "compile_file"]

OWN = "nerone"  # the choice of NERONE's own compiler


@dataclass(frozen=True, kw_only=True)
class VendorRun:
    """How a board's file is compiled, see `nerone.compilation.vendor.compiler.vendor_compile`.

    Attributes
    ----------
    name : str, of the network
    compiler : str, where the vendor's is, "auto", "path", "docker", "podman" or "none"; "nerone" for NERONE's own
    image : str, the vendor's container image; None for that of the Vitis AI version
    time_limit_s : float
    """

    name: str = "model"
    compiler: str = "auto"
    image: str | None = None
    time_limit_s: float = TIME_LIMIT_S


def compile_file(
    model: Any,
    request: Request,
    target: BoardTarget,
    *,
    output: str | Path,
    vendor: VendorRun | None = None,
    progress: Progress | None = None,
    report: Callable[[CompiledModel], None] | None = None,
) -> tuple[CompiledModel, VendorCompilation | Emitted | None]:
    """Compile a quantized model, or quantize a trained one first, as `nerone.deploy` does.

    Parameters
    ----------
    model : q_model.h5 of vai_q, a quantized ``*_int.xmodel``, or a trained .keras, .h5, .onnx or .pt2
    request : Request; its preprocessing and calibration are needed for a trained model
    target : BoardTarget
    output : xmodel to write; for a board the vendor's folder lies beside it, NAME_vitis_ai, or the file that NERONE's
        own compiler makes, NAME_BOARD.xmodel
    vendor : VendorRun
    progress : called with (what, done, total)
    report : called with the compilation for the software DPU before the vendor's compiler starts

    Returns
    -------
    The compilation for the software DPU, and for a board what came of the vendor's compiler or of NERONE's own.

    Raises
    ------
    ConfigurationError, ModelError
        one sentence with what is wrong.
    """
    board, vendor = target.board, vendor or VendorRun()
    check_output(output)
    if isinstance(model, (str, Path)):
        check_not_read(Path(output), [Path(model)])
    own = vendor.compiler == OWN
    if own and board.is_host:
        raise ConfigurationError(f"--compiler nerone compiles for a board; name one: {board_names(host=False)}")
    if not board.is_host:
        check_request(vendor.name, "auto" if own else vendor.compiler, vendor.time_limit_s)
    made = prepare(model, request, with_plan=False, progress=progress)
    compiled = compile_model(made.quantized, board=board.name, output=output, vitis_ai=target.vitis_ai)
    if report is not None:
        report(compiled)
    if board.is_host:
        return compiled, None
    if own:
        place = compiled.path.with_name(f"{compiled.path.stem}_{board.name}.xmodel")
        return compiled, emit_for_board(made.quantized, board, place, arch=target.arch, vitis_ai=target.vitis_ai)
    compilation = vendor_compile(
        made.quantized,
        board=board.name,
        output=compiled.path.with_name(f"{compiled.path.stem}_vitis_ai"),
        name=vendor.name,
        arch=target.arch,
        vitis_ai=target.vitis_ai,
        q_model=made.q_model,
        compiler=vendor.compiler,
        image=vendor.image,
        time_limit_s=vendor.time_limit_s,
        log=target.log,
    )
    return compiled, compilation
