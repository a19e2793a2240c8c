"""nerone bench: results are compared, rows and ratio are told, simulated boards say so."""

from __future__ import annotations

import json

import pytest

from nerone.errors import ConfigurationError
from nerone.evaluation.devices import find_device


def test_both_backends_side_by_side(bundle, volume, run):
    code, out, err = run("bench", bundle.path, volume, "--runs", 2, "--seconds", 0.1, "--power", "none")
    assert code == 0, err
    assert "vart" in out
    assert "pynq" in out
    assert "times PYNQ-DPU" in out
    assert "n/a" in out  # watts without a meter
    assert out.strip().splitlines()[-1].startswith("Throughput=")


def test_json_has_everything(bundle, volume, run):
    words = ("--runs", 2, "--seconds", 0.1, "--threads", "1..2", "--power", "constant:5", "--json")
    code, out, err = run("bench", bundle.path, volume, "--backend", "vart", *words)
    assert code == 0, err
    reports = json.loads(out)
    assert [report["rows"][0]["threads"] for report in reports] == [1, 2]
    row = reports[0]["rows"][0]
    assert row["fps"]["count"] == 2
    assert row["fps"]["mean"] > 0
    assert row["watts"]["mean"] == 5.0
    assert row["efficiency"]["mean"] == pytest.approx(row["fps"]["mean"] / 5)
    assert set(row["stages_ms"]) == {"queue", "preprocess", "device", "postprocess"}
    assert row["latency_ms"]["p50"] <= row["latency_ms"]["p99"] <= row["latency_ms"]["max"] * 1.03


def test_every_backend_tells_its_stages_and_ratio(bundle, volume, run):
    words = ("--runs", 1, "--seconds", 0.1, "--power", "none", "--json")

    def measured():
        code, out, err = run("bench", bundle.path, volume, "--backend", "pynq,vart", *words)
        assert code == 0, err
        (report,) = json.loads(out)
        pynq, vart = report["rows"]
        # Stages are of the timed frames, so they add up to a frame of a loop that does one after the other.
        whole_ms = 1e3 / pynq["fps"]["mean"]
        return report, pynq, vart, sum(pynq["stages_ms"].values()) == pytest.approx(whole_ms, rel=0.2)

    for _ in range(10):  # a busy machine may hold the loop up between two stages
        report, pynq, vart, adds_up = measured()
        if adds_up:
            break
    assert adds_up
    for row in (pynq, vart):
        assert set(row["stages_ms"]) == {"queue", "preprocess", "device", "postprocess"}
        assert all(row["stages_ms"][name] > 0 for name in ("preprocess", "device", "postprocess"))
        assert 0 < row["utilisation"] <= 1.05
        assert row["watts"] is None
    assert report["ratios"] == {"pynq/vart": pytest.approx(pynq["fps"]["mean"] / vart["fps"]["mean"])}
    assert report["frames_compared"] > 0


def test_a_simulated_board_says_so_and_keeps_its_rate(bundle, volume, run):
    code, out, err = run(
        "bench", bundle.path, volume, "--device", "zcu104-sim", "--runs", 1, "--seconds", 0.3, "--json"
    )
    assert code == 0, err
    (report,) = json.loads(out)
    vart = report["rows"][0]
    assert vart["device"] == "zcu104-sim (simulated)"
    assert 0 < vart["utilisation"] <= 1.05
    assert report["notes"]


def test_frames_are_called_equal_only_where_they_were_compared(bundle, volume, run):
    words = ("bench", bundle.path, volume, "--runs", 1, "--seconds", 0.1)
    assert "3 frames compared and equal" in run(*words)[1]
    code, out, err = run(*words, "--backend", "vart")
    assert code == 0, err
    assert "compared" not in out


def test_the_papers_rate_on_the_simulated_zcu104(bundle):
    device = find_device("zcu104-sim", bundle.host_model_path, preset="ct-org")
    assert device.cores == 2
    assert device.limit_fps == pytest.approx(335.4, rel=1e-3)
    assert "simulated" in device.label
    with pytest.raises(ConfigurationError, match="zcu104-sim"):
        find_device("zcu104-simm", bundle.host_model_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--backend", "vrt"), "vart"),
        (("--device", "kv26-sim"), "kv260-sim"),
        (("--threads", "0"), "threads"),
        (("--threads", "two"), "threads"),
        (("--runs", "0"), "run"),
        (("--power", "volts"), "power meter"),
        (("--backend", "keras"), "baseline"),
    ],
)
def test_bad_words_are_told(bundle, volume, refused, words, said):
    assert said in refused("bench", bundle.path, volume, *words)


def test_without_scans_and_preset_there_are_no_phantoms(bundle, refused):
    assert "preset" in refused("bench", bundle.path)
