"""Folding and equalization leave the computed values as they are."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

sys.path.insert(0, str(Path(__file__).parents[1] / "graph"))
import keras_cases

from nerone.graph import Op, from_keras
from nerone.quantization.executor import Executor
from nerone.quantization.ptq.equalization import equalization_pairs, equalize
from nerone.quantization.ptq.folding import fold


def assert_same_values(one, other, tolerance=2e-5):
    images = [np.random.default_rng(5).normal(size=(2, *one[name].shape)).astype(np.float32) for name in one.inputs]
    for left, right in zip(Executor(one)(images), Executor(other)(images), strict=True):
        assert np.abs(left - right).max() <= tolerance * max(1.0, np.abs(left).max())


def two_norms(x):
    y = layers.BatchNormalization()(layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(x)))
    return layers.Dropout(0.5)(layers.BatchNormalization(center=False)(layers.Dropout(0.1)(y)))


NORMED = {
    "conv": lambda x: layers.BatchNormalization()(layers.Conv2D(4, 3)(x)),
    "depthwise": lambda x: layers.BatchNormalization()(layers.DepthwiseConv2D(3, depth_multiplier=2)(x)),
    "transposed": lambda x: layers.BatchNormalization()(layers.Conv2DTranspose(4, 3, strides=2)(x)),
    "dense": lambda x: layers.BatchNormalization()(layers.Dense(4)(layers.Flatten()(x))),
    "row": two_norms,
    "after_relu": lambda x: layers.BatchNormalization()(layers.ReLU()(layers.Conv2D(4, 3)(x))),
    "vector": lambda x: layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x)),
    "input": lambda x: layers.Conv2D(3, 3)(layers.BatchNormalization()(x)),
}


@pytest.mark.parametrize("name", NORMED)
def test_batch_norm(name):
    graph = from_keras(keras_cases.randomize(keras_cases.single(NORMED[name]), 2))
    folded = fold(graph)
    assert not any(node.op in (Op.BATCH_NORM, Op.DROPOUT) for node in folded)
    assert_same_values(graph, folded)
    left_over = {"after_relu", "vector", "input"}
    convolutions = sum(node.op is Op.DEPTHWISE_CONV2D for node in folded)
    assert convolutions == (1 if name in left_over | {"depthwise"} else 0)


def test_batch_norm_of_a_value_that_others_read_is_not_folded():
    source = layers.Input((6, 6, 2))
    conv = layers.Conv2D(3, 1, name="conv")(source)
    model = keras.Model(source, layers.Add()([conv, layers.BatchNormalization()(conv)]))
    graph = from_keras(keras_cases.randomize(model, 1))
    assert_same_values(graph, fold(graph))


def test_output_before_its_batch_norm_is_kept():
    source = layers.Input((6, 6, 2))
    conv = layers.Conv2D(3, 1)(source)
    graph = from_keras(keras_cases.randomize(keras.Model(source, [conv, layers.BatchNormalization()(conv)]), 1))
    assert_same_values(graph, fold(graph))


@pytest.mark.parametrize("name", keras_cases.WHOLE_MODELS)
def test_whole_model(name):
    graph = from_keras(keras_cases.randomize(keras_cases.WHOLE_MODELS[name](), 4))
    assert_same_values(graph, fold(graph))
    assert_same_values(graph, equalize(fold(graph)), 1e-4)


def test_padding_goes_into_the_convolution():
    def build(x):
        return layers.Conv2D(2, 3, name="conv")(layers.ZeroPadding2D(((1, 2), (0, 1)))(x))

    graph = from_keras(keras_cases.single(build))
    folded = fold(graph)
    assert [node.op for node in folded] == [Op.INPUT, Op.CONV2D]
    assert folded["conv"].attrs["pad"] == (1, 2, 0, 1)
    assert_same_values(graph, folded)


def test_padding_wider_than_the_window_or_before_a_pool_stays():
    for build in (
        lambda x: layers.Conv2D(2, 3)(layers.ZeroPadding2D(3)(x)),
        lambda x: layers.MaxPooling2D(2)(layers.ZeroPadding2D(1)(x)),
    ):
        graph = from_keras(keras_cases.single(build))
        assert any(node.op is Op.PAD for node in fold(graph))
        assert_same_values(graph, fold(graph))


def test_equalization_balances_and_clips():
    def build(x):
        return layers.Conv2D(2, 3, name="tail")(layers.ReLU()(layers.Conv2D(3, 3, name="head")(x)))

    model = keras_cases.single(build)
    head, tail = model.get_layer("head"), model.get_layer("tail")
    kernel = np.ones(head.kernel.shape, np.float32)
    kernel[..., 1] = 0.25
    kernel[..., 2] = 1e-5
    head.kernel.assign(kernel)
    tail.kernel.assign(np.ones(tail.kernel.shape))
    graph = fold(from_keras(model))
    assert [(one.name, other.name) for one, other in equalization_pairs(graph)] == [("head", "tail")]
    equal = equalize(graph, steps=1)
    # sqrt(1 / 1), sqrt(1 / 0.25), and sqrt(1 / 1e-5) clipped to 10.
    np.testing.assert_allclose(np.abs(equal["head"].weights["kernel"]).max((0, 1, 2)), [1.0, 0.5, 1e-4], rtol=1e-5)
    np.testing.assert_allclose(np.abs(equal["tail"].weights["kernel"]).max((0, 1, 3)), [1.0, 0.5, 0.1], rtol=1e-5)


def test_small_channels_and_shared_values_are_not_equalized():
    def small(x):
        return layers.Conv2D(2, 1, name="tail")(layers.Conv2D(2, 1, name="head")(x))

    model = keras_cases.single(small)
    for layer in model.layers[1:]:
        layer.kernel.assign(np.full(layer.kernel.shape, 0.04))
    graph = fold(from_keras(model))
    np.testing.assert_array_equal(equalize(graph)["head"].weights["kernel"], graph["head"].weights["kernel"])

    def shared(x):
        head = layers.Conv2D(6, 1)(x)
        return layers.Add()([layers.Conv2D(6, 1)(head), head])

    assert not list(equalization_pairs(fold(from_keras(keras_cases.single(shared)))))


def test_relu6_is_no_bridge():
    def build(x):
        return layers.Conv2D(2, 1)(layers.ReLU(6)(layers.Conv2D(2, 1)(x)))

    assert not list(equalization_pairs(fold(from_keras(keras_cases.single(build)))))
