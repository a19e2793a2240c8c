"""Rounds kernels so that the errors of their values cancel in the layer's output, instead of each to its nearest step.

Source: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2023:
values are rounded one after the other, and those that follow take up the error, in the measure of the second moments
of the layer's input. What suits images that took no part in that is kept, channel by channel; rounding to nearest is
one of the candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nerone.dpu.arithmetic import INT8_MAX, INT8_MIN
from nerone.graph import Graph, Node
from nerone.quantization.ptq.moments import Matrix, from_rows, input_moments, kernel_rows

__all__ = ["Measure", "RoundedKernel", "best_fix_points", "error_measures", "round_kernel", "with_rounded_kernels"]

# Added to the diagonal, as shares of its mean: less trust in moments of few images.
_DAMPINGS = (0.003, 0.03)
# Share of the error in the mean that counts where biases are corrected afterwards; they are int8 too.
_MEAN_SHARE = 0.1
_BLOCK = 64
# One image in so many is held out: it scores the rounding that was fitted on the others.
_JUDGES = 4


@dataclass(frozen=True)
class Measure:
    """Cost of a kernel's rounding errors in its layer's output.

    Attributes
    ----------
    fit, check : (groups, D, D), for errors ``e`` of a column of the kernel the mean of ``e' measure e`` over two sets
        of images
    """

    fit: Matrix
    check: Matrix


@dataclass(frozen=True)
class RoundedKernel:
    """A kernel of int8 values in float32, and its squared output error, summed over channels, mean over windows."""

    kernel: NDArray[np.float32]
    error: float


def error_measures(
    graph: Graph, images: Sequence[NDArray[np.float32]], *, biases_follow: bool = True
) -> dict[str, Measure]:
    """Return the measure of each weighted node.

    Parameters
    ----------
    graph : Graph in its DPU form
    images : one (N, ...) float32 array per input
    biases_follow : bool, whether biases will be corrected, so that the mean of an error counts little
    """
    count = len(images[0])
    judging = np.arange(count) % _JUDGES == _JUDGES - 1 if count >= _JUDGES else np.ones(count, bool)
    fitting = ~judging if count >= _JUDGES else judging
    share = _MEAN_SHARE if biases_follow else 1.0
    fit, check = (input_moments(graph, [array[part] for array in images]) for part in (fitting, judging))
    return {name: Measure(_about_mean(fit[name], share), _about_mean(check[name], share)) for name in fit}


def _about_mean(moments: Matrix, share: float) -> Matrix:
    mean = moments[:, :-1, -1]
    return np.asarray(moments[:, :-1, :-1] - (1.0 - share) * mean[:, :, None] * mean[:, None, :])


def round_kernel(node: Node, measure: Measure, fix_points: Sequence[int]) -> dict[int, RoundedKernel]:
    """Return the kernel rounded for each of the fix points.

    Parameters
    ----------
    node : weighted Node
    measure : of the node
    fix_points : to try
    """
    rows = kernel_rows(node)
    columns = rows.shape[2]
    steps = np.concatenate([np.ldexp(rows, fix_point) for fix_point in fix_points], axis=2)
    integers, errors = np.empty_like(steps), np.empty((len(rows), steps.shape[2]))
    for group in range(len(rows)):
        integers[group], errors[group] = _best(steps[group], measure.fit[group], measure.check[group])
    found = {}
    for number, fix_point in enumerate(fix_points):
        part = slice(number * columns, (number + 1) * columns)
        kernel = from_rows(node, np.ldexp(integers[:, :, part], -fix_point))
        found[fix_point] = RoundedKernel(kernel, float(np.ldexp(errors[:, part].sum(), -2 * fix_point)))
    return found


def best_fix_points(
    graph: Graph, measures: Mapping[str, Measure], fix_points: Mapping[str, Mapping[str, int]]
) -> tuple[dict[str, dict[str, int]], dict[str, NDArray[np.float32]]]:
    """Return weight fix points, those of kernels the ones of three neighbours with the smallest output error, and the
    kernels rounded at these.
    """
    chosen, kernels = {name: dict(own) for name, own in fix_points.items()}, {}
    for name, measure in measures.items():
        near = chosen[name]["kernel"]
        tried = round_kernel(graph[name], measure, (near, near - 1, near + 1))
        best = min(tried, key=lambda fix_point: tried[fix_point].error)
        chosen[name]["kernel"], kernels[name] = best, tried[best].kernel
    return chosen, kernels


def with_rounded_kernels(
    graph: Graph,
    measures: Mapping[str, Measure],
    fix_points: Mapping[str, Mapping[str, int]],
    known: Mapping[str, tuple[int, NDArray[np.float32]]],
) -> Graph:
    """Return the graph with the kernels that have a measure rounded to int8 at their fix points.

    Parameters
    ----------
    graph, measures, fix_points : as of :func:`best_fix_points`
    known : by node a fix point and the kernel that was rounded at it; it is taken where the fix point is still that one
    """
    nodes = []
    for node in graph:
        if node.name in measures:
            fix_point = fix_points[node.name]["kernel"]
            before, kernel = known.get(node.name, (None, None))
            if before != fix_point or kernel is None:
                kernel = round_kernel(node, measures[node.name], (fix_point,))[fix_point].kernel
            node = node.with_changes(weights={**node.weights, "kernel": kernel})
        nodes.append(node)
    return Graph(graph.name, tuple(nodes), graph.inputs, graph.outputs)


def _best(steps: Matrix, fit: Matrix, check: Matrix) -> tuple[Matrix, Matrix]:
    """Integers for (D, columns) values in steps, and the error of each column by ``check``."""
    best = np.clip(np.rint(steps), INT8_MIN, INT8_MAX)
    least = _error(steps - best, check)
    # The loudest inputs first: those that follow have more freedom to make up for them.
    order = np.argsort(-np.diag(fit), kind="stable")
    for damping in _DAMPINGS:
        tried = np.empty_like(steps)
        tried[order] = _compensated(steps[order], _upper_factor(fit[np.ix_(order, order)], damping))
        error = _error(steps - tried, check)
        better = error < least
        best[:, better], least[better] = tried[:, better], error[better]
    return best, least


def _error(wrong: Matrix, measure: Matrix) -> Matrix:
    return np.asarray(np.sum(wrong * (measure @ wrong), axis=0))


def _upper_factor(measure: Matrix, damping: float) -> Matrix:
    """Upper triangular ``R`` with ``R R' = measure + damping``."""
    extra = max(damping * float(np.mean(np.diag(measure))), np.finfo(np.float32).tiny)
    damped = measure + extra * np.eye(len(measure))
    return np.asarray(np.linalg.cholesky(damped[::-1, ::-1])[::-1, ::-1])


def _compensated(steps: Matrix, factor: Matrix) -> Matrix:
    """Round row by row. The error ``|R' e|^2`` has one term per row, which the row's own rounding brings near zero."""
    result, errors = np.empty_like(steps), np.zeros_like(steps)
    for start in range(0, len(steps), _BLOCK):
        end = min(start + _BLOCK, len(steps))
        carried = factor[:start, start:end].T @ errors[:start]
        for row in range(start, end):
            term = carried[row - start] + factor[start:row, row] @ errors[start:row]
            result[row] = np.clip(np.rint(steps[row] + term / factor[row, row]), INT8_MIN, INT8_MAX)
            errors[row] = steps[row] - result[row]
    return result
