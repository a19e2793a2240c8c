"""nerone compile: the mapping report before the vendor's compiler, its log while it runs, and what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import segmentation_model
from compilation.vendor_stand_ins import StandIns
from nerone.compilation.export import export_quantized_xir
from nerone.compilation.quantized_xir import load_quantized_xir
from paths import golden


@pytest.fixture
def source(tmp_path):
    return export_quantized_xir(segmentation_model(), tmp_path / "net_int.xmodel")


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    return StandIns(tmp_path / "programs", monkeypatch)


def test_the_mapping_has_a_row_per_layer(run, source, tmp_path):
    code, out, _ = run("compile", source, "-o", tmp_path / "net.xmodel", "--json")
    assert code == 0
    report = json.loads(out)
    rows = {row["layer"]: row for row in report["layers"]}
    assert [(name, rows[name]["device"]) for name in rows] == [
        ("x", "USER"),
        ("conv", "DPU"),
        ("head", "DPU"),
        ("soft", "CPU"),
    ]
    assert sum(row["time_share"] for row in rows.values() if row["device"] == "DPU") == pytest.approx(1)
    assert rows["conv"]["macs"] == 16 * 16 * 9 * 4
    assert rows["soft"]["time_share"] is None
    assert rows["soft"]["reason"] == "the DPU has no softmax"
    assert report["estimated_ms"] > 0
    assert report["limits"] == {
        "kernel": 16,
        "stride": 8,
        "window": 256,
        "channels": 4096,
        "bank_words": 2048,
        "parameters": 198_000_000,
    }
    assert report["vendor"] is None


def test_the_compilers_log_is_shown_and_its_result_named(run, source, stand_ins, tmp_path):
    stand_ins.compiler(load_quantized_xir(source))
    options = ("--board", "kv260", "--vitis-ai", "1.4")
    code, out, err = run("compile", source, *options, "-n", "net", "-o", tmp_path / "net.xmodel")
    assert code == 0
    assert "[UNILOG][INFO] begin net" in err
    assert "kv260 holds" in out
    assert "net_vitis_ai/compiled/net.xmodel: for kv260, fingerprint 0x1000020f6014407, DPU subgraphs: 1; equal" in out
    code, out, _ = run("compile", source, *options, "-n", "net", "-o", tmp_path / "net.xmodel", "--json")
    assert json.loads(out)["vendor"]["check"]["images"] == 3


@pytest.mark.parametrize(
    ("mode", "options", "words"),
    [
        ("fails", [], "vai_c_xir failed with exit code 1: "),
        ("hangs", ["--time-limit", "1"], "did not finish in 1 s"),
        ("fine", ["--compiler", "docker"], "docker is not in PATH"),
        ("fine", ["--compiler", "none", "-n", "a b"], "'a b' is no name for a network"),
        ("fine", ["-a", "none.json"], "'none.json' cannot be read"),
    ],
)
def test_a_compiler_that_does_not_work(run, source, stand_ins, tmp_path, monkeypatch, mode, options, words):
    monkeypatch.setenv("PATH", f"{tmp_path}/programs/bin:/bin")
    stand_ins.compiler(mode=mode)
    code, _, err = run("compile", source, "--board", "kv260", "-o", tmp_path / "net.xmodel", *options)
    assert code == 2
    assert words in err.splitlines()[-1]


def test_without_the_compiler_a_folder_is_left(run, source, tmp_path):
    code, out, _ = run("compile", source, "--board", "ultra96v2", "--compiler", "none", "-o", tmp_path / "net.xmodel")
    assert code == 0
    assert "ready for the vendor's compiler, which is not here; run compile.sh there" in out
    assert (tmp_path / "net_vitis_ai" / "compile.sh").is_file()


def test_nerones_own_compiler_makes_a_boards_file(run, source, tmp_path):
    options = ("--compiler", "nerone", "-o", tmp_path / "net.xmodel")
    code, out, _ = run("compile", source, "--board", "zcu104", *options)
    assert code == 0
    assert "net_zcu104.xmodel: for zcu104, by NERONE's own compiler: " in out
    assert "proved in simulation, not yet on silicon" in out
    code, out, _ = run("compile", source, "--board", "zcu104", *options, "--json")
    assert json.loads(out)["own"]["proof"]["on_silicon"] is False
    code, out, _ = run("inspect", tmp_path / "net_zcu104.xmodel")
    assert "DPUCZDX8G_ISA1_B4096" in out
    code, _, err = run("compile", source, *options)
    assert code == 2
    assert "--compiler nerone compiles for a board; name one: ultra96v2" in err


def test_deploy_says_whose_compiler_made_the_boards_model(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    model = golden("h5", "prostate_double_q.h5")
    code, out, err = run(
        "deploy", model, "--preset", "paper-prostate", "--board", "zcu104", "-o", tmp_path / "p.nerone"
    )
    assert code == 0
    assert "NERONE's own (experimental, not yet on silicon) for zcu104, equal to it bit for bit" in out + err


def test_inspect_shows_a_bundles_mapping(run, bundle):
    code, out, _ = run("inspect", bundle.path)
    assert code == 0
    assert "of a DPU core, estimated" in out
    assert "the DPU has no softmax" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-o", "nowhere/net.xmodel"), "there is no folder 'nowhere'"),
        (("-o", "."), "cannot write '.': it is a folder"),
        (("-o", "net.xmodel", "--board", "kv260", "-n", "a b"), "'a b' is no name for a network"),
        (("-o", "net.xmodel", "--board", "kv260", "--time-limit", "nan"), "a time limit of nan s cannot be"),
        (("-o", "net.xmodel", "--board", "kv260", "--compiler", "dokcer"), "there is no compiler 'dokcer'"),
        (("-o", "net.xmodel", "--calibration", "nowhere"), "'nowhere'"),
        (("-o", "net.xmodel", "--preset", "ct-ogr"), "did you mean ct-org"),
    ],
)
def test_what_is_wrong_is_told_before_the_model_is_read(run, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.keras").write_bytes(b"not read")
    code, _, err = run(
        "compile", "broken.keras", *(options if "--preset" in options else (*options, "--preset", "ct-org"))
    )
    assert code == 2
    assert words in err
    assert "broken" not in err


@pytest.mark.parametrize("verb", ["inspect", "estimate"])
def test_a_trained_model_is_no_xmodel(run, tmp_path, verb):
    (tmp_path / "net.keras").write_bytes(b"")
    code, _, err = run(verb, tmp_path / "net.keras")
    assert code == 2
    assert "is a .keras model, no xmodel; compile it first" in err


def test_what_is_no_model_is_told(run, tmp_path):
    (tmp_path / "notes.txt").write_text("")
    assert "notes.txt" in run("compile", tmp_path / "notes.txt", "-o", tmp_path / "net.xmodel")[2]
    code, _, err = run("compile", tmp_path, "-o", tmp_path / "net.xmodel")
    assert code == 2
    assert "is a folder (a SavedModel?)" in err


@pytest.fixture
def read_only(tmp_path):
    folder = tmp_path / "read-only"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    # The superuser may write everywhere but on such a file system.
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("no right to mount a read-only file system here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_read_only_folder(run, source, read_only):
    code, out, err = run("compile", source, "-o", read_only / "net.xmodel")
    assert code == 2
    assert out == ""
    assert "is read-only; choose one that you may write to" in err


def test_ctrl_c_ends_the_compiler_too(source, stand_ins, tmp_path):
    stand_ins.compiler(mode="hangs")
    words = ["-m", "nerone.cli.main", "compile", str(source), "--board", "kv260", "-o", str(tmp_path / "net.xmodel")]
    with subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if "hanging" in line:
                process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert said[-1] == "nerone: interrupted\n"
    for pid in json.loads((tmp_path / "net_vitis_ai" / "pids").read_text()):
        assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()
