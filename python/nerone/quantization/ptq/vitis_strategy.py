"""Calibration as vai_q_tensorflow2 does it: batch by batch, each fix point the most frequent one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nerone.compat import zip
from nerone.errors import ModelError
from nerone.graph import Graph, Node, Op
from nerone.quantization.calibration.images import CalibrationSet
from nerone.quantization.executor import compiled_for, evaluate
from nerone.quantization.ptq.search import min_mse, non_overflow
from nerone.quantization.tf_ops import fake_quantize_tf, import_tensorflow

__all__ = ["calibrate"]

# Fix point of a tensor that is zero on every calibration image; the search has nothing to go by.
_ZERO_FIX_POINT = 7


def calibrate(
    graph: Graph,
    points: Sequence[str],
    weights: Mapping[str, Mapping[str, Any]],
    images: CalibrationSet,
    *,
    batch_size: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Return the fix point of every quantization point.

    Parameters
    ----------
    graph : Graph in its DPU form
    points : names of the quantization points, in topological order
    weights : weights as int8 holds them, by node name
    images : CalibrationSet
    batch_size : int, images per vote; the result depends on it
    progress : called with (images done, images in all)

    Raises
    ------
    ModelError
        An activation is NaN or infinite on the calibration images; the message names the node.
    """
    search = _search_function(graph, points, weights)
    votes: list[Counter[int]] = [Counter() for _ in points]
    done = 0
    for batch in images.batches(batch_size):
        found, spans = (np.asarray(result) for result in search(*batch))
        _check(points, spans)
        for counter, fix_point, span in zip(votes, found, spans, strict=True):
            if span > 0:
                counter[int(fix_point)] += 1
        done += len(batch[0])
        if progress is not None:
            progress(done, len(images))
    # Counter.most_common keeps the order of first appearance among equals, as the vendor's mode does.
    return {
        name: counter.most_common(1)[0][0] if counter else _ZERO_FIX_POINT
        for name, counter in zip(points, votes, strict=True)
    }


def _search_function(graph: Graph, points: Sequence[str], weights: Mapping[str, Mapping[str, Any]]) -> Any:
    """A function of one batch: fix point of every point, found on values quantized before it, and largest magnitude."""
    tf = import_tensorflow()
    wanted = set(points)

    def run(*feeds: Any) -> tuple[Any, Any]:
        fix_points: dict[str, Any] = {}
        spans: dict[str, Any] = {}
        values: dict[str, Any] = {}

        def hook(node: Node, value: Any) -> Any:
            if node.name in wanted:
                # Nearest upsampling repeats its input: same range, same fix point, fewer pixels to search.
                repeated = node.op is Op.UPSAMPLE and node.attrs["method"] == "nearest"
                searched = values[node.inputs[0]] if repeated else value
                low, high = tf.reduce_min(searched), tf.reduce_max(searched)
                spans[node.name] = tf.maximum(-low, high)
                first = non_overflow(low, high)
                fix_points[node.name] = first if node.op is Op.INPUT else min_mse(searched, first)
                value = fake_quantize_tf(value, fix_points[node.name])
            values[node.name] = value
            return value

        evaluate(graph, dict(zip(graph.inputs, feeds, strict=True)), weights=weights, hook=hook)
        return tf.stack([fix_points[name] for name in points]), tf.stack([spans[name] for name in points])

    return compiled_for(graph, run)


def _check(points: Sequence[str], spans: Any) -> None:
    bad = np.flatnonzero(~np.isfinite(spans))
    if len(bad):
        raise ModelError(
            f"the output of '{points[int(bad[0])]}' is NaN or infinite on the calibration images; "
            "check that the model works on them in float"
        )
