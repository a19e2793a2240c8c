"""Graphs written as Keras 2 h5 files read back as the same function."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

sys.path.insert(0, str(Path(__file__).parent))
import keras_cases

from nerone.errors import ModelError
from nerone.graph import from_h5, from_keras
from nerone.graph.keras2_h5 import write_keras2_h5
from nerone.quantization.executor import Executor


def varied():
    """Every layer that Keras 2 has in common with the graph."""
    image = keras.Input((13, 18, 3), name="image")
    x = layers.Conv2D(6, (3, 5), strides=2, padding="same")(image)
    x = skip = layers.LeakyReLU(negative_slope=0.1)(layers.BatchNormalization(scale=False)(x))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", use_bias=False)(x)
    x = layers.Conv2D(6, 1, activation="swish")(layers.ReLU(6)(x))
    x = layers.Multiply()([layers.Add()([x, skip]), layers.Activation("sigmoid")(skip)])
    x = layers.SeparableConv2D(4, 3, dilation_rate=2, padding="same", activation="tanh")(x)
    x = layers.ZeroPadding2D(((1, 0), (2, 1)))(layers.Dropout(0.3)(x))
    up = layers.Concatenate()([layers.UpSampling2D()(x), layers.UpSampling2D(interpolation="bilinear")(x)])
    up = layers.Concatenate(axis=1)(
        [layers.Conv2DTranspose(5, 2, strides=3)(up), layers.Conv2DTranspose(5, 3, strides=3)(up)]
    )
    up = layers.Conv2DTranspose(3, 3, strides=2, padding="same")(up)
    pooled = layers.Concatenate()([layers.MaxPooling2D(3, 2, "same")(up), layers.AveragePooling2D(3, 2, "same")(up)])
    pooled = layers.AveragePooling2D((2, 3))(layers.Permute((2, 1, 3))(pooled))
    flat = layers.Dense(4, activation="relu")(layers.Flatten()(layers.GlobalAveragePooling2D()(pooled)))
    end = layers.Softmax()(layers.Reshape((2, 2, 1))(flat))
    return keras_cases.randomize(keras.Model(image, [end, layers.GlobalMaxPooling2D(keepdims=True)(pooled)]), 3)


def outputs(graph, seed=0):
    rng = np.random.default_rng(seed)
    return Executor(graph)([rng.normal(size=(2, *graph[name].shape)).astype(np.float32) for name in graph.inputs])


@pytest.mark.parametrize(
    "build", [varied, keras_cases.unet, keras_cases.two_inputs_two_outputs, keras_cases.shared_layer]
)
def test_round_trip(build, tmp_path):
    graph = from_keras(keras_cases.randomize(build(), 1))
    write_keras2_h5(graph, tmp_path / "float.h5")
    again = from_h5(tmp_path / "float.h5")
    assert [again[name].shape for name in again.inputs] == [graph[name].shape for name in graph.inputs]
    for expected, got in zip(outputs(graph), outputs(again), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: layers.Activation("hard_silu", name="here"), "'here'.*hard swish"),
        (
            lambda: layers.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=0, name="here"),
            "'here'.*output padding",
        ),
        (lambda: layers.DepthwiseConv2D(3, strides=(1, 2), padding="same", name="here"), "'here'.*equal strides"),
    ],
)
def test_what_keras_2_cannot_compute_is_named(layer, words, tmp_path):
    image = keras.Input((8, 8, 2))
    graph = from_keras(keras.Model(image, layer()(image)))
    with pytest.raises(ModelError, match=words):
        write_keras2_h5(graph, tmp_path / "float.h5")


def test_weights_stand_in_the_order_in_which_keras_2_takes_them(tmp_path):
    """Layers far from the output first, those equally far as a search from the output meets them."""
    import h5py

    image = keras.Input((8, 8, 2), name="image")
    short = layers.Conv2D(3, 1, name="short")(image)
    deep = layers.Conv2D(3, 1, name="deep2")(layers.Conv2D(4, 1, name="deep1")(image))
    end = layers.Conv2D(1, 1, name="end")(layers.Add(name="sum")([deep, short]))
    write_keras2_h5(from_keras(keras.Model(image, end)), tmp_path / "float.h5")
    with h5py.File(tmp_path / "float.h5") as file:
        order = [name.decode() for name in file["model_weights"].attrs["layer_names"]]
    assert order == ["image", "deep1", "deep2", "short", "sum", "end"]


@pytest.mark.parametrize("build", [varied, keras_cases.residual_stack])
def test_keras_2_computes_the_same(build, tmp_path):
    keras_2 = pytest.importorskip("tf_keras", reason="Keras 2 (tf_keras) is not installed")
    graph = from_keras(keras_cases.randomize(build(), 1))
    write_keras2_h5(graph, tmp_path / "float.h5")
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, *graph[graph.inputs[0]].shape)).astype(np.float32)
    found = keras_2.models.load_model(tmp_path / "float.h5", compile=False).predict(images, verbose=0)
    for expected, got in zip(outputs(graph), found if isinstance(found, list) else [found], strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
