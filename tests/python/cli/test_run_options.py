"""nerone run: formats, reports, shards, runs that go on, memory."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from data.dicom_files import write_series
from data.files import write_nifti, write_picture
from data.test_dicom import enhanced
from nerone.runtime.preprocessing import CropOrPad, Preprocessing, Resize
from nerone.runtime.preprocessing.image_grid import classes_on_image_grid, on_image_grid

AFFINE = np.diag([-0.8, -0.9, 2.5, 1.0])


def scan(seed: int, slices: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(-700, 1200, (20, 14, slices)).astype(np.int16)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Nine volumes in two folders, three pictures."""
    for number in range(9):
        write_nifti(tmp_path / "scans" / f"part{number % 2}" / f"scan-{number}.nii.gz", scan(number), AFFINE)
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 255, (20, 20), np.uint8)
        write_picture(tmp_path / "scans" / "pictures" / f"{number}.png", picture)
    return tmp_path / "scans"


def contents(folder: Path) -> dict[str, bytes]:
    found = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file() and p.suffix != ".jsonl"}
    return {name: path.read_bytes() for name, path in found.items()}


def test_the_union_of_seven_shards_is_one_run(run, bundle, scans, tmp_path):
    assert run("run", bundle.path, scans, "-o", tmp_path / "one")[0] == 0
    done = []
    for index in range(1, 8):
        code, out, err = run("run", bundle.path, scans, "-o", tmp_path / "seven", "--shard", f"{index}/7", "--json")
        assert code == 0, err
        done += [result["source"] for result in json.loads(out)["results"]]
    assert len(done) == len(set(done)) == 12
    assert contents(tmp_path / "seven") == contents(tmp_path / "one")


@pytest.mark.parametrize("shard", ["0/7", "8/7", "1", "a/b", "1/0", "-1/2"])
def test_shards_that_are_none(refused, bundle, scans, tmp_path, shard):
    assert "--shard" in refused("run", bundle.path, scans, "-o", tmp_path / "o", f"--shard={shard}")


def test_resume_runs_what_is_not_finished_or_has_changed(run, bundle, scans, tmp_path):
    def again():
        code, out, err = run("run", bundle.path, scans, "-o", tmp_path / "o", "--resume", "--json")
        assert code == 0, err
        return {Path(r["source"]).name for r in json.loads(out)["results"] if not r["resumed"]}

    assert len(again()) == 12
    first = contents(tmp_path / "o")
    assert again() == set()
    (tmp_path / "o" / "part0" / "scan-2_mask.nii.gz").write_bytes(b"half")
    (tmp_path / "o" / "part1" / "scan-1_mask.nii.gz").unlink()
    write_nifti(scans / "part0" / "scan-4.nii.gz", scan(99), AFFINE)
    with (tmp_path / "o" / "manifest.jsonl").open("a") as file:
        file.write('{"case": "part0/scan-0.nii.gz", "inp')  # killed while writing
    assert again() == {"scan-2.nii.gz", "scan-1.nii.gz", "scan-4.nii.gz"}
    last = contents(tmp_path / "o")
    assert {name for name in first if first[name] != last[name]} == {"part0/scan-4_mask.nii.gz"}


def test_a_run_that_was_killed_goes_on(run, bundle, scans, tmp_path):
    for number in range(9, 40):
        write_nifti(scans / f"scan-{number}.nii.gz", scan(number), AFFINE)
    assert run("run", bundle.path, scans, "-o", tmp_path / "one")[0] == 0
    program = "import sys; from nerone.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", program, "run", str(bundle.path), str(scans), "-o", str(tmp_path / "o"), "--resume"]
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    manifest, patience = tmp_path / "o" / "manifest.jsonl", time.monotonic() + 120
    while running.poll() is None and time.monotonic() < patience:
        if manifest.is_file() and manifest.read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.002)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    finished = manifest.read_bytes().count(b"\n")
    assert finished >= 3
    code, out, err = run("run", bundle.path, scans, "-o", tmp_path / "o", "--resume", "--json")
    assert code == 0, err
    assert sum(result["resumed"] for result in json.loads(out)["results"]) >= 3
    whole = {name: data for name, data in contents(tmp_path / "o").items() if ".partial." not in name}
    assert whole == contents(tmp_path / "one")


