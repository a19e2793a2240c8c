"""Random Keras networks, quantized and compiled: the xmodel computes what the quantizer decided, close to FP32."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras", reason="TensorFlow is not installed")

from compilation.random_keras import RandomNetwork
from nerone.compilation import compile as compile_model
from nerone.graph import from_keras
from nerone.quantization import QuantizeOptions, quantize
from nerone.quantization.executor import Executor, QuantizedExecutor
from nerone.runtime.model import Model

FIRST = 1000


def ratio_db(exact, got):
    noise = np.mean(np.square(exact - got, dtype=np.float64))
    return 200.0 if noise == 0 else 10 * np.log10(np.mean(np.square(exact, dtype=np.float64)) / noise)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 6))
def test_xmodel_agrees_with_the_quantizer_and_with_float(seed, tmp_path):
    print("seed", seed)
    drawn = RandomNetwork(seed)
    graph = from_keras(drawn.model)
    images = np.random.default_rng(seed).normal(size=(24, *graph[graph.inputs[0]].shape)).astype(np.float32)
    strategy = ("default", "vitis")[seed % 2]
    quantized = quantize(graph, images, strategy=strategy, options=QuantizeOptions(compare_images=0))
    some = images[:4]
    exact = np.asarray(drawn.model(some))
    assert ratio_db(exact, Executor(graph)(some)[0]) > 90
    with Model.load(compile_model(quantized, output=tmp_path / "net.xmodel").path) as model:
        got = np.concatenate([np.asarray(model.run(image[None]), np.float32) for image in some])
    assert got.shape == exact.shape
    # The executor may differ by a step of a position where a product in float32 meets a tie.
    assert ratio_db(QuantizedExecutor(quantized)(some)[0], got) > 40
    assert ratio_db(exact, got) > (3 if drawn.approximate else 10)
