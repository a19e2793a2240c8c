"""Model files that Python writes: attributes of every type, and graphs that are none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nerone
from nerone.errors import ModelError
from runtime.xmodels import data_fix, fixed, op, subgraph, write

SHAPE = (1, 2, 2, 1)


def test_written_attributes_read_back(tmp_path: Path) -> None:
    attrs = {"flag": True, "count": -3, "ratio": 0.5, "text": "a", "bytes": b"\0\1", "big": nerone._core.UInt64(2**63)}
    lists = {"ints": [1, 2], "floats": [0.5, 2.0], "texts": ["a", "b"], "map": {"a": "b"}, "counts": {"a": 1}}
    blobs = {"blobs": {"a": b"\0\xff"}, "double": nerone._core.Float64(0.1)}
    ops = [data_fix("x", SHAPE, 4), op("y", "identity", fixed(SHAPE, 4), ["x"])]
    children = [subgraph("in", "USER", ["x"]), subgraph("dpu", "DPU", ["y"])]
    children[1]["attrs"] |= attrs | lists | blobs
    found = nerone._core.read_xmodel(write(tmp_path / "a.xmodel", ops, children))["root"]["children"][1]["attrs"]
    for key, value in (attrs | lists | blobs).items():
        assert found[key] == value
        assert type(found[key]) is type(value)
    json.dumps({key: found[key] for key in (*attrs, *lists) if key != "bytes"})


def test_numpy_numbers_are_attributes_too(tmp_path: Path) -> None:
    ops = [data_fix("x", SHAPE, 4), op("y", "identity", fixed(SHAPE, 4), ["x"])]
    children = [subgraph("in", "USER", ["x"]), subgraph("dpu", "DPU", ["y"])]
    children[1]["attrs"] |= {"a": np.int64(3), "b": np.float32(0.5), "c": [np.int8(1)], "d": np.bool_(True)}
    children[1]["attrs"] |= {"e": np.array([1, -1], np.int8)}
    found = nerone._core.read_xmodel(write(tmp_path / "a.xmodel", ops, children))["root"]["children"][1]["attrs"]
    assert (found["a"], found["b"], found["c"], found["d"], found["e"]) == (3, 0.5, [1], True, b"\x01\xff")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"attrs": {"a": object()}}, "object"),
        ({"attrs": {"a": 2**40}}, "UInt64"),
        ({"attrs": {"a": [1, "b"]}}, "'a'"),
        ({"inputs": {"input": ["nobody"]}}, "nobody"),
        ({"output": {"shape": "wide", "data_type": "XINT8"}}, "shape"),
        ({"name": 3}, "name"),
    ],
)
def test_a_wrong_graph_is_refused(tmp_path: Path, change: dict, words: str) -> None:
    ops = [data_fix("x", SHAPE, 4), op("y", "identity", fixed(SHAPE, 4), ["x"]) | change]
    with pytest.raises(ModelError, match=words):
        write(tmp_path / "a.xmodel", ops, [])
    assert not list(tmp_path.iterdir())
