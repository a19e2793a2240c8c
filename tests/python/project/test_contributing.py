"""The table of CONTRIBUTING.md names every file that an addition touches: one of each kind is added by it alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nerone import _core
from nerone.runtime.preprocessing.steps import STEPS

ROOT = Path(__file__).resolve().parents[3]
ROWS = {
    cells[0].strip(): re.findall(r"`([\w/.]+/[\w/.]+)`", cells[1])
    for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines()
    if line.startswith("| a ") and len(cells := line.strip("|").split("|")) == 2
}
# Python finds the copy first, and the built core beside the sources' own.
START = """
import importlib.util, sys
copy, core = sys.argv[1:3]
places = [copy + "/nerone", core]
spec = importlib.util.spec_from_file_location("nerone", places[0] + "/__init__.py", submodule_search_locations=places)
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in type(finder).__module__]
sys.modules["nerone"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""


class Stranger:
    """Works on a copy of the package and touches what one row names."""

    def __init__(self, folder: Path, row: str) -> None:
        self.folder, self.names = folder, ROWS[row]
        shutil.copytree(ROOT / "python/nerone", folder / "nerone", ignore=shutil.ignore_patterns("__pycache__"))

    def edit(self, name: str, old: str, new: str) -> None:
        """Put ``new`` before ``old``."""
        assert name in self.names, f"the table does not name {name}"
        path = self.folder / Path(name).relative_to("python")
        text = path.read_text()
        assert text.count(old) == 1, f"'{old}' stands {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new + old))

    def add(self, folder: str, file: str, text: str) -> None:
        """Write a new file."""
        assert folder in self.names, f"the table does not name {folder}"
        (self.folder / Path(folder).relative_to("python") / file).write_text(text)

    def run(self, code: str) -> str:
        """Return what Python code prints, with the copy in the place of nerone."""
        words = [sys.executable, "-c", START + code, str(self.folder), str(Path(_core.__file__).parent)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout


@pytest.mark.parametrize("row", ROWS)
def test_every_named_path_exists(row: str) -> None:
    assert ROWS[row]
    for name in ROWS[row]:
        assert (ROOT / name).exists(), f"CONTRIBUTING.md names {name} for {row}"


def test_a_board(tmp_path: Path) -> None:
    stranger = Stranger(tmp_path, "a board")
    stranger.edit(
        "python/nerone/dpu/boards.py",
        '            Board(\n                "zcu104",',
        '            Board("kr260", "KR260", {"3.0": DPUS["B4096"]}, 1, 300.0, 4.0, 19.2, "3.0", {"3.0": 0x123}),\n',
    )
    said = stranger.run("""
from nerone.cli.main import main
from nerone.compilation.estimate import estimate_graph
from nerone.compilation.vendor.arch import arch_for
from nerone.dpu.boards import find_board
from nerone.dpu.fingerprints import boards_of_fingerprint
print(find_board("KR-260").title, boards_of_fingerprint(0x123), arch_for(find_board("kr260"), None, None).text())
main(["compile", "--help"])
main(["bench", "--help"])
""")
    assert "KR260 (('kr260', '3.0'),) {\"fingerprint\": \"0x123\"}" in said
    assert "kr260-sim" in said
    assert said.count("kr260") >= 3  # in the pairs, in the help of compile and in that of bench


def test_a_command(tmp_path: Path) -> None:
    stranger = Stranger(tmp_path, "a command")
    text = '''"""nerone greet NAME."""

from __future__ import annotations

from typing import Any

__all__ = ["register"]


def register(application: Any) -> None:
    """Add the verb."""

    @application.command()
    def greet(name: str) -> None:
        """Say good day."""
        print(f"good day, {name}")
'''
    stranger.add("python/nerone/cli", "greet.py", text)
    said = stranger.run('from nerone.cli.main import main\nmain(["greet", "board"])\nmain(["--help"])')
    assert said.startswith("good day, board\n")
    assert "Say good day." in said


def test_a_preprocessing_step(tmp_path: Path) -> None:
    stranger = Stranger(tmp_path, "a preprocessing step")
    steps = "python/nerone/runtime/preprocessing/steps.py"
    text = '''@dataclass(frozen=True)
class Invert(Step):
    """limit - value."""

    kind: ClassVar[str] = "invert"
    limit: float = 255.0


'''
    stranger.edit(steps, "STEPS: dict", text)
    stranger.edit(steps, "Percentile, Resample, Resize, ScaleOffset, Window, ZScore)\n}", "Invert, ")
    numpy_steps = "python/nerone/runtime/preprocessing/numpy_steps.py"
    stranger.edit(
        numpy_steps,
        "    if isinstance(step, ScaleOffset):",
        '    if step.kind == "invert":\n        return np.float32(step.limit) - values\n',
    )
    said = stranger.run("""
import numpy as np
from nerone.runtime.preprocessing import Channels, Preprocessing
from nerone.runtime.preprocessing.numpy_steps import apply
steps = Preprocessing.from_dict({**Preprocessing((Channels(1),)).to_dict(), "steps": [
    {"step": "channels", "count": 1}, {"step": "invert", "limit": 9.0}]})
print(steps.to_dict()["steps"][1], apply(steps, np.full((1, 1), 2, np.uint8)).ravel())
""")
    assert said == "{'step': 'invert', 'limit': 9.0} [7.]\n"


def test_steps_are_in_the_files_of_cpp_that_the_table_names() -> None:
    names = ROWS["a preprocessing step"]
    for kind, step in STEPS.items():
        for name in names:
            if name.endswith((".cpp", ".hpp")) and "plan" not in name:
                assert re.search(rf'"{kind}"|\b{step.__name__}\b', (ROOT / name).read_text()), f"{name}: {kind}"


def test_a_cpu_op(tmp_path: Path) -> None:
    """The C++ side has an `exp` that no layer of Keras leads to yet."""
    pytest.importorskip("keras", reason="TensorFlow is not installed")
    stranger = Stranger(tmp_path, "a CPU op")
    stranger.edit("python/nerone/graph/graph.py", '    SOFTMAX = "softmax"', '    EXPONENTIAL = "exponential"\n')
    stranger.edit(
        "python/nerone/graph/layers_activation.py", '    "softmax": Op.SOFTMAX,', '    "exponential": Op.EXPONENTIAL,\n'
    )
    stranger.edit(
        "python/nerone/quantization/tf_ops.py",
        "    Op.TANH: lambda",
        "    Op.EXPONENTIAL: lambda tf, node, inputs, weights: tf.exp(inputs[0]),\n",
    )
    stranger.edit(
        "python/nerone/dpu/ops.py", '        Op.TANH: "the DPU', '        Op.EXPONENTIAL: "the DPU has no exp",\n'
    )
    stranger.edit("python/nerone/compilation/lowering/real.py", '    Op.TANH: "tanh",', '    Op.EXPONENTIAL: "exp",\n')
    said = stranger.run(f"""
import keras, numpy as np
import nerone
from nerone.quantization import quantize
keras.utils.set_random_seed(1)
image = keras.Input((8, 8, 2))
wide = keras.layers.Conv2D(4, 3, padding="same")(image)
network = keras.Model(image, keras.layers.Activation("exponential", name="bend")(wide))
images = np.random.default_rng(0).normal(0, 0.3, (8, 8, 8, 2)).astype(np.float32)
compiled = nerone.compile(quantize(network, images), output={str(tmp_path / "net.xmodel")!r})
row = [row for row in compiled.report["layers"] if row["layer"] == "bend"][0]
with nerone.Model.load(compiled.path) as model:
    error = np.abs(np.asarray(model.run(images[:1])) - network(images[:1]).numpy()).max()
print(row["device"], row["reason"], bool(error < 0.2))
""")
    assert said.splitlines()[-1] == "CPU the DPU has no exp True"
