"""Deployment over ssh against a real sshd on this machine: what travels and what is checked."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from deployment import sshd
from deployment.remote_support import NAMES, contents, make_bundle, only
from nerone.deployment import Bundle
from nerone.deployment.remote import transfer as remote
from nerone.deployment.remote.transfer import examine_target

pytest.importorskip("nerone._core")


def test_copies_checks_and_reports(first):
    bundle, folder, done, said = first
    there = folder / "net.nerone"
    assert set(contents(there)) == NAMES
    assert Bundle.open(there).preprocessing == bundle.preprocessing
    assert set(done.transferred) == NAMES
    assert done.folder == str(there)
    assert done.device == "softdpu"
    assert done.golden_outputs
    assert done.bytes_sent > 0
    assert done.versions["python"].startswith("3.")
    assert [note for note in done.notes if "no DPU; the software DPU runs the bundle there" in note]
    assert not [note for note in done.notes if "TensorFlow" in note]
    assert said[-1][1:] == (4, 4)
    assert json.loads(json.dumps(done.to_dict()))["transport"] == "rsync"
    assert "5 of 5 files copied" in done.lines()[0]
    assert only(folder) == ["net.nerone"]


def test_again_touches_only_what_changed(bundle, earlier, deployed, tmp_path):
    (earlier / "mine.txt").write_text("results")
    before = {path.name: path.stat().st_ino for path in earlier.iterdir()}
    again = deployed(bundle, tmp_path / "board")
    assert again.transferred == ()
    assert again.bytes_sent == 0
    assert again.golden_outputs
    assert {path.name: path.stat().st_ino for path in earlier.iterdir()} == before

    changed = make_bundle(tmp_path / "host", fix_point=2)
    third = deployed(changed, tmp_path / "board")
    assert set(third.transferred) == {"bundle.json", "model.xmodel", "report.json"}
    after = {path.name: path.stat().st_ino for path in earlier.iterdir()}
    assert after["run.ipynb"] == before["run.ipynb"]
    assert after["mine.txt"] == before["mine.txt"]
    assert Bundle.open(earlier).report() == {"fix_point": 2}
    assert only(tmp_path / "board") == ["net.nerone"]


def test_a_file_of_the_last_deployment_goes(bundle, earlier, deployed):
    (earlier / "model_zcu104.xmodel").write_bytes(b"old")
    listing = json.loads((earlier / ".deployed.json").read_text())
    (earlier / ".deployed.json").write_text(json.dumps([*listing, "model_zcu104.xmodel"]))
    done = deployed(bundle, earlier.parent)
    assert done.removed == ("model_zcu104.xmodel",)
    assert done.transferred == ()
    assert set(contents(earlier)) == NAMES


def test_a_damaged_copy_is_mended_and_a_stale_half_copy_goes(bundle, earlier, deployed):
    (earlier / "model.xmodel").write_bytes(b"damaged")
    stale = earlier.with_name("net.nerone.new")
    stale.mkdir()
    (stale / "half").write_bytes(b"half")
    assert deployed(bundle, earlier.parent).transferred == ("model.xmodel",)
    Bundle.open(earlier)
    assert only(earlier.parent) == ["net.nerone"]


@pytest.mark.parametrize("rsync", [True, False])
def test_a_path_with_every_character(deployed, tmp_path, rsync, monkeypatch):
    if not rsync:
        found = remote.board_of
        monkeypatch.setattr(remote, "board_of", lambda *words: dataclasses.replace(found(*words), rsync=""))
    bundle = make_bundle(tmp_path / "host", name="a net's $(touch x);`id` & *")
    folder = tmp_path / 'my "board\'s" $HOME;* ü'
    done = deployed(bundle, folder)
    assert done.transport == ("rsync" if rsync else "tar")
    assert only(folder) == [bundle.path.name]
    assert contents(folder / bundle.path.name).keys() == NAMES
    assert not (tmp_path / "x").exists()


def test_a_folder_of_the_home(server):
    found = examine_target(
        f"{server.host}:~/x/models", "net", remote_python=sys.executable, ssh_options=server.options()
    )
    assert found.target.endswith("/x/models/net.nerone")
    assert "~" not in found.target


def test_the_script_and_the_notebook_run(earlier, tmp_path):
    pytest.importorskip("typer")
    there = earlier
    np.save(tmp_path / "scan.npy", np.zeros((4, 6, 2), np.uint8))
    script = [str(there / "run.sh"), str(tmp_path / "scan.npy"), "-o", str(tmp_path / "out")]
    run = subprocess.run(script, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert "scan.npy" in run.stdout
    book = json.loads((there / "run.ipynb").read_text())
    code = "\n".join("".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code")
    run = subprocess.run([sys.executable, "-c", code], cwd=there, capture_output=True, text=True, timeout=300)
    assert "ms for one image" in run.stdout, run.stderr


def test_examine_before_long_work(server, tmp_path):
    options = {"remote_python": sys.executable, "ssh_options": server.options()}
    board = examine_target(f"{server.host}:{tmp_path}", "net", **options)
    assert board.state == "absent"
    assert board.free_bytes > 0
    assert not board.core_problem


def test_the_command(bundle, server, tmp_path, monkeypatch, capsys):
    pytest.importorskip("typer")
    from nerone import deployment
    from nerone.cli.main import main

    made = []
    monkeypatch.setattr(deployment, "deploy", lambda *words, **options: made.append(options) or bundle)
    monkeypatch.setattr(Bundle, "report", lambda self: {"compilation": {"macs": 1, "on_dpu": 1.0, "layers": []}})
    model = tmp_path / "net.keras"
    model.write_bytes(b"")
    words = ["deploy", str(model), "--preset", "ct-org", "-o", str(tmp_path / "net"), "--remote-python", sys.executable]
    words += ["--to", f"{server.host}:{tmp_path / 'board'}"]

    def options(port):
        return ["--ssh-option", ",".join(server.options(Port=port))]

    with sshd.closed_port() as port:
        assert main([*words, *options(port)]) == 2
    assert "switch it on" in capsys.readouterr().err
    assert made == []
    assert main([*words, *options(server.port), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)["deployment"]
    assert set(done["transferred"]) == NAMES
    assert (tmp_path / "board/net.nerone/model.xmodel").is_file()
