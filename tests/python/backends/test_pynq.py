"""The official Python API on our modules, and the paper's loop."""

from __future__ import annotations

import doctest
import hashlib
import io
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from nerone import Model, _core
from nerone.backends import pynq
from nerone.backends.pynq import DpuOverlay, PynqLoop, vart, xir
from nerone.errors import ConfigurationError, DeviceError, DtypeError, ModelError, ShapeError
from paths import golden
from runtime.xmodels import write_alternating, write_doubling

SHAPE = (1, 2, 2, 1)

# The pattern of the vendor's examples: each thread has a runner of its own and arrays of the tensors' dims.
SCRIPT = """
import sys
import threading
from typing import List

import numpy as np
import vart
import xir


def get_child_subgraph_dpu(graph: "Graph") -> List["Subgraph"]:
    root_subgraph = graph.get_root_subgraph()
    if root_subgraph.is_leaf:
        return []
    child_subgraphs = root_subgraph.toposort_child_subgraph()
    return [cs for cs in child_subgraphs if cs.has_attr("device") and cs.get_attr("device").upper() == "DPU"]


def run(dpu: "Runner", number, total):
    input_tensors, output_tensors = dpu.get_input_tensors(), dpu.get_output_tensors()
    input_ndim, output_ndim = tuple(input_tensors[0].dims), tuple(output_tensors[0].dims)
    size = int(output_tensors[0].get_data_size() / input_ndim[0])
    scale = 2 ** input_tensors[0].get_attr("fix_point")
    for value in range(50):
        input_data = [np.empty(input_ndim, dtype=np.int8, order="C")]
        output_data = [np.empty(output_ndim, dtype=np.int8, order="C")]
        input_data[0][0, ...] = np.full(input_ndim[1:], value / scale) * scale
        job_id = dpu.execute_async(input_data, output_data)
        dpu.wait(job_id)
        total[number] += int(output_data[0].sum()) // size


graph = xir.Graph.deserialize(sys.argv[2])
subgraphs = get_child_subgraph_dpu(graph)
assert len(subgraphs) == 1
threads, runners, total = [], [], [0] * int(sys.argv[1])
for number in range(int(sys.argv[1])):
    runners.append(vart.Runner.create_runner(subgraphs[0], "run"))
for number in range(int(sys.argv[1])):
    thread = threading.Thread(target=run, args=(runners[number], number, total))
    threads.append(thread)
    thread.start()
for thread in threads:
    thread.join()
del runners
print(total)
"""


@pytest.fixture(scope="module")
def tiny_xmodel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_doubling(tmp_path_factory.mktemp("models") / "tiny.xmodel")


def _dpu(path: Path) -> xir.Subgraph:
    return pynq.overlay.dpu_subgraphs(xir.Graph.deserialize(path))[0]


