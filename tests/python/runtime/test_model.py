"""nerone.Model: what it says of a model, what it takes, and what it computes."""

from __future__ import annotations

import doctest
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nerone
from nerone import Model, _core
from nerone.errors import ConfigurationError, DeviceError, DtypeError, ModelError, ShapeError
from nerone.runtime import model as model_module
from paths import golden
from resident import grown_bytes
from runtime.counting import counted_during
from runtime.xmodels import data_fix, fixed, op, real, subgraph, write, write_alternating, write_doubling

SHAPE = (1, 2, 2, 1)


def test_descriptions(tiny_xmodel: Path) -> None:
    model = Model.load(tiny_xmodel)
    (given,), (result,) = model.inputs, model.outputs
    assert (given.name, given.shape, given.dtype, given.fix_point, given.scale) == ("x_t", SHAPE, "int8", 4, 1 / 16)
    assert (result.name, result.shape, result.dtype, result.fix_point) == ("double_t", SHAPE, "int8", 4)
    assert [(part.name, part.device, part.ops) for part in model.subgraphs] == [
        ("in", "USER", ("x",)),
        ("dpu", "DPU", ("double",)),
    ]
    assert "tiny.xmodel" in repr(model)
    assert "(1, 2, 2, 1)" in repr(model)


def test_int8_and_float_in_and_out(tiny_xmodel: Path) -> None:
    model = Model.load(tiny_xmodel)
    steps = np.array([-128, -3, 5, 127], np.int8).reshape(SHAPE)
    doubled = np.clip(2 * steps.astype(int), -128, 127)
    np.testing.assert_array_equal(model.run(steps), doubled)
    np.testing.assert_array_equal(model.run(steps, dtype="float32"), doubled.astype(np.float32) / 16)
    np.testing.assert_array_equal(model.run(steps.astype(np.float32) / 16, dtype="int8"), doubled)
    np.testing.assert_array_equal(model.run({"x_t": steps}), doubled)


def test_float_input_is_rounded_half_up_and_saturated(tiny_xmodel: Path) -> None:
    model = Model.load(tiny_xmodel)
    values = np.array([0.5, -0.5, 1.5, 0.49999997], np.float32).reshape(SHAPE) / 16
    np.testing.assert_array_equal(model.run(values).ravel(), [2, 0, 4, 0])
    values = np.array([np.nan, np.inf, -np.inf, 1e30], np.float32).reshape(SHAPE)
    np.testing.assert_array_equal(model.run(values).ravel(), [0, 127, -128, 127])


def test_out_is_written_in_place(tiny_xmodel: Path) -> None:
    out = np.zeros(SHAPE, np.int8)
    assert Model.load(tiny_xmodel).run(np.ones(SHAPE, np.int8), out=out) is out
    assert (out == 2).all()


def test_a_bundle_folder_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "a.nerone").mkdir()
    write_doubling(tmp_path / "a.nerone" / "model.xmodel")
    assert Model.load(tmp_path / "a.nerone").path.name == "model.xmodel"


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (np.zeros((1, 2, 3, 1), np.int8), ShapeError, ["(1, 2, 3, 1)", "(1, 2, 2, 1)"]),
        (np.zeros((2, 2, 1), np.int8), ShapeError, ["(2, 2, 1)"]),
        (np.zeros((0, 2, 2, 1), np.int8), ShapeError, ["(0, 2, 2, 1)"]),
        (np.zeros(SHAPE, np.uint8), DtypeError, ["uint8", "int8 or float32"]),
        (np.zeros(SHAPE, np.float64), DtypeError, ["float64", "float32"]),
        (np.zeros(SHAPE, ">f4"), DtypeError, [">f4"]),
        (np.zeros(SHAPE, object), DtypeError, ["object"]),
        (np.zeros((1, 2, 4, 1), np.int8)[:, :, ::2], ShapeError, ["ascontiguousarray"]),
        (np.zeros(SHAPE, np.int8)[:, ::-1], ShapeError, ["ascontiguousarray"]),
        ([[1]], DtypeError, ["list", "numpy array"]),
        ({"y": np.zeros(SHAPE, np.int8)}, ShapeError, ["y", "x_t"]),
    ],
)
def test_a_wrong_array_is_refused(tiny_xmodel: Path, array: object, error: type, words: list[str]) -> None:
    with pytest.raises(error) as caught:
        Model.load(tiny_xmodel).run(array)
    assert all(word in str(caught.value) for word in words), caught.value


def test_wrong_outputs_are_refused(tiny_xmodel: Path) -> None:
    model, given = Model.load(tiny_xmodel), np.zeros(SHAPE, np.int8)
    read_only = np.zeros(SHAPE, np.int8)
    read_only.flags.writeable = False
    with pytest.raises(ShapeError, match="read-only"):
        model.run(given, out=read_only)
    with pytest.raises(ShapeError, match="expected"):
        model.run(given, out=np.zeros((1, 2), np.int8))
    with pytest.raises(DtypeError, match="float16"):
        model.run(given, dtype="float16")


