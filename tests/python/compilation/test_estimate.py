"""The cycle model, against the vendor's own numbers and the paper's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compilation.small_models import Maker
from nerone import _core
from nerone.compilation import compile as compile_model
from nerone.compilation.estimate import estimate, estimate_graph
from nerone.compilation.paper.estimates import estimated_rows, fitted_host_ns, fitted_watts
from nerone.compilation.paper.networks import NETWORKS, ct_org_unet
from nerone.compilation.paper.table import TABLE1, paper_row
from nerone.dpu.boards import BOARDS
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


@pytest.mark.parametrize(
    ("task", "macs"),
    [("ct-org", 2_099_773_440), ("brats", 1_449_122_400), ("prostate", 154_140_672), ("bccd", 475_842_432)],
)
def test_the_papers_networks_have_their_published_work(task, macs):
    assert sum(layer.macs for layer in estimate_graph(NETWORKS[task](), BOARDS["zcu104"]).layers) == macs


@pytest.mark.parametrize(
    ("task", "name"), [("prostate", "nerone_prostate_double.xmodel"), ("bccd", "nerone_BCCD_zcu104.xmodel")]
)
def test_the_papers_networks_are_the_published_files(task, name):
    published = estimate_graph(_core.read_xmodel(str(golden("models", name))), BOARDS["zcu104"], "1.4")
    ours = estimate_graph(NETWORKS[task](), BOARDS["zcu104"], "1.4")
    for kind in ("conv2d-fix", "pool-fix", "upsample-fix", "eltwise-fix"):
        first, second = ([row.cycles for row in found.layers if row.type == kind] for found in (published, ours))
        assert sorted(first) == sorted(second), kind
    # The published files read their biases too.
    assert ours.fps == pytest.approx(published.fps, rel=1e-3)


def test_the_papers_table_is_consistent():
    """The paper's 4.04 times of VART over PYNQ-DPU, and its best efficiency on the smallest DPU for small networks."""
    vart, pynq = (paper_row("ct-org", backend, "zcu104").fps.mean for backend in ("VART", "PYNQ-DPU"))
    assert vart / pynq == pytest.approx(4.04, abs=0.005)
    assert len({(row.task, row.backend, row.device) for row in TABLE1}) == len(TABLE1) == 24
    assert all(row.watts.mean < 30 for row in TABLE1 if row.device in BOARDS)


def test_the_estimate_beside_the_papers_rows():
    rows = estimated_rows()
    assert [row.paper.backend for row in rows].count("PYNQ-DPU") == 12
    assert [(row.paper.task, row.paper.device) for row in rows[12:]] == [(task, "zcu104") for task in NETWORKS]
    errors = {(row.paper.task, row.paper.backend, row.paper.device): row.errors() for row in rows}
    assert abs(errors["ct-org", "VART", "zcu104"][0]) < 0.05
    measured = [row.errors() for row in rows if not row.paper.projected]
    assert len(measured) == 13
    assert np.median([abs(fps) for fps, _, _ in measured]) < 0.08
    assert max(abs(watts) for _, watts, _ in measured) < 0.13


def test_the_boards_constants_are_the_fit_to_the_papers_rows():
    for name in ("ultra96v2", "kv260", "zcu104"):
        idle, core = fitted_watts(BOARDS[name])
        assert BOARDS[name].idle_watts == pytest.approx(idle, abs=0.006)
        assert BOARDS[name].core_watts == pytest.approx(core, abs=0.006)
        assert BOARDS[name].host_ns_per_value == pytest.approx(fitted_host_ns(BOARDS[name]), abs=0.05)


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
    assert (found.watts, found.watts_source) == (8.0, "given")
    table = estimate(path, board="kv260")
    assert (table.watts, table.watts_source) == (pytest.approx(10.67 + 3.82), "paper")
    assert table.pynq_watts == pytest.approx(10.67 + 3.82 * table.pynq_fps * table.latency_ms * 1e-3)
    values = 8 * 8 * (3 + 4)
    assert 1e6 / table.pynq_fps == pytest.approx(1e3 * table.latency_ms + 1e-3 * values * 14.9)
    unmeasured = replace(BOARDS["kv260"], idle_watts=None, host_ns_per_value=None)
    unknown = estimate_graph(_core.read_xmodel(str(path)), unmeasured)
    assert (unknown.watts, unknown.fps_per_watt, unknown.pynq_watts, unknown.pynq_fps) == (None, None, None, None)
    assert unknown.watts_source == ""
    with pytest.raises(ConfigurationError, match="measured, not estimated"):
        estimate(path, board="host")
    with pytest.raises(ConfigurationError, match="no power"):
        estimate(path, watts=-3)
