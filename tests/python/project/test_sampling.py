"""A sample of the suite: one passing test per folder, failures still fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = "from sampling import pytest_addoption, pytest_runtest_logreport, pytest_runtestloop\n"
TESTS = """
import pytest
@pytest.fixture(scope="module")
def folder_of_module(tmp_path_factory):
    yield 1
def test_skips(): pytest.skip("not here")
def test_first(folder_of_module): pass
def test_second(folder_of_module): raise AssertionError("runs although the first passed")
"""


@pytest.mark.parametrize(("broken", "line"), [(False, "2 passed, 2 skipped"), (True, "1 failed, 2 passed, 1 skipped")])
def test_one_test_per_folder(tmp_path: Path, broken: bool, line: str) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "test_it.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    if broken:
        (tmp_path / "two/test_it.py").write_text(TESTS.replace('pytest.skip("not here")', "assert False"))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--import-mode=importlib", "--one-per-folder"]
    ran = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(tmp_path)],
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[1]), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert line in ran.stdout, ran.stdout + ran.stderr
    assert ran.returncode == int(broken)