def test_the_manifest_has_a_line_per_case(run, bundle, scans, tmp_path):
    (scans / "part0" / "half.nii.gz").write_bytes((scans / "part0" / "scan-0.nii.gz").read_bytes()[:500])
    code, _, err = run("run", bundle.path, scans, "-o", tmp_path / "o", "--manifest", "--skip-bad")
    assert code == 0, err
    lines = [json.loads(line) for line in (tmp_path / "o" / "manifest.jsonl").read_text().splitlines()]
    assert len(lines) == 13
    by_case = {line["case"]: line for line in lines}
    assert "half.nii.gz" in by_case["half.nii.gz"]["error"]
    good = by_case["part1/scan-1.nii.gz"]
    assert (good["error"], list(good["outputs"])) == (None, ["part1/scan-1_mask.nii.gz"])
    assert good["seconds"] > 0
    assert "nerone" in good["versions"]


def test_classifications_resume_and_shard(run, classifier, tmp_path):
    for number in range(6):
        picture = np.random.default_rng(number).integers(0, 255, (20, 20, 3), np.uint8)
        write_picture(tmp_path / "cells" / f"{number}.png", picture)
    assert run("run", classifier.path, tmp_path / "cells", "-o", tmp_path / "one")[0] == 0
    rows = list(csv.reader((tmp_path / "one" / "predictions.csv").open()))
    parts = []
    for index in (1, 2):
        for _ in range(2):
            words = ("-o", tmp_path / "two", "--shard", f"{index}/2", "--resume")
            assert run("run", classifier.path, tmp_path / "cells", *words)[0] == 0
        parts += list(csv.reader((tmp_path / "two" / f"predictions-{index}-of-2.csv").open()))[1:]
    assert sorted(parts) == sorted(rows[1:])


def test_the_report_has_millilitres(run, bundle, scans, tmp_path):
    for name in ("table.csv", "table.json"):
        assert run("run", bundle.path, scans / "part0", "-o", tmp_path / "o", "--report", tmp_path / name)[0] == 0
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [row["class"] for row in rows[:3]] == ["background", "liver", "bone"]
    assert sum(row["pixels"] for row in rows[:3]) == 20 * 14 * 3
    for row in rows:
        assert row["volume_ml"] == pytest.approx(row["pixels"] * 0.8 * 0.9 * 2.5 / 1000, abs=1e-4)
    table = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [row["pixels"] for row in table] == [str(row["pixels"]) for row in rows]


def test_the_report_has_dice_where_labels_lie_beside(run, bundle, scans, tmp_path):
    folder = scans / "part0"
    assert run("run", bundle.path, folder, "-o", tmp_path / "o")[0] == 0
    for number, change in ((0, 0), (2, 1)):
        mask = np.asarray(nibabel.load(tmp_path / "o" / f"scan-{number}_mask.nii.gz").dataobj).copy()
        if change:
            mask[:, :, 1] = 1
        write_nifti(folder / f"scan-{number}_seg.nii.gz", mask, AFFINE)
    assert run("run", bundle.path, folder, "-o", tmp_path / "o", "--report", tmp_path / "t.json")[0] == 0
    dice = {}
    for row in json.loads((tmp_path / "t.json").read_text()):
        dice.setdefault(Path(row["source"]).name, {})[row["class"]] = row["dice"]
    assert dice["scan-0.nii.gz"] == {"background": None, "liver": 1.0, "bone": 1.0}
    assert set(dice["scan-4.nii.gz"].values()) == {None}
    mask = np.asarray(nibabel.load(tmp_path / "o" / "scan-2_mask.nii.gz").dataobj)
    truth = np.asarray(nibabel.load(folder / "scan-2_seg.nii.gz").dataobj)
    expected = 2 * np.sum((mask == 1) & (truth == 1)) / (np.sum(mask == 1) + np.sum(truth == 1))
    assert dice["scan-2.nii.gz"]["liver"] == pytest.approx(expected, abs=1e-6)


