"""Scripts in the shape of the vendor's graph-level samples."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nerone import Model
from nerone.backends.pynq import vart, vitis_ai_library, xir
from nerone.errors import ConfigurationError, Error, ShapeError
from runtime.xmodels import data_fix, fixed, op, subgraph, write, write_alternating, write_doubling

GRAPH_SCRIPT = """
import sys

import numpy as np
import vitis_ai_library
import xir


def app(model):
    graph = xir.Graph.deserialize(model)
    runner = vitis_ai_library.GraphRunner.create_graph_runner(graph)
    input_tensor_buffers, output_tensor_buffers = runner.get_inputs(), runner.get_outputs()
    tensor = input_tensor_buffers[0].get_tensor()
    scale = 2 ** tensor.get_attr("fix_point")
    np.asarray(input_tensor_buffers[0])[0] = np.full(tensor.dims[1:], 3 / scale) * scale
    job = runner.execute_async(input_tensor_buffers, output_tensor_buffers)
    runner.wait(job)
    print(np.asarray(output_tensor_buffers[0]).ravel().tolist())
    del runner


app(sys.argv[1])
"""


@pytest.fixture(scope="module")
def doubling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_doubling(tmp_path_factory.mktemp("models") / "tiny.xmodel")


def test_a_whole_graph_runs_in_a_script(tmp_path: Path, doubling: Path) -> None:
    (tmp_path / "graph.py").write_text(GRAPH_SCRIPT)
    command = [sys.executable, "-m", "nerone.backends.pynq", str(tmp_path / "graph.py"), str(doubling)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([6, 6, 6, 6])


def test_a_graph_with_parts_on_the_cpu_gives_the_results_of_the_model(tmp_path: Path) -> None:
    path = write_alternating(tmp_path / "a.xmodel")
    runner = vitis_ai_library.GraphRunner.create_graph_runner(xir.Graph.deserialize(path))
    rng = np.random.default_rng(4)
    given = [rng.integers(-9, 9, tensor.dims).astype(buffer.dtype) for tensor, buffer in _inputs(runner)]
    for buffer, values in zip(runner.get_inputs(), given, strict=True):
        np.asarray(buffer)[...] = values
    assert runner.wait(runner.execute_async(runner.get_inputs(), runner.get_outputs())) == 0
    with Model.load(path) as model:
        expected = model.run(*given)
    assert set(expected) == {tensor.name for tensor in runner.get_output_tensors()}
    for result in runner.get_outputs():
        np.testing.assert_array_equal(np.asarray(result), expected[result.get_tensor().name])
    with pytest.raises(ShapeError):
        runner.execute_async(runner.get_inputs()[:0], runner.get_outputs())


def _inputs(runner: vitis_ai_library.GraphRunner) -> list[tuple[xir.Tensor, vart.TensorBuffer]]:
    return list(zip(runner.get_input_tensors(), runner.get_inputs(), strict=True))


def test_a_slice_of_a_buffer_has_no_tensor() -> None:
    tensor = xir.Tensor({"name": "t", "shape": [2, 3], "data_type": "XINT8", "attrs": {}})
    buffer = vart.TensorBuffer(tensor, np.arange(6, dtype=np.int8).reshape(2, 3))
    assert buffer.get_tensor() is tensor
    assert "TensorBuffer{" in str(buffer)
    for made in (buffer[0], buffer + 1, buffer.copy()):
        assert "TensorBuffer{" not in str(made)
        with pytest.raises(ConfigurationError, match="has no tensor"):
            made.get_tensor()
    np.testing.assert_array_equal(buffer[1], [3, 4, 5])


# A classifier over a folder of pictures, by threads with a runner each: means, fix point, softmax, the best classes.
CLASSIFY_SCRIPT = """
import math
import os
import sys
import threading
import time

import cv2
import numpy as np
import vart
import xir

MEANS = [104, 107, 123]
lock = threading.Lock()
best = {}


