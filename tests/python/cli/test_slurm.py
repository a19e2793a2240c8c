"""deploy/slurm-run.sh as Slurm's tasks start it; there is no cluster here, its variables are set by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data.files import write_nifti

SCRIPT = Path(__file__).resolve().parents[3] / "deploy/slurm-run.sh"


@pytest.fixture
def task(tmp_path):
    """Start a task: (exit code, stderr)."""
    program = tmp_path / "bin" / "nerone"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nfrom nerone.cli.main import main\nsys.exit(main())\n")
    program.chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}

    def start(*words, **variables):
        told = {f"SLURM_{name}": str(value) for name, value in variables.items()}
        path = f"{program.parent}:{inherited['PATH']}"
        done = subprocess.run(
            [SCRIPT, *map(str, words)], env={**inherited, **told, "PATH": path}, capture_output=True, text=True
        )
        return done.returncode, done.stderr

    return start


def masks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.nii.gz")}


def test_the_tasks_of_an_array_make_one_run(task, run, bundle, tmp_path):
    for number in range(5):
        values = np.random.default_rng(number).integers(-700, 1200, (20, 14, 3)).astype(np.int16)
        write_nifti(tmp_path / "scans" / f"scan-{number}.nii.gz", values, np.diag([-0.8, -0.9, 2.5, 1.0]))
    assert run("run", bundle.path, tmp_path / "scans", "-o", tmp_path / "one")[0] == 0
    for number in (1, 2):
        words = (bundle.path, tmp_path / "scans", tmp_path / "array")
        code, error = task(*words, ARRAY_TASK_ID=number, ARRAY_TASK_COUNT=2, ARRAY_TASK_MIN=1, ARRAY_TASK_MAX=2)
        assert code == 0, error
    assert masks(tmp_path / "array") == masks(tmp_path / "one")
    assert len(masks(tmp_path / "array")) == 5


def test_arrays_that_would_leave_parts_out_are_refused(task):
    assert "usage" in task("a", ARRAY_TASK_ID=1, ARRAY_TASK_COUNT=2)[1]
    assert "--array" in task("a", "b", "c")[1]
    code, error = task("a", "b", "c", ARRAY_TASK_ID=4, ARRAY_TASK_COUNT=2, ARRAY_TASK_MIN=3, ARRAY_TASK_MAX=4)
    assert code == 2
    assert "without gaps" in error


def test_the_script_is_clean():
    shellcheck = shutil.which("shellcheck") or shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    if shellcheck is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([shellcheck, SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
