"""Kernels whose rounding errors cancel: the windows they are measured on, and what they gain."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "graph"))
import keras_cases
from hard_models import hard_model

from nerone.dpu.arithmetic import fake_quantize
from nerone.dpu.ops import WEIGHTED
from nerone.graph import from_keras
from nerone.quantization import QuantizeOptions, quantize
from nerone.quantization.executor import Executor, QuantizedExecutor, evaluate
from nerone.quantization.ptq import kernel_rounding, moments
from nerone.quantization.ptq.kernel_rounding import (
    Measure,
    best_fix_points,
    error_measures,
    round_kernel,
    with_rounded_kernels,
)
from nerone.quantization.ptq.moments import from_rows, input_moments, kernel_rows
from nerone.quantization.ptq.post_training import prepare

BUILDS = [*keras_cases.windows(), *keras_cases.output_paddings()]
MODELS = {name: build for name, build in BUILDS if name in ("conv", "transposed", "depthwise", "output_padding")}


def noise(graph, count, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(0.5, 1.0, (count, *graph[name].shape)).astype(np.float32) for name in graph.inputs]


@pytest.mark.parametrize("name", [*MODELS, "dense"])
def test_moments_tell_the_power_of_the_layers_output(name, monkeypatch):
    monkeypatch.setattr(moments, "_WINDOWS", 1 << 30)
    build = MODELS.get(name, lambda x: keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    graph = prepare(from_keras(keras_cases.randomize(keras_cases.single(build), 3)), QuantizeOptions(equalize=False))
    images = noise(graph, 3, 0)
    (found,) = input_moments(graph, images)
    values = evaluate(graph, dict(zip(graph.inputs, images, strict=True)))
    for node in (node for node in graph if node.op in WEIGHTED):
        rows = kernel_rows(node)
        np.testing.assert_array_equal(from_rows(node, rows), node.weights["kernel"])
        bias = node.weights["bias"].reshape(len(rows), 1, -1)
        whole = np.concatenate([rows, bias], axis=1)
        power = np.einsum("gdo,gde,geo->go", whole, found[node.name], whole).ravel()
        output = values[node.name].numpy().reshape(-1, node.shape[-1]).astype(np.float64)
        np.testing.assert_allclose(power, np.mean(output**2, axis=0), rtol=1e-3)


def test_large_images_are_sampled_at_every_phase():
    source = keras.Input((96, 96, 2))
    value = keras.layers.Conv2DTranspose(3, 4, strides=2, padding="same", name="up")(source)
    graph = from_keras(keras_cases.randomize(keras.Model(source, value), 3))
    (measure,) = input_moments(graph, noise(graph, 4, 0))[0].values()
    # Each window of a transposed convolution with stride 2 meets a quarter of its kernel.
    np.testing.assert_allclose(np.diag(measure[0])[:-1], 1.25 / 4, rtol=0.2)


def test_errors_cancel_where_inputs_go_together():
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    graph = from_keras(keras_cases.randomize(keras_cases.single(keras.layers.Conv2D(5, 3)), 3))
    node = graph.nodes[-1]
    common = rng.normal(size=(4000, 1)) + 0.1 * rng.normal(size=(4000, 54))
    other = rng.normal(size=(4000, 1)) + 0.1 * rng.normal(size=(4000, 54))
    measure = Measure(*(part.T @ part[None] / len(part) for part in (common, other)))
    rounded = round_kernel(node, measure, (5, 6))
    for position, found in rounded.items():
        assert np.array_equal(fake_quantize(found.kernel, position), found.kernel)
        wrong = {
            name: kernel_rows(node)[0] - kernel_rows(node.with_changes(weights={"kernel": kernel}))[0]
            for name, kernel in (
                ("found", found.kernel),
                ("nearest", fake_quantize(node.weights["kernel"], position)),
            )
        }
        errors = {name: np.mean(np.sum((other @ value) ** 2, axis=1)) for name, value in wrong.items()}
        assert found.error == pytest.approx(errors["found"], rel=1e-6)
        assert errors["found"] < 0.2 * errors["nearest"]
    assert rounded[6].error < rounded[5].error


def test_no_channel_is_worse_than_rounded_to_nearest_on_the_images_that_judge():
    graph = from_keras(keras_cases.randomize(keras_cases.residual_stack(), 3))
    graph = prepare(graph, QuantizeOptions())
    for name, measure in error_measures(graph, noise(graph, 4, 0)).items():
        node = graph[name]
        found = kernel_rows(node.with_changes(weights={"kernel": round_kernel(node, measure, (6,))[6].kernel}))
        nearest = np.ldexp(np.clip(np.rint(np.ldexp(kernel_rows(node), 6)), -128, 127), -6)
        errors = [
            np.einsum("gdo,gde,geo->go", kernel_rows(node) - kernel, measure.check, kernel_rows(node) - kernel)
            for kernel in (found, nearest)
        ]
        assert (errors[0] <= errors[1] * (1 + 1e-9)).all()


def test_hard_model_gains_on_unseen_images():
    graph = from_keras(hard_model())
    images, unseen = noise(graph, 64, 1), noise(graph, 32, 2)
    exact = Executor(graph)(unseen)[0]
    error = {}
    for compensate in (False, True):
        options = QuantizeOptions(compensate_kernels=compensate, correct_biases=False, compare_images=0)
        model = quantize(graph, images[0], options=options)
        error[compensate] = np.mean((QuantizedExecutor(model)(unseen)[0] - exact) ** 2)
    assert error[True] < 0.7 * error[False]


def test_one_calibration_image_is_enough_to_run():
    graph = from_keras(keras_cases.randomize(keras_cases.single(keras.layers.Conv2D(5, 3)), 3))
    (image,) = noise(graph, 1, 0)
    assert np.isfinite(QuantizedExecutor(quantize(graph, image))(image)[0]).all()
    still = quantize(graph, np.zeros_like(image))
    assert np.isfinite(QuantizedExecutor(still)(image)[0]).all()


def test_kernels_are_rounded_again_only_where_their_fix_point_moved(monkeypatch):
    keras.utils.set_random_seed(0)
    build = keras.Sequential([keras.Input((9, 9, 3)), keras.layers.Conv2D(4, 3), keras.layers.Conv2D(5, 3)])
    graph = from_keras(keras_cases.randomize(build, 3))
    measures = error_measures(graph, noise(graph, 8, 0))
    names = list(measures)
    chosen, kernels = best_fix_points(graph, measures, {name: {"kernel": 5, "bias": 5} for name in names})
    known = {name: (chosen[name]["kernel"], kernel) for name, kernel in kernels.items()}
    chosen[names[1]]["kernel"] += 1
    again = with_rounded_kernels(graph, measures, chosen, {})
    rounded = []
    monkeypatch.setattr(
        kernel_rounding, "round_kernel", lambda node, *rest: rounded.append(node.name) or round_kernel(node, *rest)
    )
    found = with_rounded_kernels(graph, measures, chosen, known)
    assert rounded == names[1:]
    for name in names:
        np.testing.assert_array_equal(found[name].weights["kernel"], again[name].weights["kernel"])


def test_channels_of_a_depthwise_kernel_are_rounded_as_if_alone():
    rng = np.random.default_rng(5)
    inputs = rng.normal(size=(7, 400, 25)) * rng.uniform(0.1, 3, (7, 1, 25))
    fit, check = (part.transpose(0, 2, 1) @ part / 200 for part in (inputs[:, :200], inputs[:, 200:]))
    steps = rng.normal(size=(7, 25, 6)) * 40
    together = kernel_rounding._best(steps, fit, check)
    for group in range(7):
        part = slice(group, group + 1)
        alone = kernel_rounding._best(steps[part], fit[part], check[part])
        np.testing.assert_array_equal(together[0][part], alone[0])
        np.testing.assert_allclose(together[1][part], alone[1])
    assert not np.array_equal(together[0], np.clip(np.rint(steps), -128, 127))
