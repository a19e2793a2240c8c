"""Model files of any kind to an xmodel: what `nerone compile` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nerone.compilation import CompiledModel, find_board
from nerone.compilation import compile as compile_model
from nerone.deployment.models import already_quantized, quantized_model
from nerone.deployment.quiet import import_quietly
from nerone.errors import ConfigurationError
from nerone.quantization.quantized import QuantizedModel
from nerone.runtime.presets import preset as find_preset

__all__ = ["compile_file", "quantized_from_file"]

Progress = Callable[[str, int, int], None]


def compile_file(
    model: str | Path,
    *,
    output: str | Path,
    board: str = "host",
    vitis_ai: str | None = None,
    calibration: str | Path | None = None,
    preset: str | None = None,
    images: int | None = None,
    progress: Progress | None = None,
) -> CompiledModel:
    """Compile a quantized model, or quantize a trained one first.

    Parameters
    ----------
    model : q_model.h5 of vai_q, a quantized ``*_int.xmodel``, or a trained .keras or .h5
    output : xmodel to write
    calibration, preset : images and their preprocessing; needed for a trained model

    Raises
    ------
    ConfigurationError, ModelError
        one sentence with what is wrong.
    """
    find_board(board)
    quantized = quantized_from_file(model, calibration=calibration, preset=preset, images=images, progress=progress)
    return compile_model(quantized, board=board, output=output, vitis_ai=vitis_ai)


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
    if preset is None:
        raise ConfigurationError(
            f"'{path}' is not quantized; give --calibration with images and --preset with their preprocessing"
        )
    from nerone.graph import import_model

    import_quietly("tensorflow", "keras")
    graph = import_model(path)
    height, width = graph[graph.inputs[0]].shape[:2]
    steps = find_preset(preset).preprocessing.with_output_size(height, width)
    return quantized_model(graph, calibration, steps, images=images, progress=progress)
