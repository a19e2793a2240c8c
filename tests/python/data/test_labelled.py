from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.files import write_nifti, write_picture
from nerone.data import bccd
from nerone.data.labelled import class_index, labelled_frames
from nerone.errors import ConfigurationError, ShapeError


def test_ct_org_rounds_float_labels_and_drops_the_brain(ct_folder: Path) -> None:
    found = list(labelled_frames(ct_folder))
    by_source = [sum(f.frame.source.name == name for f in found) for name in ("volume-0.nii.gz", "volume-7.nii.gz")]
    assert by_source == [5, 4]
    assert all(f.truth.dtype == np.uint8 and f.truth.shape == f.frame.image.shape for f in found)
    assert max(int(f.truth.max()) for f in found) <= 5


def test_volume_without_labels_is_named_or_skipped(ct_folder: Path) -> None:
    (ct_folder / "labels-7.nii.gz").unlink()
    with pytest.raises(ConfigurationError, match=r"volume-7.*no labels"):
        labelled_frames(ct_folder)
    found = labelled_frames(ct_folder, skip_bad=True)
    assert len(list(found)) == 5
    assert [path.name for path, _ in found.skipped] == ["volume-7.nii.gz"]


def test_other_ids_and_other_shapes_are_refused(ct_folder: Path) -> None:
    write_nifti(ct_folder / "labels-0.nii.gz", np.full((48, 48, 5), 9, np.uint8))
    with pytest.raises(ConfigurationError, match="labels-0"):
        list(labelled_frames(ct_folder))
    write_nifti(ct_folder / "labels-0.nii.gz", np.zeros((48, 48, 4), np.uint8))
    with pytest.raises(ShapeError, match="labels-0"):
        list(labelled_frames(ct_folder))


def _write_case(folder: Path, names: dict[str, str], highest: int) -> None:
    rng = np.random.default_rng(5)
    for level, (kind, name) in enumerate(names.items(), 1):
        array = np.full((8, 9, 3), level, np.int16)
        if kind == "seg":
            array = rng.choice([0, 1, 2, highest], (8, 9, 3)).astype(np.int16)
        write_nifti(folder / name, array)


@pytest.mark.parametrize(
    ("names", "highest"),
    [
        ({k: f"BraTS2021_00000_{k}.nii.gz" for k in ("flair", "t1", "t1ce", "t2", "seg")}, 4),
        (
            dict(
                zip(
                    ("flair", "t1", "t1ce", "t2", "seg"),
                    (f"BraTS-GLI-00000-000-{k}.nii.gz" for k in ("t2f", "t1n", "t1c", "t2w", "seg")),
                    strict=True,
                )
            ),
            3,
        ),
    ],
)
def test_brats_names_of_both_years(tmp_path: Path, names: dict[str, str], highest: int) -> None:
    _write_case(tmp_path / "case", names, highest)
    found = list(labelled_frames(tmp_path))
    assert len(found) == 3
    assert found[0].frame.image.shape == (8, 9, 4)
    assert found[0].frame.image[0, 0].tolist() == [1, 2, 3, 4], "flair, t1, t1ce, t2"
    assert set(np.unique(np.stack([f.truth for f in found]))) == {0, 1, 2, 3}


def test_brats_ids_three_and_four_together_are_refused(tmp_path: Path) -> None:
    _write_case(tmp_path, {k: f"x_{k}.nii.gz" for k in ("flair", "t1", "t1ce", "t2", "seg")}, 4)
    write_nifti(tmp_path / "x_seg.nii.gz", np.arange(8 * 9 * 3).reshape(8, 9, 3).astype(np.uint8) % 5)
    with pytest.raises(ConfigurationError, match="x_seg"):
        list(labelled_frames(tmp_path))


def test_mask_folders_and_class_folders(tmp_path: Path) -> None:
    write_picture(tmp_path / "a" / "images" / "one.png", np.zeros((4, 5), np.uint8))
    write_picture(tmp_path / "a" / "masks" / "one.png", np.full((4, 5), 2, np.uint8))
    assert [f.truth.tolist() for f in labelled_frames(tmp_path / "a")] == [np.full((4, 5), 2).tolist()]
    for name in ("CAT", "dog"):
        write_picture(tmp_path / "b" / name / "1.png", np.zeros((4, 5, 3), np.uint8))
    assert [f.truth for f in labelled_frames(tmp_path / "b")] == ["CAT", "dog"]
    assert class_index("CAT", ("dog", "cat")) == 1
    with pytest.raises(ConfigurationError, match=r"horse.*--classes"):
        class_index("horse", ("dog", "cat"))


def test_blood_table_leaves_out_what_has_no_single_class(tmp_path: Path) -> None:
    for number in range(4):
        write_picture(tmp_path / "JPEGImages" / f"BloodImage_0000{number}.jpg", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "labels.csv").write_text(
        ',Image,Category\n,0,NEUTROPHIL\n,1,"NEUTROPHIL, EOSINOPHIL"\n,2,\n,3,BASOPHIL\n'
    )
    assert [(image.label, image.original) for image in bccd.images(tmp_path)] == [("neutrophil", 0)]


def test_blood_split_by_original(tmp_path: Path) -> None:
    for part, name in (("TRAIN", "_7_111.jpeg"), ("TRAIN", "_8_4.jpeg"), ("TEST", "_7_999.jpeg")):
        write_picture(tmp_path / part / "MONOCYTE" / name, np.zeros((8, 8, 3), np.uint8))
    found = bccd.images(tmp_path)
    assert {image.part for image in found} == {"train", "test"}
    assert bccd.check_split(found) == [7]


def test_real_split_is_honest(shared_data: Path) -> None:
    found = bccd.images(shared_data / "bccd")
    assert bccd.check_split(found) == []
    assert [sum(image.part == part for image in found) for part in ("train", "test")] == [274, 71]


def test_prostate_masks_are_matched_in_millimetres(shared_data: Path) -> None:
    import SimpleITK

    root = shared_data / "prostate_prostatex"
    found = list(labelled_frames(root))
    assert len(found) == 38
    file = next(root.rglob("ProstateX-0000.nrrd"))
    array = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file)))
    ours = np.stack([f.truth for f in found if "ProstateX-0000" in str(f.frame.source)])
    # This mask was stored on the series' own grid, so millimetres and indices must agree.
    np.testing.assert_array_equal(ours, array)


def test_prostate_mask_with_swapped_axes(tmp_path: Path, shared_data: Path) -> None:
    import shutil

    import SimpleITK

    root = shared_data / "prostate_prostatex"
    shutil.copytree(root / "ProstateX" / "ProstateX-0000", tmp_path / "ProstateX-0000")
    original = SimpleITK.ReadImage(str(next(root.rglob("ProstateX-0000.nrrd"))))
    turned = SimpleITK.Flip(SimpleITK.PermuteAxes(original, [1, 0, 2]), [True, False, True])
    SimpleITK.WriteImage(turned, str(tmp_path / "ProstateX-0000.nrrd"))
    ours = np.stack([f.truth for f in labelled_frames(tmp_path)])
    np.testing.assert_array_equal(ours, SimpleITK.GetArrayFromImage(original))


def test_brain_scans(shared_data: Path) -> None:
    truth = np.stack([f.truth for f in labelled_frames(shared_data / "brain_tcga_lgg" / "TCGA-FG-6692")])
    assert np.bincount(truth.ravel())[1:].tolist() == [2477, 20862, 6840]
