"""Scans of another modality or scale than the calibration images are told."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cli.conftest import SEGMENTATION
from data.files import write_nifti, write_picture
from nerone.data.frame import Frame
from nerone.data.value_range import StoredValues, ValueNotes
from nerone.deployment import deploy
from nerone.runtime.preprocessing import Percentile, Preprocessing

RNG = np.random.default_rng(5)


def ct(offset=0):
    """Air around soft tissue and some bone, in Hounsfield units."""
    values = RNG.normal(-1000, 15, (32, 32, 4))
    values[8:24, 8:24] = RNG.normal(40, 30, (16, 16, 4))
    values[8:12, 8:24] = RNG.normal(700, 80, (4, 16, 4))
    return (values + offset).astype(np.int16)


@pytest.fixture
def calibrated(tmp_path):
    """A bundle of a float network, calibrated on CT."""
    keras = pytest.importorskip("keras", reason="the network is made by Keras")
    image = keras.Input((16, 16, 1))
    x = keras.layers.Softmax()(keras.layers.Conv2D(3, 3, padding="same")(image))
    for number in range(3):
        write_nifti(tmp_path / "calibration" / f"volume-{number}.nii.gz", ct())
    with pytest.warns(UserWarning, match="calibration images"):
        return deploy(
            keras.Model(image, x),
            calibration=tmp_path / "calibration",
            preprocessing=SEGMENTATION,
            class_names=["background", "liver", "bone"],
            output=tmp_path / "net.nerone",
        )


def test_run_and_evaluate_say_so(run, calibrated, tmp_path):
    scans = tmp_path / "scans"
    for name, values in {
        "ct": ct(),
        "plus": ct(1024),
        "mr": np.abs(RNG.normal(0, 5, (32, 32, 4))) + 40 * (ct() > -500),
    }.items():
        write_nifti(scans / f"{name}.nii.gz", values.astype(np.int16))
        write_nifti(scans / f"{name}_seg.nii.gz", (values > 30).astype(np.uint8))
    for words in (
        ("run", calibrated.path, scans, "-o", tmp_path / "o"),
        ("evaluate", calibrated.path, "--data", scans),
    ):
        code, out, err = run(*words)
        assert code == 0, err
        notes = [line for line in out.splitlines() if line.startswith("note:")]
        assert len(notes) == 2, out
        assert sorted(name for line in notes for name in ("ct", "plus", "mr") if f"{name}.nii" in line) == [
            "mr",
            "plus",
        ]
        assert all("those of the calibration images from -10" in line for line in notes)


def test_a_folder_of_pictures_is_told_once(run, calibrated, tmp_path):
    for number in range(5):
        write_picture(tmp_path / "pictures" / f"{number}.png", RNG.integers(0, 256, (20, 20), np.uint8))
    code, out, _ = run("run", calibrated.path, tmp_path / "pictures", "-o", tmp_path / "o")
    assert code == 0
    assert out.count("note:") == 1
    results = json.loads(run("run", calibrated.path, tmp_path / "pictures", "-o", tmp_path / "o", "--json")[1])[
        "results"
    ]
    assert [len(one["notes"]) for one in results] == [1, 0, 0, 0, 0]


def test_a_bundle_without_calibration_makes_no_notes(run, bundle, volume, tmp_path):
    assert bundle.calibration_values() is None
    code, out, _ = run("run", bundle.path, volume, "-o", tmp_path / "o")
    assert code == 0
    assert "calibration images" not in out


def test_networks_that_scale_by_the_image_take_any_scale(tmp_path):
    seen = StoredValues()
    seen.add(np.arange(100).reshape(10, 10))
    frame = Frame(np.full((10, 10), 9000, np.int16), tmp_path / "a.nii", affine=np.eye(4))
    for steps, count in ((Preprocessing((Percentile(1, 99),)), 0), (Preprocessing(()), 1)):
        notes = ValueNotes(seen.summary(), steps)
        notes.add(frame)
        assert len(notes.all_notes()) == count