def test_a_missing_or_damaged_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no model file"):
        Model.load(tmp_path / "none.xmodel")
    with pytest.raises(ConfigurationError, match="no model file"):
        Model.load(tmp_path)
    for name, content in {"empty": b"", "text": b"not a model" * 99}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError):
            Model.load(tmp_path / name)


def test_an_unknown_device_or_option_is_refused(tiny_xmodel: Path, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="unknown device 'fpga'"):
        Model.load(tiny_xmodel, device="fpga")
    (tmp_path / "plugin.so").write_bytes(b"text")
    with pytest.raises(DeviceError, match="cannot be opened"):
        Model.load(tiny_xmodel, device=str(tmp_path / "plugin.so"))
    with pytest.raises(DeviceError, match=r"libvart-dpu-runner\.so|software DPU|no DPU on this machine"):
        Model.load(tiny_xmodel, device="board")
    with pytest.raises(ConfigurationError, match="warp"):
        Model.load(tiny_xmodel, kernels="warp")
    with pytest.raises(ConfigurationError, match="negative"):
        Model.load(tiny_xmodel, cores=-1)
    with pytest.raises(ConfigurationError, match="until"):
        Model.load(tiny_xmodel, until="cpu")  # type: ignore[arg-type]


@pytest.mark.parametrize("timeout_ms", ["x", 2**40, True])
def test_a_timeout_is_milliseconds(tiny_xmodel: Path, timeout_ms: object) -> None:
    with Model.load(tiny_xmodel) as model, pytest.raises(ConfigurationError, match="expected milliseconds"):
        model.run(np.zeros(model.inputs[0].shape, np.int8), timeout_ms=timeout_ms)  # type: ignore[arg-type]


def test_closed_model_says_so(tiny_xmodel: Path) -> None:
    with Model.load(tiny_xmodel) as model:
        model.run(np.zeros(SHAPE, np.int8))
    with pytest.raises(DeviceError, match="closed"):
        model.run(np.zeros(SHAPE, np.int8))
    model.close()


