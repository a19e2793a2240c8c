from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.files import write_nifti, write_picture
from nerone.data.frame import plain
from nerone.data.labelled import labelled_frames
from nerone.data.nifti import read_nifti
from nerone.data.sources import frames
from nerone.errors import ConfigurationError, Error, ShapeError
from nerone.runtime.preprocessing import Clip, Preprocessing
from nerone.runtime.preprocessing.numpy_steps import apply
from paths import shared

CASES = ("orientation_of_five.dcm", "slope_nan.dcm", "negative_shape.npy", "odd.tif")


def test_volume_gives_its_slices_as_stored(tmp_path: Path) -> None:
    volume = np.arange(4 * 5 * 3, dtype=np.int16).reshape(4, 5, 3)
    affine = np.diag([0.7, 0.9, 2.5, 1.0])
    found = frames(write_nifti(tmp_path / "scan.nii.gz", volume, affine))
    assert len(found) == 3
    for index, frame in enumerate(found):
        np.testing.assert_array_equal(frame.image, volume[:, :, index])
        assert frame.image.dtype == np.int16
        assert frame.image.flags.c_contiguous
        assert (frame.index, frame.count) == (index, 3)
        assert frame.spacing_mm == pytest.approx((0.7, 0.9))
        np.testing.assert_allclose(frame.affine, affine)
    assert len(list(found)) == 3, "frames can be read again"


def test_oblique_spacing_is_the_length_of_the_steps(tmp_path: Path) -> None:
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([0.5, 1.5, 3.0])
    frame = next(iter(frames(write_nifti(tmp_path / "oblique.nii", np.zeros((4, 5, 2), np.uint8), affine))))
    assert frame.spacing_mm == pytest.approx((0.5, 1.5), abs=1e-6)


def test_volumes_come_by_number(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        write_nifti(tmp_path / f"volume-{number}.nii.gz", np.zeros((4, 4, 1), np.int16))
    assert [f.source.name for f in frames(tmp_path)] == [f"volume-{n}.nii.gz" for n in (1, 2, 10)]


def test_folder_leaves_labels_out_and_counts(ct_folder: Path) -> None:
    found = frames(ct_folder)
    assert len(found) == 10
    assert {frame.source.name for frame in found} == {"volume-0.nii.gz", "volume-7.nii.gz"}


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (np.array([[0, 255]], np.uint8), np.uint8),
        (np.array([[0, 65535]], np.uint16), np.uint16),
        (np.array([[-3024, 3071]], np.int32), np.int16),
        (np.array([[0, 40000]], np.int32), np.uint16),
        (np.array([[0, 1 << 20]], np.int32), np.float32),
        (np.array([[-1000.0, 40.0]]), np.int16),
        (np.array([[0.25, 40.0]]), np.float32),
        (np.array([[True, False]]), np.uint8),
        (np.array([[1, 2]], ">i2"), np.int16),
    ],
)
def test_values_become_one_of_four_types(stored: np.ndarray, expected: type) -> None:
    result = plain(stored)
    assert result.dtype == expected
    np.testing.assert_array_equal(result.astype(np.float64), stored.astype(np.float64))


