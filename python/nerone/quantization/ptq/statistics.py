"""Calibration over the whole image set: the fix point with the smallest error where the next layers read.

Two passes in float: the range of every point, then for each group of points the squared error of every candidate,
summed over all images. Neither depends on how the images are cut into batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.compat import zip
from nerone.errors import ModelError
from nerone.graph import Graph, Node
from nerone.quantization.calibration.images import CalibrationSet
from nerone.quantization.executor import compiled_for, evaluate
from nerone.quantization.groups import Group, fix_point_groups, reader_energy
from nerone.quantization.pof2s import CANDIDATES, non_overflow_fix_point
from nerone.quantization.tf_ops import import_tensorflow

__all__ = ["calibrate"]

# Images per pass through TensorFlow; only memory depends on it.
_CHUNK = 4
# Fix point of a tensor that is zero on every calibration image; the search has nothing to go by.
_ZERO_FIX_POINT = 7


def calibrate(
    graph: Graph,
    points: Sequence[str],
    images: CalibrationSet,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Return the fix point of every quantization point.

    Parameters
    ----------
    graph : Graph in its DPU form
    points : names of the quantization points, in topological order
    images : CalibrationSet
    progress : called with (images done, images in all), where every image counts once per pass

    Raises
    ------
    ModelError
        An activation is NaN or infinite on the calibration images; the message names the node.
    """
    chunks = _Progress(images, progress)
    ranges = _ranges(graph, points, chunks)
    groups = fix_point_groups(graph, points)
    firsts = [_first_candidate(group, ranges) for group in groups]
    errors = _errors(graph, groups, firsts, chunks)
    fix_points = {}
    for group, first, error in zip(groups, firsts, errors, strict=True):
        chosen = _ZERO_FIX_POINT if first is None else first + int(np.argmin(error))
        fix_points.update(dict.fromkeys(group.members, chosen))
    return fix_points


class _Progress:
    def __init__(self, images: CalibrationSet, report: Callable[[int, int], None] | None) -> None:
        self._images, self._report, self._done = images, report, 0

    def __iter__(self) -> Iterator[list[NDArray[np.float32]]]:
        for batch in self._images.batches(_CHUNK):
            yield batch
            self._done += len(batch[0])
            if self._report is not None:
                self._report(self._done, 2 * len(self._images))


def _ranges(graph: Graph, points: Sequence[str], chunks: _Progress) -> dict[str, tuple[float, float]]:
    tf = import_tensorflow()

    def run(*feeds: Any) -> Any:
        values = evaluate(graph, dict(zip(graph.inputs, feeds, strict=True)))
        return tf.stack([[tf.reduce_min(values[name]), tf.reduce_max(values[name])] for name in points])

    search = compiled_for(graph, run)
    found = np.array([search(*batch).numpy() for batch in chunks])
    low, high = found[..., 0].min(axis=0), found[..., 1].max(axis=0)
    bad = np.flatnonzero(~(np.isfinite(low) & np.isfinite(high)))
    if len(bad):
        raise ModelError(
            f"the output of '{points[int(bad[0])]}' is NaN or infinite on the calibration images; "
            "check that the model works on them in float"
        )
    return {name: (float(low[index]), float(high[index])) for index, name in enumerate(points)}


def _first_candidate(group: Group, ranges: Mapping[str, tuple[float, float]]) -> int | None:
    low = min(ranges[name][0] for name in group.measured or group.members)
    high = max(ranges[name][1] for name in group.measured or group.members)
    return None if low == high == 0.0 else non_overflow_fix_point(min(low, 0.0), max(high, 0.0))


def _errors(
    graph: Graph, groups: Sequence[Group], firsts: Sequence[int | None], chunks: _Progress
) -> list[NDArray[np.float64]]:
    """Sum over a group's measured points of the squared error, relative to the signal, per candidate."""
    tf = import_tensorflow()
    tasks = [
        (index, name, first)
        for index, (group, first) in enumerate(zip(groups, firsts, strict=True))
        if first is not None
        for name in group.measured
    ]
    scales = {name: _channel_scale(graph, name) for _, name, _ in tasks}

    def run(*feeds: Any) -> Any:
        rows: dict[str, Any] = {}
        wanted = {name: first for _, name, first in tasks}

        def hook(node: Node, value: Any) -> Any:
            if node.name in wanted:
                rows[node.name] = _candidate_errors(tf, value, wanted[node.name], scales[node.name])
            return value

        evaluate(graph, dict(zip(graph.inputs, feeds, strict=True)), hook=hook)
        return tf.stack([rows[name] for _, name, _ in tasks])

    search = compiled_for(graph, run)
    totals = np.sum([search(*batch).numpy().astype(np.float64) for batch in chunks], axis=0)
    errors = [np.zeros(CANDIDATES) for _ in groups]
    for (index, _, _), row in zip(tasks, totals, strict=True):
        errors[index] += row[1:] / max(row[0], np.finfo(np.float64).tiny)
    return errors


def _channel_scale(graph: Graph, name: str) -> NDArray[np.float32] | None:
    energy = reader_energy(graph, name)
    return None if energy is None else np.sqrt(energy)


def _candidate_errors(tf: Any, value: Any, first: int, scale: NDArray[np.float32] | None) -> Any:
    """Signal power, then the error of each candidate; all weighted per channel and halved."""

    def power(error: Any) -> Any:
        return tf.nn.l2_loss(error if scale is None else error * scale)

    rows = [power(value)]
    for fix_point in range(first, first + CANDIDATES):
        step = 2.0**-fix_point
        rounded = tf.quantization.fake_quant_with_min_max_args(value, -128.0 * step, 127.0 * step)
        rows.append(power(rounded - value))
    return tf.stack(rows)
