"""Every command and every Python example of the README and the documentation runs as it is written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", *PAGES]


def blocks(document: Path, language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", document.read_text(), re.M | re.S)
    return ["\n".join(line[len(indent) :] for line in body.splitlines()) for indent, body in found]


# What examples of the documents import beside what the tests need.
OPTIONAL = ("torch", "monai")

# Of commands that run until Ctrl-C or for minutes the tests need a moment.
SHORTER = {
    "live": "--port 0 --seconds 1",
    "serve": "--port 0 --seconds 1",
    "node": "--port 0 --seconds 0.1",
    "bench": "--runs 1 --seconds 0.1",
    "deploy": "--images 6",
    "compile": "--images 6",
}


def shortened(words: list[str]) -> list[str]:
    """Return a command as the test runs it; the last of an option given twice counts."""
    extra = SHORTER.get(words[0], "")
    return words + shlex.split(extra) if words[0] != "deploy" or "--calibration" in words else words


def commands(document: Path) -> list[str]:
    lines = [line for block in blocks(document, "sh") for line in block.splitlines()]
    return [line.split(" #")[0].strip() for line in lines if line.strip()]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the documents speak of: a trained model, scans, the demo's bundle."""
    keras = pytest.importorskip("keras", reason="TensorFlow is not installed")
    from nerone.cli.main import main
    from nerone.data.blood_phantoms import write_blood_phantoms
    from nerone.data.phantoms import write_ct_phantoms

    folder = tmp_path_factory.mktemp("documents")
    # quantization.md allows half a point; with other weights int8 of this untrained network loses more now and then.
    keras.utils.set_random_seed(5)
    image = keras.Input((256, 256, 1), name="image")
    x = keras.layers.Conv2D(4, 3, strides=4, padding="same", activation="relu")(image)
    x = keras.layers.UpSampling2D(4)(x)
    x = keras.layers.Conv2D(6, 3, padding="same")(x)
    keras.Model(image, keras.layers.Softmax()(x)).save(folder / "unet.keras")
    photograph = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(photograph))
    keras.Model(photograph, keras.layers.Dense(2, activation="softmax")(x)).save(folder / "classifier.keras")
    write_ct_phantoms(folder / "scans", count=2, slices=4)
    write_blood_phantoms(folder / "pictures", count=2, height=48, width=64)
    (folder / "demo-output").mkdir()
    deploy = f"deploy {folder}/unet.keras --calibration {folder}/scans --preset ct-org --images 4 -o"
    assert main([*shlex.split(deploy), str(folder / "demo-output/unet.nerone")]) == 0
    assert main([*shlex.split(deploy), str(folder / "unet.nerone")]) == 0
    return folder


def test_there_are_documents() -> None:
    assert len(PAGES) >= 7
    assert commands(ROOT / "README.md")[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_commands_run(document: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nerone.cli.main import main

    monkeypatch.chdir(prepared)
    for command in commands(document):
        words = shlex.split(command)
        if words[0] == "make":
            # The set-up commands are continuous integration's own steps; a test cannot run the tests.
            assert re.search(rf"\bmake {words[1]}\b", (ROOT / ".ci/run").read_text()), f"CI does not run '{command}'"
        elif words[0] == "source":
            assert words[1] == ".venv/bin/activate"
        else:
            assert words[0] == "nerone", f"'{command}' is no command of ours"
            expected = {0, 1} if words[1] == "doctor" else {0}  # doctor tells by 1 that this machine lacks a board
            assert main(shortened(words[1:])) in expected, command


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_python_examples_run(document: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    monkeypatch.chdir(prepared)
    (prepared / "anything.xmodel").write_bytes((prepared / "unet.nerone/model.xmodel").read_bytes())
    slices = [np.full((512, 512), -1000 + 100 * i, np.int16) for i in range(3)]
    for block in blocks(document, "python"):
        for module in OPTIONAL:
            if re.search(rf"^(import|from) {module}\b", block, re.M):
                pytest.importorskip(module, reason=f"{document.name} needs {module}, which is not installed")
        exec(compile(block, str(document), "exec"), {"slices": slices})