def test_bad_options_are_one_sentence(refused, bundle, scans, tmp_path):
    out = ("-o", tmp_path / "o")
    assert ".csv or .json" in refused("run", bundle.path, scans, *out, "--report", tmp_path / "x.txt")
    assert "nifti, png, dicom-seg" in refused("run", bundle.path, scans, *out, "--format", "jpeg")
    assert "nearest or linear" in refused("run", bundle.path, scans, *out, "--resample", "cubic")
    assert "no DICOM series" in refused("run", bundle.path, scans / "part0", *out, "--format", "dicom-seg")


def test_pngs_of_a_volume(run, bundle, scans, tmp_path):
    assert run("run", bundle.path, scans / "part0" / "scan-0.nii.gz", "-o", tmp_path / "n")[0] == 0
    assert run("run", bundle.path, scans / "part0" / "scan-0.nii.gz", "-o", tmp_path / "p", "--format", "png")[0] == 0
    expected = np.asarray(nibabel.load(tmp_path / "n" / "scan-0_mask.nii.gz").dataobj)
    for index in range(3):
        picture = Image.open(tmp_path / "p" / f"scan-0_mask_{index:04d}.png")
        np.testing.assert_array_equal(np.asarray(picture), expected[:, :, index].T)


@pytest.mark.parametrize("output_format", ["dicom-seg", "dicom-labelmap"])
@pytest.mark.parametrize("multiframe", [False, True])
def test_dicom_segmentations_are_read_back_equal(run, bundle, tmp_path, output_format, multiframe):
    hd = pytest.importorskip("highdicom", reason="highdicom is not installed")
    series = tmp_path / "series"
    if multiframe:
        series.mkdir()
        enhanced([3, 0, 4, 1, 2]).save_as(series / "all.dcm", enforce_file_format=True)
    else:
        write_series(series, scan(1, 12), AFFINE)
    for name in ("nifti", output_format):
        code, _, err = run("run", bundle.path, series, "-o", tmp_path / name, "--format", name)
        assert code == 0, err
    expected = nibabel.load(next((tmp_path / "nifti").rglob("*.nii.gz")))
    found = hd.seg.segread(next((tmp_path / output_format).rglob("*.dcm")))
    volume = found.get_volume(combine_segments=True, allow_missing_positions=True)
    # Its axes are (slice, row, column), its millimetres left-posterior-superior; bring it to the NIfTI's grid.
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine[:, [2, 1, 0, 3]]
    placed = nibabel.Nifti1Image(volume.array.transpose(2, 1, 0), affine)
    grid = np.indices(expected.shape).reshape(3, -1)
    place = np.linalg.inv(placed.affine) @ expected.affine @ np.vstack([grid, np.ones(grid.shape[1])])
    np.testing.assert_allclose(place[:3], np.rint(place[:3]), atol=1e-3)
    index = np.rint(place[:3]).astype(int)
    inside = np.all((index >= 0) & (index < np.array(placed.shape)[:, None]), axis=0)
    values = np.zeros(grid.shape[1], np.uint8)
    values[inside] = np.asarray(placed.dataobj)[tuple(index[:, inside])]
    np.testing.assert_array_equal(values.reshape(expected.shape), np.asarray(expected.dataobj))
    assert [found.get_segment_description(n).segment_label for n in (1, 2)] == ["liver", "bone"]
    import pydicom

    sources = {pydicom.dcmread(path).SOPInstanceUID for path in series.iterdir()}
    assert {uids[2] for uids in found.get_source_image_uids()} <= sources


# What Supplement 243 allows a label map beside what Debian's version, of 2022, knows of a segmentation.
LABEL_MAP = {
    "Unrecognized enumerated value <LABELMAP> for value 1 of attribute <Segmentation Type>",
    "Value is zero for value 1 of attribute <Segment Number>",
    "Missing attribute Type 1 Required Element=<SegmentIdentificationSequence> Module=<SegmentationMacro>",
    "SegmentNumber not monotonically increasing from one by one - "
    "have SegmentSequence item number 1 (from one) with SegmentNumber of 0",
}


