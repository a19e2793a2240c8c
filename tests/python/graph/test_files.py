"""Models from files: .keras, .h5 of both Keras generations, with and without TensorFlow's loader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

sys.path.insert(0, str(Path(__file__).parent))
import keras_cases

from nerone.errors import ConfigurationError, ModelError
from nerone.graph import Op, from_h5, from_keras, load
from nerone.quantization.executor import Executor

GROUPS = (keras_cases.output_paddings, keras_cases.activations, keras_cases.others)
LAYERS = {name: build for group in GROUPS for name, build in group()}


def assert_same_graph(one, other):
    assert sorted(node.op for node in one) == sorted(node.op for node in other)
    images = [np.random.default_rng(1).normal(size=(1, *one[name].shape)).astype(np.float32) for name in one.inputs]
    for left, right in zip(Executor(one)(images), Executor(other)(images), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", ["nested_twice", "two_inputs_two_outputs", "sequential", "inverted_residuals"])
def test_file_gives_the_graph_of_the_model(name, suffix, tmp_path):
    model = keras_cases.randomize(keras_cases.WHOLE_MODELS[name](), 3)
    model.save(tmp_path / f"model{suffix}")
    assert_same_graph(load(tmp_path / f"model{suffix}"), from_keras(model))


@pytest.mark.parametrize("name", keras_cases.WHOLE_MODELS)
def test_h5_reader_alone_gives_the_graph_of_the_model(name, tmp_path):
    model = keras_cases.randomize(keras_cases.WHOLE_MODELS[name](), 3)
    model.save(tmp_path / "model.h5")
    assert_same_graph(from_h5(tmp_path / "model.h5"), from_keras(model))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", LAYERS)
def test_layer_means_the_same_in_a_file(name, suffix, tmp_path):
    model = keras_cases.randomize(keras_cases.single(LAYERS[name]), 3)
    model.save(tmp_path / f"model{suffix}")
    assert_same_graph(load(tmp_path / f"model{suffix}"), from_keras(model))


@pytest.mark.parametrize("name", keras_cases.WHOLE_MODELS)
def test_archive_gives_the_graph_of_the_model(name, tmp_path):
    model = keras_cases.randomize(keras_cases.WHOLE_MODELS[name](), 3)
    model.save(tmp_path / "model.keras")
    assert_same_graph(load(tmp_path / "model.keras"), from_keras(model))


def keras2_config(path, change):
    """Rewrite the configuration in an h5 file."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)


def test_file_that_keras_refuses_is_read_all_the_same(tmp_path):
    model = keras_cases.randomize(keras_cases.inverted_residuals(), 3)
    path = tmp_path / "old.h5"
    model.save(path)

    def change(config):
        # Written so by TensorFlow 2.4; Keras 3 knows no such argument.
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "DepthwiseConv2D":
                layer["config"]["an_argument_of_keras_2"] = 1

    keras2_config(path, change)
    with pytest.raises(Exception, match="an_argument_of_keras_2"):
        keras.models.load_model(path, compile=False)
    assert_same_graph(load(path), from_keras(model))


def test_custom_layer_in_h5_is_named(tmp_path):
    path = tmp_path / "custom.h5"
    keras_cases.sequential().save(path)

    def change(config):
        layer = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Flatten")
        layer["class_name"] = "MyFlatten"
        layer["config"]["name"] = "mine"

    keras2_config(path, change)
    with pytest.raises(ModelError, match=r"layer '.*dense.*'") as caught:
        load(path)
    assert "input channels" in str(caught.value)


def test_lambda_in_keras_file_is_named(tmp_path):
    source = layers.Input((4, 4, 1))
    model = keras.Model(source, layers.Lambda(lambda value: value * 2, name="trick")(source))
    model.save(tmp_path / "model.keras")
    with pytest.raises(ModelError, match=r"'trick' \(Lambda\)"):
        load(tmp_path / "model.keras")


def test_reading_h5_needs_no_tensorflow(tmp_path):
    path = tmp_path / "model.h5"
    keras_cases.sequential().save(path)
    code = f"import sys; from nerone.graph import from_h5; from_h5({str(path)!r}); print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "False"


def bad_files(folder):
    (folder / "text.h5").write_text("no h5")
    (folder / "text.keras").write_text("no zip")
    (folder / "saved_model").mkdir()
    (folder / "net.nerone").mkdir()
    (folder / "net.nerone" / "bundle.json").write_text("{}")
    (folder / "net.pt").write_bytes(b"0")
    model = keras_cases.sequential()
    model.save_weights(folder / "only.weights.h5")
    with h5py.File(folder / "bare.h5", "w") as file:
        file.attrs["model_config"] = "{"
        file.create_group("model_weights")
    with h5py.File(folder / "odd.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": {"layers": [{}]}})
        file.create_group("model_weights")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("absent.h5", ConfigurationError, "no model file"),
        ("text.h5", ModelError, "no readable h5"),
        ("text.keras", ModelError, "no .keras file"),
        ("saved_model", ConfigurationError, "folder"),
        ("net.nerone", ConfigurationError, "is a bundle"),
        ("net.pt", ConfigurationError, r"expected a \.keras"),
        ("only.weights.h5", ModelError, "weights but no model"),
        ("bare.h5", ModelError, "damaged"),
        ("odd.h5", ModelError, "unknown form"),
    ],
)
def test_bad_file(name, error, message, tmp_path):
    bad_files(tmp_path)
    with pytest.raises(error, match=message):
        load(tmp_path / name)


def test_model_without_nodes_for_its_inputs_keeps_them(tmp_path):
    graph = from_keras(keras_cases.two_inputs_two_outputs())
    assert [graph[name].op for name in graph.inputs] == [Op.INPUT, Op.INPUT]
    assert graph.inputs == ("first", "second")
