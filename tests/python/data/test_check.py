from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data.files import write_nifti, write_picture
from nerone.cli.main import main
from nerone.data.check import check_data
from nerone.data.phantom_sets import PHANTOM_TASKS, write_phantoms
from nerone.errors import ConfigurationError


@pytest.mark.parametrize(
    ("task", "kind"), list(zip(PHANTOM_TASKS, ("CT-ORG", "BraTS", "Prostate-3T", "BCCD"), strict=True))
)
def test_phantom_sets_pass_in_their_true_layouts(tmp_path: Path, task: str, kind: str) -> None:
    write_phantoms(task, tmp_path, count=2, size=64, slices=4)
    report = check_data(tmp_path)
    assert report.kind == kind
    assert report.problems == []
    assert report.labelled == report.sources


def test_what_is_wrong_is_named(ct_folder: Path) -> None:
    (ct_folder / "labels-0.nii.gz").unlink()
    whole = (ct_folder / "volume-7.nii.gz").read_bytes()
    (ct_folder / "volume-9.nii.gz").write_bytes(whole[: len(whole) // 2])
    oblique = np.eye(4)
    oblique[:3, :3] = [[0.8, -0.6, 0], [0.9, 1.2, 0], [0, 0, 2]]
    write_nifti(ct_folder / "volume-3.nii.gz", np.zeros((8, 8, 2), np.int16), oblique)
    write_nifti(ct_folder / "labels-3.nii.gz", np.full((8, 8, 2), 7, np.uint8), oblique)
    report = check_data(ct_folder)
    said = " ".join(f"{path.name}: {sentence}" for path, sentence in (*report.problems, *report.notes))
    for word in ("volume-9", "labels-3", "volume-0.nii.gz: has no labels"):
        assert word in said


def test_geometry_is_noted(tmp_path: Path) -> None:
    affine = np.diag([0.5, 1.0, 2.0, 1.0])
    affine[:2, :2] = np.array([[0.8, -0.6], [0.6, 0.8]]) @ np.diag([0.5, 1.0])
    write_nifti(tmp_path / "scan.nii.gz", np.zeros((8, 8, 2), np.int16), affine)
    said = " ".join(sentence for _, sentence in check_data(tmp_path).notes)
    assert "oblique by 37 degrees" in said
    assert "not square" in said


def test_split_that_shares_an_original_is_a_problem(tmp_path: Path) -> None:
    for part in ("TRAIN", "TEST"):
        write_picture(tmp_path / part / "MONOCYTE" / "_7_1.png", np.zeros((8, 8, 3), np.uint8))
    assert "original 7" in check_data(tmp_path).problems[0][1]


def test_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        check_data(tmp_path)


def test_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "phantoms", "bccd", str(tmp_path / "a"), "--count", "1", "--size", "64"]) == 0
    capsys.readouterr()
    assert main(["data", "check", str(tmp_path / "a"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "BCCD"
    next((tmp_path / "a").rglob("*.jpg")).write_bytes(b"not a picture")
    assert main(["data", "check", str(tmp_path / "a")]) == 1
    assert main(["data", "check", str(tmp_path / "missing")]) == 2