def preprocess(path, scale, height, width):
    picture = cv2.resize(cv2.imread(path), (width, height))
    blue, green, red = cv2.split(picture)
    merged = cv2.merge([blue - np.float32(MEANS[0]), green - np.float32(MEANS[1]), red - np.float32(MEANS[2])])
    return (merged * scale).clip(-128, 127).astype(np.int8)


def softmax(values, scale):
    raised = [math.exp(int(value) * scale) for value in values]
    return [value / sum(raised) for value in raised]


def classify(runner: "vart.Runner", names, pictures, first, threads):
    input_tensors, output_tensors = runner.get_input_tensors(), runner.get_output_tensors()
    input_ndim, output_ndim = tuple(input_tensors[0].dims), tuple(output_tensors[0].dims)
    assert input_tensors[0].dtype == output_tensors[0].dtype == "xint8"
    size = int(output_tensors[0].get_data_size() / input_ndim[0])
    output_scale = 1 / (2 ** output_tensors[0].get_attr("fix_point"))
    batch = input_ndim[0]
    for number in range(first, len(pictures), threads):
        given, found = [np.empty(input_ndim, dtype=np.int8, order="C")], [np.empty(output_ndim, np.int8, order="C")]
        for place in range(batch):
            given[0][place, ...] = pictures[number].reshape(input_ndim[1:])
        job = runner.execute_async(given, found)
        runner.wait(job)
        for place in range(batch):
            shares = softmax(found[0][place].reshape(size), output_scale)
            with lock:
                best[names[number]] = int(np.argmax(shares))


