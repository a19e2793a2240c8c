"""Scans of another modality or scale than the calibration images are told."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest

from cli.conftest import SEGMENTATION
from data.files import write_nifti, write_picture
from nerone.data.frame import Frame
from nerone.data.sources import find_sources
from nerone.data.value_range import StoredValues, ValueNotes
from nerone.deployment import deploy
from nerone.live.view import open_session
from nerone.runtime.preprocessing import Channels, Percentile, Preprocessing, Resize, ZScore
from nerone.runtime.presets import preset
from paths import shared
from waiting import wait_for

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


def mr(scale=1):
    """Dark surroundings and tissue of several shades, in arbitrary units."""
    values = np.abs(RNG.normal(0, 8, (32, 32)))
    values[4:28, 4:28] = RNG.normal(320, 60, (24, 24))
    values[10:20, 10:24] = RNG.normal(600, 60, (10, 14))
    return (scale * values).astype(np.float32)


RELATIVE = {
    "percentile": Preprocessing((Percentile(1, 99),)),
    "z-score": Preprocessing((ZScore(),)),
    "brats": preset("brats").preprocessing,
}


@pytest.mark.parametrize("steps", RELATIVE.values(), ids=RELATIVE)
def test_networks_that_scale_by_the_image_compare_shapes(tmp_path, steps):
    seen = StoredValues()
    for _ in range(6):
        seen.add(mr())

    def note(image):
        notes = ValueNotes(seen.summary(), steps)
        notes.add(Frame(image, tmp_path / "a.nii", affine=np.eye(4)))
        return [text for _, text in notes.all_notes()]

    # Of any scale and either data type, another image of the modality has no note, and neither has an empty slice.
    assert note(mr()) == note(mr(40)) == note(mr(0.01)) == note(np.zeros((32, 32), np.float32)) == []
    (of_ct,) = note(ct()[:, :, 0])
    assert "its lowest value is -" in of_ct
    assert "is it the modality" in of_ct
    flat = np.zeros((32, 32), np.float32)
    flat[4:28, 4:28] = RNG.normal(600, 10, (24, 24))
    (of_flat,) = note(flat)
    assert "half of its values above the background lie in the lowest 9" in of_flat


def test_a_report_from_before_shapes_makes_no_note_of_them(tmp_path):
    old = {"low": [0.0, 1.0], "high": [500.0, 700.0]}
    frame = Frame(ct()[:, :, 0], tmp_path / "a.nii", affine=np.eye(4))
    for steps, count in ((RELATIVE["percentile"], 0), (Preprocessing(()), 1)):
        notes = ValueNotes(old, steps)
        notes.add(frame)
        assert len(notes.all_notes()) == count


def test_run_and_live_say_it_of_a_percentile_network(run, tmp_path):
    keras = pytest.importorskip("keras", reason="the network is made by Keras")
    image = keras.Input((16, 16, 1))
    x = keras.layers.Softmax()(keras.layers.Conv2D(3, 3, padding="same")(image))
    for number in range(3):
        write_nifti(tmp_path / "calibration" / f"volume-{number}.nii.gz", np.stack([mr(), mr()], -1))
    steps = Preprocessing((Channels(1), Resize(16, 16), Percentile(1, 99)))
    with pytest.warns(UserWarning, match="calibration images"):
        bundle = deploy(
            keras.Model(image, x),
            calibration=tmp_path / "calibration",
            preprocessing=steps,
            output=tmp_path / "net.nerone",
        )
    write_nifti(tmp_path / "scans" / "mr.nii.gz", np.stack([mr(7), mr(7)], -1))
    write_nifti(tmp_path / "scans" / "ct.nii.gz", ct())
    code, out, err = run("run", bundle.path, tmp_path / "scans", "-o", tmp_path / "o")
    assert code == 0, err
    notes = [line for line in out.splitlines() if line.startswith("note:")]
    assert len(notes) == 1
    assert "ct.nii.gz" in notes[0]
    (told,) = played(bundle, tmp_path / "scans")
    assert told.startswith("ct.nii.gz: its lowest value is")


def played(bundle, source, frames=200, **options):
    """Return what a live run tells of its notes, in this many frames."""
    told: list[str] = []
    with contextlib.closing(open_session(bundle, source, threads=1, told=told.append, **options)) as session:
        wait_for(lambda: session.record.done >= frames)
        assert session.source.note == (told[-1] if told else "")
    return told


def write_video(path, levels):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for level in levels:
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return path


@pytest.fixture
def of_pictures(tmp_path):
    """A bundle of a float network, calibrated on pictures of levels 0 to 255."""
    keras = pytest.importorskip("keras", reason="the network is made by Keras")
    image = keras.Input((16, 16, 1))
    for number in range(3):
        write_picture(tmp_path / "calibration" / f"{number}.png", RNG.integers(0, 256, (20, 20), np.uint8))
    with pytest.warns(UserWarning, match="calibration images"):
        return deploy(
            keras.Model(image, keras.layers.Softmax()(keras.layers.Conv2D(3, 3, padding="same")(image))),
            calibration=tmp_path / "calibration",
            preprocessing=Preprocessing((Channels(1), Resize(16, 16))),
            output=tmp_path / "grey.nerone",
        )


def test_a_video_is_told_of_once_and_may_begin_in_the_dark(of_pictures, tmp_path):
    bright = [RNG.integers(0, 256, (48, 64, 1)) for _ in range(150)]
    assert played(of_pictures, write_video(tmp_path / "good.avi", [np.zeros((48, 64, 1))] * 3 + bright)) == []
    (told,) = played(of_pictures, write_video(tmp_path / "dark.avi", [20] * 9))
    assert told.startswith("dark.avi: its values run from ")


class Camera:
    """A camera behind its cap, with the face of cv2.VideoCapture."""

    def isOpened(self):
        return True

    def read(self):
        return True, np.full((48, 64, 3), 20, np.uint8)

    def release(self):
        pass


def test_a_camera_in_the_dark_is_told_of_once(of_pictures, monkeypatch):
    monkeypatch.setattr("nerone.live.view.camera_capture", lambda name: Camera)
    (told,) = played(of_pictures, "camera:0")
    assert told.startswith("camera:0: its values run from ")


def test_a_watched_folder_tells_of_each_volume(calibrated, tmp_path):
    inbox = tmp_path / "inbox"
    for name, offset in {"good": 0, "plus": 1024, "minus": -2048}.items():
        write_nifti(inbox / f"{name}.nii.gz", ct(offset))
    told = played(calibrated, inbox, watch=True)
    assert sorted(line.split(":")[0] for line in told) == ["minus.nii.gz", "plus.nii.gz"]
    assert all("its values run from" in line for line in told)


def test_real_scans_of_another_modality(tmp_path):
    """Calibrated on one volume of a kind, another of the kind has no note; CT among MR, and MR among CT, has one."""
    kinds = {"prostate_prostatex": "MR", "brain_tcga_lgg": "MR", "ct_totalseg": "CT"}
    sources = {kind: find_sources(shared("data", kind))[0][:2] for kind in kinds}
    for kind, (first, second) in sources.items():
        seen = StoredValues()
        for frame in first.read():
            seen.add(frame.image)
        others = [other for name, pair in sources.items() if kinds[name] != kinds[kind] for other in pair]
        for source, expected in [(second, 0), *((other, 1) for other in others)]:
            notes = ValueNotes(seen.summary(), RELATIVE["percentile"])
            for frame in source.read():
                notes.add(frame)
            assert len(notes.notes(source.path)) == expected, (kind, source.path.name)
