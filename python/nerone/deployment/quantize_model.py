"""Quantization as a deployment does it: images and labels from folders, through the preprocessing of the bundle."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from nerone.deployment.calibration_sampling import Drawn, Reader, draw, labelled_arrays
from nerone.deployment.request import Quantization
from nerone.graph import Graph, Op
from nerone.quantization.executor import Executor
from nerone.quantization.model import QuantizedModel

__all__ = ["quantize_for_bundle"]

# Images at most that are read for the metric, and for training with labels.
VALIDATION_IMAGES = 200
TRAINING_IMAGES = 1000
# Images that the float model classifies where there are no labels.
_LOOKED_AT = 32
# A first layer that scales by less is made for levels up to 255; inputs below the other limit are no levels any more.
_FOR_LEVELS, _SCALED = 0.05, 16.0


def quantize_for_bundle(
    graph: Graph,
    calibration: Any,
    reader: Reader,
    wanted: Quantization,
) -> QuantizedModel:
    """Quantize a graph, draw its images, and warn where they are poor.

    Parameters
    ----------
    graph : Graph as imported
    calibration : source of images as :func:`nerone.deployment.calibration_sampling.draw` takes it
    reader : Reader
    wanted : Quantization

    Returns
    -------
    QuantizedModel
        Its report has the part "calibration"; its warnings were also given as Python warnings.

    Raises
    ------
    ConfigurationError, ModelError, ShapeError, DtypeError
        as of the parts; before the long work where that can be.
    """
    from nerone.quantization import quantize

    validation = _labelled(wanted.validation, reader, VALIDATION_IMAGES, wanted.draw.seed, "validation images")
    labelled = _labelled(wanted.labelled, reader, TRAINING_IMAGES, wanted.draw.seed, "training images")
    drawn = draw(calibration, graph, reader, wanted.draw)
    if labelled is None and drawn.labels is not None:
        labelled = (drawn.images.arrays[0], drawn.labels)
    quantized = quantize(
        graph,
        drawn.images,
        method=wanted.method,
        strategy=wanted.strategy,
        backend=wanted.backend,
        vendor=wanted.vendor,
        options=wanted.options,
        labelled=labelled,
        max_drop=wanted.max_drop,
        validation=validation,
        metric=wanted.metric or ("dice" if reader.segmentation else "accuracy"),
        progress=_progress(reader),
    )
    found = [
        *quantized.report.get("warnings", ()),
        *drawn.warnings,
        *_one_class(graph, drawn, reader),
        *_scaled_twice(graph, drawn),
    ]
    for warning in found:
        warnings.warn(warning, stacklevel=4)
    facts = {"images": len(drawn.images), **drawn.facts, "values": reader.values.summary()}
    return replace(quantized, report={**quantized.report, "calibration": facts, "warnings": found})


def _labelled(source: Any, reader: Reader, images: int, seed: int, what: str) -> Any:
    return None if source is None else labelled_arrays(source, reader, images=images, seed=seed, what=what)


def _progress(reader: Reader) -> Callable[[int, int], None] | None:
    report = reader.progress
    return None if report is None else lambda done, total: report("quantization", done, total)


def _scaled_twice(graph: Graph, drawn: Drawn) -> list[str]:
    """Warn where the preprocessing has scaled the levels of pictures already that the network's first layer scales."""
    largest = float(np.abs(drawn.images.first(_LOOKED_AT)).max())
    for node in graph:
        if node.op is not Op.BATCH_NORM or node.inputs != graph.inputs[:1]:
            continue
        deviation = np.sqrt(node.weights["variance"] + node.attrs["epsilon"])
        scale = float(np.abs(node.weights["gamma"] / deviation).max())
        if scale <= _FOR_LEVELS and largest <= _SCALED:
            return [
                f"the network scales its input itself (layer '{node.layer}', by {scale:.3g}), and the preprocessing "
                f"gives it values of {largest:.3g} at most: the images are scaled twice; leave it to the network "
                "(Resize alone)"
            ]
    return []


def _one_class(graph: Graph, drawn: Drawn, reader: Reader) -> list[str]:
    """Warn where the float model, without labels, finds one class only."""
    channels = graph[graph.outputs[0]].shape[-1]
    if drawn.labels is not None or channels < 2 or len(drawn.images) < 2:
        return []
    scores = Executor(graph, graph.outputs[:1])(drawn.images.first(_LOOKED_AT))[0]
    shown = np.unique(scores.argmax(-1))
    if len(shown) > 1:
        return []
    name = reader.class_names[int(shown[0])] if shown[0] < len(reader.class_names) else str(shown[0])
    return [
        f"the float model finds class '{name}' only in all {len(scores)} calibration images it was given; draw "
        "images of every class, and check the preprocessing"
    ]