def main(arguments):
    graph = xir.Graph.deserialize(arguments[2])
    root = graph.get_root_subgraph()
    assert root is not None, "the graph has no root"
    subgraphs = [] if root.is_leaf else root.toposort_child_subgraph()
    subgraphs = [one for one in subgraphs if one.has_attr("device") and one.get_attr("device").upper() == "DPU"]
    assert len(subgraphs) == 1
    count = int(arguments[1])
    runners = [vart.Runner.create_runner(subgraphs[0], "run") for _ in range(count)]
    tensor = runners[0].get_input_tensors()[0]
    _, height, width, _ = tensor.dims
    names = sorted(os.listdir(arguments[3]))
    scale = 2 ** tensor.get_attr("fix_point")
    pictures = [preprocess(os.path.join(arguments[3], name), scale, height, width) for name in names]
    began = time.time()
    threads = [
        threading.Thread(target=classify, args=(runners[n], names, pictures, n, count)) for n in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    del runners
    print("FPS=%.2f, total frames = %.2f" % (len(names) / (time.time() - began), len(names)), file=sys.stderr)
    print(best)


main(sys.argv)
"""

# A detector: several outputs by their tensors' names, each with a fix point of its own, in the runner's own memory.
DETECT_SCRIPT = """
import sys

import numpy as np
import vart
import xir


def detect(runner, picture):
    inputs, outputs = runner.get_inputs(), runner.get_outputs()
    tensor = inputs[0].get_tensor()
    cells = np.asarray(inputs[0])
    cells[0, ...] = (picture * 2 ** tensor.get_attr("fix_point")).astype(np.int8)
    job_id = runner.execute_async(inputs, outputs)
    runner.wait(job_id)
    heads = {}
    for buffer in outputs:
        head = buffer.get_tensor()
        heads[head.name] = np.array(buffer, dtype=np.float32) / 2 ** head.get_attr("fix_point")
    return heads


graph = xir.Graph.deserialize(sys.argv[1])
root = graph.get_root_subgraph()
dpu = [one for one in root.toposort_child_subgraph() if one.has_attr("device") and one.get_attr("device") == "DPU"]
runner = vart.RunnerExt.create_runner(dpu[0], "run")
heads = detect(runner, np.full((2, 3, 4), 1.5, np.float32))
print({name: (list(values.shape), float(values.max())) for name, values in sorted(heads.items())})
"""

# What xdputil tells of a file: subgraphs with their device, tensors with dims, type, size and fix point.
LIST_SCRIPT = """
import sys

import xir

graph = xir.Graph.deserialize(sys.argv[1])
print(graph.get_name(), len(graph.get_ops()))
for part in graph.get_root_subgraph().toposort_child_subgraph():
    device = part.get_attr("device") if part.has_attr("device") else ""
    print(part.get_name(), device, part.get_op_num())
    if device == "DPU":
        for kind, tensors in (("in", part.get_input_tensors()), ("out", part.get_output_tensors())):
            for tensor in sorted(tensors, key=lambda one: one.name):
                fix_point = tensor.get_attr("fix_point")
                print(kind, tensor.name, tensor.dims, tensor.dtype, tensor.get_data_size(), fix_point)
"""


def run_script(folder: Path, text: str, *words: object) -> str:
    (folder / "script.py").write_text(text)
    command = [sys.executable, "-m", "nerone.backends.pynq", str(folder / "script.py"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def two_heads(tmp_path: Path) -> Path:
    """x -> DPU: two doublings of it, of fix points 4 and 2."""
    shape, add = (1, 2, 3, 4), {"type": "ADD", "nonlinear": "NONE"}
    ops = [data_fix("x", shape, 4), op("near", "eltwise-fix", fixed(shape, 4), ["x", "x"], **add)]
    ops.append(op("far", "eltwise-fix", fixed(shape, 2), ["x", "x"], **add))
    return write(tmp_path / "heads.xmodel", ops, [subgraph("in", "USER", ["x"]), subgraph("d", "DPU", ["near", "far"])])


def test_a_classifier_over_a_folder_of_pictures(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(6)
    expected = {}
    for number in range(5):
        picture = rng.integers(100, 112, (4, 4, 3), np.uint8)
        cv2.imwrite(str(pictures / f"{number}.png"), picture)
        real = picture.astype(np.float32) - np.array([104, 107, 123], np.float32)
        given = (real * 16).clip(-128, 127).astype(np.int8).astype(int)
        expected[f"{number}.png"] = int(np.clip(2 * given, -128, 127).argmax())
    model = write_doubling(tmp_path / "net.xmodel", (1, 4, 4, 3))
    for threads in (1, 3):
        found = ast.literal_eval(run_script(tmp_path, CLASSIFY_SCRIPT, threads, model, pictures))
        assert found == expected


def test_a_detector_with_several_outputs(tmp_path: Path, two_heads: Path) -> None:
    found = ast.literal_eval(run_script(tmp_path, DETECT_SCRIPT, two_heads))
    assert found == {"far_t": ([1, 2, 3, 4], 3.0), "near_t": ([1, 2, 3, 4], 3.0)}


def test_what_a_file_holds(tmp_path: Path, two_heads: Path) -> None:
    assert run_script(tmp_path, LIST_SCRIPT, two_heads).splitlines() == [
        "heads 3",
        "in USER 1",
        "d DPU 2",
        "in x_t [1, 2, 3, 4] xint8 24 4",
        "out far_t [1, 2, 3, 4] xint8 24 2",
        "out near_t [1, 2, 3, 4] xint8 24 4",
    ]


def test_the_root_subgraph_runs_whole(tmp_path: Path) -> None:
    """RunnerExt of the root is the GraphRunner; Runner, which has no memory of its own, refuses it."""
    graph = xir.Graph.deserialize(write_alternating(tmp_path / "a.xmodel"))
    runner = vart.RunnerExt.create_runner(graph.get_root_subgraph(), "run")
    assert isinstance(runner, vitis_ai_library.GraphRunner)
    inputs, outputs = runner.get_inputs(), runner.get_outputs()
    np.asarray(inputs[0])[...] = np.random.default_rng(8).normal(0, 1, inputs[0].shape)
    assert runner.wait(runner.execute_async(inputs, outputs)) == 0
    with Model.load(tmp_path / "a.xmodel") as model:
        expected = model.run(np.array(inputs[0]))
    for buffer in outputs:
        np.testing.assert_array_equal(np.array(buffer), expected[buffer.get_tensor().name])
    with pytest.raises(Error):
        vart.Runner.create_runner(graph.get_root_subgraph(), "run")
    with pytest.raises(ConfigurationError, match="mode 'sim'"):
        vart.RunnerExt.create_runner(graph.get_root_subgraph(), "sim")