@pytest.mark.parametrize(("output_format", "new"), [("dicom-seg", set()), ("dicom-labelmap", LABEL_MAP)])
def test_dicom_segmentations_pass_the_validator(run, bundle, tmp_path, output_format, new):
    import pydicom

    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed")
    write_series(tmp_path / "series", scan(1, 12), AFFINE)
    assert run("run", bundle.path, tmp_path / "series", "-o", tmp_path / "o", "--format", output_format)[0] == 0
    found = pydicom.dcmread(next((tmp_path / "o").rglob("*.dcm")))
    # It knows no label maps: as a segmentation it checks all else of one.
    found.SOPClassUID = found.file_meta.MediaStorageSOPClassUID = pydicom.uid.SegmentationStorage
    found.save_as(tmp_path / "checked.dcm", enforce_file_format=True)
    words = [program, str(tmp_path / "checked.dcm")]
    said = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert "Segmentation" in said.stderr + said.stdout
    lines = [line.partition(" - ") for line in (said.stderr + said.stdout).splitlines()]
    assert {text for kind, _, text in lines if kind in ("Error", "Warning")} == new


def test_linear_resampling_is_smooth_and_agrees_inside(run, bundle, scans, tmp_path):
    masks = []
    for name in ("nearest", "linear"):
        code, _, err = run("run", bundle.path, scans / "part0", "-o", tmp_path / name, "--resample", name)
        assert code == 0, err
        masks.append(np.asarray(nibabel.load(tmp_path / name / "scan-0_mask.nii.gz").dataobj))
    assert masks[0].shape == masks[1].shape
    assert 0 < np.mean(masks[0] != masks[1]) < 0.6


def test_linear_resampling_of_an_edge() -> None:
    steps = Preprocessing((Resize(4, 4), CropOrPad(4, 4)))
    probabilities = np.zeros((4, 4, 2), np.float32)
    probabilities[:2, :, 0], probabilities[2:, :, 1] = 0.9, 0.6
    probabilities[:2, :, 1], probabilities[2:, :, 0] = 0.1, 0.4
    nearest = on_image_grid(steps, probabilities.argmax(-1).astype(np.uint8), (16, 16))
    linear = classes_on_image_grid(steps, probabilities, (16, 16))
    np.testing.assert_array_equal(nearest[:, 0], [0] * 8 + [1] * 8)
    # Between rows 1 and 2 the classes are even at 0.8 of the way: 0.9 - 0.5 t = 0.1 + 0.5 t.
    np.testing.assert_array_equal(linear[:, 0], [0] * 9 + [1] * 7)


def test_equal_sizes_resample_to_the_same_classes() -> None:
    probabilities = np.random.default_rng(0).random((8, 8, 3), np.float32)
    steps = Preprocessing((Resize(8, 8),))
    np.testing.assert_array_equal(classes_on_image_grid(steps, probabilities, (8, 8)), probabilities.argmax(-1))


MEASURE = """
import resource, sys
from nerone.bundle.bundle import Bundle
from nerone.runtime.prediction.files import predict_files
predict_files(Bundle.open(sys.argv[1]), sys.argv[2], sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_slices(bundle, tmp_path):
    peaks = []
    for slices in (20, 320):
        path = tmp_path / f"{slices}.nii.gz"
        write_nifti(path, np.zeros((256, 256, slices), np.int16), AFFINE)
        words = [sys.executable, "-c", MEASURE, str(bundle.path), str(path), str(tmp_path / "o")]
        said = subprocess.run(words, capture_output=True, text=True, check=True)
        peaks.append(int(said.stdout.split()[-1]))
    # 300 slices are 39 MB as they are stored, and were more than 300 MB on their way.
    assert peaks[1] - peaks[0] < 20_000, f"{peaks} KiB"