def test_a_script_of_the_official_api_runs_unchanged(tmp_path: Path, tiny_xmodel: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "nerone.backends.pynq", str(tmp_path / "script.py"), "3", str(tiny_xmodel)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([2 * sum(range(50))] * 3)


def test_the_graph_as_the_official_module_shows_it(tmp_path: Path) -> None:
    graph = xir.Graph.deserialize(str(write_alternating(tmp_path / "a.xmodel")))
    root = graph.get_root_subgraph()
    parts = root.toposort_child_subgraph()
    assert [part.get_attr("device") for part in parts] == ["USER", "CPU", "DPU", "CPU", "DPU", "CPU"]
    assert (root.is_root, root.is_leaf, parts[2].is_leaf, parts[2].depth) == (True, False, True, 1)
    assert root.get_children_num() == len(root.get_children()) == 6
    assert {tensor.name for tensor in parts[2].get_input_tensors()} == {"q1_t"}
    assert {tensor.name for tensor in parts[4].get_output_tensors()} == {"d2_t"}
    op = graph.get_op("d2")
    tensor = op.get_output_tensor()
    assert (op.get_type(), op.get_input_num(), op.get_fanout_num()) == ("eltwise-fix", 2, 2)
    assert (tensor.dims, tensor.ndim, tensor.dtype, tensor.get_data_size()) == ([1, 2, 3, 4], 4, "xint8", 24)
    assert tensor.get_attr("fix_point") == 2
    assert tensor.producer is op
    assert graph.get_leaf_subgraph(op).get_name() == "dpu2"
    assert {op.get_name() for op in graph.get_head_ops()} == {"x"}
    assert {op.get_name() for op in graph.get_tail_ops()} == {"s", "t"}
    assert graph.get_tensor("d2_t") is tensor
    for missing in (lambda: root.get_attr("none"), lambda: graph.get_op("none"), lambda: graph.get_tensor("none")):
        with pytest.raises(ModelError, match="none"):
            missing()


def test_bad_files_raise(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no model file"):
        xir.Graph.deserialize(tmp_path / "none.xmodel")
    (tmp_path / "text.xmodel").write_text("text" * 100)
    with pytest.raises(ModelError):
        xir.Graph.deserialize(tmp_path / "text.xmodel")


def test_modes_and_subgraphs_that_vart_would_abort_for(tiny_xmodel: Path) -> None:
    with pytest.raises(ConfigurationError, match="mode"):
        vart.Runner.create_runner(_dpu(tiny_xmodel))
    user = xir.Graph.deserialize(tiny_xmodel).get_root_subgraph().toposort_child_subgraph()[0]
    with pytest.raises(ModelError, match="USER"):
        vart.Runner.create_runner(user, "run")


def test_float32_arrays_are_truncated_by_the_runner(tiny_xmodel: Path) -> None:
    runner = vart.Runner.create_runner(_dpu(tiny_xmodel), "run")
    given = np.array([0.5, 0.49, -0.49, 1.0], np.float32).reshape(SHAPE)
    result = np.empty(SHAPE, np.float32)
    job = runner.execute_async([given], [result])
    assert job[1] == 0
    assert runner.wait(job) == 0
    np.testing.assert_array_equal(result.ravel(), 2 * np.trunc(given.ravel() * 16) / 16)


def test_several_jobs_before_the_first_wait(tiny_xmodel: Path) -> None:
    runner = vart.Runner.create_runner(_dpu(tiny_xmodel), "run")
    results = [np.zeros(SHAPE, np.int8) for _ in range(4)]
    jobs = [runner.execute_async([np.full(SHAPE, i, np.int8)], [result]) for i, result in enumerate(results)]
    for job in jobs:
        runner.wait(job)
    assert [int(result[0, 0, 0, 0]) for result in results] == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ([np.zeros((1, 3, 2, 1), np.int8)], ShapeError),
        ([np.zeros((1, 2, 4, 1), np.int8)[:, :, ::2]], ShapeError),
        ([np.zeros(SHAPE, np.int8)] * 2, ShapeError),
        ([np.zeros(SHAPE, np.float64)], DtypeError),
        ([[1, 2, 3, 4]], DtypeError),
    ],
)
def test_arrays_that_do_not_fit_raise(tiny_xmodel: Path, inputs: list, error: type) -> None:
    runner = vart.Runner.create_runner(_dpu(tiny_xmodel), "run")
    with pytest.raises(error):
        runner.execute_async(inputs, [np.zeros(SHAPE, np.int8)])


def test_a_runners_own_memory(tiny_xmodel: Path) -> None:
    runner = vart.RunnerExt.create_runner(_dpu(tiny_xmodel), "run")
    assert isinstance(runner, vart.RunnerExt)
    inputs, outputs = runner.get_inputs(), runner.get_outputs()
    view = np.asarray(outputs[0])
    np.asarray(inputs[0])[...] = 5
    runner.wait(runner.execute_async(inputs, outputs))
    assert (view == 10).all()
    assert inputs[0].get_tensor().name == "x_t"
    del runner, inputs, outputs
    assert (view == 10).all()  # the view keeps the runner alive


def test_the_overlay(tiny_xmodel: Path, tmp_path: Path) -> None:
    overlay = DpuOverlay("dpu.bit")
    with pytest.raises(ConfigurationError, match="load_model"):
        _ = overlay.runner
    overlay.load_model(tiny_xmodel)
    assert overlay.runner.get_input_tensors()[0].dims == [1, 2, 2, 1]
    with pytest.raises(ModelError, match="2 DPU subgraphs"):
        overlay.load_model(write_alternating(tmp_path / "a.xmodel"))


@pytest.mark.skipif("pynq_dpu" in sys.modules, reason="this machine has PYNQ-DPU")
def test_a_board_without_pynq_says_so(tiny_xmodel: Path) -> None:
    with pytest.raises(DeviceError, match="PYNQ-DPU is not installed"):
        PynqLoop(tiny_xmodel, options=_core.DeviceOptions("board"))


