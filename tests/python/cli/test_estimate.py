"""nerone estimate: the prediction, and its error beside the paper's table."""

from __future__ import annotations

import json

import pytest

from nerone.compilation.estimate import estimate


def test_the_estimate_and_its_error(run, bundle):
    code, out, _ = run("estimate", bundle.path, "--board", "zcu104", "--layers")
    assert code == 0
    assert "estimated, not measured" in out
    assert "Throughput=" in out
    assert "with PYNQ-DPU's Python loop" in out
    assert "fitted to the paper's measurements" in out
    rows = [line for line in out.splitlines() if "│ PYNQ-DPU │" in line or "│ VART " in line]
    assert ["(projected)" in row for row in rows] == [False] * 13 + [True] * 3
    assert [row for row in rows if "335.4" in row and "%" in row]


def test_power_from_the_table_and_from_a_meter(run, bundle):
    found = json.loads(run("estimate", bundle.path, "--board", "kv260", "--json")[1])
    assert found["watts_source"] == "paper"
    assert found["fps_per_watt"] == pytest.approx(found["fps"] / found["watts"])
    assert len(found["table1"]) == 16
    assert found["table1"][0]["paper"]["fps"] == {"mean": 36.52, "deviation": 0.05}
    assert "8.0 W" in run("estimate", bundle.path, "--board", "kv260", "--watts", "8")[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--board", "host"), "measured, not estimated"),
        (("--board", "kv26"), "did you mean 'kv260'?"),
        (("--watts", "0"), "0.0 W is no power"),
        (("--board", "ultra96v2", "--vitis-ai", "3.0"), "no entry for Vitis AI 3.0"),
    ],
)
def test_what_cannot_be_estimated(run, bundle, options, words):
    code, _, err = run("estimate", bundle.path, *options)
    assert code == 2
    assert words in err


def test_the_board_of_a_bundle_is_the_default(run, bundle):
    text = (bundle.path / "bundle.json").read_text()
    values = {**json.loads(text), "board": "ultra96v2", "fingerprint": "0x1000020f6014405"}
    (bundle.path / "bundle.json").write_text(json.dumps(values))
    assert json.loads(run("estimate", bundle.path, "--json")[1])["dpu"] == "B1600"
    assert json.loads(run("estimate", bundle.path / "model.xmodel", "--json")[1])["board"] == "zcu104"


def test_a_tiny_network_is_no_faster_than_its_host(run, bundle):
    """The layer model gives hundreds of thousands of images a second, which no host hands out."""
    alone = estimate(bundle.host_model_path, board="zcu104")
    assert alone.fps > 100_000
    found = json.loads(run("estimate", bundle.path, "--board", "zcu104", "--json")[1])
    assert found["fps"] == pytest.approx(1e6 / found["job_us"])
    assert found["fps"] < alone.fps
    assert found["pynq_fps"] <= found["fps"]
    assert found["fps_per_watt"] == pytest.approx(found["fps"] / found["watts"])
    assert found["utilisation"] == pytest.approx(alone.utilisation * found["fps"] / alone.fps)
    out = run("estimate", bundle.path, "--board", "zcu104")[1]
    assert "fps at most: the network is so small" in out
    assert "measured on this machine" in out
    assert alone.bounded(1e-3) is alone
