"""Compiled models compute, bit for bit, what their quantized models say."""

from __future__ import annotations

import numpy as np
import pytest

from compilation.quantized_interpreter import Interpreter
from compilation.random_quantized import random_model
from nerone import Model
from nerone.compilation import compile as compile_model
from nerone.compilation.export import export_quantized_xir, to_quantized_xir
from nerone.compilation.quantized_xir import from_quantized_xir, load_quantized_xir
from nerone.quantization import load_vai_q
from paths import golden
from softdpu.engines import ENGINES

MODELS = 200


def run_all(model, image):
    """Return {output name: float32 array}."""
    result = model.run(image, dtype="float32" if all(info.dtype == "int8" for info in model.outputs) else None)
    return result if isinstance(result, dict) else {model.outputs[0].name: result}


def compare(seed, target, crops=False, engines=("auto",)):
    """Compile one random model, run it, and return how many values were compared."""
    quantized = random_model(seed, crops=crops)
    name = quantized.graph.inputs[0]
    image = np.random.default_rng(seed).integers(-128, 128, (1, *quantized.graph[name].shape), np.int8)
    compiled = compile_model(quantized, output=target)
    on_cpu = {row["node"] for row in compiled.report["layers"] if row["device"] == "CPU"}
    expected = Interpreter(quantized, on_cpu).run({name: image})
    for kernels in engines:
        results = run_all(Model.load(compiled.path, kernels=kernels), image)
        for info, wanted in zip(compiled.outputs, expected, strict=True):
            message = f"seed {seed}, {info['name']}, {kernels}"
            np.testing.assert_array_equal(results[info["name"]], wanted, err_msg=message)
    return sum(wanted.size for wanted in expected)


def test_random_models_equal_the_interpreter(tmp_path):
    start = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seeds {start} to {start + MODELS - 1}")
    compared = sum(compare(seed, tmp_path / "random.xmodel") for seed in range(start, start + MODELS))
    assert compared > 10_000


def test_crops_equal_the_interpreter_on_every_engine(tmp_path):
    start = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seeds {start} to {start + MODELS // 2 - 1}")
    seeds = range(start, start + MODELS // 2)
    assert sum(compare(seed, tmp_path / "random.xmodel", crops=True, engines=ENGINES) for seed in seeds) > 3_000


@pytest.mark.parametrize("seed", [804879909])
def test_a_relu6_on_the_cpu_stops_at_six(tmp_path, seed):
    """Its dense layer needs more words than a weight bank has, and its fix point is below 4."""
    assert compare(seed, tmp_path / "random.xmodel")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("h5/prostate_double_q.h5", "nerone_prostate_double"),
        ("h5/bccd_q.h5", "nerone_BCCD_zcu104"),
        ("quantized/prmittal_CNN_int.xmodel", "prmittal_CNN_zcu104"),
    ],
)
def test_models_quantized_by_the_vendor_equal_the_vendors_compilation(tmp_path, source, name):
    path = golden(*source.split("/"))
    vector = np.load(golden("models", f"{name}.npz"))
    quantized = load_vai_q(path) if source.endswith("h5") else load_quantized_xir(path)
    compiled = compile_model(quantized, output=tmp_path / "model.xmodel")
    result = Model.load(compiled.path, until="dpu").run(vector["input"])
    np.testing.assert_array_equal(result, vector["expected"])


def test_export_and_import_keep_the_model(tmp_path):
    for seed in range(80):
        quantized = random_model(seed, crops=seed >= 60)
        name = quantized.graph.inputs[0]
        image = np.random.default_rng(seed).integers(-128, 128, (1, *quantized.graph[name].shape))
        again = from_quantized_xir(to_quantized_xir(quantized))
        expected = Interpreter(quantized).run({name: image})[0]
        np.testing.assert_array_equal(Interpreter(again).run({name: image})[0], expected, err_msg=f"seed {seed}")


def test_exported_file_compiles_to_the_same_result(tmp_path):
    vector = np.load(golden("models", "nerone_prostate_double.npz"))
    quantized = load_vai_q(golden("h5", "prostate_double_q.h5"))
    again = load_quantized_xir(export_quantized_xir(quantized, tmp_path / "net_int.xmodel"))
    compiled = compile_model(again, output=tmp_path / "net.xmodel")
    np.testing.assert_array_equal(Model.load(compiled.path, until="dpu").run(vector["input"]), vector["expected"])
