"""Compiled xmodels, the paper's among them, become bundles as they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nerone.bundle.bundle import Bundle
from nerone.cli.main import main
from nerone.data.phantom_sets import write_phantoms
from nerone.deployment import deploy
from nerone.errors import ConfigurationError, ModelError
from nerone.runtime import model as runtime_model
from nerone.zoo.models import NETWORKS
from paths import golden, shared

pytest.importorskip("nerone._core", reason="the extension is not built")

PUBLISHED = {
    "nerone_BCCD_zcu104": ("paper-bccd", "bccd", "bccd"),
    "nerone_prostate_double": ("paper-prostate", "prostate_prostatex", "prostate"),
    "nerone_prostate_sc": ("paper-prostate", "prostate_prostatex", "prostate"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_run_unchanged_through_the_same_commands(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    preset, scans, _ = PUBLISHED[name]
    model, bundle = golden("models", f"{name}.xmodel"), str(tmp_path / "published.nerone")
    data = str(shared("data", scans))
    assert main(["deploy", str(model), "--preset", preset, "--board", "zcu104", "-o", bundle]) == 0
    assert "unchanged, for the software DPU and zcu104" in capsys.readouterr().out
    opened = Bundle.open(bundle)
    assert opened.host_model_path.read_bytes() == model.read_bytes() == opened.board_model_path.read_bytes()
    assert opened.fingerprint == 0x1000020F6014407
    with np.load(model.with_suffix(".npz")) as arrays:
        given, expected = arrays["input"], arrays["expected"]
    with runtime_model.Model.load(opened.host_model_path, until="dpu") as network:
        np.testing.assert_array_equal(network.run(given.reshape(network.inputs[0].shape)).ravel(), expected.ravel())
    if name == "nerone_BCCD_zcu104":
        data = str(next(path for path in Path(data).rglob("test") if path.is_dir()))
    assert main(["evaluate", bundle, "--data", data, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scores"]["INT8"]["score"] > (0.8 if name == "nerone_BCCD_zcu104" else 0.45)
    assert main(["inspect", bundle]) == 0
    assert main(["bench", bundle, "--runs", "1", "--seconds", "0.05"]) == 0


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Compiled files with input and output of the two published networks that are not at hand."""
    pytest.importorskip("tensorflow", reason="the networks are made by Keras")
    from keras import Input, Model, layers

    made = {}
    for task, shape in (("ct-org", (256, 256, 1)), ("brats", (240, 240, 4))):
        folder = tmp_path_factory.mktemp(task)
        write_phantoms(task, folder / "scans", count=1, seed=4, slices=2)
        image = Input(shape)
        x = layers.UpSampling2D(4)(layers.Conv2D(8, 3, strides=4, padding="same", activation="relu")(image))
        x = layers.Softmax()(layers.Conv2D(len(NETWORKS[task].classes), 3, padding="same")(x))
        bundle = deploy(
            Model(image, x), calibration=folder / "scans", preset=task, output=folder / "net.nerone", images=2
        )
        made[task] = bundle.host_model_path.rename(folder / f"nerone_{task}.xmodel")
    return made


@pytest.mark.parametrize("task", ["ct-org", "brats"])
def test_presets_of_the_published_networks_without_their_files(
    stand_ins: dict[str, Path], tmp_path: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, scans = str(tmp_path / "net.nerone"), stand_ins[task].parent / "scans"
    assert main(["deploy", str(stand_ins[task]), "--preset", f"paper-{task}", "-o", bundle]) == 0
    opened = Bundle.open(bundle)
    shape = {"ct-org": (256, 256, 1), "brats": (240, 240, 4)}[task]
    assert opened.input.shape == (1, *shape)
    assert len(opened.output.class_names) == {"ct-org": 6, "brats": 4}[task]
    capsys.readouterr()
    assert main(["evaluate", bundle, "--data", str(scans), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 2
    assert main(["evaluate", bundle, "--data", str(scans), "--paths"]) == 0
    assert main(["run", bundle, str(scans), "-o", str(tmp_path / "masks")]) == 0
    assert list((tmp_path / "masks").rglob("*_mask.nii.gz"))


def test_what_cannot_be_wrapped(stand_ins: dict[str, Path], tmp_path: Path) -> None:
    model, place = stand_ins["ct-org"], tmp_path / "net.nerone"
    for options, words in (
        ({}, "neither a preset nor a preprocessing"),
        ({"preset": "paper-bccd"}, "classes"),
        ({"preset": "paper-brats"}, "classes"),
        ({"preset": "paper-ct-org", "board": "zcu104"}, "not for zcu104"),
        ({"preset": "paper-ct-org", "max_drop": 0.1}, "compiled already"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            deploy(model, output=place, **options)
    broken = tmp_path / "broken.xmodel"
    broken.write_bytes(model.read_bytes()[:5000])
    with pytest.raises(ModelError):
        deploy(broken, preset="paper-ct-org", output=place)
    assert not place.exists()
