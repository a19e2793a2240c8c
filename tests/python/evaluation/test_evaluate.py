from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nerone.data.frame import Frame
from nerone.data.labelled import LabelledFrame
from nerone.data.phantom_sets import write_phantoms
from nerone.errors import ConfigurationError
from nerone.evaluation.evaluate import evaluate
from nerone.runtime.preprocessing import CropOrPad, Percentile, Preprocessing, ScaleOffset
from paths import shared


class Threshold:
    """Says class 1 where the prepared value is above a level."""

    def __init__(self, level: float) -> None:
        self.level = level

    def scores(self, values: np.ndarray) -> np.ndarray:
        return np.concatenate([np.full_like(values, self.level), values], axis=-1)


class Constant:
    def __init__(self, index: int) -> None:
        self.index = index

    def scores(self, values: np.ndarray) -> np.ndarray:
        return np.eye(2, dtype=np.float32)[self.index]


def labelled(images: list[np.ndarray], truths: list[object], names: list[str]) -> list[LabelledFrame]:
    pairs = zip(images, truths, names, strict=True)
    return [LabelledFrame(Frame(image, Path(name)), truth) for image, truth, name in pairs]  # type: ignore[arg-type]


def test_scores_are_taken_on_the_grid_of_the_input() -> None:
    image = np.zeros((6, 6), np.float32)
    image[0, 0] = image[3, 3] = 1
    truth = (image > 0).astype(np.uint8)
    frames = labelled([image], [truth], ["a"])
    result = evaluate({"INT8": Threshold(0.5)}, frames, Preprocessing((CropOrPad(4, 4),)), ("none", "yes"))
    assert result.counts["INT8"].per_image[0, 1].tolist() == [15, 1], "the corner was cropped away from truth too"
    assert result.counts["INT8"].dice().tolist() == [1.0, 1.0]


def test_networks_are_compared_with_the_first() -> None:
    image = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    frames = labelled([image], [(image > 0.5).astype(np.uint8)], ["a"])
    networks = {"INT8": Threshold(0.6), "FP32": Threshold(0.5)}
    result = evaluate(networks, frames, Preprocessing((ScaleOffset(),)), ("none", "yes"))
    assert result.counts["FP32"].dice()[1] == 1
    assert result.agreement == {"FP32": pytest.approx(0.9)}


def test_statistics_belong_to_the_volume() -> None:
    dark, bright = np.full((4, 4), 10, np.float32), np.full((4, 4), 100, np.float32)
    steps = Preprocessing((Percentile(None, 100, to=(0, 1), scope="volume"),))
    truth = np.ones((4, 4), np.uint8)
    together = evaluate(
        {"n": Threshold(0.5)}, labelled([dark, bright], [1 - truth, truth], ["v", "v"]), steps, ("a", "b")
    )
    assert together.counts["n"].dice().tolist() == [1, 1]
    apart = evaluate({"n": Threshold(0.5)}, labelled([dark, bright], [1 - truth, truth], ["v", "w"]), steps, ("a", "b"))
    assert apart.counts["n"].dice()[0] == 0


def test_classification_by_name() -> None:
    frames = labelled([np.zeros((4, 4), np.uint8)] * 3, ["DOG", "dog", "cat"], ["a", "b", "c"])
    steps = Preprocessing((ScaleOffset(),))
    result = evaluate({"n": Constant(0)}, frames, steps, ("dog", "cat"), segmentation=False)
    assert result.counts["n"].accuracy() == pytest.approx(2 / 3)
    with pytest.raises(ConfigurationError, match="horse"):
        evaluate(
            {"n": Constant(0)},
            labelled([frames[0].frame.image], ["horse"], ["a"]),
            steps,
            ("dog", "cat"),
            segmentation=False,
        )


def test_agreement_of_classes_counts_equal_images_too() -> None:
    frames = labelled([np.zeros((4, 4), np.uint8)] * 2, ["dog", "cat"], ["a", "b"])
    for other, share in ((0, 1.0), (1, 0.0)):
        networks = {"INT8": Constant(0), "FP32": Constant(other)}
        result = evaluate(networks, frames, Preprocessing((ScaleOffset(),)), ("dog", "cat"), segmentation=False)
        assert result.agreement == {"FP32": share}


def test_nothing_to_score_is_an_error(tmp_path: Path) -> None:
    write_phantoms("ct-org", tmp_path, count=1, size=32, slices=2)
    (tmp_path / "labels-0.nii.gz").unlink()
    with pytest.raises(ConfigurationError, match="labels"):
        evaluate({"n": Threshold(0)}, tmp_path, Preprocessing((ScaleOffset(),)), ("a", "b"), skip_bad=True)


def test_demo_on_real_scans(tmp_path: Path) -> None:
    pytest.importorskip("nerone._core", reason="the extension is not built")
    pytest.importorskip("tensorflow", reason="the FP32 baseline needs TensorFlow")
    from nerone.evaluation.demo import run_demo

    scans = shared("data", "ct_totalseg", "OrganSegmentations", "volume-901.nii.gz").parent
    few = tmp_path / "scans"
    few.mkdir()
    for name in ("volume-901.nii.gz", "labels-901.nii.gz"):
        (few / name).symlink_to(scans / name)
    report = run_demo(tmp_path / "out", data=few, calibration_volumes=2, test_slices=6, seconds=0.5)
    phantoms, real = report.scores
    for scores in (phantoms, real):
        dice = {name: counts.weighted_dice() for name, counts in scores.evaluation.counts.items()}
        assert abs(dice["INT8"] - dice["FP32"]) < 0.03
        assert scores.evaluation.agreement["FP32"] > 0.98
        assert scores.picture.stat().st_size > 50_000
    assert phantoms.evaluation.counts["INT8"].weighted_dice() > 0.6
    assert real.evaluation.counts["INT8"].dice()[1] > 0.5, "the liver"
    assert report.engine_fps > 0
    assert report.pipeline_fps > 0


def test_demo_calibrates_with_enough_of_each_class(tmp_path: Path) -> None:
    from nerone.data import ct_org
    from nerone.data.labelled import labelled_frames
    from nerone.evaluation import demo
    from nerone.quantization import Sampling, class_presence, coverage, sample

    settings = {"count": demo.CALIBRATION_VOLUMES, "slices": demo.CALIBRATION_SLICES}
    write_phantoms("ct-org", tmp_path, seed=demo.CALIBRATION_SEED, **settings)
    presence = class_presence([item.truth for item in labelled_frames(tmp_path)], len(ct_org.CLASSES))
    shares = {ct_org.CLASSES.index(name): share for name, share in demo.CLASS_SHARES.items()}
    chosen = sample(presence, Sampling(images=demo.CALIBRATION_IMAGES, shares=shares))
    assert coverage(presence, chosen, ct_org.CLASSES)["warnings"] == []
