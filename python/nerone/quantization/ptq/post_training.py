"""Post-training quantization: from a trained graph to fix points, without training."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from nerone.dpu.ops import WEIGHTED
from nerone.errors import ModelError
from nerone.graph import Graph, Op
from nerone.quantization.adjust import adjust
from nerone.quantization.calibration.images import CalibrationSet
from nerone.quantization.comparison import compare_with_float, measure_output_snr_db
from nerone.quantization.executor import quantized_weights
from nerone.quantization.model import QuantizedModel
from nerone.quantization.options import QuantizeOptions
from nerone.quantization.pof2s import min_mse_fix_point
from nerone.quantization.ptq import statistics
from nerone.quantization.ptq import vitis_strategy as vitis
from nerone.quantization.ptq.bias_correction import correct_biases, images_to_hold, with_biases
from nerone.quantization.ptq.dpu_forms import to_dpu_forms
from nerone.quantization.ptq.equalization import equalize
from nerone.quantization.ptq.folding import fold
from nerone.quantization.ptq.kernel_rounding import best_fix_points, error_measures, with_rounded_kernels
from nerone.quantization.report import layer_rows
from nerone.quantization.shifts import Neighbours
from nerone.quantization.topology import plan

__all__ = [
    "STRATEGIES",
    "Strategy",
    "check_supported",
    "finish",
    "fix_point_floors",
    "post_training_quantize",
    "prepare",
    "weight_fix_points",
]

Progress = Callable[[int, int], None]
Strategy = Literal["default", "vitis"]
STRATEGIES: tuple[Strategy, ...] = ("default", "vitis")
# Images at most whose second moments kernels are rounded for, and how many times those of the biases.
_MOMENT_IMAGES, _MOMENT_TIMES = 48, 2
# Binary places that a bias may have beyond its layer's output.
_BIAS_FINENESS = 4
# Below it the DPU's ReLU6 lets values above 6 through.
_RELU6_FLOOR = 4


def post_training_quantize(
    graph: Graph,
    images: CalibrationSet,
    options: QuantizeOptions,
    *,
    strategy: Strategy = "default",
    progress: Progress | None = None,
) -> QuantizedModel:
    """Quantize without training.

    Parameters
    ----------
    graph : Graph as imported
    images : CalibrationSet for it
    options : QuantizeOptions
    strategy : "vitis", the scheme of vai_q_tensorflow2 (``pof2s``); "default", fix points from the whole image set
        where the next layers read, kernels rounded so that their errors cancel, and corrected biases
    progress : called with (images done, images in all)

    Raises
    ------
    ModelError
        A layer could not be imported, or the model is not finite on the images.
    """
    folded = prepare(graph, options, own_forms=strategy == "default")
    quantizer = _vitis if strategy == "vitis" else _default
    model, found = quantizer(folded, images, options, progress)
    moved = {name: [found[name], now] for name, now in model.fix_points.items() if found[name] != now}
    facts = {"method": "ptq", "strategy": strategy, "moved_positions": moved}
    return finish(model, images, options, facts, graph, reference=folded)


def prepare(graph: Graph, options: QuantizeOptions, *, own_forms: bool = False) -> Graph:
    """Return the graph that is quantized: folded, equalized, in the DPU's forms.

    ``own_forms`` are those that vai_q does not have: a leaky ReLU of any slope, a sigmoid at the end in float.

    Raises
    ------
    ModelError
        A layer could not be imported; the message lists all of them with what to do.
    """
    check_supported(graph)
    folded = fold(graph)
    if options.equalize:
        folded = equalize(folded, steps=options.equalize_steps)
    return to_dpu_forms(
        folded,
        sigmoid=options.convert_sigmoid,
        swish=options.convert_swish,
        leaky=options.convert_leaky and own_forms,
        keep_final_sigmoid=own_forms,
    )


def check_supported(graph: Graph) -> None:
    """Raise where the graph has layers that could not be imported.

    Raises
    ------
    ModelError
        The message lists every such layer with its class and what to do.
    """
    bad = [node for node in graph if node.op is Op.UNSUPPORTED]
    if bad:
        count = f"{len(bad)} layers" if len(bad) > 1 else "1 layer"
        listed = "; ".join(f"'{node.layer}' ({node.attrs['layer_class']}): {node.attrs['reason']}" for node in bad)
        raise ModelError(f"{count} of '{graph.name}' cannot be quantized: {listed}")


def fix_point_floors(graph: Graph, points: Mapping[str, Any]) -> dict[str, int]:
    """Return the fix points that points should not be lowered below for an alignment."""
    return {node.name: _RELU6_FLOOR for node in graph if node.op is Op.RELU6 and node.name in points}


def weight_fix_points(graph: Graph, keys: Container[str] = ("kernel", "bias")) -> dict[str, dict[str, int]]:
    """Return the fix points of kernels and biases, or of some of them, with the smallest squared error."""
    return {
        node.name: {key: min_mse_fix_point(array, "even") for key, array in node.weights.items() if key in keys}
        for node in graph
        if node.op in WEIGHTED
    }


Found = tuple[QuantizedModel, Mapping[str, int]]


def _vitis(graph: Graph, images: CalibrationSet, options: QuantizeOptions, progress: Progress | None) -> Found:
    decision = plan(graph)
    weights = weight_fix_points(graph)
    values = quantized_weights(QuantizedModel(graph, {}, weights))
    found = vitis.calibrate(graph, decision.points, values, images, batch_size=options.batch_size, progress=progress)
    fix_points, weights = adjust(graph, found, weights)
    return QuantizedModel(graph, fix_points, weights, decision.float_nodes), found


def _default(graph: Graph, images: CalibrationSet, options: QuantizeOptions, progress: Progress | None) -> Found:
    decision = plan(graph)
    found = statistics.calibrate(graph, decision.points, images, progress)
    floors = fix_point_floors(graph, found)
    weights, rounded = weight_fix_points(graph), graph
    if options.compensate_kernels:
        moments = images.first(min(_MOMENT_IMAGES, _MOMENT_TIMES * images_to_hold(graph)))
        measures = error_measures(graph, moments, biases_follow=options.correct_biases)
        best, kernels = best_fix_points(graph, measures, weights)
        fix_points, weights = adjust(graph, found, best, floors)
        # Most fix points stay where they are, and kernels take long to round.
        known = {name: (best[name]["kernel"], kernel) for name, kernel in kernels.items()}
        rounded = with_rounded_kernels(graph, measures, weights, known)
    else:
        fix_points, weights = adjust(graph, found, weights, floors)
    if options.correct_biases:
        rounded = with_biases(rounded)

    def fit(biased: Graph) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
        biases = weight_fix_points(biased, ("bias",))
        kept = {name: {"kernel": weights[name]["kernel"], **own} for name, own in biases.items()}
        return adjust(graph, fix_points, _with_bias_range(graph, fix_points, kept), floors)

    model = QuantizedModel(rounded, *fit(rounded), decision.float_nodes)
    if options.correct_biases:
        held = images.first(images_to_hold(graph))
        model = correct_biases(model, graph, held, lambda biased: fit(biased)[1])
    return model, found


def _with_bias_range(
    graph: Graph, fix_points: Mapping[str, int], weights: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """Weight fix points at which no bias is finer than a sixteenth of an output step.

    A bias of almost zero would get a range of almost zero, out of which finetuning and training could never move it.
    """
    outputs = Neighbours(graph, fix_points).outputs
    limited = {}
    for name, own in weights.items():
        output = outputs[name]
        limited[name] = dict(own)
        if "bias" in own and output is not None:
            limited[name]["bias"] = min(own["bias"], fix_points[output] + _BIAS_FINENESS)
    return limited


def finish(
    model: QuantizedModel,
    images: CalibrationSet,
    options: QuantizeOptions,
    facts: Mapping[str, Any],
    trained: Graph,
    reference: Graph | None = None,
) -> QuantizedModel:
    """Return the model with its report: what was done, signal over error of its outputs, warnings, one row per layer.

    Parameters
    ----------
    model : QuantizedModel
    images, options : those it was made with
    facts : entries of the report beside these
    trained : the graph as imported, with whose outputs the model's are compared
    reference : the float graph that the layers are compared with; the model's own weights in float by default
    """
    errors: Mapping[str, Mapping[str, float]] = {}
    ratio_db = None
    if options.compare_images:
        compared = images.first(options.compare_images)
        errors = compare_with_float(model, compared, reference=reference)
        ratio_db = measure_output_snr_db(model, compared, trained, errors=errors)
    report = {
        **facts,
        "images": len(images),
        "batch_size": options.batch_size,
        "output_snr_db": ratio_db,
        "warnings": images.warnings() + _saturation_warnings(model),
        "layers": layer_rows(model, errors),
    }
    return replace(model, report=report)


def _saturation_warnings(model: QuantizedModel) -> list[str]:
    found = []
    for name, fix_points in model.weight_fix_points.items():
        array = model.graph[name].weights["kernel"]
        limit = np.ldexp(127.5, -fix_points["kernel"])
        share = float(np.mean(np.abs(array) > limit))
        if share > 0.01:
            found.append(
                f"layer '{name}': {share:.0%} of the kernel saturates, because the DPU's shifts do not reach its range"
            )
    return found
