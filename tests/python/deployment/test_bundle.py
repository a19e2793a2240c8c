"""The bundle: what goes in comes out, damage is told in one line, nothing half-written stays."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil

import pytest

from nerone.bundle import bundle as bundle_module
from nerone.bundle import replacing
from nerone.bundle.bundle import Bundle
from nerone.bundle.declaration import OutputDeclaration, TensorDeclaration
from nerone.errors import ConfigurationError, Error
from nerone.runtime.preprocessing import Channels, Preprocessing, Resize, Window

PREPROCESSING = Preprocessing((Channels(1), Resize(8, 8), Window(-500, 1000)))
OUTPUT = OutputDeclaration("segmentation", ("background", "liver"), ((0, 0, 0), (213, 94, 0)), (0, 1))


def make(folder, name="net.nerone", content=b"xmodel", **changes):
    xmodel = folder / "source.xmodel"
    xmodel.write_bytes(content)
    arguments = {
        "xmodel": xmodel,
        "preprocessing": PREPROCESSING,
        "input": TensorDeclaration("x", (1, 8, 8, 1), 6),
        "output_tensor": TensorDeclaration("y", (1, 8, 8, 2), None),
        "output": OUTPUT,
        "preset": "ct-org",
        "report": {"snr_db": float("inf"), "rows": [1, 2]},
    }
    return Bundle.create(folder / name, **{**arguments, **changes})


def test_round_trip(tmp_path):
    made = make(tmp_path, fingerprint=0x1000020F6014407, board="zcu104")
    read = Bundle.open(tmp_path / "net")
    assert read == made
    assert read.preprocessing == PREPROCESSING
    assert read.output == OUTPUT
    assert read.input.fix_point == 6
    assert read.fingerprint == 0x1000020F6014407
    assert read.report() == {"snr_db": None, "rows": [1, 2]}
    assert read.host_model_path.read_bytes() == b"xmodel"
    assert read.board_model_path is None
    assert sorted(path.name for path in read.path.iterdir()) == ["bundle.json", "model.xmodel", "report.json"]


def test_a_board_bundle_carries_both_models(tmp_path):
    board = tmp_path / "board.xmodel"
    board.write_bytes(b"for the board")
    made = make(tmp_path, board="kv260", board_xmodel=board)
    assert made.board_model_path.read_bytes() == b"for the board"
    assert made.host_model_path.read_bytes() == b"xmodel"


def test_replaces_a_bundle_and_nothing_else(tmp_path):
    make(tmp_path)
    assert make(tmp_path, content=b"newer").host_model_path.read_bytes() == b"newer"
    other = tmp_path / "mine.nerone"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigurationError, match="is no bundle"):
        make(tmp_path, "mine.nerone")
    assert (other / "thesis.txt").read_text() == "years of work"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "permission denied"), (errno.EIO, "another")]
)
def test_a_failed_write_leaves_the_old_bundle(tmp_path, monkeypatch, number, words):
    make(tmp_path)

    def fail(source, target):
        target.write_bytes(b"half")
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(bundle_module.shutil, "copyfile", fail)
    with pytest.raises(ConfigurationError, match=words) as caught:
        make(tmp_path, content=b"newer")
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert Bundle.open(tmp_path / "net.nerone").host_model_path.read_bytes() == b"xmodel"
    assert not list(tmp_path.glob(".*"))


def test_a_failed_rename_brings_the_old_bundle_back(tmp_path, monkeypatch):
    make(tmp_path)
    real = bundle_module.Path.rename

    def rename(self, target):
        if self.name.endswith(".partial"):
            raise OSError(errno.EIO, "broken disk")
        return real(self, target)

    monkeypatch.setattr(replacing, "_exchange", lambda first, second: False)
    monkeypatch.setattr(bundle_module.Path, "rename", rename)
    with pytest.raises(ConfigurationError, match="broken disk"):
        make(tmp_path, content=b"newer")
    monkeypatch.undo()
    assert Bundle.open(tmp_path / "net.nerone").host_model_path.read_bytes() == b"xmodel"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"output_tensor": TensorDeclaration("y", (1, 8, 8, 3), None)}, "3 classes"),
        ({"input": TensorDeclaration("x", (1, 16, 16, 1), 6)}, "the preprocessing gives images of shape"),
        ({"input": TensorDeclaration("x", (1, 8, 8, 3), 6)}, "the preprocessing gives images of shape"),
        ({"input": TensorDeclaration("x", (1, 64), 6)}, "takes images"),
        ({"xmodel": "nowhere.xmodel"}, "no model file"),
    ],
)
def test_refuses_parts_that_do_not_fit(tmp_path, changes, words):
    with pytest.raises(ConfigurationError, match=words):
        make(tmp_path, **changes)
    assert not (tmp_path / "net.nerone").exists()


def edited(**changes):
    def damage(folder):
        path = folder / "bundle.json"
        values = json.loads(path.read_text())
        for key, value in changes.items():
            *parents, last = key.split("__")
            place = values
            for parent in parents:
                place = place[parent]
            if value is ...:
                del place[last]
            else:
                place[last] = value
        path.write_text(json.dumps(values))

    return damage


def written(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def removed(name):
    return lambda folder: (folder / name).unlink()


def replaced_by_file(folder):
    shutil.rmtree(folder)
    folder.write_text("not a folder")


BAD_BUNDLES = {
    "missing": (shutil.rmtree, "there is no bundle"),
    "file": (replaced_by_file, "is a file"),
    "no manifest": (removed("bundle.json"), "it has no bundle.json"),
    "manifest not UTF-8": (written("bundle.json", b"\xff\xfe\x00{"), "not UTF-8"),
    "manifest not JSON": (written("bundle.json", b'{"schema": 1,'), "not valid JSON"),
    "manifest a list": (written("bundle.json", b"[1, 2]"), "expected an object"),
    "manifest deeply nested": (written("bundle.json", b"[" * 200_000), "not valid JSON"),
    "manifest with NaN": (written("bundle.json", b'{"schema": NaN}'), "not valid JSON"),
    "newer schema": (edited(schema=99), "schema 99"),
    "schema a bool": (edited(schema=True), "'schema' is True"),
    "no name": (edited(name=...), "'name' is missing"),
    "board a number": (edited(board=7), "'board' is 7"),
    "unknown step": (edited(preprocessing__steps=[{"kind": "magic"}]), "preprocessing"),
    "negative size": (edited(input__shape=[1, -8, 8, 1]), "'shape'"),
    "fix point of 99": (edited(input__fix_point=99), "'fix_point' is 99"),
    "fix point a string": (edited(input__fix_point="6"), "'fix_point' is '6'"),
    "one colour short": (edited(output__colours=[[0, 0, 0]]), "colours"),
    "colour out of range": (edited(output__colours=[[0, 0, 0], [0, 0, 300]]), "'colours'"),
    "unknown output": (edited(output__kind="poem"), "'kind' is 'poem'"),
    "classes do not fit": (edited(output_tensor__shape=[1, 8, 8, 7]), "7 classes"),
    "input does not fit": (edited(input__shape=[1, 32, 32, 1]), "the preprocessing gives"),
    "fingerprint no number": (edited(fingerprint="0xzz"), "'fingerprint'"),
    "no model": (removed("model.xmodel"), "is missing"),
    "no report": (removed("report.json"), "is missing"),
    "model changed": (written("model.xmodel", b"xmodeL"), "does not fit its checksum"),
    "model cut short": (written("model.xmodel", b""), "does not fit its checksum"),
    "no checksum": (edited(**{"checksums__model.xmodel": ...}), "no checksum"),
    "file outside": (edited(checksums={"../../etc/passwd": "0"}), "outside of itself"),
    "board model outside": (edited(board_model="../source.xmodel"), "outside of itself"),
}


@pytest.mark.parametrize("name", BAD_BUNDLES)
def test_bad_bundles_are_told_in_one_line(tmp_path, name):
    damage, words = BAD_BUNDLES[name]
    folder = make(tmp_path).path
    damage(folder)
    with pytest.raises(Error, match=words) as caught:
        Bundle.open(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_checksum_is_sha256(tmp_path):
    made = make(tmp_path)
    assert made.checksums["model.xmodel"] == hashlib.sha256(b"xmodel").hexdigest()
