"""Data as people have it: half downloaded, without labels, of another kind; named, or left out and counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data.files import write_nifti, write_picture
from nerone.cli.main import main
from nerone.data.check import check_data
from nerone.data.frame import Frame
from nerone.data.labelled import LabelledFrame, labelled_frames
from nerone.data.phantom_sets import write_phantoms
from nerone.data.prepared import prepared_frames
from nerone.data.sources import frames
from nerone.errors import ConfigurationError, ShapeError
from nerone.runtime.preprocessing import Channels, Preprocessing
from nerone.zoo import tasks

KINDS = ("flair", "t1", "t1ce", "t2", "seg")


def brain_case(folder: Path, name: str, kinds: tuple[str, ...] = KINDS) -> None:
    for kind in kinds:
        write_nifti(folder / name / f"{name}_{kind}.nii.gz", np.ones((6, 6, 2), np.int16))


@pytest.mark.parametrize("missing", ["flair", "t1", "t1ce", "t2"])
def test_a_brain_case_without_a_modality_is_named(tmp_path: Path, missing: str) -> None:
    brain_case(tmp_path, "whole")
    brain_case(tmp_path, "half", tuple(kind for kind in KINDS if kind != missing))
    with pytest.raises(ConfigurationError, match=rf"half' has no {missing};.*half downloaded"):
        labelled_frames(tmp_path)
    found = labelled_frames(tmp_path, skip_bad=True)
    assert len(list(found)) == 2
    assert [path.name for path, _ in found.skipped] == ["half"]
    assert [path.name for path, _ in check_data(tmp_path).problems] == ["half"]


def test_two_contrasts_of_another_data_set_are_no_case(tmp_path: Path) -> None:
    brain_case(tmp_path, "subject", ("t1", "t2"))
    assert len(frames(tmp_path)) == 4
    brain_case(tmp_path, "subject", ("seg",))
    with pytest.raises(ConfigurationError, match="no flair and no t1ce"):
        frames(tmp_path)


def test_a_damaged_volume_is_left_out_whole(tmp_path: Path) -> None:
    write_phantoms("prostate", tmp_path, count=2, size=64, slices=5)
    series = sorted(path for path in tmp_path.rglob("*.dcm"))
    broken = next(path for path in series if "0001" in str(path))
    others = [path for path in series if path.parent == broken.parent]
    content = others[2].read_bytes()
    others[2].write_bytes(content[: len(content) - 2000])
    for found in (frames(tmp_path, skip_bad=True), labelled_frames(tmp_path, skip_bad=True)):
        sources = [getattr(item, "frame", item).source for item in found]
        assert broken.parent not in sources, "no slice of it is used"
        assert len(sources) == 5
        assert [path for path, _ in found.skipped] == [broken.parent]


def test_images_of_another_kind_are_named_or_left_out() -> None:
    grey, colour = np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.uint8)
    truth = np.zeros((4, 4), np.uint8)
    found = [LabelledFrame(Frame(image, Path(name)), truth) for name, image in (("grey", grey), ("colour", colour))]
    steps = Preprocessing((Channels(1),))
    with pytest.raises(ShapeError, match="'colour': the image has 3 channels"):
        list(prepared_frames(found, steps, ("a", "b")))
    skipped: list[tuple[Path, str]] = []
    used = list(prepared_frames(found, steps, ("a", "b"), skipped=skipped))
    assert [frame.frame.source.name for frame, _, _ in used] == ["grey"]
    assert [(path.name, "3 channels" in why) for path, why in skipped] == [("colour", True)]


def test_sixteen_bit_and_colour_pictures_through_the_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("nerone._core", reason="the extension is not built")
    from cli.conftest import SEGMENTATION, segmentation_model
    from nerone.deployment import deploy

    bundle = deploy(
        segmentation_model(), preprocessing=SEGMENTATION, class_names=list("abc"), output=tmp_path / "net.nerone"
    )
    rng = np.random.default_rng(3)
    for name, image in (
        ("deep", rng.integers(0, 65536, (20, 20)).astype(np.uint16)),
        ("colour", rng.integers(0, 256, (20, 20, 3)).astype(np.uint8)),
    ):
        write_picture(tmp_path / "set" / "images" / f"{name}.png", image)
        write_picture(tmp_path / "set" / "masks" / f"{name}.png", np.ones((20, 20), np.uint8))
    whole = write_picture(tmp_path / "set" / "images" / "cut.jpg", np.zeros((20, 20), np.uint8))
    whole.write_bytes(whole.read_bytes()[:150])
    write_picture(tmp_path / "set" / "masks" / "cut.png", np.ones((20, 20), np.uint8))
    words = ["evaluate", str(bundle.path), "--data", str(tmp_path / "set")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "colour.png" in said or "cut.jpg" in said
    assert main([*words, "--skip-bad", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["frames"] == 1, "16 bits of grey are read as they are"
    assert {Path(path).name for path, _ in found["skipped"]} == {"colour.png", "cut.jpg"}
    assert main([*words, "--skip-bad"]) == 0
    assert "1 images, 2 files left out" in capsys.readouterr().out


def test_training_leaves_out_what_is_damaged(tmp_path: Path) -> None:
    write_phantoms("bccd", tmp_path / "blood", count=2, size=80)
    broken = next((tmp_path / "blood").rglob("*.jpg"))
    broken.write_bytes(broken.read_bytes()[:400])
    with pytest.raises(ConfigurationError, match=broken.name):
        tasks.prepare("bccd", tmp_path / "blood", tmp_path / "a")
    skipped: list[tuple[Path, str]] = []
    assert len(tasks.prepare("bccd", tmp_path / "blood", tmp_path / "b", skipped=skipped)) == 7
    assert [path for path, _ in skipped] == [broken]

    write_phantoms("prostate", tmp_path / "prostate", count=2, size=64, slices=3)
    gone = next((tmp_path / "prostate").rglob("*.nrrd"))
    gone.unlink()
    with pytest.raises(ConfigurationError, match="no labels"):
        tasks.prepare("prostate", tmp_path / "prostate", tmp_path / "c")
    skipped.clear()
    assert len(tasks.prepare("prostate", tmp_path / "prostate", tmp_path / "d", skipped=skipped)) == 3
    assert len(skipped) == 1
