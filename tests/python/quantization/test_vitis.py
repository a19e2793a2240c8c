"""The vendor's calibration against an independent statement of it, and what follows from it."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "graph"))
import keras_cases
import numpy_calibration

from nerone.graph import from_keras
from nerone.quantization import CalibrationSet, QuantizeOptions, quantize
from nerone.quantization.executor import Executor, QuantizedExecutor, quantized_weights
from nerone.quantization.model import QuantizedModel
from nerone.quantization.ptq.post_training import prepare, weight_fix_points
from nerone.quantization.ptq.vitis_strategy import calibrate
from nerone.quantization.shifts import violations
from nerone.quantization.topology import plan


def branched(seed):
    """A network of the ops that the independent statement knows."""
    source = layers.Input((12, 12, 2))
    first = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(source)))
    down = layers.Dropout(0.1)(layers.MaxPooling2D()(first))
    deep = layers.Conv2D(4, 3, padding="same", activation="relu")(down)
    joined = layers.ReLU()(layers.Add()([layers.Conv2D(4, 1)(down), deep]))
    up = layers.Concatenate()([layers.UpSampling2D()(joined), first])
    end = layers.Softmax()(layers.Conv2D(3, 3, strides=2, padding="same")(up))
    return keras_cases.randomize(keras.Model(source, end), seed)


@pytest.mark.parametrize("seed", range(5))
def test_fix_points_equal_those_of_plain_numpy(seed):
    graph = prepare(from_keras(branched(seed)), QuantizeOptions())
    rng = np.random.default_rng(seed)
    # Batches of different brightness, so that they do not all vote alike.
    images = rng.normal(size=(14, 12, 12, 2)) * 2.0 ** rng.integers(-2, 2, 14)[:, None, None, None]
    images = images.astype(np.float32)
    expected, expected_weights = numpy_calibration.calibrate(graph, images, 4)
    weights = weight_fix_points(graph)
    assert weights == expected_weights
    decision = plan(graph)
    values = quantized_weights(QuantizedModel(graph, {}, weights))
    found = calibrate(graph, decision.points, values, CalibrationSet(graph, images), batch_size=4)
    assert found == expected


def test_same_input_same_result():
    graph = from_keras(branched(1))
    images = np.random.default_rng(0).normal(size=(20, 12, 12, 2)).astype(np.float32)
    one, other = quantize(graph, images, strategy="vitis"), quantize(graph, images, strategy="vitis")
    assert (one.fix_points, one.weight_fix_points, one.report) == (
        other.fix_points,
        other.weight_fix_points,
        other.report,
    )


def test_votes_depend_on_the_batch_size_as_the_vendors_do():
    graph = from_keras(branched(2))
    images = np.random.default_rng(0).normal(size=(9, 12, 12, 2)).astype(np.float32)
    images[0] *= 16
    name = graph.inputs[0]
    loud = quantize(graph, images, strategy="vitis", options=QuantizeOptions(batch_size=9)).fix_points[name]
    quiet = quantize(graph, images, strategy="vitis", options=QuantizeOptions(batch_size=1)).fix_points[name]
    assert quiet - loud == 4


@pytest.mark.parametrize("name", ["unet", "inverted_residuals", "residual_stack", "nested_twice"])
def test_whole_models_stay_close_to_float(name):
    model = keras_cases.randomize(keras_cases.WHOLE_MODELS[name](), 3)
    graph = from_keras(model)
    images = np.random.default_rng(1).normal(size=(24, *graph[graph.inputs[0]].shape)).astype(np.float32)
    quantized = quantize(graph, images, strategy="vitis")
    assert violations(quantized.graph, quantized.fix_points, quantized.weight_fix_points) == []
    exact, rounded = Executor(graph)(images)[0], QuantizedExecutor(quantized)(images)[0]
    signal, noise = np.var(exact), np.mean((exact - rounded) ** 2)
    assert 10 * np.log10(signal / noise) > 10


def test_dead_layer_gets_a_usable_fix_point():
    def build(x):
        dead = layers.Conv2D(4, 3, name="dead", activation="relu", bias_initializer=keras.initializers.Constant(-1e3))(
            x
        )
        return layers.Conv2D(2, 3, name="end")(dead)

    graph = from_keras(keras_cases.single(build))
    images = np.random.default_rng(1).normal(size=(4, *keras_cases.SHAPE)).astype(np.float32)
    quantized = quantize(graph, images, strategy="vitis")
    assert quantized.fix_points["dead_relu"] == 7
    assert violations(quantized.graph, quantized.fix_points, quantized.weight_fix_points) == []
