"""Rounds kernels so that the errors of their values cancel in the layer's output, instead of each to its nearest step.

Source: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2023:
values are rounded one after the other, and those that follow take up the error, in the measure of the second moments
of the layer's input. What suits images that took no part in that is kept, channel by channel; rounding to nearest is
one of the candidates.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.dpu.arithmetic import INT8_MAX, INT8_MIN
from nerone.graph import Graph, Node
from nerone.quantization.blas import one_blas_thread
from nerone.quantization.ptq.moments import Matrix, from_rows, input_moments, kernel_rows

__all__ = ["Measure", "RoundedKernel", "best_fix_points", "error_measures", "round_kernel", "with_rounded_kernels"]

# Added to the diagonal, as shares of its mean: less trust in moments of few images.
_DAMPINGS = (0.003, 0.03)
# Share of the error in the mean that counts where biases are corrected afterwards; they are int8 too.
_MEAN_SHARE = 0.1
_BLOCK, _FEW = 128, 16
# One image in so many is held out: it scores the rounding that was fitted on the others.
_JUDGES = 4
# Layers whose kernels are rounded at a time, each with matrices of a few dozen MB.
_MOST_THREADS = 4


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
    fit, check = input_moments(graph, *([array[part] for array in images] for part in (fitting, judging)))
    # Taken out one by one: no layer's matrices are held twice.
    return {name: Measure(*(_about_mean(part.pop(name), share) for part in (fit, check))) for name in list(fit)}


def _about_mean(moments: Matrix, share: float) -> Matrix:
    mean = moments[:, :-1, -1]
    square = (1.0 - share) * mean[:, :, None] * mean[:, None, :]
    return np.subtract(moments[:, :-1, :-1], square, out=square)


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
    integers, errors = _best(steps, measure.fit, measure.check)
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

    def search(name: str) -> tuple[int, NDArray[np.float32]]:
        near = chosen[name]["kernel"]
        tried = round_kernel(graph[name], measures[name], (near, near - 1, near + 1))
        best = min(tried, key=lambda fix_point: tried[fix_point].error)
        return best, tried[best].kernel

    # Layers side by side, each on one thread: OpenBLAS's own threads wait for each other by spinning.
    with one_blas_thread(), ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), _MOST_THREADS)) as pool:
        for name, (best, kernel) in zip(measures, pool.map(search, measures), strict=True):
            chosen[name]["kernel"], kernels[name] = best, kernel
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
    with one_blas_thread():
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
    """Integers for (groups, D, columns) values in steps, and the error of each column by ``check``."""
    best = np.clip(np.rint(steps), INT8_MIN, INT8_MAX)
    least = _error(steps - best, check)
    # The loudest inputs first: those that follow have more freedom to make up for them.
    loudness = np.diagonal(fit, axis1=1, axis2=2)
    order = np.argsort(-loudness, axis=1, kind="stable")
    ordered = np.take_along_axis(steps, order[:, :, None], 1)
    last_first = order[:, ::-1]
    backwards = fit[np.arange(len(fit))[:, None, None], last_first[:, :, None], last_first[:, None, :]]
    mean = np.take_along_axis(loudness, order, 1).mean(axis=1)
    for damping in _DAMPINGS:
        tried = np.empty_like(steps)
        rounded = _compensated(ordered, _lower_factor(backwards, damping * mean))
        np.put_along_axis(tried, order[:, :, None], rounded, 1)
        error = _error(steps - tried, check)
        better = error < least
        best, least = np.where(better[:, None], tried, best), np.where(better, error, least)
    return best, least


def _error(wrong: Matrix, measure: Matrix) -> Matrix:
    product = measure @ wrong
    product *= wrong
    return np.asarray(product.sum(axis=1))


def _lower_factor(backwards: Matrix, damping: Matrix) -> Matrix:
    """Lower triangular ``L`` with ``L' L`` = the measure + damping; ``backwards`` is the measure from last to first."""
    damped = backwards.copy()
    diagonal = np.einsum("gii->gi", damped)
    diagonal += np.maximum(damping, np.finfo(np.float32).tiny)[:, None]
    return np.ascontiguousarray(np.linalg.cholesky(damped)[:, ::-1, ::-1].transpose(0, 2, 1))


def _compensated(steps: Matrix, factor: Matrix) -> Matrix:
    """Round row by row. The error ``|L e|^2`` has one term per row, which the row's own rounding brings near zero.

    What the rows before a row carry into it is added in three goes, of which only the last, of few rows, is its own.
    """
    result, errors = np.empty_like(steps), np.zeros_like(steps)
    pivots = np.diagonal(factor, axis1=1, axis2=2)
    for start in range(0, steps.shape[1], _BLOCK):
        end = min(start + _BLOCK, steps.shape[1])
        carried = factor[:, start:end, :start] @ errors[:, :start]
        for first in range(start, end, _FEW):
            last = min(first + _FEW, end)
            carried[:, first - start : last - start] += factor[:, first:last, start:first] @ errors[:, start:first]
            for row in range(first, last):
                term = carried[:, row - start] + (factor[:, row : row + 1, first:row] @ errors[:, first:row])[:, 0]
                term /= pivots[:, row, None]
                term += steps[:, row]
                np.clip(np.rint(term, out=term), INT8_MIN, INT8_MAX, out=result[:, row])
                np.subtract(steps[:, row], result[:, row], out=errors[:, row])
    return result
