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
from nerone.quantization.executor import Executor, QuantizedExecutor
from nerone.quantization.groups import fix_point_groups, reader_energy
from nerone.quantization.pof2s import non_overflow_fix_point
from nerone.quantization.ptq import statistics
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


def test_biases_bring_the_means_of_the_layers_closer_to_float(network):
    images = mixed_images(network, 16)
    folded = prepare(network, QuantizeOptions())
    points = [name for name in plan(folded).points if name not in folded.inputs]
    drift = {}
    for correct in (False, True):
        model = quantize(network, images, options=QuantizeOptions(compensate_kernels=False, correct_biases=correct))
        pairs = zip(Executor(folded, points)(images), QuantizedExecutor(model, points)(images), strict=True)
        drift[correct] = np.mean([np.abs((one - other).mean((0, 1, 2))).mean() / one.std() for one, other in pairs])
    assert drift[True] < 0.8 * drift[False]


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
