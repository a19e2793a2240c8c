"""The zoo's networks and files of other quantizers through NERONE's own compiler, on DPUs of all kinds.

One network and a few DPUs by default; NERONE_ALL_SAMPLES=1 takes all four networks on all sixteen.
"""

from __future__ import annotations

import os
from functools import cache

import numpy as np
import pytest

from compilation.emit_support import lowered
from nerone.compilation.emit.compile import emit_graph
from nerone.compilation.emit.machine import SIZES, machine_of_size
from nerone.compilation.emit.prove import prove
from nerone.quantization import QuantizeOptions, load_qdq, quantize
from nerone.quantization.model import QuantizedModel
from nerone.zoo.models import NETWORKS, build
from paths import golden

_IS_ALL = bool(os.environ.get("NERONE_ALL_SAMPLES"))
_MACHINES = [(size, isa) for isa in (0, 1) for size in SIZES]


@cache
def _quantized(task: str) -> QuantizedModel:
    """Untrained weights and random images: what is proved is the compiler."""
    pytest.importorskip("keras", reason="TensorFlow is not installed")
    model = build(task)
    images = np.random.default_rng(5).random((2, *model.input_shape[1:]), np.float32)
    return quantize(model, images, strategy="vitis", options=QuantizeOptions(compare_images=0))


@pytest.mark.parametrize(("size", "isa"), _MACHINES if _IS_ALL else [("B512", 0), ("B1152", 1), ("B4096", 1)])
@pytest.mark.parametrize("task", sorted(NETWORKS) if _IS_ALL else ["bccd"])
def test_the_zoos_networks(task: str, size: str, isa: int) -> None:
    graph = lowered(_quantized(task), size, isa)
    assert prove(emit_graph(graph, machine_of_size(size, isa))[0]).values > 0


@pytest.mark.parametrize(("size", "isa"), _MACHINES if _IS_ALL else [("B800", 0), ("B4096", 1)])
@pytest.mark.parametrize("name", ["quark_0.13_xint8_bccd", "quark_0.13_xint8_two_convs"])
def test_qdq_files(name: str, size: str, isa: int) -> None:
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    graph = lowered(load_qdq(golden("vendor_tools", f"{name}.onnx")), size, isa)
    assert prove(emit_graph(graph, machine_of_size(size, isa))[0]).values > 0
