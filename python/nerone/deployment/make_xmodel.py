"""Model files of any kind to an xmodel: what `nerone compile` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nerone.compilation import CompiledModel
from nerone.compilation import compile as compile_model
from nerone.compilation.compiler import check_output
from nerone.compilation.emit.compile import Emitted, emit_for_board
from nerone.compilation.vendor.arch import arch_for
from nerone.compilation.vendor.compiler import TIME_LIMIT_S, VendorCompilation, check_request, vendor_compile
from nerone.data.sources import find_sources
from nerone.deployment.calibration_sampling import Reader
from nerone.deployment.quantize_model import Quantization, quantize_for_bundle
from nerone.deployment.quantized_models import already_quantized
from nerone.deployment.quiet_import import import_quietly
from nerone.dpu.boards import find_board
from nerone.errors import ConfigurationError
from nerone.quantization.model import QuantizedModel
from nerone.runtime.presets import preset as find_preset

OWN = "nerone"  # the choice of NERONE's own compiler

__all__ = ["OWN", "compile_file", "quantized_from_file", "vendor_source"]

_TRAINED = (".keras", ".h5", ".hdf5", ".onnx")

Progress = Callable[[str, int, int], None]


def compile_file(
    model: str | Path,
    *,
    output: str | Path,
    board: str = "host",
    vitis_ai: str | None = None,
    arch: str | Path | None = None,
    name: str = "model",
    calibration: str | Path | None = None,
    preset: str | None = None,
    images: int | None = None,
    compiler: str = "auto",
    image: str | None = None,
    time_limit_s: float = TIME_LIMIT_S,
    progress: Progress | None = None,
    report: Callable[[CompiledModel], None] | None = None,
    log: Callable[[str], None] | None = None,
) -> tuple[CompiledModel, VendorCompilation | Emitted | None]:
    """Compile a quantized model, or quantize a trained one first.

    Parameters
    ----------
    model : q_model.h5 of vai_q, a quantized ``*_int.xmodel``, or a trained .keras or .h5
    output : xmodel to write; for a board the vendor's folder lies beside it, NAME_vitis_ai, or the file that NERONE's
        own compiler makes, NAME_BOARD.xmodel
    arch, name : the board's arch.json and the network's name, for the vendor's compiler
    calibration, preset : images and their preprocessing; needed for a trained model
    compiler, image, time_limit_s, log : how the vendor's compiler is run, see
        `nerone.compilation.vendor.compiler.vendor_compile`; with compiler "nerone" NERONE's own makes the board's file
    report : called with the compilation for the software DPU before the vendor's compiler starts

    Returns
    -------
    The compilation for the software DPU, and for a board what came of the vendor's compiler or of NERONE's own.

    Raises
    ------
    ConfigurationError, ModelError
        one sentence with what is wrong.
    """
    target = find_board(board)
    target.dpu_of(vitis_ai)
    check_output(output)
    own = compiler == OWN
    if own and target.is_host:
        raise ConfigurationError("--compiler nerone compiles for a board; name one: ultra96v2, kv260 or zcu104")
    known = None
    if not target.is_host:
        check_request(name, "auto" if own else compiler, time_limit_s)
        known = arch_for(target, arch, vitis_ai)
    quantized = quantized_from_file(model, calibration=calibration, preset=preset, images=images, progress=progress)
    compiled = compile_model(quantized, board=board, output=output, vitis_ai=vitis_ai)
    if report is not None:
        report(compiled)
    if known is None:
        return compiled, None
    if own:
        place = compiled.path.with_name(f"{compiled.path.stem}_{target.name}.xmodel")
        return compiled, emit_for_board(quantized, target, place, arch=known, vitis_ai=vitis_ai)
    vendor = vendor_compile(
        quantized,
        board=board,
        output=compiled.path.with_name(f"{compiled.path.stem}_vitis_ai"),
        name=name,
        arch=arch,
        vitis_ai=vitis_ai,
        q_model=vendor_source(model, quantized),
        compiler=compiler,
        image=image,
        time_limit_s=time_limit_s,
        log=log,
    )
    return compiled, vendor


def vendor_source(model: object, quantized: QuantizedModel) -> Path | None:
    """Return the h5 of vai_q that a model was read from, which the vendor's compiler takes as it is; else None."""
    return Path(model) if isinstance(model, (str, Path)) and quantized.report.get("method") == "vai_q" else None


def quantized_from_file(
    model: str | Path,
    *,
    calibration: str | Path | None = None,
    preset: str | None = None,
    images: int | None = None,
    progress: Progress | None = None,
) -> QuantizedModel:
    """Read a quantized model, or quantize a trained one."""
    path = Path(model)
    found = already_quantized(path)
    if found is not None:
        return found
    if path.is_dir() or path.suffix.lower() not in _TRAINED:
        from nerone.graph.load import load

        load(path)  # says what such a file or folder is
    if preset is None:
        raise ConfigurationError(
            f"'{path}' is not quantized; give --calibration with images and --preset with their preprocessing"
        )
    chosen = find_preset(preset)
    if calibration is not None:
        find_sources(calibration)  # says what is wrong with a folder before the long work begins
    from nerone.graph import import_model

    import_quietly("tensorflow", "keras")
    graph = import_model(path)
    height, width = graph[graph.inputs[0]].shape[:2]
    chosen = find_preset(preset)
    steps = chosen.preprocessing.with_output_size(height, width)
    segmentation = chosen.output == "segmentation"
    reader = Reader(steps, chosen.class_names, segmentation, progress)
    return quantize_for_bundle(graph, calibration, reader, Quantization(images=images))
