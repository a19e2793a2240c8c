"""The cycle model, against the vendor's own numbers and the paper's."""

from __future__ import annotations

import pytest

from compilation.small_models import Maker
from nerone import _core
from nerone.compilation import compile as compile_model
from nerone.compilation.boards import BOARDS
from nerone.compilation.estimate import estimate, estimate_graph
from nerone.compilation.paper_rows import ct_org_unet, paper_error
from nerone.errors import ConfigurationError
from paths import golden


def test_cycles_are_the_vendors_workload_on_arch():
    """The vendor counts two operations per product and one per output for the bias, on the padded shape."""
    graph = _core.read_xmodel(str(golden("models", "prmittal_CNN_zcu104.xmodel")))
    layers = {layer.name: layer for layer in estimate_graph(graph, BOARDS["zcu104"], "3.0").layers}
    checked = 0
    for op in graph["ops"]:
        if op["type"] != "conv2d-fix":
            continue
        _, height, width, channels = op["output"]["shape"]
        padded = height * -(-width // 8) * 8 * -(-channels // 16) * 16
        assert op["attrs"]["workload_on_arch"] == 2 * 2048 * layers[op["name"]].cycles + padded, op["name"]
        checked += 1
    assert checked == 4


def test_the_papers_measured_row():
    assert sum(layer.macs for layer in estimate_graph(ct_org_unet(), BOARDS["zcu104"]).layers) == 2_099_773_440
    ((name, measured, predicted),) = paper_error()
    assert "U-Net" in name
    assert predicted == pytest.approx(measured, rel=0.05)


def test_boards_rank_as_their_size_and_cores():
    graph = ct_org_unet()
    zcu104, kv260 = (estimate_graph(graph, BOARDS[name], "1.4").fps for name in ("zcu104", "kv260"))
    small, smaller = (estimate_graph(graph, BOARDS["ultra96v2"], version).fps for version in ("1.4", "2.5"))
    assert zcu104 == pytest.approx(2 * kv260)
    assert kv260 > small > smaller


def test_estimate_of_a_file(tmp_path):
    path = compile_model(Maker().conv("conv", 3).model(), output=tmp_path / "net.xmodel").path
    found = estimate(path, board="kv260", watts=8.0)
    assert found.fps_per_watt == pytest.approx(found.fps / 8)
    assert sum(layer.macs for layer in found.layers) == 8 * 8 * 9 * 4 * 3
    assert estimate(path, board="kv260").fps_per_watt is None
    with pytest.raises(ConfigurationError, match="measured, not estimated"):
        estimate(path, board="host")
    with pytest.raises(ConfigurationError, match="no power"):
        estimate(path, watts=-3)