def test_the_loop_rounds_unless_it_is_literal(tiny_xmodel: Path) -> None:
    image = np.array([[0.49, -0.49], [9.0, 0.03125]], np.float32)[:, :, np.newaxis]
    rounded = np.clip(np.floor(image * 16 + 0.5), -128, 127)
    truncated = np.trunc(image[:1] * 16)
    with PynqLoop(tiny_xmodel) as loop:
        np.testing.assert_array_equal(loop.scores(image), np.clip(2 * rounded, -128, 127) / 16)
    with PynqLoop(tiny_xmodel, literal=True) as loop:
        np.testing.assert_array_equal(loop.scores(image)[:1], 2 * truncated / 16)
    with pytest.raises(DeviceError, match="closed"):
        loop.run(image)


def test_the_loop_gives_the_masks_of_the_model() -> None:
    path, vectors = (
        golden("models", "nerone_prostate_double.xmodel"),
        np.load(golden("models", "nerone_prostate_double.npz")),
    )
    image = np.random.default_rng(9).uniform(0, 1, (256, 256, 1)).astype(np.float32)
    expected = Model.load(path, until="dpu").run(image[np.newaxis])[0].argmax(-1)
    with PynqLoop(path) as loop:
        np.testing.assert_array_equal(loop.run(image), expected)
        first = vectors["input"][0].astype(np.float32) / 64
        np.testing.assert_array_equal(loop.run(first), vectors["expected"][0].argmax(-1))
        with pytest.raises(ShapeError, match="256"):
            loop.run(image[:128])


def test_threads_may_share_a_runner(tiny_xmodel: Path) -> None:
    runner = vart.Runner.create_runner(_dpu(tiny_xmodel), "run")
    wrong = []

    def work(value: int) -> None:
        for _ in range(100):
            result = np.zeros(SHAPE, np.int8)
            runner.wait(runner.execute_async([np.full(SHAPE, value, np.int8)], [result]))
            if not (result == 2 * value).all():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong


def test_examples_of_the_documentation(tiny_xmodel: Path) -> None:
    before = {name: sys.modules.get(name) for name in ("xir", "vart", "vitis_ai_library", "pynq_dpu")}
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder().find(pynq.install, globs={"tiny_xmodel": tiny_xmodel}):
        runner.run(test)
    for name, module in before.items():
        if module is None:
            sys.modules.pop(name, None)
    assert (runner.failures, runner.tries) == (0, 4)


def test_buffers_obey_the_buffer_protocol(tmp_path):
    graph = xir.Graph.deserialize(write_doubling(tmp_path / "doubling.xmodel"))
    dpu = next(part for part in graph.get_root_subgraph().toposort_child_subgraph() if part.get_attr("device") == "DPU")
    runner = vart.RunnerExt.create_runner(dpu, "run")
    given, results = runner.get_inputs(), runner.get_outputs()
    assert io.BytesIO(bytes([1, 2, 3, 4])).readinto(given[0]) == 4
    runner.wait(runner.execute_async(given, results))
    assert bytes(memoryview(results[0])) == bytes([2, 4, 6, 8])
    assert hashlib.md5(results[0]).digest() == hashlib.md5(bytes([2, 4, 6, 8])).digest()
    assert results[0].get_tensor().name == runner.get_output_tensors()[0].name
    assert runner.get_output_tensors()[0].name in str(results[0])
    given[0][0, 0, 0, 0] = 5
    assert np.asarray(given[0]).ravel()[0] == 5


def test_text_of_a_tensor_says_name_shape_and_type(tmp_path):
    graph = xir.Graph.deserialize(write_doubling(tmp_path / "doubling.xmodel"))
    tensor = graph.toposort()[0].get_output_tensor()
    assert str(tensor).startswith(f"{{name: {tensor.name}, shape: [1, 2, 2, 1], type: xint8")


def test_dot_file_has_every_op_and_edge(tmp_path):
    graph = xir.Graph.deserialize(write_doubling(tmp_path / "doubling.xmodel"))
    graph.save_as_dot(tmp_path / "graph.dot")
    text = (tmp_path / "graph.dot").read_text()
    assert all(f'"{op.get_name()}" [label=' in text for op in graph.get_ops())
    assert text.count(" -> ") == sum(op.get_input_num() for op in graph.get_ops()) > 0
    if shutil.which("dot"):
        graph.save_as_image(tmp_path / "graph.png", "png")
        assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
        with pytest.raises(ConfigurationError, match="cannot draw the graph as 'nonsense'"):
            graph.save_as_image(tmp_path / "graph.x", "nonsense")
    else:
        with pytest.raises(ConfigurationError, match="install Graphviz"):
            graph.save_as_image(tmp_path / "graph.png", "png")
