"""Bad input: one clear sentence with the remedy, exit code 2, and no half-written bundle."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.conftest import segmentation_model
from nerone.bundle import bundle as bundle_module
from nerone.cli import main as main_module
from nerone.compilation.export import export_quantized_xir
from nerone.compilation.vendor.arch import read_arch
from nerone.errors import ConfigurationError


def save(path, array):
    np.save(path, array)
    return path


def raw(tmp_path, array):
    return ("--raw-input", save(tmp_path / "in.npy", array), "--raw-output", tmp_path / "out.npy")


@pytest.fixture
def quantized_file(tmp_path):
    return export_quantized_xir(segmentation_model(), tmp_path / "net_int.xmodel")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((1, 16, 15, 1), np.int8), "(1, 16, 15, 1)"),
        (np.zeros((1, 16, 16, 3), np.float32), "(1, 16, 16, 3)"),
        (np.zeros((16,), np.int8), "shape"),
        (np.zeros((0, 16, 16, 1), np.int8), "at least one image"),
        (np.zeros((1, 16, 16, 1), np.float64), "float64"),
        (np.zeros((1, 16, 16, 1), np.uint8), "uint8"),
    ],
)
def test_wrong_arrays(refused, bundle, tmp_path, array, words):
    assert words in refused("run", bundle.path, *raw(tmp_path, array))
    assert not (tmp_path / "out.npy").exists()


def test_arrays_that_are_none(refused, bundle, tmp_path):
    (tmp_path / "in.npy").write_bytes(b"not an array")
    words = ("run", bundle.path, "--raw-input", tmp_path / "in.npy", "--raw-output", tmp_path / "out.npy")
    assert "no .npy array" in refused(*words)
    (tmp_path / "in.npy").unlink()
    assert "there is no array" in refused(*words)
    assert "go together" in refused("run", bundle.path, "--raw-input", tmp_path / "in.npy")


def test_files_that_are_missing(refused, bundle, tmp_path):
    assert "there is no bundle or xmodel" in refused("run", tmp_path / "no.nerone", tmp_path, "-o", tmp_path / "o")
    assert "does not exist" in refused("run", bundle.path, tmp_path / "nowhere", "-o", tmp_path / "o")
    assert "there is no model" in refused("deploy", tmp_path / "no.keras", "-o", tmp_path / "n.nerone")
    assert "there is no file" in refused("inspect", tmp_path / "no.xmodel")
    assert "no output was given" in refused("run", bundle.path, tmp_path)


def test_empty_folders(refused, bundle, quantized_file, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no" in refused("run", bundle.path, empty, "-o", tmp_path / "o")
    assert "holds no" in refused("evaluate", bundle.path, "--data", empty)
    said = refused("deploy", quantized_file, "--calibration", empty, "--preset", "ct-org", "-o", tmp_path / "n.nerone")
    assert "holds no" in said
    assert not (tmp_path / "n.nerone").exists()


def test_unreadable_pictures_and_volumes(refused, run, bundle, volume, tmp_path):
    (volume.parent / "broken.png").write_bytes(b"\x89PNG not really")
    assert "broken.png" in refused("run", bundle.path, volume.parent, "-o", tmp_path / "o")
    code, out, _ = run("run", bundle.path, volume.parent, "-o", tmp_path / "o", "--skip-bad")
    assert code == 0
    assert "left out" in out
    volume.write_bytes(volume.read_bytes()[:200])
    assert "volume-7.nii.gz" in refused("run", bundle.path, volume, "-o", tmp_path / "o")
    (tmp_path / "text.txt").write_text("hello")
    assert "text.txt" in refused("run", bundle.path, tmp_path / "text.txt", "-o", tmp_path / "o")


def test_a_run_that_leaves_everything_out_fails(refused, bundle, volume, tmp_path):
    whole = volume.read_bytes()
    for cut in (8, 200):  # the check sum, and voxels
        volume.write_bytes(whole[:-cut])
        for words in (["run", bundle.path, volume, "-o", tmp_path / "o"], ["evaluate", bundle.path, "--data", volume]):
            assert "volume-7.nii.gz" in refused(*words, "--skip-bad")
        assert "volume-7.nii.gz" in refused("evaluate", bundle.path, "--data", volume, "--paths", "--skip-bad")
    assert not (tmp_path / "o").exists() or list((tmp_path / "o").iterdir()) == []


def test_what_is_read_is_not_written_over(refused, bundle, quantized_file, volume, tmp_path):
    array = tmp_path / "in.npy"
    np.save(array, np.zeros((1, 16, 16, 1), np.int8))
    for file, words in (
        (volume, ["run", bundle.path, volume, "-o", volume]),
        (array, ["run", bundle.path, "--raw-input", array, "--raw-output", array]),
        (quantized_file, ["compile", quantized_file, "-o", quantized_file]),
    ):
        before = file.read_bytes()
        assert "written over" in refused(*words)
        assert file.read_bytes() == before


def test_paths_and_settings_that_no_system_takes(refused, bundle, tmp_path):
    assert "too long" in refused("run", bundle.path, "a" * 5000, "-o", tmp_path / "o")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 5000)
    assert "is no TOML" in refused(
        "run", bundle.path, tmp_path, "-o", tmp_path / "o", "--config", tmp_path / "deep.toml"
    )


def test_a_picture_with_other_channels(refused, bundle, tmp_path):
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "rgb.png")
    assert "3 channels" in refused("run", bundle.path, tmp_path / "rgb.png", "-o", tmp_path / "o")


def test_unknown_names(refused, quantized_file, bundle, tmp_path):
    words = ("deploy", quantized_file, "-o", tmp_path / "n.nerone")
    assert "did you mean" in refused(*words, "--preset", "ct-orgg")
    assert "did you mean 'kv260'" in refused(*words, "--preset", "ct-org", "--board", "kv26")
    assert "did you mean 'zcu104'" in refused("compile", quantized_file, "--board", "zcu", "-o", tmp_path / "n.xmodel")
    assert "Vitis AI 7" in refused(*words, "--preset", "ct-org", "--vitis-ai", "7")
    assert "No such option" in refused("run", bundle.path, "--colour", "red")
    assert "No such command" in refused("deplyo", "x")
    assert not (tmp_path / "n.nerone").exists()


def test_a_preset_of_another_network(refused, quantized_file, tmp_path):
    words = ("deploy", quantized_file, "-o", tmp_path / "n.nerone")
    assert "3 classes" in refused(*words, "--preset", "ct-org")
    assert "neither a preset nor" in refused(*words)
    assert "the network expects (16, 16, 1)" in refused(*words, "--preset", "paper-bccd", "--classes", "a,b,c")
    assert not (tmp_path / "n.nerone").exists()


def test_models_that_are_none(refused, volume, tmp_path):
    for name in ("a.h5", "a.keras", "a.xmodel", "a.txt"):
        (tmp_path / name).write_bytes(b"garbage" * 100)
        verb = ("inspect", tmp_path / name) if name == "a.xmodel" else None
        given = ("--preset", "ct-org", "--calibration", volume, "-o", tmp_path / "n.nerone")
        said = refused(*(verb or ("deploy", tmp_path / name, *given)))
        assert name in said or "xmodel" in said


def test_a_compiled_model_is_not_compiled_again(refused, bundle, tmp_path):
    said = refused("compile", bundle.host_model_path, "-o", tmp_path / "n.xmodel")
    assert "compiled already" in said


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "permission denied")])
def test_a_disk_that_refuses(refused, monkeypatch, quantized_file, bundle, volume, tmp_path, number, words):
    def fail(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(bundle_module.shutil, "copyfile", fail)
    target = tmp_path / "n.nerone"
    said = refused("deploy", quantized_file, "--preset", "paper-prostate", "-o", target)
    assert words in said
    assert not target.exists()
    assert not list(tmp_path.glob(".*"))
    monkeypatch.setattr("nerone.runtime.prediction.results.MaskStream", fail)
    assert words in refused("run", bundle.path, volume, "-o", tmp_path / "o")


def limited(size):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize("size", [0, 1500, 2500])
def test_a_file_system_that_fills_up(quantized_file, tmp_path, size):
    """Real writes that fail, wherever the limit strikes: the compiler's file, the bundle's, the report."""
    target = tmp_path / "n.nerone"
    words = ["deploy", str(quantized_file), "--preset", "paper-prostate", "-o", str(target)]
    done = subprocess.run(
        [sys.executable, "-m", "nerone.cli.main", *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=limited(size),
    )
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "cannot write" in lines[0] or "cannot be written" in lines[0]
    assert not target.exists()
    assert not list(tmp_path.glob(".*"))


def test_a_mask_that_cannot_be_finished_leaves_the_old_one(bundle, volume, tmp_path):
    """A file system that takes nothing more while a mask is written over an older one."""
    target = tmp_path / "o" / "mask.nii.gz"
    target.parent.mkdir()
    target.write_bytes(b"an older mask")
    done = subprocess.run(
        [sys.executable, "-m", "nerone.cli.main", "run", str(bundle.path), str(volume), "-o", str(target)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=limited(50),
    )
    assert done.returncode == 2, done.stderr
    assert "the disk is full" in done.stderr
    assert [path.name for path in target.parent.iterdir()] == ["mask.nii.gz"]
    assert target.read_bytes() == b"an older mask"


def test_missing_packages_are_named(refused, monkeypatch, bundle, volume, tmp_path):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    assert "pip install 'nerone[data]'" in refused("run", bundle.path, volume, "-o", tmp_path / "o")
    monkeypatch.setitem(sys.modules, "typer", None)
    assert "pip install 'nerone[cli]'" in refused("inspect", bundle.path)


def test_interruption(monkeypatch, capsys, bundle, volume, tmp_path):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("nerone.runtime.prediction.results.MaskStream", interrupt)
    assert main_module.main(["run", str(bundle.path), str(volume), "-o", str(tmp_path / "o")]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "nerone: interrupted"


def test_debug_shows_the_trace(bundle, tmp_path):
    with pytest.raises(Exception, match="does not exist"):
        main_module.main(["run", str(bundle.path), str(tmp_path / "no"), "-o", "x", "--debug"])


def test_a_bug_is_told_as_one_line_too(refused, monkeypatch, bundle):
    def fail(*arguments, **options):
        raise RuntimeError("unexpected")

    monkeypatch.setattr("nerone.deployment.description.describe", fail)
    assert "RuntimeError: unexpected" in refused("inspect", bundle.path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("zoo",), "No command was named. See 'nerone zoo --help'."),
        (("zoo", "get"), "See 'nerone zoo get --help'."),
        (("zoo", "list", "more"), "See 'nerone zoo list --help'."),
        (("preprocessing", "show", "--nothing"), "See 'nerone preprocessing show --help'."),
        (("preprocessing", "check"), "See 'nerone preprocessing check --help'."),
        (("preprocessing", "check", "x.png"), "give either a bundle, --preset or --preprocessing"),
        (("run", "--nothing"), "See 'nerone run --help'."),
    ],
)
def test_words_that_no_command_has_name_the_help_of_the_one_that_was_meant(refused, words, said):
    assert said in refused(*words)


@pytest.mark.parametrize("seconds", ["nan", "-1", "inf", "1e30"])
def test_a_time_that_is_none(refused, bundle, volume, tmp_path, seconds):
    node = ("node", bundle.path, "--to", "A@127.0.0.1:1", "--spool", tmp_path / "spool", "--port", 0)
    for words in (("live", bundle.path, volume, "--port", 0), ("serve", bundle.path, "--port", 0), node):
        assert f"--seconds is {float(seconds)!r}; expected" in refused(*words, "--seconds", seconds)


def test_a_file_where_a_folder_should_be(refused, bundle, volume, tmp_path, quantized_file):
    place = save_picture(tmp_path / "file.png")
    steps = ("--preset", "grey-0-1")
    for words in (
        ("zoo", "get", "bccd", "-o", place / "bccd.keras"),
        ("preprocessing", "check", place, *steps, "--output", place / "seen.png"),
        ("run", bundle.path, volume, "-o", place),
        ("deploy", bundle.host_model_path, *steps, "--classes", "a,b,c", "-o", place / "net.nerone"),
        ("compile", quantized_file, "-o", place / "net.xmodel"),
    ):
        said = refused(*words)
        assert "a file is where a folder should be" in said or f"there is no folder '{place}'" in said, (words, said)
        assert "NERONE's" not in said
    assert place.is_file()


def save_picture(path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    return path


def test_numbers_of_the_other_commands(refused, bundle, volume, quantized_file, tmp_path):
    deploying = ("deploy", quantized_file, "--preset", "paper-prostate", "-o", tmp_path / "n.nerone")
    assert "seed is -1; expected" in refused(*deploying, "--seed", "-1")
    for name, value in (("runs", "0"), ("runs", "99999999"), ("seconds", "1e-300"), ("seconds", "inf")):
        assert f"{name} is {float(value) if name == 'seconds' else value}; expected" in refused(
            "bench", bundle.path, volume, f"--{name}", value
        )
    assert "seconds is inf; expected" in refused("profile", bundle.path, "--seconds", "inf")
    assert "grace in seconds is nan" in refused("serve", bundle.path, "--grace", "nan")
    for name, value in (("images", "0"), ("seed", "-1")):
        assert f"{name} is {value}; expected" in refused("verify", quantized_file, f"--{name}", value)
    reproducing = ("reproduce", "table1", "-o", tmp_path / "r")
    assert "runs is 0; expected" in refused(*reproducing, "--runs", "0")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_a_file_without_an_end_is_refused(refused, bundle, quantized_file, tmp_path):
    zero, target = Path("/dev/zero"), tmp_path / "n.nerone"
    assert "/dev/zero" in refused("deploy", quantized_file, "--preprocessing", zero, "-o", target)
    assert "File too large" in refused("serve", bundle.path, "--config", zero, "--port", 0)
    (tmp_path / "arch.json").symlink_to(zero)
    with pytest.raises(ConfigurationError, match="File too large"):
        read_arch(tmp_path / "arch.json")
    (bundle.path / "bundle.json").unlink()
    (bundle.path / "bundle.json").symlink_to(zero)
    assert "bundle.json" in refused("run", bundle.path, "--raw-input", "x.npy", "--raw-output", "y.npy")
