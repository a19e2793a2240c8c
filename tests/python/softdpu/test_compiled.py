"""Files of the vendor's compiler, whose outputs their instructions give: the op graph's engines give the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nerone import _core
from paths import GOLDEN, golden
from softdpu.engines import ENGINES

FILES = sorted(path.stem for path in (GOLDEN / "compiled").glob("*.xmodel"))


def dpu_parts(path: Path) -> list[dict[str, Any]]:
    children = _core.read_xmodel(str(path))["root"]["children"]
    return [part for part in children if part["attrs"].get("device") == "DPU"]


@pytest.mark.parametrize("kernels", ENGINES)
@pytest.mark.parametrize("name", FILES or ["compiled"])
def test_instructions_outputs(name: str, kernels: str) -> None:
    path = golden("compiled", f"{name}.xmodel")
    file, graph = _core.XmodelFile(str(path)), _core.read_xmodel(str(path))
    tensors = {op["name"]: op["output"]["name"] for op in graph["ops"]}
    feeding = {op["name"]: op["inputs"]["input"][0] for op in graph["ops"] if op["type"] == "download"}
    leaving = {tensors[name]: tensors[source] for name, source in feeding.items()}
    with np.load(path.with_suffix(".npz")) as archive:
        arrays = dict(archive)
    for number, part in enumerate(dpu_parts(path)):
        given = {key.split("|")[2]: value for key, value in arrays.items() if key.startswith(f"subgraph{number}|in|")}
        expected = {
            key.split("|")[2]: value for key, value in arrays.items() if key.startswith(f"subgraph{number}|out|")
        }
        runner = _core.Runner(file, part["name"], _core.DeviceOptions(kernels=kernels))
        by_tensor = {tensors[op]: value for op, value in given.items()}
        for info, images in zip(runner.inputs, runner.input_arrays(), strict=True):
            images[0][...] = by_tensor[info.name].reshape(images[0].shape)
        runner.finish(runner.start())
        outputs = zip(runner.outputs, runner.output_arrays(), strict=True)
        got = {leaving.get(info.name, info.name): images[0] for info, images in outputs}
        assert got.keys() == expected.keys()
        for tensor, value in expected.items():
            np.testing.assert_array_equal(got[tensor].reshape(value.shape), value, err_msg=f"{part['name']} {tensor}")
