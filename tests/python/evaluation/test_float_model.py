"""FP32 networks from files compute what the frameworks compute that wrote them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "graph"))
import keras_cases

from nerone.errors import ConfigurationError, ModelError
from nerone.evaluation.evaluate import KerasNetwork


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras_files(suffix, tmp_path):
    model = keras_cases.randomize(keras_cases.unet(), 3)
    model.save(tmp_path / f"model{suffix}")
    image = np.random.default_rng(0).normal(size=(32, 32, 1)).astype(np.float32)
    found = KerasNetwork(tmp_path / f"model{suffix}").scores(image)
    np.testing.assert_allclose(found, model.predict_on_batch(image[None])[0], atol=1e-5)


def test_onnx_files_equal_onnxruntime_channels_last(tmp_path):
    onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    helper, rng = onnx.helper, np.random.default_rng(1)
    kernel = onnx.numpy_helper.from_array(rng.normal(size=(3, 2, 3, 3)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Softmax", ["c"], ["y"], axis=1),
    ]
    ends = [helper.make_tensor_value_info(name, 1, (1, size, 8, 6)) for name, size in (("x", 2), ("y", 3))]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], [kernel])
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    image = rng.normal(size=(8, 6, 2)).astype(np.float32)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": image.transpose(2, 0, 1)[None]})[0][0].transpose(1, 2, 0)
    np.testing.assert_allclose(KerasNetwork(path).scores(image), expected, atol=1e-5)


def test_files_that_are_no_models(tmp_path):
    with pytest.raises(ConfigurationError, match="no model"):
        KerasNetwork(tmp_path / "absent.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="no valid ONNX"):
        KerasNetwork(tmp_path / "bad.onnx")
