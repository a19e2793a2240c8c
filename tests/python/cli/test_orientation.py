"""One scan, however it is stored, gives one mask in millimetres."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess

import nibabel
import numpy as np
import pytest
import SimpleITK
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from cli.conftest import SEGMENTATION, segmentation_model
from data.dicom_files import write_series
from nerone.bundle.bundle import Bundle
from nerone.data.labelled import labelled_frames
from nerone.data.sources import frames
from nerone.deployment import deploy
from nerone.errors import ConfigurationError
from nerone.evaluation.evaluate import evaluate_bundle
from nerone.runtime.preprocessing import Preprocessing
from nerone.runtime.presets import PRESETS
from paths import golden, shared

EIGHT = ("RAS", "LAS", "RPS", "LPS", "ARS", "ALI", "PRI", "PLS")
CUT_OTHERWISE = ("SRA", "PIR")


@pytest.fixture
def oriented(tmp_path):
    """A bundle whose network was trained on RAS."""
    steps = dataclasses.replace(SEGMENTATION, orientation="RAS")
    names = ["background", "liver", "bone"]
    return deploy(segmentation_model(), preprocessing=steps, class_names=names, output=tmp_path / "ras.nerone")


@pytest.fixture
def scan():
    """A volume (X, Y, Z) stored LPS, a little oblique, with three different spacings."""
    values = np.random.default_rng(3).integers(-700, 1200, (20, 14, 5)).astype(np.int16)
    turn = np.array([[0.9945, -0.1045, 0], [0.1045, 0.9945, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-0.8, -0.9, 2.5])
    affine[:3, 3] = (10, -20, 5)
    return values, affine


def stored(scan, code):
    """Return the scan with its axes stored another way, as nibabel turns it."""
    image = nibabel.Nifti1Image(*scan)
    return image.as_reoriented(ornt_transform(io_orientation(image.affine), axcodes2ornt(tuple(code))))


def in_millimetres(mask, scan):
    """Return the mask's values at the voxels of ``scan``, which have to be its own voxels."""
    values, affine = scan
    grid = np.indices(values.shape).reshape(3, -1)
    place = np.linalg.inv(mask.affine) @ affine @ np.vstack([grid, np.ones(grid.shape[1])])
    index = np.rint(place[:3]).astype(int)
    np.testing.assert_allclose(place[:3], index, atol=1e-3)
    return np.asarray(mask.dataobj)[tuple(index)].reshape(values.shape)


