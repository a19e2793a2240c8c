"""Imported graphs compute what Keras computes."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import keras_cases

from nerone.graph import Op, from_keras
from nerone.quantization.executor import Executor

TOLERANCE = 1e-4
GROUPS = (keras_cases.windows, keras_cases.output_paddings, keras_cases.activations, keras_cases.others)
LAYERS = {name: build for group in GROUPS for name, build in group()}


def assert_same_as_keras(model, seed=0):
    rng = np.random.default_rng(seed)
    keras_cases.randomize(model, seed)
    images = [rng.normal(size=(2, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
    expected = model(images if len(images) > 1 else images[0], training=False)
    expected = expected if isinstance(expected, (list, tuple)) else [expected]
    for want, got in zip(expected, Executor(from_keras(model))(images), strict=True):
        want = keras.ops.convert_to_numpy(want)
        assert got.shape == want.shape
        assert np.abs(got - want).max() <= TOLERANCE * max(1.0, np.abs(want).max())


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    assert_same_as_keras(keras_cases.single(LAYERS[name]))


@pytest.mark.parametrize("name", keras_cases.WHOLE_MODELS)
def test_model(name):
    assert_same_as_keras(keras_cases.WHOLE_MODELS[name]())


def test_shared_layer_gives_nodes_that_share_weights():
    graph = from_keras(keras_cases.shared_layer())
    convolutions = [node for node in graph if node.op is Op.CONV2D]
    assert len(convolutions) == 3
    assert len({node.layer for node in convolutions}) == 1
    assert all(node.weights["kernel"] is convolutions[0].weights["kernel"] for node in convolutions)


def test_same_padding_is_written_as_numbers():
    model = keras_cases.single(
        lambda x: keras.layers.Conv2D(2, 3, strides=2, padding="same", name="conv")(x), (8, 7, 1)
    )
    # 8 rows: one zero, below; 7 columns: two zeros, one on each side.
    assert from_keras(model)["conv"].attrs["pad"] == (0, 1, 1, 1)


def test_stride_beyond_kernel_never_gives_negative_padding():
    model = keras_cases.single(lambda x: keras.layers.Conv2DTranspose(2, 2, strides=3, name="up")(x), (5, 5, 1))
    node = from_keras(model)["up"]
    assert min(node.attrs["pad"]) >= 0
    assert node.weights["kernel"].shape[:2] == (3, 3)
    assert node.shape == (15, 15, 2)
