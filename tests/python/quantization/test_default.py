"""The default strategy: what it promises over the vendor's."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from paths import GOLDEN

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "graph"))
import keras_cases
from published import dice, needs_golden, needs_scans, prostate_slices

from nerone.dpu.arithmetic import fake_quantize
from nerone.errors import ModelError
from nerone.graph import Op, from_keras, load
from nerone.quantization import CalibrationSet, QuantizeOptions, load_vai_q, quantize
from nerone.quantization.executor import Executor, QuantizedExecutor, quantized_weights
from nerone.quantization.groups import fix_point_groups, reader_energy
from nerone.quantization.model import QuantizedModel
from nerone.quantization.pof2s import non_overflow_fix_point
from nerone.quantization.ptq import statistics
from nerone.quantization.ptq.bias_correction import correct_biases, images_to_hold
from nerone.quantization.ptq.post_training import prepare
from nerone.quantization.shifts import violations
from nerone.quantization.topology import plan


def mixed_images(graph, count, seed=0):
    rng = np.random.default_rng(seed)
    shape = graph[graph.inputs[0]].shape
    gain = 2.0 ** rng.integers(-2, 2, count)
    return (rng.normal(size=(count, *shape)) * gain[:, None, None, None]).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    return from_keras(keras_cases.randomize(keras_cases.unet(), 3))


def test_fix_points_do_not_depend_on_the_batches(network, monkeypatch):
    images = mixed_images(network, 21)
    expected = quantize(network, images)
    for size in (1, 5, 32):
        assert quantize(network, images, options=QuantizeOptions(batch_size=size)).fix_points == expected.fix_points
    monkeypatch.setattr(statistics, "_CHUNK", 4)
    assert quantize(network, images).fix_points == expected.fix_points
    assert quantize(network, images[::-1]).fix_points == expected.fix_points


def test_fix_points_equal_those_of_plain_numpy(network):
    graph = prepare(network, QuantizeOptions())
    images = mixed_images(graph, 9)
    points = plan(graph).points
    values = dict(zip(points, Executor(graph, points)(images), strict=True))
    found = statistics.calibrate(graph, points, CalibrationSet(graph, images))
    for group in fix_point_groups(graph, points):
        tensors = [values[name].astype(np.float64) for name in group.measured]
        first = non_overflow_fix_point(min(x.min() for x in tensors), max(x.max() for x in tensors))
        costs = []
        for fix_point in range(first, first + 5):
            cost = 0.0
            for name, tensor in zip(group.measured, tensors, strict=True):
                energy = reader_energy(graph, name)
                weight = 1.0 if energy is None else energy
                error = fake_quantize(tensor, fix_point, "half_up") - tensor
                cost += np.sum(weight * error**2) / np.sum(weight * tensor**2)
            costs.append(cost)
        assert {found[name] for name in group.members} == {first + int(np.argmin(costs))}


def test_concatenation_pool_and_upsampling_share_a_fix_point(network):
    model = quantize(network, mixed_images(network, 8))
    for node in model.graph:
        if node.op in (Op.CONCAT, Op.MAX_POOL, Op.UPSAMPLE):
            assert len({model.fix_points[name] for name in (*node.inputs, node.name) if name in model.fix_points}) == 1


@pytest.mark.parametrize("name", ["unet", "inverted_residuals"])
def test_corrected_biases_are_int8_and_bring_the_output_closer_to_float(name):
    graph = from_keras(keras_cases.randomize(keras_cases.WHOLE_MODELS[name](), 3))
    images = mixed_images(graph, 8)
    plain, corrected = (
        quantize(graph, images, options=QuantizeOptions(compensate_kernels=False, correct_biases=correct))
        for correct in (False, True)
    )
    assert corrected.report["output_snr_db"] > plain.report["output_snr_db"] + 0.1
    for layer, values in quantized_weights(corrected).items():
        np.testing.assert_array_equal(corrected.graph[layer].weights["bias"], values["bias"])


def rarely_active_network():
    """A channel whose error is large where a ReLU hides it: on nine pixels of ten both inputs are negative."""
    source = layers.Input((16, 16, 2))
    hidden = layers.Conv2D(2, 1, activation="relu", name="hidden")(source)
    model = keras.Model(source, layers.Conv2D(1, 1, name="end")(hidden))
    # 0.45 of a kernel step is lost, over inputs of -8.
    model.get_layer("hidden").set_weights([np.array([[[[1.0, 0.45 / 64], [0.45 / 64, 1.0]]]]), np.zeros(2)])
    return model


def test_pixels_that_a_relu_hides_do_not_move_a_bias():
    images = np.full((4, 16, 16, 2), -8.0, np.float32)
    images[:, ::4, ::3] = np.random.default_rng(0).uniform(0, 0.5, images[:, ::4, ::3].shape)
    graph = prepare(from_keras(rarely_active_network()), QuantizeOptions(equalize=False))
    points = {"hidden_relu": 8, **dict.fromkeys(graph.outputs, 7), graph.inputs[0]: 4}
    weights = {"hidden": {"kernel": 6, "bias": 10}, "end": {"kernel": 6, "bias": 10}}
    model = QuantizedModel(graph, points, weights)
    corrected = correct_biases(model, graph, [images], lambda _: weights)
    assert np.abs(corrected.graph["hidden"].weights["bias"]).max() <= 0.01
    by_means = np.mean(Executor(graph, ["hidden"])(images)[0] - images, axis=(0, 1, 2))
    assert by_means.min() < -0.04


def test_biases_of_large_images_are_corrected_on_fewer_of_them():
    def build(size):
        source = layers.Input((size, size, 3))
        return from_keras(keras.Model(source, layers.Conv2D(16, 3)(source)))

    assert [images_to_hold(build(size)) for size in (32, 448, 1024)] == [32, 17, 8]


def test_relu6_keeps_the_position_at_which_it_is_one():
    source = layers.Input((8, 8, 2))
    small = layers.ReLU(6, name="small")(layers.Conv2D(2, 1)(source))
    large = layers.Conv2D(2, 1, name="large")(source)
    end = layers.Conv2D(2, 1)(layers.Concatenate(name="both")([small, large]))
    model = keras.Model(source, end)
    model.get_layer("large").kernel.assign(np.full((1, 1, 2, 2), 40.0))
    graph = from_keras(model)
    images = mixed_images(graph, 8)
    quantized = quantize(graph, images)
    assert quantized.fix_points["small"] >= 4
    assert quantized.fix_points["both"] < 4
    assert violations(quantized.graph, quantized.fix_points, quantized.weight_fix_points) == []
    assert quantize(graph, images, strategy="vitis").fix_points["small"] < 4


def test_zero_biases_keep_a_range_to_move_in(network):
    model = quantize(network, mixed_images(network, 4), options=QuantizeOptions(correct_biases=False))
    last = model.graph.nodes[-2]
    assert last.op is Op.CONV2D
    assert model.weight_fix_points[last.name]["bias"] <= model.fix_points[last.name] + 4


def test_final_sigmoid_stays_exact():
    def build(x):
        gate = layers.Conv2D(6, 1, activation="sigmoid", name="gate")(x)
        return layers.Conv2D(2, 1, activation="sigmoid", name="end")(layers.Multiply()([x, gate]))

    graph = from_keras(keras_cases.single(build))
    images = np.random.default_rng(0).normal(size=(4, *keras_cases.SHAPE)).astype(np.float32)
    model = quantize(graph, images)
    assert set(model.float_nodes) == {"end_sigmoid"}
    assert model.graph["gate_sigmoid"].op is Op.HARD_SIGMOID


def test_model_that_overflows_is_named():
    def build(x):
        return layers.Conv2D(2, 1, name="two")(layers.Conv2D(2, 1, name="one")(x))

    model = keras_cases.single(build)
    for layer in model.layers[1:]:
        layer.kernel.assign(np.full(layer.kernel.shape, 1e38))
    with pytest.raises(ModelError, match="'one' is NaN or infinite"):
        quantize(model, np.ones((2, *keras_cases.SHAPE), np.float32))


@pytest.mark.parametrize("name", ["inverted_residuals", "residual_stack", "nested_twice", "two_inputs_two_outputs"])
def test_whole_models_stay_close_to_float(name):
    graph = from_keras(keras_cases.randomize(keras_cases.WHOLE_MODELS[name](), 3))
    rng = np.random.default_rng(1)
    images = [rng.normal(size=(24, *graph[source].shape)).astype(np.float32) for source in graph.inputs]
    quantized = quantize(graph, images[0] if len(images) == 1 else tuple(images))
    assert violations(quantized.graph, quantized.fix_points, quantized.weight_fix_points) == []
    for exact, rounded in zip(Executor(graph)(images), QuantizedExecutor(quantized)(images), strict=True):
        assert 10 * np.log10(np.var(exact) / np.mean((exact - rounded) ** 2)) > 15


@needs_golden
@needs_scans
def test_prostate_masks_agree_with_float_better_than_the_published_ones():
    images = prostate_slices()
    source = GOLDEN / "h5" / "prostate_double_float.h5"
    ours = quantize(source, images, options=QuantizeOptions(compare_images=0))
    published = load_vai_q(GOLDEN / "h5" / "prostate_double_q.h5")
    exact = Executor(load(source))(images)[0].argmax(-1)
    agreement = [dice(exact, QuantizedExecutor(model)(images)[0].argmax(-1), 3) for model in (ours, published)]
    for mine, theirs in zip(*agreement, strict=True):
        assert mine >= theirs
