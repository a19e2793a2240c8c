"""Keras opens a file that NERONE wrote from what it read: the same model, and none of a stranger's bytes."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from nerone.deployment import quantized_models
from nerone.deployment.prepare import h5_content
from nerone.graph import h5_model
from nerone.graph.trained import load_keras_model

keras = pytest.importorskip("keras", reason="keras is not installed")


def nested_model():
    """Two models in one, a layer used twice, a name with a slash, batch norms with weights of their own."""
    layers = keras.layers
    given = keras.Input((8, 8, 2), name="given")
    inner_in = keras.Input((8, 8, 4))
    inner = keras.Model(inner_in, layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(inner_in)), name="in")
    shared = layers.Conv2D(4, 1, name="shared")
    first = layers.DepthwiseConv2D(3, padding="same")(layers.Conv2D(4, 3, padding="same", name="first")(given))
    joined = layers.Concatenate()([inner(first), shared(first), shared(inner(first))])
    upper = layers.Conv2DTranspose(3, 2, strides=2)(layers.ReLU()(joined))
    model = keras.Model(given, layers.Softmax()(upper))
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(0.1, 0.9, value.shape).astype(np.float32) for value in model.get_weights()])
    return model


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_the_model_is_the_same(ending, tmp_path, monkeypatch):
    path = tmp_path / f"model.{ending}"
    nested_model().save(path)
    theirs, opened = keras.models.load_model, []

    def open_other(name, **settings):
        opened.append(name)
        return theirs(name, **settings)

    expected = theirs(path, compile=False)
    monkeypatch.setattr(keras.models, "load_model", open_other)
    model = load_keras_model(path)
    assert len(opened) == 1
    assert opened[0] != path
    assert not opened[0].exists()
    assert [value.path for value in model.weights] == [value.path for value in expected.weights]
    for ours, value in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, value)
    image = np.random.default_rng(4).normal(size=(2, 8, 8, 2)).astype(np.float32)
    np.testing.assert_array_equal(model.predict(image, verbose=0), expected.predict(image, verbose=0))


def test_a_keras_2_file_with_more_names_than_an_attribute_holds(tmp_path):
    names = [f"block_{'n' * 990}_{number}" for number in range(70)]
    conv = {"filters": 1, "kernel_size": [1, 1], "padding": "same", "use_bias": False}
    layers = [{"class_name": "InputLayer", "config": {"batch_input_shape": [None, 2, 2, 1], "name": "x"}}]
    layers += [{"class_name": "Conv2D", "config": {"name": name, **conv}} for name in names]
    path = tmp_path / "deep.h5"
    with h5py.File(path, "w") as file:
        config = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
        file.attrs["model_config"], file.attrs["keras_version"] = json.dumps(config), "2.12.0"
        group = file.create_group("model_weights")
        for part in range(0, len(names), 10):
            group.attrs[f"layer_names{part // 10}"] = [name.encode() for name in names[part : part + 10]]
        for number, name in enumerate(names):
            inner = group.create_group(name)
            inner.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            inner[f"{name}/kernel:0"] = np.full((1, 1, 1, 1), 1 + (number % 7 - 3) / 100, np.float32)
    weights = load_keras_model(path).get_weights()
    expected = [1 + (number % 7 - 3) / 100 for number in range(len(names))]
    np.testing.assert_allclose([float(value.squeeze()) for value in weights], expected, rtol=1e-6)


def test_a_float_h5_is_read_once(tmp_path, monkeypatch):
    from nerone.deployment.plan import imported

    path = tmp_path / "model.h5"
    nested_model().save(path)
    read, count = h5_model.read_apart, []
    monkeypatch.setattr(h5_model, "read_apart", lambda *words: (count.append(words), read(*words))[1])
    content = h5_content(path)
    assert quantized_models.already_quantized(path, content) is None
    assert "shared" in {node.layer for node in imported(path, None, content)}
    assert len(count) == 1
    assert h5_content(tmp_path / "model.keras") is None
    assert h5_content(tmp_path / "absent.h5") is None