def test_cpu_first_and_several_dpu_subgraphs(tmp_path: Path) -> None:
    model = Model.load(write_alternating(tmp_path / "alternating.xmodel"))
    x = np.linspace(-3, 5, 24, dtype=np.float32).reshape(1, 2, 3, 4)
    results = model.run(x)
    half_up = lambda value: np.clip(np.floor(value + 0.5), -128, 127)  # noqa: E731
    first = np.clip(2 * half_up(x * 16), -128, 127) / 16
    second = half_up(2 * half_up(np.maximum(first, 0) * 8) / 2)
    exponents = np.exp(second / 4 - (second / 4).max(-1, keepdims=True))
    np.testing.assert_array_equal(results["t_t"], second.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(results["s_t"], exponents / exponents.sum(-1, keepdims=True), rtol=2e-6)
    assert results["s_t"].dtype == np.float32
    assert [part.device for part in model.subgraphs] == ["USER", "CPU", "DPU", "CPU", "DPU", "CPU"]
    assert Model.load(tmp_path / "alternating.xmodel", until="dpu").outputs[0].name == "d1_t"


def test_a_tensor_that_two_subgraphs_read(tmp_path: Path) -> None:
    add = {"type": "ADD", "nonlinear": "NONE"}
    ops = [
        data_fix("a", SHAPE, 4),
        data_fix("b", SHAPE, 4),
        op("sum", "eltwise-fix", fixed(SHAPE, 4), ["a", "b"], **add),
        op("double", "eltwise-fix", fixed(SHAPE, 4), ["b", "b"], **add),
        op("join", "concat", fixed((2, 2, 2, 1), 4), ["sum", "double"], axis=0),
    ]
    children = [
        subgraph("in", "USER", ["a", "b"]),
        subgraph("one", "DPU", ["sum"]),
        subgraph("two", "DPU", ["double"]),
        subgraph("cpu", "CPU", ["join"]),
    ]
    model = Model.load(write(tmp_path / "two.xmodel", ops, children))
    a, b = np.full(SHAPE, 3, np.int8), np.arange(4, dtype=np.int8).reshape(SHAPE)
    for _ in range(2):
        np.testing.assert_array_equal(model.run({"a_t": a, "b_t": b}), np.concatenate([a + b, 2 * b]))
    with pytest.raises(ShapeError, match="2 inputs"):
        model.run(a)


def test_a_missing_op_is_named_at_load_time(tmp_path: Path) -> None:
    ops = [data_fix("x", SHAPE, 4), op("y", "roi_magic", real(SHAPE), ["x"])]
    path = write(tmp_path / "custom.xmodel", ops, [subgraph("in", "USER", ["x"]), subgraph("cpu", "CPU", ["y"])])
    with pytest.raises(ModelError, match=r"'y'.*'roi_magic'"):
        Model.load(path)


def test_a_graph_that_is_not_compiled_is_refused(tmp_path: Path) -> None:
    ops = [data_fix("x", SHAPE, 4), op("y", "identity", fixed(SHAPE, 4), ["x"])]
    with pytest.raises(ModelError, match="compile"):
        Model.load(write(tmp_path / "raw.xmodel", ops, []))


def test_golden_model_whole_and_until_the_dpu() -> None:
    vectors = np.load(golden("models", "nerone_prostate_sc.npz"))
    path = golden("models", "nerone_prostate_sc.xmodel")
    expected = vectors["expected"]
    until = Model.load(path, until="dpu")
    np.testing.assert_array_equal(until.run(vectors["input"]), expected)
    real_values = expected.astype(np.float32) * until.outputs[0].scale
    exponents = np.exp(real_values - real_values.max(-1, keepdims=True))
    probabilities = exponents / exponents.sum(-1, keepdims=True)
    np.testing.assert_allclose(Model.load(path).run(vectors["input"]), probabilities, atol=1e-6)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_that_share_an_image_give_the_same_bits(threads: int) -> None:
    vectors = np.load(golden("models", "nerone_prostate_sc.npz"))
    path = golden("models", "nerone_prostate_sc.xmodel")
    with Model.load(path, until="dpu", threads_per_image=threads) as model:
        for _ in range(3):
            np.testing.assert_array_equal(model.run(vectors["input"]), vectors["expected"])


@pytest.mark.parametrize("threads", [0, 65, 1.5, True, "2"])
def test_a_number_of_threads_that_cannot_be_is_refused(tiny_xmodel: Path, threads: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"threads_per_image is .*; expected a whole number, 1 to 64"):
        Model.load(tiny_xmodel, threads_per_image=threads)


@pytest.mark.parametrize(("threads", "expected"), [(0, "1 or more"), (65, "at most 64")])
def test_the_runner_checks_its_threads_as_well(tiny_xmodel: Path, threads: int, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=f"nerone_threads_per_image is {threads}, expected {expected}"):
        _core.Model(str(tiny_xmodel), _core.DeviceOptions(threads_per_image=threads))


def test_other_python_threads_run_meanwhile(tiny_xmodel: Path) -> None:
    model = Model.load(tiny_xmodel, job_latency_us=300_000)
    assert counted_during(lambda: model.run(np.zeros(SHAPE, np.int8))) > 100


def test_threads_with_their_own_models_and_with_one(tmp_path: Path) -> None:
    path = write_alternating(tmp_path / "alternating.xmodel")
    shared = Model.load(path)
    generator = np.random.default_rng(5)
    inputs = [generator.normal(size=(1, 2, 3, 4)).astype(np.float32) for _ in range(8)]
    expected = [shared.run(x)["t_t"] for x in inputs]
    wrong: list[int] = []

    def work(model: Model, start: int) -> None:
        for i in range(start, start + 200):
            if not np.array_equal(model.run(inputs[i % 8])["t_t"], expected[i % 8]):
                wrong.append(i)

    models = [shared, shared, Model.load(path), Model.load(path)]
    threads = [threading.Thread(target=work, args=(model, i)) for i, model in enumerate(models)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_memory_stays_flat_over_2000_runs(tmp_path: Path) -> None:
    model = Model.load(write_alternating(tmp_path / "alternating.xmodel"))
    x = np.zeros((1, 2, 3, 4), np.float32)
    for _ in range(200):
        model.run(x)
    assert grown_bytes(lambda: [model.run(x) for _ in range(2000)], enough=1 << 20) < 1 << 20


def test_memory_stays_flat_over_loading(tiny_xmodel: Path) -> None:
    for _ in range(20):
        Model.load(tiny_xmodel).close()
    assert grown_bytes(lambda: [Model.load(tiny_xmodel).close() for _ in range(100)], enough=4 << 20) < 4 << 20


def _process_seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()  # what a machine without other work takes
    work()
    return time.process_time() - begin


def test_loading_and_planning_the_published_network_is_quick() -> None:
    # In units of this machine, emulated or not: 0.3 s where adding up a million numbers takes 25 ms.
    path = golden("models", "nerone_prostate_double.xmodel")
    Model.load(path)
    ratios: list[float] = []
    while len(ratios) < 20 and min(ratios, default=100.0) >= 12:
        unit = _process_seconds(lambda: sum(range(1_000_000)))
        ratios.append(_process_seconds(lambda: Model.load(path)) / unit)
    assert min(ratios) < 12


def test_examples_of_the_documentation(tiny_xmodel: Path) -> None:
    runner = doctest.DocTestRunner()
    examples = 0
    for test in doctest.DocTestFinder().find(
        model_module, globs={"np": np, "nerone": nerone, "tiny_xmodel": tiny_xmodel}
    ):
        examples += len(test.examples)
        runner.run(test)
    assert examples >= 4
    assert runner.failures == 0
