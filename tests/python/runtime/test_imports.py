"""Importing nerone: light, and beside TensorFlow in any order."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import nerone


def _python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout


LOADED = """
import sys
names = set(sys.modules)
print(*sorted({name.split(".")[0] for name in names} - set(sys.stdlib_module_names)))
print(*sorted({".".join(name.split(".")[:2]) for name in names if name.startswith("nerone.")}))
"""


def _loaded_by(code: str) -> tuple[set[str], set[str]]:
    """Return the packages, and NERONE's own parts, that some code loads."""
    before = _python(LOADED).splitlines()[0]
    packages, parts = _python(code + LOADED).splitlines()[-2:]
    return set(packages.split()) - set(before.split()), set(parts.split())


def test_the_runtime_needs_numpy_only() -> None:
    assert _loaded_by("import nerone")[0] <= {"nerone", "numpy"}
    packages, parts = _loaded_by("from nerone import Bundle, Model, Pipeline")
    assert packages <= {"nerone", "numpy"}
    assert parts <= {
        "nerone._core",
        "nerone.backends",
        "nerone.bundle",
        "nerone.compat",
        "nerone.errors",
        "nerone.files",
        "nerone.ownership",
        "nerone.runtime",
        "nerone.starting",
    }


def test_help_and_the_viewer_do_not_wait_for_the_compiler() -> None:
    heavy = {"nerone.graph", "nerone.quantization", "nerone.zoo"}
    assert not _loaded_by("from nerone.cli.main import main; main(['--help'])")[1] & (heavy | {"nerone.compilation"})
    assert not _loaded_by("import nerone.live.view")[1] & heavy


def test_public_names() -> None:
    assert set(nerone.__all__) <= set(dir(nerone))
    assert nerone.Model is nerone.runtime.Model
    for name in ("Bundle", "Model", "TensorInfo", "compile", "deploy", "evaluate", "quantize"):
        assert callable(getattr(nerone, name)), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = nerone.nothing


def test_dlopen_flags_are_as_before() -> None:
    assert (
        _python("import sys; a = sys.getdlopenflags(); import nerone; print(sys.getdlopenflags() == a)").strip()
        == "True"
    )


STEPS = """
import sys
import numpy as np

def nerone_runs():
    import nerone
    with nerone.Model.load(sys.argv[2]) as model:
        assert (model.run(np.full((1, 2, 2, 1), 3, np.int8)) == 6).all()

def tensorflow_runs():
    import tensorflow as tf
    layer = tf.keras.layers.Conv2D(4, 3, kernel_initializer="ones")
    assert layer(np.ones((1, 5, 5, 2), np.float32)).numpy().max() == 18.0

steps = {"N": lambda: __import__("nerone"), "n": nerone_runs}
steps |= {"T": lambda: __import__("tensorflow"), "t": tensorflow_runs}
for step in sys.argv[1]:
    steps[step]()
print("done")
"""


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed")
@pytest.mark.parametrize("order", ["TNtn", "NTnt", "ntn", "tnt"])
def test_beside_tensorflow_in_any_order(order: str, tiny_xmodel: Path) -> None:
    """N, T: import nerone, TensorFlow; n, t: import where needed and run."""
    assert _python(STEPS, order, str(tiny_xmodel)).strip() == "done"


def test_stub_matches_the_core() -> None:
    """mypy.stubtest; pybind11's metaclass and its classes without constructors are known differences."""
    pytest.importorskip("mypy")
    allowed = Path(__file__).with_name("stubtest_allowlist.txt")
    command = [sys.executable, "-m", "mypy.stubtest", "nerone._core", "--allowlist", str(allowed)]
    command += ["--ignore-unused-allowlist", "--ignore-disjoint-bases"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
