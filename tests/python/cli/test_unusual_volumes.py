"""Volumes that lie unusually in the body go through every door, and every door says so."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from data.files import write_nifti
from nerone.data.check import check_data
from nerone.data.geometry import geometry_notes
from nerone.evaluation.report import Report, write_report

TURN = np.array([[0.9397, -0.342, 0], [0.342, 0.9397, 0], [0, 0, 1]])


def placed(steps):
    affine = np.eye(4)
    affine[:3, :3] = steps
    return affine


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (TURN @ np.diag([0.8, 0.8, 3]), ["oblique by 20 degrees"]),
        (np.array([[0, 0, 4], [0.8, 0, 0], [0, 0.8, 0]]), ["sagittal, not axial"]),
        (np.array([[-0.8, 0, 0], [0, 0, 3], [0, 0.8, 0]]), ["coronal, not axial"]),
        (np.diag([0.5, 1.5, 2]), ["0.5 x 1.5 mm are not square"]),
        (TURN @ np.diag([0.5, 1.5, 2]), ["oblique by 20 degrees", "not square"]),
        (np.diag([0.5, 0, 2]), ["spacing of its voxels is unknown"]),
        (np.diag([-0.8, -0.8, 5]), []),
        (np.array([[0, -0.8, 0], [0.8, 0, 0], [0, 0, -2]]), []),
        (np.diag([1, 1.04, 1]), []),
    ],
)
def test_what_is_unusual_is_said(steps, words):
    notes = geometry_notes(placed(steps))
    assert len(notes) == len(words)
    for note, word in zip(notes, words, strict=True):
        assert word in note


@pytest.fixture
def oblique(tmp_path):
    """A folder with an ordinary and an oblique labelled volume."""
    rng = np.random.default_rng(0)
    for number, steps in ((1, np.diag([-0.8, -0.8, 3])), (2, TURN @ np.diag([0.8, 0.8, 3]))):
        values = rng.integers(-500, 1000, (16, 16, 3)).astype(np.int16)
        write_nifti(tmp_path / "scans" / f"volume-{number}.nii.gz", values, placed(steps))
        truth = rng.integers(0, 3, values.shape).astype(np.uint8)
        write_nifti(tmp_path / "scans" / f"labels-{number}.nii.gz", truth, placed(steps))
    return tmp_path / "scans"


def test_commands_name_the_volume(run, bundle, oblique, tmp_path):
    commands = {
        "evaluate": ("evaluate", bundle.path, "--data", oblique),
        "run": ("run", bundle.path, oblique, "-o", tmp_path / "out"),
    }
    for words in commands.values():
        code, out, err = run(*words)
        assert code == 0, err
        notes = [line for line in out.splitlines() if line.startswith("note:")]
        assert len(notes) == 1
        assert "volume-2.nii.gz: oblique by 20 degrees; its slices are taken as they are stored" in notes[0]
        told = json.loads(run(*words, "--json")[1])
        noted = told.get("notes") or [note for result in told["results"] for note in result["notes"]]
        assert len(noted) == 1
    assert [path.name for path, _ in check_data(oblique).notes] == ["volume-2.nii.gz"]


def test_masks_keep_the_geometry_of_an_oblique_volume(run, bundle, oblique, tmp_path):
    import nibabel

    assert run("run", bundle.path, oblique / "volume-2.nii.gz", "-o", tmp_path / "out")[0] == 0
    mask, scan = (
        nibabel.load(path) for path in (tmp_path / "out" / "volume-2_mask.nii.gz", oblique / "volume-2.nii.gz")
    )
    np.testing.assert_allclose(mask.affine, scan.affine, atol=1e-6)
    assert mask.shape == scan.shape


def test_training_warns(oblique, tmp_path):
    tasks = pytest.importorskip("nerone.zoo.tasks", reason="training is not installed")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        samples = tasks.prepare("ct-org", oblique, tmp_path / "samples")
    said = [str(warning.message) for warning in caught if "oblique" in str(warning.message)]
    assert len(said) == 1
    assert "volume-2.nii.gz" in said[0]
    assert len(samples) == 6


def test_report_counts_them(tmp_path):
    odd = Path("scans/volume-2.nii.gz")
    report = Report(tmp_path, notes=[(odd, "oblique by 20 degrees"), (odd, "pixels of 0.5 x 1 mm are not square")])
    page = write_report(report).read_text()
    assert "Unusual geometry: 1 volume<" in page
    assert "scans/volume-2.nii.gz: oblique by 20 degrees" in page
    assert "Unusual geometry" not in write_report(Report(tmp_path)).read_text()
