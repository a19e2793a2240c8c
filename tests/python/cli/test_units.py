"""The systemd units of deploy/ are units, and their commands are commands of ours."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).resolve().parents[3] / "deploy").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong(unit, tmp_path):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    # The program that a unit starts has to exist.
    checked = tmp_path / unit.name
    checked.write_text(unit.read_text().replace("/usr/local/bin/nerone", sys.executable))
    done = subprocess.run([program, "verify", str(checked)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_its_command_is_one_of_ours(unit, refused, monkeypatch, tmp_path):
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    words = shlex.split(line.removeprefix("ExecStart="))
    assert words[0].endswith("/nerone")
    # Of this machine's files it finds none: whatever else it says, it knows its options.
    error = refused(*(word.replace("/var/lib", str(tmp_path)).replace("/etc", str(tmp_path)) for word in words[1:]))
    assert "there is no bundle" in error or "cannot be read" in error


def test_there_is_one_for_each_server():
    assert [unit.name for unit in UNITS] == ["nerone-node.service", "nerone-serve.service"]
