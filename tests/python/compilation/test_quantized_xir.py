"""Ops of public quantized files that become pools: maxima over whole axes, and resizing down by whole factors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nerone import Model
from nerone.compilation import compile as compile_model
from nerone.compilation.quantized_xir import from_quantized_xir
from nerone.errors import ModelError

SHAPE = (1, 6, 4, 3)


def fixed(name: str, source: str, shape: list[int]) -> dict[str, Any]:
    attrs = {"fix_point": 4, "bit_width": 8, "round_mode": "DPU_ROUND", "if_signed": True}
    output = {"name": name, "shape": shape, "data_type": "FLOAT32", "attrs": {}}
    return {"name": name, "type": "fix", "attrs": attrs, "inputs": {"input": [source]}, "output": output}


def network(kind: str, shape: list[int], **attrs: Any) -> dict[str, Any]:
    """x -> fix -> one op -> fix, all in float."""

    def op(name: str, kind: str, shape: list[int], attrs: dict[str, Any], source: str | None) -> dict[str, Any]:
        output = {"name": name, "shape": shape, "data_type": "FLOAT32", "attrs": {}}
        return {
            "name": name,
            "type": kind,
            "attrs": attrs,
            "inputs": {"input": [source]} if source else {},
            "output": output,
        }

    ops = [
        op("x", "data", list(SHAPE), {"shape": list(SHAPE), "data_type": "FLOAT32"}, None),
        fixed("x_fix", "x", list(SHAPE)),
        op("y", kind, shape, attrs, "x_fix"),
        fixed("y_fix", "y", shape),
    ]
    root = {"name": "root", "attrs": {}, "ops": [item["name"] for item in ops], "children": []}
    return {"name": "net", "attrs": {}, "ops": ops, "root": root}


def run(graph: dict[str, Any], x: Any, path: Path) -> Any:
    compile_model(from_quantized_xir(graph), output=path)
    return Model.load(path).run(x) * 2.0**4


@pytest.mark.parametrize(("axes", "kept"), [([1], True), ([2], False), ([1, 2], True), ([-3, -2], False)])
def test_maximum_over_whole_axes(axes: list[int], kept: bool, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(-128, 128, SHAPE, np.int8)
    expected = x.max(tuple(axes), keepdims=kept)
    graph = network("reduction_max", list(expected.shape), axis=axes, keep_dims=kept)
    np.testing.assert_array_equal(run(graph, x, tmp_path / "net.xmodel"), expected)


@pytest.mark.parametrize("mode", ["NEAREST", "BILINEAR"])
def test_resizing_down_takes_the_first_pixel_of_each_block(mode: str, tmp_path: Path) -> None:
    x = np.random.default_rng(1).integers(-128, 128, SHAPE, np.int8)
    graph = network("resize", [1, 2, 2, 3], scale=[0.5, 1 / 3], mode=mode, half_pixel_centers=True)
    np.testing.assert_array_equal(run(graph, x, tmp_path / "net.xmodel"), x[:, ::3, ::2])


def test_maximum_over_channels_is_refused() -> None:
    with pytest.raises(ModelError, match="op 'y' takes the maximum over axes"):
        from_quantized_xir(network("reduction_max", [1, 6, 4, 1], axis=[3], keep_dims=True))