def test_pictures_of_all_kinds(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    grey16 = rng.integers(0, 65536, (6, 7), np.uint16)
    colour = rng.integers(0, 256, (6, 7, 3), np.uint8)
    write_picture(tmp_path / "a.png", grey16)
    write_picture(tmp_path / "b.png", colour)
    write_picture(tmp_path / "c.png", np.dstack([colour, np.full((6, 7), 255, np.uint8)]))
    np.save(tmp_path / "d.npy", np.stack([grey16] * 5))
    pages = [Image.fromarray(colour[:, :, 0]), Image.fromarray(colour[:, :, 1])]
    pages[0].save(tmp_path / "e.tiff", save_all=True, append_images=pages[1:])
    images = [frame.image for frame in frames(tmp_path)]
    assert [image.shape for image in images] == [(6, 7), (6, 7, 3), (6, 7, 3), *[(6, 7)] * 5, (6, 7), (6, 7)]
    np.testing.assert_array_equal(images[0], grey16)
    np.testing.assert_array_equal(images[2], colour)
    np.testing.assert_array_equal(images[-1], colour[:, :, 1])
    assert len(frames(tmp_path)) == len(images)


def test_bad_files_are_named_or_skipped(tmp_path: Path) -> None:
    good = write_nifti(tmp_path / "good.nii.gz", np.ones((4, 4, 2), np.int16))
    cut = tmp_path / "half.nii.gz"
    whole = write_nifti(
        tmp_path / "whole.nii.gz", np.random.default_rng(0).integers(0, 999, (32, 32, 8)).astype(np.int16)
    )
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    with pytest.raises(ConfigurationError, match=r"photo\.jpg|half\.nii\.gz"):
        list(frames(tmp_path))
    found = frames(tmp_path, skip_bad=True)
    assert {frame.source for frame in found} == {good}
    assert {path.name for path, _ in found.skipped} == {"half.nii.gz", "photo.jpg"}
    assert all(path.name in reason for path, reason in found.skipped)


def test_truncated_jpeg_is_an_error(tmp_path: Path) -> None:
    whole = write_picture(tmp_path / "a.jpg", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    whole.write_bytes(whole.read_bytes()[:900])
    with pytest.raises(ConfigurationError, match=r"a\.jpg"):
        list(frames(whole))


@pytest.mark.parametrize("name", ["missing", "empty", "text.txt"])
def test_paths_without_a_scan(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(ConfigurationError, match=name.split(".")[0]):
        frames(tmp_path / name)


def test_channels_last_and_series_in_time(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 99, (5, 4, 3, 4)).astype(np.int16)
    found = list(frames(write_nifti(tmp_path / "BRATS_001.nii.gz", values)))
    assert len(found) == 3
    np.testing.assert_array_equal(found[1].image, values[:, :, 1])
    assert next(iter(frames(write_nifti(tmp_path / "one.nii", values[..., :1])))).image.shape == (5, 4)
    with pytest.raises(ShapeError, match=r"time\.nii.* series of 40 volumes"):
        frames(write_nifti(tmp_path / "time.nii", np.zeros((3, 3, 3, 40), np.int16)))
    with pytest.raises(ShapeError, match=r"5d\.nii"):
        frames(write_nifti(tmp_path / "5d.nii", np.zeros((3, 3, 3, 2, 2), np.int16)))


def test_nan_stays_for_the_preprocessing_which_takes_it_as_0(tmp_path: Path) -> None:
    hole = np.ones((3, 3, 2), np.float32)
    hole[1, 1, 1], hole[0, 0, 0] = np.nan, np.inf
    found = list(frames(write_nifti(tmp_path / "nan.nii", hole)))
    np.testing.assert_array_equal(np.stack([frame.image for frame in found], axis=2), hole)
    prepared = apply(Preprocessing((Clip(high=5),)), found[1].image)
    assert prepared[1, 1, 0] == 0
    assert np.isfinite(prepared).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_and_their_labels_are_turned_as_their_tags_say(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30, 0], upright[20:, :30, 1] = 250, 250
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    tags = Image.Exif()
    tags[0x0112] = orientation
    for file, array in (("images/one.jpg", stored), ("masks/one.png", stored[:, :, 0] // 250)):
        (tmp_path / file).parent.mkdir()
        Image.fromarray(np.ascontiguousarray(array)).save(tmp_path / file, exif=tags, quality=95)
    found = next(iter(labelled_frames(tmp_path)))
    assert found.frame.image.shape == (40, 60, 3)
    np.testing.assert_allclose(found.frame.image[5:15, 5:25].mean(axis=(0, 1)), (250, 0, 0), atol=4)
    np.testing.assert_allclose(found.frame.image[25:35, 5:25].mean(axis=(0, 1)), (0, 250, 0), atol=4)
    np.testing.assert_array_equal(found.truth, upright[:, :, 0] // 250)


def test_whatever_a_reader_raises_names_the_file(tmp_path: Path) -> None:
    """A folder of good files with one of each kind that some library trips over."""
    write_picture(tmp_path / "good.png", np.zeros((4, 5), np.uint8))
    for name in CASES:
        shutil.copy(shared("cases", name), tmp_path / name)
        with pytest.raises(ConfigurationError, match=re.escape(name)):
            list(frames(tmp_path / name))
    found = frames(tmp_path, skip_bad=True)
    assert [frame.source.name for frame in found] == ["good.png"]
    assert {path.name for path, _ in found.skipped} >= {name for name in CASES if name != "slope_nan.dcm"}
    assert all("\n" not in why for _, why in found.skipped)


def test_objects_in_npy_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ConfigurationError, match=r"evil\.npy"):
        frames(tmp_path / "evil.npy")


def test_real_scans(shared_data: Path) -> None:
    counts = {
        name: len(frames(shared_data / name))
        for name in ("ct_totalseg", "brain_tcga_lgg", "prostate_prostatex", "bccd")
    }
    assert counts == {"ct_totalseg": 132, "brain_tcga_lgg": 310, "prostate_prostatex": 38, "bccd": 345}
    brain = next(iter(frames(shared_data / "brain_tcga_lgg" / "TCGA-FG-6692")))
    assert brain.image.shape == (240, 240, 4)


def test_a_gzipped_volume_is_checked_by_its_own_sum(tmp_path: Path) -> None:
    values = np.random.default_rng(8).integers(-900, 900, (16, 16, 6)).astype(np.int16)
    file = write_nifti(tmp_path / "scan.nii.gz", values)
    whole, rng = file.read_bytes(), np.random.default_rng(9)
    damaged = [whole[:-1], whole[:-8], whole[: len(whole) // 2]]
    for place in rng.integers(20, len(whole), 40):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << rng.integers(8)
        damaged.append(bytes(flipped))
    for data in damaged:
        file.write_bytes(data)
        with pytest.raises(Error, match=r"scan\.nii\.gz"):
            list(frames(file))
        with pytest.raises(Error, match=r"scan\.nii\.gz"):
            read_nifti(file)
    file.write_bytes(whole + bytes(600))  # padding of a tape
    np.testing.assert_array_equal(read_nifti(file)[0], values)


@pytest.mark.parametrize("place", ["/etc/passwd", "../outside.raw", "LIST", "/dev/zero", "missing\x1b[2J.raw"])
def test_headers_point_to_no_file_outside_their_folder(tmp_path: Path, place: str) -> None:
    pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    (tmp_path / "outside.raw").write_bytes(bytes(128))
    folder = tmp_path / "in"
    folder.mkdir()
    meta, nrrd = folder / "a.mhd", folder / "a.nhdr"
    head = "ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementType = MET_SHORT\nElementDataFile = {}\n"
    nrrd_head = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 4 4\nencoding: raw\nendian: little\ndata file: {}\n\n"
    for file, text in ((meta, head), (nrrd, nrrd_head)):
        file.write_text(text.format(place))
        with pytest.raises(ConfigurationError, match="no file in its folder"):
            frames(file)
        (folder / "inside.raw").write_bytes(bytes(128))
        file.write_text(text.format("inside.raw"))
        assert len(list(frames(file))) == 4
        file.unlink()