def test_eight_orientations_dicom_and_nrrd_give_the_same_mask(run, oriented, scan, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for code in (*EIGHT, *CUT_OTHERWISE):
        nibabel.save(stored(scan, code), folder / f"{code}.nii.gz")
    write_series(folder / "dicom", *scan)
    image = SimpleITK.ReadImage([str(path) for path in sorted((folder / "dicom").iterdir())])
    SimpleITK.WriteImage(image, str(folder / "scan.nrrd"))
    SimpleITK.WriteImage(image, str(folder / "scan2.mha"))
    code, _, err = run("run", oriented.path, folder, "-o", tmp_path / "out")
    assert code == 0, err
    masks = {path.name: nibabel.load(path) for path in (tmp_path / "out").iterdir()}
    assert len(masks) == 13
    found = {name: in_millimetres(mask, scan) for name, mask in masks.items()}
    expected = found["RAS_mask.nii.gz"]
    assert len(np.unique(expected)) == 3
    for name, mask in found.items():
        np.testing.assert_array_equal(mask, expected, err_msg=name)
    for code in (*EIGHT, *CUT_OTHERWISE):
        source, mask = stored(scan, code), masks[f"{code}_mask.nii.gz"]
        np.testing.assert_allclose(mask.affine, source.affine, atol=1e-5)
        assert mask.shape == source.shape


def test_masks_of_a_series_lie_on_the_grid_of_simpleitk(run, oriented, scan, tmp_path):
    series = write_series(tmp_path / "dicom", *scan)
    assert run("run", oriented.path, series, "-o", tmp_path / "out")[0] == 0
    read = SimpleITK.ReadImage([str(path) for path in sorted(series.iterdir())])
    mask = SimpleITK.ReadImage(str(next((tmp_path / "out").iterdir())))
    assert mask.GetSize() == read.GetSize()
    np.testing.assert_allclose(mask.GetOrigin(), read.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(mask.GetSpacing(), read.GetSpacing(), atol=1e-5)
    np.testing.assert_allclose(mask.GetDirection(), read.GetDirection(), atol=1e-5)


def test_masks_of_a_series_lie_on_the_grid_of_dcm2niix(run, bundle, scan, tmp_path):
    """Its NIfTI has the rows backwards: the same voxels, and, without a declaration, the same input of the network."""
    program = shutil.which("dcm2niix")
    if program is None:
        pytest.skip("dcm2niix (Debian's package of that name) is not installed")
    series = write_series(tmp_path / "dicom", *scan)
    (tmp_path / "nifti").mkdir()
    words = [program, "-b", "n", "-z", "y", "-f", "scan", "-o", str(tmp_path / "nifti"), str(series)]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    converted = nibabel.load(tmp_path / "nifti" / "scan.nii.gz")
    for path in (series, tmp_path / "nifti"):
        assert run("run", bundle.path, path, "-o", tmp_path / "out")[0] == 0
    masks = [nibabel.load(tmp_path / "out" / f"{name}_mask.nii.gz") for name in ("dicom", "scan")]
    np.testing.assert_allclose(masks[1].affine, converted.affine, atol=1e-5)
    grid = (np.zeros(converted.shape, np.int16), converted.affine)
    np.testing.assert_array_equal(in_millimetres(masks[0], grid), np.asarray(masks[1].dataobj))


def test_labels_turn_with_their_volume(oriented, scan, tmp_path):
    truth = np.random.default_rng(1).integers(0, 3, scan[0].shape).astype(np.uint8)
    scores = []
    for code in ("RAS", "PLS", "SRA"):
        folder = tmp_path / code
        folder.mkdir()
        nibabel.save(stored(scan, code), folder / "scan.nii.gz")
        nibabel.save(stored((truth, scan[1]), code), folder / "scan_seg.nii.gz")
        for data in (folder, labelled_frames(folder)):
            counts = evaluate_bundle(oriented, data).counts["INT8"]
            scores.append(counts.dice().tolist())
    assert all(score == scores[0] for score in scores)


def test_frames_that_lie_otherwise_are_refused(oriented, scan, tmp_path):
    nibabel.save(stored(scan, "PLS"), tmp_path / "scan.nii.gz")
    nibabel.save(stored((np.zeros(scan[0].shape, np.uint8), scan[1]), "PLS"), tmp_path / "scan_seg.nii.gz")
    with pytest.raises(ConfigurationError, match=r"scan\.nii\.gz' lies PLS.*trained on RAS"):
        evaluate_bundle(oriented, iter(labelled_frames(tmp_path)))


def test_a_bundle_without_the_declaration_reads_as_before(run, bundle, scan, tmp_path):
    """NIfTI as stored; DICOM as the NIfTI file that dcm2niix makes of it: columns by rows, the rows backwards."""
    folder = tmp_path / "scans"
    folder.mkdir()
    nibabel.save(stored(scan, "LAS"), folder / "las.nii.gz")
    nibabel.save(stored(scan, "PLS"), folder / "pls.nii.gz")
    write_series(folder / "dicom", *scan)
    assert run("run", bundle.path, folder, "-o", tmp_path / "out")[0] == 0
    found = {path.name[:3]: in_millimetres(nibabel.load(path), scan) for path in (tmp_path / "out").iterdir()}
    np.testing.assert_array_equal(found["dic"], found["las"])
    assert np.any(found["pls"] != found["las"])
    assert [frame.image.shape for frame in frames(folder / "pls.nii.gz")] == [(14, 20)] * 5


def test_an_old_bundle_of_a_preset_turns_dicom_as_the_preset_says(oriented, tmp_path):
    manifest = oriented.path / "bundle.json"
    values = json.loads(manifest.read_text())
    assert values["preprocessing"].pop("orientation") == "RAS"
    manifest.write_text(json.dumps({**values, "preset": "prostate-3t"}))
    steps = Bundle.open(oriented.path).preprocessing
    assert (steps.orientation, steps.dicom_orientation) == ("", "PLS")


def test_presets_of_volumes_declare_their_orientation():
    declared = {name: known.preprocessing.orientation for name, known in PRESETS.items()}
    volumes = {name for name, known in PRESETS.items() if known.output == "segmentation"}
    assert {name for name, code in declared.items() if code} == volumes
    for known in PRESETS.values():
        assert Preprocessing.from_dict(known.preprocessing.to_dict()) == known.preprocessing


@pytest.mark.parametrize("code", ["RA", "RLS", "ras", "XYZ", 3, None])
def test_orientations_that_are_none(code):
    with pytest.raises(ConfigurationError, match=r"preprocessing\.orientation is"):
        Preprocessing.from_dict({"version": 1, "steps": [], "orientation": code})


def test_a_volume_that_does_not_say_how_it_lies_is_named(refused, oriented, tmp_path):
    file = tmp_path / "flat.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 2), np.int16), np.diag([2.0, 2, 2, 1])), file)
    header = bytearray(file.read_bytes())
    header[300:304] = bytes(4)  # srow_y[1]: the second axis has no length
    file.write_bytes(header)
    assert "flat.nii" in refused("run", oriented.path, file, "-o", tmp_path / "out")


def test_the_published_network_finds_the_same_organs_in_a_dicom_series(run, tmp_path):
    model = golden("compiled", "nerone_ctorg_isa0_b4096.xmodel")
    source = shared("data", "ct_totalseg", "OrganSegmentations", "volume-901.nii.gz")
    image = nibabel.load(source)
    part = np.asarray(image.dataobj)[:, :, 8:12].astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(part, image.affine), tmp_path / "scan.nii.gz")
    write_series(tmp_path / "dicom", part, image.affine)
    assert run("deploy", model, "--preset", "paper-ct-org", "-o", tmp_path / "net.nerone")[0] == 0
    counts = []
    for scan in ("scan.nii.gz", "dicom"):
        code, out, err = run("run", tmp_path / "net.nerone", tmp_path / scan, "-o", tmp_path / "out", "--json")
        assert code == 0, err
        counts.append(json.loads(out)["results"][0]["counts"])
    assert counts[0] == counts[1]
    assert counts[0]["liver"] > 10_000
    assert (
        run("deploy", model, "--preset", "paper-ct-org", "--orientation", "LAS", "-o", tmp_path / "las.nerone")[0] == 0
    )
    assert Bundle.open(tmp_path / "las.nerone").preprocessing.orientation == "LAS"
