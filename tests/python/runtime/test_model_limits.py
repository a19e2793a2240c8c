"""What every engine takes for granted of a model file: names that are one's own, memory that is there."""

from __future__ import annotations

import numpy as np
import pytest

from nerone import _core
from nerone.errors import ConfigurationError, ModelError
from nerone.runtime.model import Model
from runtime.xmodels import data_fix, fixed, op, subgraph, write, write_doubling

KERNELS = ["auto", "portable", "scalar"]


@pytest.fixture
def model(tmp_path):
    return write_doubling(tmp_path / "net.xmodel")


@pytest.mark.parametrize("kernels", KERNELS)
def test_two_tensors_of_one_name(tmp_path, kernels):
    shape = (1, 2, 2, 1)
    double = op("bb", "eltwise-fix", fixed(shape, 4), ["aa", "aa"], type="ADD", nonlinear="NONE")
    children = [subgraph("in", "USER", ["aa"]), subgraph("dpu", "DPU", ["bb"])]
    model = write(tmp_path / "net.xmodel", [data_fix("aa", shape, 4), double], children)
    # Of one length, so that the file's own lengths stay right.
    model.write_bytes(model.read_bytes().replace(b"bb_t", b"aa_t"))
    with pytest.raises(ModelError, match="write a tensor of the name 'aa_t'"):
        Model.load(model, kernels=kernels)


def test_a_model_is_not_written_with_two_tensors_of_one_name(model, tmp_path):
    graph = _core.read_xmodel(model)
    graph["ops"][1]["output"]["name"] = graph["ops"][0]["output"]["name"]
    with pytest.raises(ModelError, match="write a tensor of the name"):
        _core.write_xmodel(graph, tmp_path / "other.xmodel")


@pytest.mark.parametrize("kernels", KERNELS)
def test_more_memory_than_the_limit(model, monkeypatch, kernels):
    monkeypatch.setenv("NERONE_MAX_MEMORY", "7")
    with pytest.raises(
        ModelError, match=r"take .* GB, more than the limit of .*raise the limit with --max-memory.* in bytes$"
    ):
        Model.load(model, kernels=kernels)
    monkeypatch.setenv("NERONE_MAX_MEMORY", "1000000")
    with Model.load(model, kernels=kernels) as opened:
        assert opened.run(np.ones((1, 2, 2, 1), np.float32)).shape == (1, 2, 2, 1)


@pytest.mark.parametrize("value", ["much", "-1", "0", "1e9"])
def test_a_limit_that_is_no_number(model, monkeypatch, value):
    monkeypatch.setenv("NERONE_MAX_MEMORY", value)
    with pytest.raises(ConfigurationError, match=r"NERONE_MAX_MEMORY is .*expected a number of bytes"):
        Model.load(model)
