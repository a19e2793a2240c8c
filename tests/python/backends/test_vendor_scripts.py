"""Scripts in the shape of the vendor's graph-level samples."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nerone import Model
from nerone.backends.pynq import vart, vitis_ai_library, xir
from nerone.errors import ConfigurationError, ShapeError
from runtime.xmodels import write_alternating, write_doubling

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
