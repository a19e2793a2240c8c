"""The command line as a process: signals, leftovers, memory, output that cannot be written, names in the terminal."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

from nerone import ownership
from nerone.cli.main import main
from nerone.cli.process import memory_option
from nerone.errors import ConfigurationError, printable
from waiting import PATIENT_S, wait_for

RUN = [sys.executable, "-m", "nerone.cli.main"]


def started(words, tmp_path):
    """Start a command with a temporary folder of its own."""
    folder = tmp_path / "tmp"
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*RUN, *map(str, words)], env=environment, text=True, **pipes), folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_removes_uploaded_scans(bundle, volume, tmp_path, number):
    process, folder = started(["live", bundle.path, volume, "--port", 0], tmp_path)
    try:
        url = process.stdout.readline().split()[1]
        request = urllib.request.Request(f"{url}api/upload?name=a.nii.gz", volume.read_bytes(), method="POST")
        with urllib.request.urlopen(request, timeout=PATIENT_S) as answer:
            assert answer.status == 200
        assert [path.name for path in folder.glob("nerone-upload-*/*")] == ["00000.nii.gz"]
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENT_S)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in said
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "streams", "code"),
    [
        ("zoo list", ">&-", 0),
        ("zoo list", ">&- 2>&- <&-", 0),
        ("zoo list", "2>&-", 0),
        ("zoo list", ">/dev/full 2>/dev/full", 2),
        ("run nothing there -o x", "2>&-", 2),
        ("run nothing there -o x", "2>/dev/full", 2),
        ("run nothing there -o x", ">&- 2>/dev/full", 2),
    ],
)
def test_streams_that_are_closed_or_full_leave_the_exit_code(words, streams, code):
    line = f"exec {shlex.join(RUN)} {words} {streams}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=PATIENT_S)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr


# The console script, which sends itself a signal when a module is asked for.
INTERRUPTED_START = """
import os, sys
class Sender:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[2]:
            os.kill(os.getpid(), int(sys.argv[1]))
sys.meta_path.insert(0, Sender())
sys.argv[0] = sys.argv[3]
from nerone.cli.main import main
sys.exit(main(["estimate", "--help"]))
"""
EARLY = ["nerone._core", "nerone.cli", "numpy", "nerone.bundle.checks", "typer", "nerone.cli.run"]


@pytest.mark.parametrize(
    ("number", "module"),
    [*((signal.SIGINT, name) for name in EARLY), (signal.SIGTERM, "numpy"), (signal.SIGHUP, "typer")],
)
def test_a_signal_while_the_command_imports_leaves_no_trace(number, module):
    command = [sys.executable, "-c", INTERRUPTED_START, str(int(number)), module, "/usr/bin/nerone"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENT_S)
    assert (done.returncode, done.stderr, done.stdout) == (130, "nerone: interrupted\n", "")


def test_the_module_as_a_program_starts_as_quietly(tmp_path):
    (tmp_path / "numpy.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([*RUN, "--version"], env=environment, capture_output=True, text=True, timeout=PATIENT_S)
    assert (done.returncode, done.stderr) == (130, "nerone: interrupted\n")


def test_another_program_keeps_its_signals():
    command = [sys.executable, "-c", INTERRUPTED_START, str(int(signal.SIGINT)), "numpy", "/usr/bin/other"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENT_S)
    assert "KeyboardInterrupt" in done.stderr


def test_what_a_killed_process_left_is_swept_at_the_next_start(bundle, volume, tmp_path, monkeypatch):
    process, folder = started(["live", bundle.path, volume, "--port", 0], tmp_path)
    url = process.stdout.readline().split()[1]
    request = urllib.request.Request(f"{url}api/upload?name=a.nii.gz", volume.read_bytes(), method="POST")
    urllib.request.urlopen(request, timeout=PATIENT_S).close()
    process.kill()
    process.communicate()
    assert list(folder.glob("nerone-upload-*"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with ownership.temporary_folder("upload") as mine:
        assert [str(path) for path in folder.iterdir()] == [mine]


def test_a_signal_leaves_no_half_written_mask(bundle, tmp_path):
    """The signal comes while masks are written; what is there is whole, and nothing else is."""
    import nibabel
    import numpy as np

    scans, masks = tmp_path / "scans", tmp_path / "masks"
    scans.mkdir()
    for number in range(60):
        data = np.zeros((20, 14, 24), np.int16)
        nibabel.save(nibabel.Nifti1Image(data, np.diag([1.0, 1, 2, 1])), scans / f"{number:03d}.nii.gz")
    process, _ = started(["run", bundle.path, scans, "-o", masks], tmp_path)
    wait_for(lambda: process.poll() is not None or (masks.is_dir() and any(masks.iterdir())))
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENT_S)
    assert process.returncode in (0, 130), said
    assert [path.name for path in masks.iterdir() if path.name.startswith(".")] == []
    for path in masks.iterdir():
        assert nibabel.load(path).get_fdata().shape == (20, 14, 24)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["estimate", "--help"]])
def test_output_that_cannot_be_written_is_one_sentence(words):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*RUN, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENT_S)
    assert done.returncode == 2, done.stderr
    assert done.stderr == "nerone: the output cannot be written: the disk is full; make room or choose another place\n"


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["run", "--max-memory", "6GB"], "6000000000"),
        (["--max-memory=512MiB", "run"], "536870912"),
        (["run", "--max-memory", "1.5 g"], "1500000000"),
        (["run"], None),
    ],
)
def test_memory(words, value, monkeypatch):
    monkeypatch.delenv("NERONE_MAX_MEMORY", raising=False)
    with memory_option(words) as rest:
        assert rest == ["run"]
        assert os.environ.get("NERONE_MAX_MEMORY") == value
    assert "NERONE_MAX_MEMORY" not in os.environ


@pytest.mark.parametrize("value", ["", "many", "-1", "0", "1e999", "9" * 400])
def test_memory_that_is_no_size(value):
    with pytest.raises(ConfigurationError, match="expected a size"), memory_option(["--max-memory", value]):
        pass


def test_a_name_gives_the_terminal_no_commands(tmp_path, capsys):
    name = "scan\x1b]0;owned\x07\x1b[2J\r.xmodel"
    assert main(["inspect", str(tmp_path / name)]) == 2
    assert printable(name) != name
    assert capsys.readouterr().err.rstrip("\n").isprintable()
