"""PTQ, fast finetuning and QAT as steps that build on each other, up to the one that keeps the metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from nerone.errors import ConfigurationError, ShapeError
from nerone.graph import Graph
from nerone.quantization.calibration.images import CalibrationSet
from nerone.quantization.executor import Executor, QuantizedExecutor
from nerone.quantization.metrics import METRIC_NAMES, Metric, metric_named, percent
from nerone.quantization.model import QuantizedModel
from nerone.quantization.options import QuantizeOptions
from nerone.quantization.ptq.post_training import Strategy, finish, post_training_quantize, prepare
from nerone.quantization.training.aware import train_aware
from nerone.quantization.training.finetune import finetune
from nerone.quantization.vendor.quantizer import VendorQuantizer, quantize_with_vendor

__all__ = ["METHODS", "Method", "Task", "quantize_within", "run_method"]

Method = Literal["ptq", "ffq", "qat"]
METHODS: tuple[Method, ...] = ("ptq", "ffq", "qat")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Task:
    """Everything that the steps share.

    Attributes
    ----------
    graph : Graph as imported
    images : CalibrationSet
    options : QuantizeOptions
    strategy : of the calibration
    labelled : (images, labels) for QAT, or None
    loss : Keras loss for the labels, or None
    progress : called with (done, in all) within each step
    vendor : VendorQuantizer that does it in place of NERONE, or None
    """

    graph: Graph
    images: CalibrationSet
    options: QuantizeOptions
    strategy: Strategy = "default"
    labelled: Any = None
    loss: Any = None
    progress: Progress | None = None
    vendor: VendorQuantizer | None = None


def run_method(task: Task, method: Method) -> QuantizedModel:
    """Return the model quantized with ``method``; "ffq" and "qat" start from what "ptq" gives."""
    if task.vendor is not None:
        return quantize_with_vendor(task.graph, task.images, task.options, task.vendor, method=method)
    model = post_training_quantize(
        task.graph, task.images, task.options, strategy=task.strategy, progress=task.progress
    )
    return model if method == "ptq" else improve(task, model, method)


def improve(task: Task, model: QuantizedModel, method: Method) -> QuantizedModel:
    """Return ``model`` after fast finetuning or quantization-aware training."""
    if task.vendor is not None:
        return run_method(task, method)
    reference = prepare(task.graph, task.options, own_forms=task.strategy == "default")
    if method == "ffq":
        start = _with_nearest_kernels(task, model)
        better = finetune(model, reference, task.images, task.options, task.progress, start=start)
    else:
        better = train_aware(
            model,
            reference,
            task.images,
            task.options,
            labelled=task.labelled,
            loss=task.loss,
            progress=task.progress,
        )
    facts = {key: value for key, value in better.report.items() if key not in ("layers", "warnings")}
    return finish(better, task.images, task.options, {**facts, "method": method}, task.graph, reference=reference)


def _with_nearest_kernels(task: Task, model: QuantizedModel) -> QuantizedModel:
    """The model that finetuning starts from: descent finds better kernels near the float ones than near others."""
    if task.strategy != "default" or not task.options.compensate_kernels:
        return model
    options = replace(task.options, compensate_kernels=False, compare_images=0)
    return post_training_quantize(task.graph, task.images, options)


def quantize_within(
    task: Task,
    first: Method,
    max_drop: float | None,
    validation: Any = None,
    metric: str | Metric | None = None,
) -> QuantizedModel:
    """Try the methods from ``first`` on until the metric drops by no more than ``max_drop``.

    Parameters
    ----------
    task : Task; QAT is tried only with labelled data
    first : method to start with
    max_drop : float, allowed drop of the metric against the float model; None measures ``first`` alone
    validation : (images, truth); the calibration images and what the float model says on them by default
    metric : as :func:`nerone.quantization.metrics.metric_named` takes it

    Returns
    -------
    QuantizedModel
        The first that is within the limit, else the best. Its report has "steps" (per method "metric" and "drop", PTQ
        first, which the others build on), "metric", "float_metric", "max_drop" and "within".
    """
    if max_drop is not None and not max_drop >= 0:
        raise ConfigurationError(f"max_drop is {max_drop}; give the allowed drop of the metric, 0 or more")
    validated = _Validation(task, validation, metric)
    model = run_method(task, "ptq")
    steps = [validated.step("ptq", model)]
    best, best_drop = model, steps[0]["drop"] if first == "ptq" else np.inf
    for method in _following(task, first, max_drop):
        if max_drop is not None and best_drop <= max_drop:
            break
        model = improve(task, model, method)
        steps.append(validated.step(method, model))
        if steps[-1]["drop"] < best_drop:
            best, best_drop = model, steps[-1]["drop"]
    facts = {
        "steps": steps,
        "metric": validated.name,
        "float_metric": validated.exact,
        "validation_images": validated.count,
    }
    if max_drop is None:
        return replace(best, report={**best.report, **facts})
    return _with_facts(best, {**facts, "max_drop": max_drop, "within": best_drop <= max_drop}, best_drop)


def _following(task: Task, first: Method, max_drop: float | None) -> list[Method]:
    """Methods to run after PTQ, in order."""
    if max_drop is None:
        return [] if first == "ptq" else [first]
    later = list(METHODS[max(1, METHODS.index(first)) :])
    if task.vendor is not None:
        return [method for method in later if method != "qat"]
    return [method for method in later if method != "qat" or task.labelled is not None or first == "qat"]


def _with_facts(model: QuantizedModel, facts: Mapping[str, Any], drop: float) -> QuantizedModel:
    warnings = list(model.report["warnings"])
    if not facts["within"]:
        tried = ", ".join(step["method"] for step in facts["steps"])
        warnings.append(
            f"the metric drops by {_points(facts, drop)}, more than the {_points(facts, facts['max_drop'])} allowed, "
            f"with each of {tried}; "
            "give labelled data for QAT, more calibration images, or a higher limit"
        )
    return replace(model, report={**model.report, **facts, "warnings": warnings})


def _points(facts: Mapping[str, Any], drop: float) -> str:
    return f"{percent(drop)} points" if facts["metric"] in METRIC_NAMES else f"{drop:.4g}"


class _Validation:
    """The metric of a model on the validation images."""

    def __init__(self, task: Task, validation: Any, metric: str | Metric | None) -> None:
        graph = task.graph
        run = Executor(graph, graph.outputs[:1])
        last = graph[graph.outputs[0]]
        if validation is None:
            self._images: Any = task.images.first(len(task.images))
            scores = run(self._images)[0]
            self._truth = scores.argmax(-1) if scores.shape[-1] > 1 else scores > 0.5
        elif isinstance(validation, tuple) and len(validation) == 2 and len(validation[0]):
            self._images, self._truth = validation[0], np.asarray(validation[1])
            scores = run(self._images)[0]
            _check_truth(self._truth, scores)
        else:
            raise ConfigurationError("validation must be a tuple (images, truth) with at least one image")
        self._metric = metric_named(metric, len(last.shape))
        self.name = getattr(self._metric, "__name__", "metric")
        self.count = len(scores)
        self.exact = self._metric(self._truth, scores)

    def step(self, method: str, model: QuantizedModel) -> dict[str, Any]:
        """Return one row of the report."""
        value = self._metric(self._truth, QuantizedExecutor(model, model.graph.outputs[:1])(self._images)[0])
        return {"method": method, "metric": value, "drop": self.exact - value}


def _check_truth(truth: Any, scores: Any) -> None:
    places = scores.shape[1:-1]
    known = (scores.shape[1:], places, (*places, 1), tuple(size for size in places if size != 1))
    if len(truth) != len(scores) or truth.shape[1:] not in known:
        raise ShapeError(
            f"the truth of the validation images has shape {truth.shape}, the output {scores.shape}; "
            "give class numbers or targets, one for each image"
        )
