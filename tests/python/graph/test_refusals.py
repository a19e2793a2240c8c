"""Layers that cannot be imported are named with their class and a remedy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from nerone.errors import ModelError
from nerone.graph import Op, from_keras


class Doubling(layers.Layer):
    def call(self, value):
        return value * 2


class Conv2D(layers.Conv2D):
    """A custom layer under a known name must not pass for the original."""

    def call(self, value):
        return super().call(value) * 2


def single(layer, shape=(8, 8, 3)):
    source = layers.Input(shape)
    return keras.Model(source, layer(source))


def _self_attention(value):
    rows = layers.Reshape((64, 3))(value)
    return layers.MultiHeadAttention(1, 2, name="odd")(rows, rows)


UNSUPPORTED = {
    "Lambda": lambda: layers.Lambda(lambda value: value + 1, name="odd"),
    "Doubling": lambda: Doubling(name="odd"),
    "Conv2D": lambda: Conv2D(2, 3, name="odd"),
    "PReLU": lambda: layers.PReLU(name="odd"),
    "MultiHeadAttention": lambda: _self_attention,
    "LayerNormalization": lambda: layers.LayerNormalization(name="odd"),
    "Softplus": lambda: layers.Activation("softplus", name="odd"),
    "ReLU": lambda: layers.ReLU(max_value=1.0, negative_slope=0.1, name="odd"),
    "Threshold": lambda: layers.ReLU(threshold=0.5, name="odd"),
    "Softmax": lambda: layers.Softmax(axis=1, name="odd"),
    "UpSampling2D": lambda: layers.UpSampling2D(interpolation="bicubic", name="odd"),
    "Resizing": lambda: layers.Resizing(5, 5, name="odd"),
    "BatchNormalization": lambda: layers.BatchNormalization(axis=1, name="odd"),
    "Conv1D": lambda: layers.TimeDistributed(layers.Conv1D(2, 3), name="odd"),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_layer_is_kept_as_unsupported_with_its_reason(kind):
    nodes = [node for node in from_keras(single(UNSUPPORTED[kind]())) if node.op is Op.UNSUPPORTED]
    assert [node.layer for node in nodes] == ["odd"]
    assert len(nodes[0].attrs["reason"]) > 10
    assert nodes[0].attrs["layer_class"]


def test_unknown_activation_inside_a_layer_is_named_after_it():
    graph = from_keras(single(layers.Conv2D(2, 3, activation="softplus", name="odd")))
    node = next(node for node in graph if node.op is Op.UNSUPPORTED)
    assert node.name == "odd_softplus"
    assert "softplus" in node.attrs["reason"]


def test_custom_activation_function():
    graph = from_keras(single(layers.Conv2D(2, 3, activation=lambda value: value * 2, name="odd")))
    assert any(node.op is Op.UNSUPPORTED for node in graph)


def test_several_outputs():
    source = layers.Input((8, 6))
    outputs = layers.LSTM(4, return_state=True, name="odd")(source)
    graph = from_keras(keras.Model(source, outputs))
    assert "several outputs" in next(node for node in graph if node.op is Op.UNSUPPORTED).attrs["reason"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_diverged(value):
    model = single(layers.Conv2D(2, 3, name="sick"))
    kernel = model.layers[-1].kernel.numpy()
    kernel[0, 0, 0, 0] = value
    model.layers[-1].kernel.assign(kernel)
    with pytest.raises(ModelError, match=r"layer 'sick'.*'kernel'.*NaN or infinite"):
        from_keras(model)


def test_open_size_needs_input_shape():
    source = layers.Input((None, None, 3), name="scan")
    model = keras.Model(source, layers.Conv2D(2, 3, padding="same")(source))
    with pytest.raises(ModelError, match=r"'scan'.*input_shape"):
        from_keras(model)
    assert from_keras(model, input_shape=(12, 10, 3))["scan"].shape == (12, 10, 3)
    assert from_keras(model, input_shape={"scan": (12, 10, 3)}).nodes[-1].shape == (12, 10, 2)


def test_input_shape_that_contradicts_the_model():
    with pytest.raises(ModelError, match="give a shape that fits"):
        from_keras(single(layers.Conv2D(2, 3)), input_shape=(8, 8, 4))


def test_subclassed_model():
    class Net(keras.Model):
        def call(self, value):
            return value

    with pytest.raises(ModelError, match="subclassed"):
        from_keras(Net())


def test_channels_first():
    source = layers.Input((3, 8, 8))
    model = keras.Model(source, layers.ZeroPadding2D(1, data_format="channels_first", name="odd")(source))
    with pytest.raises(ModelError, match=r"'odd'.*channels_first"):
        from_keras(model)


@pytest.mark.parametrize("key", [(slice(None), 2), (slice(None), slice(None, None, -1)), (slice(None), None)])
def test_indices_that_are_no_range_of_an_image(key):
    source = layers.Input((8, 8, 3))
    graph = from_keras(keras.Model(source, source[key]))
    assert "Cropping2D" in next(node for node in graph if node.op is Op.UNSUPPORTED).attrs["reason"]


def test_a_crop_that_leaves_nothing():
    source = layers.Input((8, 8, 3))
    with pytest.raises((ModelError, ValueError), match="crop"):
        from_keras(keras.Model(source, layers.Cropping2D(4, name="odd")(source)))
